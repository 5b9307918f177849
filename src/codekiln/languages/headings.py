"""Reads code line by line, in any language: which lines are comments, what heading ends the code.

By the registry's marks of comments and by the shapes that headings have, for code that breaks off
behind one. A comment behind code on the same line is only seen on the last line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from codekiln.languages.registry import Language

# A heading longer than this is not looked for.
MAX_HEADING_CHARS = 2_000

_NAME = r"(?P<name>[A-Za-z_]\w*[!?]?)"
_TYPES = r"(?:[ \t]*<(?:[^<>\n]|->|<(?:[^<>\n]|<[^<>\n]*>)*>)*>)?"
_WORDS = r"[ \t]*(?:[\w@]+(?:\([^()\n]*\))?[ \t]+)*?"
_NOT_NAMES = frozenset(
    {"if", "for", "while", "switch", "catch", "return", "function", "func", "fn", "new", "with"}
)
# Perl's functions begin with their parameters.
_PERL = r"(?:\s*my\s*\([^()]*\)\s*=\s*@_;)?"
# Parameters may have types and values in braces.
_GIVEN = r"(?:[^{};]|\{[^{}]*\})*"
_BRACED = (
    # function f(x) {, pub fn f<T>(x: T) -> T {, func (r T) f() {, sub f {
    rf"{_WORDS}(?:function|func|fn|fun|def|sub)\b[ \t]*(?:\([^()\n]*\)[ \t]*)?"
    rf"(?:\w+\.)*{_NAME}{_TYPES}[ \t]*(?:\({_GIVEN}\))?"
    rf"(?:[^{{}};()]|\{{[^{{}}]*\}})*\{{{_PERL}\s*\Z",
    # f <- function(x) {, const f = (x) => {
    rf"[^\n=(]*?\b{_NAME}[ \t]*(?::[^=\n]*)?(?:<-|=)[ \t]*(?:async[ \t]+)?"
    rf"(?:function\b{_GIVEN}|\({_GIVEN}\)[^{{}};=]*=>[ \t]*)\{{\s*\Z",
    # std::vector<long> f(long n) {, f() {
    rf"[\w \t:<>,*&\[\].?]*?\b{_NAME}[ \t]*\([^;{{}}]*\)\s*"
    rf"(?:const\b\s*|noexcept\b\s*|throws\b[\w\s,.]*)?(?:->[^{{;\n]+)?\{{\s*\Z",
)
_ENDED = (
    rf"[ \t]*(?:local[ \t]+)?(?:function|defp?)[ \t]+(?:\w+[.:])*{_NAME}[ \t]*"
    rf"(?:\((?:[^()\n]|\([^()\n]*\))*\))?(?:[ \t]*::[^\n]*)?(?:[ \t]+do)?\s*\Z",
)
_BRACKETED = (
    r"[ \t]*\((?:define|defun|defn-?)\s+\(?(?P<name>[^\s()\[\]]+)"
    r"[^()\[\]]*(?:\)|\([^()]*\)|\[[^\]]*\])\s*\Z",
)


def open_heading(text: str, language: Language) -> str:
    """The name of the function whose heading ends the code; empty where there is none.

    >>> from codekiln.languages import get_language
    >>> open_heading("-- f(x)\\nlocal function g(x)", get_language("lua"))
    'g'
    """
    code = code_without_comments(text, language).rstrip()
    if language.line_comment:
        first, _, last = code.rpartition("\n")
        code = f"{first}\n{last.split(language.line_comment)[0]}".strip("\n").rstrip()
    tail = code[-MAX_HEADING_CHARS:]
    if language.name == "perl" or tail.endswith("{"):
        shapes: tuple[str, ...] = _BRACED
    elif language.style == "end":
        shapes = _ENDED
    else:
        shapes = _BRACKETED if is_lisp(language) else ()
    # The last line that begins a heading which goes on to the end.
    for start in reversed([match.start() for match in re.finditer(r"^", tail, re.MULTILINE)]):
        for shape in shapes:
            match = _compiled(shape).match(tail, start)
            if match is not None and match["name"] not in _NOT_NAMES:
                return match["name"]
    return ""


@cache
def _compiled(shape: str) -> re.Pattern[str]:
    return re.compile(shape)


def is_lisp(language: Language) -> bool:
    """Whether code of the language is written in bracketed forms."""
    return language.style == "expressions" and language.line_comment.startswith(";")


def code_without_comments(text: str, language: Language) -> str:
    """The lines that are no comments."""
    return "\n".join(line for line, said in commented_lines(text, language) if said is None)


def words_of_comments(text: str, language: Language) -> str:
    """What the comments of code say, without their marks."""
    return "\n".join(said for _, said in commented_lines(text, language) if said is not None)


def commented_lines(text: str, language: Language) -> Iterator[tuple[str, str | None]]:
    """Every line, with what it says where it is a comment and no more; None for other lines."""
    opening, closing = language.block_comment or ("", "")
    mark, inside = language.line_comment, ""
    for number, line in enumerate(text.split("\n")):
        plain = line.strip()
        if inside:
            said = plain.removesuffix(inside).rstrip()
            yield line, re.sub(r"^\*(?:\s|$)", "", said)
            inside = "" if plain.endswith(inside) else inside
        elif number == 0 and plain.startswith("#!"):
            yield line, None
        elif plain == '"""':
            inside = plain
            yield line, ""
        elif opening and plain.startswith(opening):
            inside = "" if closing in plain[len(opening) :] else closing
            yield line, plain.removeprefix(opening).lstrip("*!").removesuffix(closing).strip()
        elif mark and plain.startswith(mark):
            # Doc comments repeat or lengthen the mark: ///, //!, ;;, ##, ---.
            yield line, plain.lstrip(mark[-1]).removeprefix("!").removeprefix(" ")
        else:
            yield line, None
