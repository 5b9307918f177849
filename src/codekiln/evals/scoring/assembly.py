"""Makes one program of an answer and its tests: text in, texts for the toolchain's files out.

Takes code as it comes out of a chat answer: a whole function, with or without the prompt's
comments and imports, with a main or with usage, or the function's body alone. Runs nothing.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from codekiln.evals.scoring.hidden import ProgramTests
from codekiln.evals.scoring.toolchains import Toolchain
from codekiln.languages import parse

if TYPE_CHECKING:
    from tree_sitter import Node

_CPP_MAIN = re.compile(r"\bint\s+main\s*\(\s*\)")
_RUST_MAIN = re.compile(r"\bfn\s+main\s*\(\s*\)")
_JAVA_MAIN = re.compile(r"\bvoid\s+main\s*\(\s*String\[\]\s*\w+\s*\)")
_RUST_USE = re.compile(r"^use\s[^;]*;", re.MULTILINE)
_JAVA_IMPORT = re.compile(r"^[ \t]*import\s[^;]*;[ \t]*\n?", re.MULTILINE)
_CPP_TYPE = re.compile(r"^(?:union|struct|class)\s+(\w+)", re.MULTILINE)
_CPP_WORD = re.compile(r"\b[a-z_]\w*")
_STRINGS = re.compile(r'"(?:\\.|[^"\\\n])*"')
_JAVA_TYPES = ("class_declaration", "record_declaration", "enum_declaration")


def assemble(code: str, tests: ProgramTests, chain: Toolchain, space: str) -> dict[str, str]:
    """Values for the placeholders of the toolchain's files, all but the token.

    `space` is a name that the code cannot know.
    """
    prompt = (
        tests.prompt if tests.prompt.endswith("\n") or not tests.prompt else f"{tests.prompt}\n"
    )
    if chain.language != "python":
        code = _whole(code, prompt, tests.entry_point, chain)
    elif not defines(code, tests.entry_point, chain):
        code = prompt + (code if code[:1].isspace() else textwrap.indent(code, "    "))
    elif "__future__" not in code:
        code = f"{prompt}\n{code}"
    values = {
        "CODE": code,
        "TESTS": tests.tests.lstrip().removeprefix("}"),
        "PROMPT": prompt,
        "ENTRY": tests.entry_point,
        "SPACE": space,
        "CLASS": "Problem",
        "LENIENT": "true" if "operator==" in prompt else "false",
    }
    special = _SPECIAL.get(chain.language)
    return {**values, **special(values)} if special is not None else values


def defines(code: str, name: str, chain: Toolchain) -> bool:
    """Whether the code says what `name` is; a name that is not known counts as defined."""
    if not name:
        return True
    root = parse(chain.language, code).root
    return any(
        node.type in chain.definitions and _name_of(node) == name for node in _descendants(root)
    )


def last_function(prompt: str, chain: Toolchain) -> str:
    """The name of the function whose head ends the prompt."""
    closed = prompt.rstrip() + f"\n{chain.closer}" * (2 if chain.language == "java" else 1)
    names = [
        _name_of(node)
        for node in _descendants(parse(chain.language, closed).root)
        if node.type in chain.definitions
    ]
    return names[-1] if names else ""


def _whole(code: str, prompt: str, name: str, chain: Toolchain) -> str:
    """With the prompt in front where the function's head is missing, and without a main."""
    if not defines(code, name, chain):
        code = prompt + code
    if chain.language != "java" and _lacks_closer(code, chain):
        code = f"{code}\n{chain.closer}"
    return _without_main(code, chain) if chain.drop_main else code


def _lacks_closer(code: str, chain: Toolchain) -> bool:
    if not parse(chain.language, code).has_error:
        return False
    closed = not parse(chain.language, f"{code}\n{chain.closer}").has_error
    return closed or (chain.closer == "}" and _depth(code, chain.language) == 1)


def _typescript(values: dict[str, str]) -> dict[str, str]:
    # The tests go into a function, where there are no declarations; the file declares it itself.
    return {"TESTS": re.sub(r"^declare .*", "", values["TESTS"], flags=re.MULTILINE)}


def _cpp(values: dict[str, str]) -> dict[str, str]:
    code, prompt, tests = values["CODE"], values["PROMPT"], values["TESTS"]
    head = re.split(r"^//", prompt, maxsplit=1, flags=re.MULTILINE)[0]
    if any(
        re.search(rf"\b(?:union|struct|class)\s+{name}\b", code) for name in _CPP_TYPE.findall(head)
    ):
        head = ""
    includes = "\n".join(re.findall(r"^#include.*", prompt, re.MULTILINE))
    if prompt and prompt not in code:
        code = f"{includes if not head.strip() else head.rstrip()}\n{code}"
    # A macro of the answer must not change what the tests say.
    words = sorted({"assert", "int", "main", "return", *_CPP_WORD.findall(_STRINGS.sub("", tests))})
    return {
        "CODE": code,
        "TESTS": _CPP_MAIN.sub(f"static void {values['SPACE']}_tests()", tests),
        "UNDEFINED": "\n".join(f"#undef {word}" for word in words),
    }


