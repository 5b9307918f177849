"""Reads code of another language than Python whose body is missing: comments and a heading.

Gives what stub_form.py gives for Python. The words are those of the comments; the examples in
them are doctests (`>>> f(1)`, the value below), with calls and values as the language writes them.
Code counts as a stub only where the language's grammar takes it once its brackets are closed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.lisp_literals import read_lisp_call, read_lisp_literal
from codekiln.generation.tasks.literals import LiteralError, read_literal, read_literal_call
from codekiln.generation.tasks.names import Interface
from codekiln.generation.tasks.stub_form import Stub
from codekiln.languages import Language, syntax_errors
from codekiln.languages.headings import commented_lines, function_names

# What may be missing at the end of a stub, its body included where a language wants one.
_BRACES = ("\n}", "\n}\n}", "\n:\n}")
_ENDS = ("\nend", "\nend\nend")
_BRACKETS = (")", " nil)")
_FILLERS = re.compile(
    r"\{\s*(?:(?:todo|unimplemented)!\([^()]*\);?|throw\s[^;{}]*;|\.{3}|pass)?\s*\}\s*(?:\}\s*)?\Z"
    r"|\n\s*(?:todo|raise\s+NotImplementedError[^\n]*)?\s*end\s*(?:end\s*)?\Z",
    re.IGNORECASE,
)
_PROMPT = re.compile(r"\s*>>>\s*(.*)")
MAX_VALUE_LINES = 12

_Call = Callable[[str], tuple[str, tuple[object, ...]]]
_Value = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class LanguageStub:
    """The stub, and the examples that its comments show."""

    stub: Stub
    drafts: tuple[Draft, ...]


def read_language_stub(text: str, language: Language) -> LanguageStub | None:
    """The stub that `text` is as a whole; None where it is none, or nothing can tell.

    >>> from codekiln.languages import get_language
    >>> code = "// Adds.\\n// >>> add(vec![1])\\n// 1\\nfn add(v: Vec<i32>) -> i32 {"
    >>> found = read_language_stub(code, get_language("rust"))
    >>> found.stub.interface.entry_point, found.stub.description, found.drafts[0].call
    ('add', 'Adds.', 'add([1])')
    """
    if not language.grammar or language.hangs or language.name == "python":
        return None
    skeleton = text.strip("\n")
    lines = list(commented_lines(skeleton, language))
    code = "\n".join(line for line, said in lines if said is None)
    names = function_names(skeleton, language)
    if not names or not _is_open(skeleton, code, language):
        return None
    words, drafts = _examples([said for _, said in lines if said is not None], language)
    stub = Stub(
        skeleton=skeleton,
        interface=Interface(names[-1]),
        description="\n".join(words).strip() or f"Complete the function `{names[-1]}`.",
        docstrings=(),
        is_open=True,
        defined=frozenset(names),
        bound=frozenset(names),
    )
    return LanguageStub(stub, tuple(drafts))


def _is_open(skeleton: str, code: str, language: Language) -> bool:
    """True when the code breaks off behind a heading, or its last body is empty."""
    code = code.rstrip()
    if _FILLERS.search(code):
        ends: Sequence[str] = ("",)
    elif code.endswith("{"):
        ends = _BRACES
    elif language.style == "end":
        ends = _ENDS
    else:
        ends = _BRACKETS if _is_lisp(language) else ()
    return any(not syntax_errors(language, skeleton + end) for end in ends)


def _examples(said: Sequence[str], language: Language) -> tuple[list[str], list[Draft]]:
    """The words that are no example, and the examples."""
    words: list[str] = []
    drafts: list[Draft] = []
    at = 0
    while at < len(said):
        prompt = _PROMPT.match(said[at])
        if prompt is None:
            words.append(said[at])
            at += 1
            continue
        taken = _value_lines(said, at + 1)
        drafts.append(_draft(prompt[1], said[at : at + 1], said[at + 1 : at + 1 + taken], language))
        at += 1 + taken
    while words and re.fullmatch(r"(?i)\s*(?:examples?|示例)?\s*[:：]?\s*", words[-1]):
        words.pop()
    return words, drafts


def _value_lines(said: Sequence[str], start: int) -> int:
    """How many lines of a value follow."""
    end = start
    while end < len(said) and said[end].strip() and not _PROMPT.match(said[end]):
        end += 1
    return min(end - start, MAX_VALUE_LINES)


def _draft(call: str, prompt: Sequence[str], below: Sequence[str], language: Language) -> Draft:
    read_call, read_value = _readers(language)
    text = "\n".join([*prompt, *below])
    try:
        name, values = read_call(call)
    except LiteralError as error:
        return Draft(text, why_not=f"its call cannot be read: {error}")
    why = "it says no result"
    # The value is the first line, or as many as it takes; what follows are words.
    for count in range(1, len(below) + 1):
        try:
            value = read_value("\n".join(below[:count]))
        except LiteralError as error:
            why = f"its value cannot be read: {error}"
            continue
        given = ", ".join(map(repr, values))
        return Draft(
            "\n".join([*prompt, *below[:count]]), call=f"{name}({given})", expected=repr(value)
        )
    return Draft(text, why_not=why)


def _readers(language: Language) -> tuple[_Call, _Value]:
    if language.kind == "shell":
        return _shell_call, _shell_value
    if _is_lisp(language):
        return read_lisp_call, read_lisp_literal
    return (
        lambda text: read_literal_call(text, language),
        lambda text: read_literal(text, language),
    )


def _is_lisp(language: Language) -> bool:
    return language.style == "expressions" and language.line_comment.startswith(";")


def _shell_call(text: str) -> tuple[str, tuple[object, ...]]:
    """`$(f "1 2" "3")` or `f 1 2`: every argument is a text."""
    within = re.fullmatch(r"\$\((.*)\)", text.strip(), re.DOTALL)
    name, *arguments = _shell_words(within[1] if within else text) or [""]
    if not re.fullmatch(r"[A-Za-z_][\w]*", name):
        raise LiteralError("it is no call")
    return name, tuple(arguments)


def _shell_value(text: str) -> object:
    """What is printed, in quotes or plainly on one line."""
    if re.fullmatch(r"\s*([\"']).*\1\s*", text, re.DOTALL):
        words = _shell_words(text)
        if len(words) != 1:
            raise LiteralError("it is not one text")
        return words[0]
    if "\n" in text or text.count('"') % 2 or "$" in text:
        raise LiteralError("it is not one text")
    return text.strip()


def _shell_words(text: str) -> list[str]:
    if re.search(r"(?<!\\)[$`]", text.replace("$'", "")):
        raise LiteralError("something that the shell would replace")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise LiteralError(f"{error}".lower()) from error
