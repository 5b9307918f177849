"""Markdown code fences of a completion, as text blocks.

Takes text as a model writes it (nested, unclosed or one-line fences included) and a predicate
that says whether code parses; gives the blocks in order. Knows no programming language.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

_FENCE = re.compile(r"^[ \t>]*(?P<marks>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*?)[ \t]*$")
_ONE_LINE = re.compile(r"```(?:[\w+#.-]+[ \t]+)?(?P<code>[^`\n]+?)```")
# How many possible ends of one block are tried; more only occur in degenerate text.
MAX_ENDS = 30


@dataclass(frozen=True, slots=True)
class Block:
    """The text between two fences. `tag` is the first word of the opening fence's info string;
    `closed` is False when the text ended before the block did.
    """

    code: str
    tag: str
    closed: bool


def fenced_blocks(text: str, parses: Callable[[str], bool]) -> tuple[Block, ...]:
    """All blocks of `text` in order.

    A block ends at the first closing fence that leaves code that parses (fences may stand in
    docstrings), or at the very first when none does.
    """
    lines = text.split("\n")
    blocks: list[Block] = []
    place = 0
    while place < len(lines):
        opening = _FENCE.match(lines[place])
        if opening is None:
            blocks.extend(
                Block(match["code"].strip() + "\n", "", True)
                for match in _ONE_LINE.finditer(lines[place])
            )
            place += 1
            continue
        block, place = _read_block(lines, place, opening, parses)
        if block.code.strip():
            blocks.append(block)
    return tuple(blocks)


def _read_block(
    lines: list[str], start: int, opening: re.Match[str], parses: Callable[[str], bool]
) -> tuple[Block, int]:
    marks = opening["marks"]
    words = opening["info"].split()
    tag = words[0].strip("{}.").lower() if words else ""
    ends = [
        place
        for place in range(start + 1, len(lines))
        if (match := _FENCE.match(lines[place]))
        and not match["info"]
        and match["marks"].startswith(marks)
    ]
    for end in ends[:MAX_ENDS]:
        code = _between(lines, start, end)
        if code.strip() and parses(code):
            return Block(code, tag, True), end + 1
    if ends:
        return Block(_between(lines, start, ends[0]), tag, True), ends[0] + 1
    return Block(_between(lines, start, len(lines)), tag, False), len(lines)


def _between(lines: list[str], start: int, end: int) -> str:
    body = lines[start + 1 : end]
    # A fence inside a list item or quotation carries its indent into every line.
    margin = len(lines[start]) - len(lines[start].lstrip())
    if margin and all(line[:margin].strip() == "" for line in body):
        body = [line[margin:] for line in body]
    code = "\n".join(body).rstrip() + "\n"
    if any(line and not line[0].isspace() for line in body):
        return code
    dedented = textwrap.dedent(code)
    return code if dedented == code else dedented