def _rust(values: dict[str, str]) -> dict[str, str]:
    code = values["CODE"]
    uses = _RUST_USE.findall(values["PROMPT"])
    taken = " ".join(_RUST_USE.findall(code))
    lacking = [use for use in uses if not _imported(use, taken)]
    return {
        # At the end: inner attributes have to stay first.
        "CODE": "\n".join([code, *lacking]),
        "PROMPT": "\n".join(uses),
        "TESTS": _RUST_MAIN.sub("fn tests()", values["TESTS"]),
    }


def _imported(use: str, taken: str) -> bool:
    path, _, name = use.removeprefix("use").strip(" ;").rpartition("::")
    return bool(re.search(rf"\b{name}\b", taken)) or f"{path}::*" in taken


def _java(values: dict[str, str]) -> dict[str, str]:
    space = values["SPACE"]
    tests = values["TESTS"].rstrip().removesuffix("}")
    tests = _JAVA_MAIN.sub(f"void {space}_tests()", _java_asserts(tests, space))
    code = values["CODE"]
    root = parse("java", code).root
    owner = next(
        (
            node
            for node in root.children
            if node.type in _JAVA_TYPES
            and any(
                part.type == "method_declaration" and _name_of(part) == values["ENTRY"]
                for part in _descendants(node)
            )
        ),
        None,
    )
    name = "Problem"
    if owner is not None and not owner.has_error:
        name = _name_of(owner) or name
        source = code.encode()
        end = owner.end_byte - 1
        parts = [source[:end], b"\n", tests.encode(), source[end:]]
        code = _only_public(b"".join(parts).decode(), name)
    else:
        in_class = re.search(r"\bclass\s+(\w+)", code)
        if in_class:
            name = in_class[1]
        else:
            body = _JAVA_IMPORT.sub("", code)
            code = f"{''.join(_JAVA_IMPORT.findall(code))}\nclass {name} {{\n{body}"
        # One level is the class; what else is open are the method and its blocks.
        open_blocks = _depth(code, "java") - 1
        if open_blocks < 0:
            code = code.rstrip().removesuffix("}")
        code = f"{code}\n{'}' * min(open_blocks, 1)}\n{tests}\n}}\n"
    imports = [line.strip() for line in _JAVA_IMPORT.findall(values["PROMPT"])]
    lacking = [line for line in imports if line not in code]
    return {"CODE": "\n".join([*lacking, code]), "CLASS": name}


def _java_asserts(tests: str, space: str) -> str:
    """Every `assert` as a call, and `equals` as a comparison that only plain values pass."""
    head = "class T {\n"
    source = (head + tests + "\n}").encode()
    edits: list[tuple[int, int, str]] = []
    for node in _descendants(parse("java", source.decode()).root):
        if node.type != "assert_statement":
            continue
        condition = node.named_children[0]
        while condition.type == "parenthesized_expression":
            condition = condition.named_children[0]
        text = _text(condition)
        owner = condition.child_by_field_name("object")
        values = condition.child_by_field_name("arguments")
        method = condition.child_by_field_name("name")
        if method and owner and values and _text(method) == "equals":
            text = f"{space}.same({_text(owner)}, {_text(values)})"
        edits.append((node.start_byte, node.end_byte, f"{space}.that({text});"))
    for start, end, text in reversed(edits):
        source = source[:start] + text.encode() + source[end:]
    return source.decode().removeprefix(head).removesuffix("\n}")


def _only_public(code: str, name: str) -> str:
    """A file may hold one public class, named as the file."""
    source = code.encode()
    for node in reversed(parse("java", code).root.children):
        if node.type in _JAVA_TYPES and _name_of(node) != name:
            text = re.sub(r"^public\s+", "", _text(node))
            source = source[: node.start_byte] + text.encode() + source[node.end_byte :]
    return source.decode()


def _without_main(code: str, chain: Toolchain) -> str:
    tree = parse(chain.language, code)
    source = tree.source
    mains = [
        node
        for node in _descendants(tree.root)
        if node.type in chain.definitions and node.type != "init_declarator"
        if _name_of(node) == "main" and not node.has_error
    ]
    for node in reversed(mains):
        source = source[: node.start_byte] + source[node.end_byte :]
    return source.decode()


def _depth(code: str, language: str) -> int:
    """How many braces are open at the end, those in texts and comments left out."""
    depth = 0
    for node in _descendants(parse(language, code).root):
        if not node.children and not node.is_missing:
            depth += node.type in ("{", "${")
            depth -= node.type == "}"
    return depth


def _descendants(root: Node) -> Iterator[Node]:
    # A stack, not recursion: the tree of nested code is as deep as the code.
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def _name_of(node: Node) -> str:
    for _ in range(8):
        part = (
            node.child_by_field_name("name")
            or node.child_by_field_name("declarator")
            or node.child_by_field_name("left")
            # A reference's declarator has no field name.
            or next((child for child in node.children if child.type == "function_declarator"), None)
        )
        if part is None:
            break
        node = part
    return _text(node) if node.child_count == 0 else ""


def _text(node: Node) -> str:
    return (node.text or b"").decode()


_SPECIAL: dict[str, Callable[[dict[str, str]], dict[str, str]]] = {
    "typescript": _typescript,
    "cpp": _cpp,
    "rust": _rust,
    "java": _java,
}
