"""Reads code line by line, in any language: which lines are comments, which begin functions.

By the registry's marks of comments and by the shapes that headings have, for code that breaks off
behind one. A comment behind code on the same line is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from codekiln.languages.registry import Language

_NAME = r"([A-Za-z_][\w]*[!?]?)"
_HEADINGS = (
    # Lisps: (define (f x) …), (defun f (x) …)
    re.compile(r"\(\s*(?:define|defun|defn-?)\s+\(?([^\s()\[\]]+)"),
    # A word in front: function f, fn f, func (r T) f, def f, sub f.
    re.compile(
        rf"\b(?:function|func|fn|fun|defp?|sub|proc|procedure|method)\b\s*(?:\([^()]*\)\s*)?"
        rf"(?:\w+\.)*{_NAME}(?:\s*[<\[][^()\n]*[>\]])?\s*(?=[({{:\n;]|$)",
        re.MULTILINE,
    ),
    # Assigned: f <- function(x), const f = (x) => …
    re.compile(
        rf"\b{_NAME}\s*(?::[^=\n]*)?(?:<-|=)\s*(?:async\s+)?(?:function\b|\([^()]*\)\s*[:=-])"
    ),
    # Types in front: long f(long n) {, f() {
    re.compile(
        rf"^[\w \t:<>,*&\[\].?]*?\b{_NAME}\s*\([^;{{}}]{{0,2000}}\)\s*"
        rf"(?:const\s*|noexcept\s*|throws[\w\s,.]*)?(?:->\s*[^{{;\n]+)?\{{",
        re.MULTILINE,
    ),
)
_NOT_NAMES = frozenset(
    {"if", "for", "while", "switch", "catch", "return", "function", "func", "fn", "new"}
)


def function_names(text: str, language: Language) -> list[str]:
    """The names of the functions whose headings stand in code, in order.

    >>> from codekiln.languages import get_language
    >>> function_names("-- f(x)\nlocal function g(x)", get_language("lua"))
    ['g']
    """
    code = "\n".join(line for line, said in commented_lines(text, language) if said is None)
    found = {
        match.start(1): match[1]
        for heading in _HEADINGS
        for match in heading.finditer(code)
        if match[1] not in _NOT_NAMES
    }
    return [found[place] for place in sorted(found)]


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
