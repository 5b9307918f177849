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
from codekiln.generation.tasks.literal_tokens import MAX_CHARS, LiteralError
from codekiln.generation.tasks.literals import read_literal, read_literal_call
from codekiln.generation.tasks.names import Interface
from codekiln.generation.tasks.stub_form import Stub
from codekiln.languages import Language, syntax_errors
from codekiln.languages.headings import commented_lines, is_lisp, open_heading

# What may be missing at the end of a stub, its body included where a language wants one.
_BRACES = ("\n}", "\n}\n}", "\n:\n}")
_ENDS = ("\nend", "\nend\nend")
_BRACKETS = (")", " nil)")
# A body that is there and does nothing yet, and what closes it.
_FILLED_BRACES = re.compile(
    r"\{\s*(?:(?:todo|unimplemented)!\([^()]*\);?|(?:TODO|fatalError)\([^()]*\);?|\?\?\?"
    r"|throw\b[^;{}]*;|\.{3}|pass)?\s*\}\s*(?:\}\s*)?\Z"
)
_FILLED_END = re.compile(
    r"\n\s*(?:todo|raise\s+NotImplementedError[^\n]*)?\s*\bend\s*(?:end\s*)?\Z", re.IGNORECASE
)
MAX_FILLER_CHARS = 400
# Words that are no code: in some languages a sentence parses as a command.
_SENTENCE = re.compile(r"\s*[^\W\d_][\w'’]*(?:[,:]?[ \t]+[\w'’`\-]+){3,}[.:…!?]*\s*")
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
    if not language.grammar or language.name == "python":
        return None
    skeleton = text.strip("\n")
    lines = list(commented_lines(skeleton, language))
    code = "\n".join(line for line, said in lines if said is None).rstrip()
    name = _open_function(skeleton, code, language)
    if not name or not _is_code(code, language):
        return None
    words, drafts = _examples([said for _, said in lines if said is not None], language)
    stub = Stub(
        skeleton=skeleton,
        interface=Interface(name),
        description="\n".join(words).strip() or f"Complete the function `{name}`.",
        docstrings=(),
        is_open=True,
        defined=frozenset({name}),
        bound=frozenset({name}),
    )
    return LanguageStub(stub, tuple(drafts))


def _open_function(skeleton: str, code: str, language: Language) -> str:
    """The function whose body is missing or does nothing; empty where there is none."""
    name = open_heading(skeleton, language)
    if name and is_lisp(language):
        ends: Sequence[str] = _BRACKETS
    elif name:
        # Shells have both.
        ends = _ENDS if language.style == "end" and not code.endswith("{") else _BRACES
    else:
        filled, start = _filler(code)
        name = open_heading(filled, language) if start >= 0 else ""
        ends = ("",)
    if not name or all(syntax_errors(language, skeleton + end) for end in ends):
        return ""
    return name


def _filler(code: str) -> tuple[str, int]:
    """The code in front of a body that does nothing, with an open brace where it had one."""
    first = max(0, len(code) - MAX_FILLER_CHARS)
    if (match := _FILLED_BRACES.search(code, first)) is not None:
        return code[: match.start()] + "{", match.start()
    match = _FILLED_END.search(code, first)
    return (code[: match.start()], match.start()) if match else ("", -1)


def _is_code(code: str, language: Language) -> bool:
    """False where a line in it is a sentence."""
    lines = [line for line in code.split("\n") if line.strip()]
    if language.name == "php" and not code.lstrip().startswith("<?php"):
        return False
    if is_lisp(language) and not lines[0].lstrip().startswith(("(", "#")):
        return False
    return not any(_SENTENCE.fullmatch(line) for line in lines)


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
        below = said[at + 1 : at + 1 + _value_lines(said, at + 1)]
        draft, taken = _draft(prompt[1], said[at], below, language)
        drafts.append(draft)
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


def _draft(call: str, prompt: str, below: Sequence[str], language: Language) -> tuple[Draft, int]:
    """The example of a prompt, and how many of the lines below it are its value."""
    read_call, read_value = _readers(language)
    text = "\n".join([prompt, *below[:1]])
    try:
        name, values = read_call(call)
    except LiteralError as error:
        return Draft(text, why_not=f"its call cannot be read: {error}"), len(below[:1])
    why = "it says no result"
    # The value is the first line, or as many as it takes; what follows are words.
    for count in range(1, len(below) + 1):
        try:
            value = read_value("\n".join(below[:count]))
        except LiteralError as error:
            why = f"its value cannot be read: {error}"
            continue
        given = ", ".join(map(repr, values))
        shown = "\n".join([prompt, *below[:count]])
        return Draft(shown, call=f"{name}({given})", expected=repr(value)), count
    return Draft(text, why_not=why), len(below[:1])


def read_call_of(text: str, language: Language) -> tuple[str, tuple[object, ...]]:
    """A call as the language writes it: the function's name and its values. Raises LiteralError."""
    return _readers(language)[0](text)


def read_value_of(text: str, language: Language) -> object:
    """A value as the language writes it. Raises LiteralError."""
    return _readers(language)[1](text)


def _readers(language: Language) -> tuple[_Call, _Value]:
    if language.kind == "shell":
        return _shell_call, _shell_value
    if is_lisp(language):
        return (
            lambda text: read_lisp_call(text, language),
            lambda text: read_lisp_literal(text, language),
        )
    return (
        lambda text: read_literal_call(text, language),
        lambda text: read_literal(text, language),
    )


# Words of a shell that mean what they say.
_SHELL_WORD = r"(?:[\w./,:+=@%-]+|\"(?:[^\"\\$`]|\\[^$`\n])*\"|'[^']*')+"
_SHELL_WORDS = re.compile(rf"\s*{_SHELL_WORD}(?:\s+{_SHELL_WORD})*\s*")


def _shell_call(text: str) -> tuple[str, tuple[object, ...]]:
    """`$(f "1 2" "3")` or `f 1 2`: every argument is a text."""
    within = re.fullmatch(r"\$\((.*)\)", text.strip(), re.DOTALL)
    name, *arguments = _shell_words(within[1] if within else text)
    if not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise LiteralError("it is no call")
    return name, tuple(arguments)


def _shell_value(text: str) -> object:
    """What is printed, in quotes or plainly on one line."""
    if re.fullmatch(r"\s*([\"']).*\1\s*", text, re.DOTALL):
        words = _shell_words(text)
        if len(words) != 1:
            raise LiteralError("it is not one text")
        return words[0]
    if re.fullmatch(r"[\w ./,:+=@%-]*", text.strip()) is None:
        raise LiteralError("it is not one text")
    return text.strip()


def _shell_words(text: str) -> list[str]:
    if len(text) > MAX_CHARS or _SHELL_WORDS.fullmatch(text) is None:
        raise LiteralError("something that the shell would replace")
    return shlex.split(text)
