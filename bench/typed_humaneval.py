"""HumanEval with full annotations: what a signature leaves open is taken from MultiPL-E's C++.

MultiPL-E (Cassano et al., IEEE TSE 2023) annotated HumanEval by hand to translate it, and its C++
signatures tell whole numbers from others. Annotations that HumanEval has itself stay, but for a
plain `list`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Any

# MultiPL-E leaves these out, since they come with a helper.
_NOT_TRANSLATED = {
    32: (["list[float]"], "float"),
    38: (["str"], "str"),
    50: (["str"], "str"),
}
_PLAIN = {
    "long": "int",
    "float": "float",
    "bool": "bool",
    "std::string": "str",
    "std::any": "Any",
    "std_nullopt": "None",
    "std_string": "str",
}
_GENERIC = {"vector": "list", "map": "dict", "tuple": "tuple"}
_SIGNATURE = re.compile(r"^(?P<result>\S.*?)\s(?P<name>\w+)\((?P<parameters>.*)\)\s*\{$", re.M)


def fully_typed(
    python: Iterable[dict[str, Any]], cpp: Iterable[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The public problems of HumanEval with annotated signatures.

    `cpp` are those of MultiPL-E in C++. Raises ValueError where a signature stays open.
    """
    known = {int(public["id"].split("_")[1]): _cpp_types(public["text"]) for public in cpp}
    known |= _NOT_TRANSLATED
    for public in python:
        parameters, result = known[int(public["id"].split("/")[1])]
        text = _annotated(public["text"], public["entry_point"], parameters, result)
        yield {**public, "text": text}


def _cpp_types(text: str) -> tuple[list[str], str]:
    """The types of the parameters and of the result of the last signature, in Python."""
    found = list(_SIGNATURE.finditer(text))[-1]
    parameters = [part.rsplit(" ", 1)[0] for part in _split(found["parameters"])]
    return [_python_type(part) for part in parameters], _python_type(found["result"])


def _split(text: str) -> list[str]:
    """`text` at its commas that are outside of angle brackets."""
    parts, depth = [""], 0
    for char in text:
        depth += (char == "<") - (char == ">")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def _python_type(cpp: str) -> str:
    if cpp in _PLAIN:
        return _PLAIN[cpp]
    if cpp.startswith("Union_"):
        # A vector in a union is written as `std_vector_std_string_`, the last mark its bracket.
        inner = re.sub(r"std_vector_(\w+?)__", r"vector<\1>_", cpp.removeprefix("Union_"))
        parts = re.findall(r"vector<\w+>|std_\w+?(?=_|$)|[a-z]+", inner)
        return " | ".join(_python_type(part.replace("vector", "std::vector")) for part in parts)
    found = re.fullmatch(r"std::(\w+)<(.*)>", cpp)
    if found is None:
        raise ValueError(f"no Python type is known for {cpp}")
    inside = [_python_type(part) for part in _split(found[2])]
    if found[1] == "optional":
        return f"{inside[0]} | None"
    return f"{_GENERIC[found[1]]}[{', '.join(inside)}]"


def _annotated(text: str, name: str, parameters: list[str], result: str) -> str:
    """The stub `text` with the open annotations of its function `name` filled in."""
    # A stub ends with its docstring, which is a body.
    function = next(
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    arguments = function.args.args
    if len(arguments) != len(parameters):
        raise ValueError(f"{name}: {len(arguments)} parameters, {len(parameters)} types")
    for argument, annotation in zip(arguments, parameters, strict=True):
        if argument.annotation is None or ast.unparse(argument.annotation) in ("list", "dict"):
            argument.annotation = ast.parse(annotation, mode="eval").body
    if function.returns is None or ast.unparse(function.returns) in ("list", "dict"):
        function.returns = ast.parse(result, mode="eval").body
    head = f"def {name}({ast.unparse(function.args)}) -> {ast.unparse(function.returns)}:"
    lines = text.splitlines(keepends=True)
    body = function.body[0]
    assert isinstance(body, ast.Expr)
    # A docstring's first line number is that of its opening quotes.
    lines[function.lineno - 1 : body.lineno - 1] = [head + "\n"]
    return ("from typing import Any\n\n\n" if "Any" in head else "") + "".join(lines)
