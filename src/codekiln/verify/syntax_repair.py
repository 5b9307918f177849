"""Mends syntax that a model nearly got right, before the model is asked again.

Each way is tried alone and in pairs, and counts only where the result parses: prose behind or
before the code, brackets and blocks that are open at the end, a string that is, tabs beside blanks.
What the model wrote stays as it is otherwise.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from codekiln.languages import Language, parse, syntax_errors

if TYPE_CHECKING:
    from tree_sitter import Node

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_MOST_PROSE = 15
_MOST_ENDS = 6
_MOST_CHARS = 60_000
# A sentence: words with blanks, a capital or a list's mark in front, no sign that code has.
_PROSE = re.compile(r"^\s*(?:[-*]\s+|\d+\.\s+|#{1,4}\s+)?[A-Z\"'`*(][^;{}=<>]*[.:!?)`*]*\s*$")
_FENCE = re.compile(r"^\s*(?:`{3,}|~{3,})")


def repair_syntax(code: str, language: Language) -> tuple[str, str] | None:
    """The mended code and what was mended; None where it parses already or cannot be mended so.

    >>> from codekiln.languages import get_language
    >>> repair_syntax("fn f() -> i32 { g(1", get_language("rust"))
    ('fn f() -> i32 { g(1)}', 'closed what was open at the end')
    """
    if not code.strip() or len(code) > _MOST_CHARS or not syntax_errors(language, code):
        return None
    ways = (_without_prose, _closed, _with_ends, _without_tabs)
    for first in ways:
        for mended, what in first(code, language):
            if not syntax_errors(language, mended):
                return mended, what
    for first, second in itertools.permutations(ways, 2):
        for half, one in first(code, language):
            for mended, other in second(half, language):
                if not syntax_errors(language, mended):
                    return mended, f"{one}, {other}"
    return None


def _without_prose(code: str, language: Language) -> Iterator[tuple[str, str]]:
    """Without sentences and fences in front of the code and behind it."""
    del language
    lines = code.split("\n")
    first, last = 0, len(lines)
    while first < last and first < _MOST_PROSE and _is_prose(lines[first]):
        first += 1
    while last > first and len(lines) - last < _MOST_PROSE and _is_prose(lines[last - 1]):
        last -= 1
    if 0 < last - first < len(lines):
        yield "\n".join(lines[first:last]) + "\n", "left out prose"


def _is_prose(line: str) -> bool:
    is_sentence = bool(_PROSE.match(line)) and len(line.split()) > 2
    return not line.strip() or bool(_FENCE.match(line)) or is_sentence


def _closed(code: str, language: Language) -> Iterator[tuple[str, str]]:
    """With brackets and a string that are open at the end closed."""
    what = "closed what was open at the end"
    text = code.rstrip()
    for quote in ("", '"', "'", "`", '"""'):
        closers = _open_brackets(text + quote, language)
        if closers is not None and (closers or quote):
            yield text + quote + closers, what
            # Statements that end with a semicolon, and blocks on lines of their own.
            yield f"{text}{quote}{closers.replace('}', chr(10) + '}')}\n", what
            inner, _, blocks = closers.partition("}")
            rest = "}" + blocks if "}" in closers else ""
            yield f"{text}{quote}{inner};\n{rest}\n", what


def _open_brackets(text: str, language: Language) -> str | None:
    """What closes the brackets that are open at the end; None where one closes that was not."""
    opened: list[str] = []
    for leaf in _leaves(parse(language, text).root):
        sign = (leaf.text or b"").decode("utf-8", "replace")
        if sign in _CLOSING:
            opened.append(_CLOSING[sign])
        elif sign in _CLOSING.values() and (not opened or opened.pop() != sign):
            return None
    return "".join(reversed(opened))


def _leaves(root: Node) -> Iterator[Node]:
    cursor = root.walk()
    while True:
        if cursor.goto_first_child():
            continue
        node = cursor.node
        if node is not None and not node.is_missing:
            yield node
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _with_ends(code: str, language: Language) -> Iterator[tuple[str, str]]:
    """With the words that close blocks, in languages that close them with words."""
    if language.style != "end":
        return
    for count in range(1, _MOST_ENDS + 1):
        yield code.rstrip() + "\nend" * count + "\n", "closed the blocks that were open at the end"


def _without_tabs(code: str, language: Language) -> Iterator[tuple[str, str]]:
    if language.style == "indentation" and "\t" in code:
        yield code.expandtabs(4), "put blanks in place of tabs"
