"""A text that is still being written, as a program that a type checker can read."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Prefix:
    """`program` is text[:finished] and what closes it.

    `statement` is where the last finished statement begins, `top` where the outermost statement
    around it does: what stands before was judged when nothing was open, and may use what is being
    written. In the ranges `loops` a type may be widened by what comes later in the loop. `made` is
    where the outermost class begins that is still open, which may get more attributes. In the
    ranges `excused` nothing counts: what stands there may be meant to fail, or is not finished.
    """

    program: str
    finished: int
    statement: int
    top: int = 0
    loops: tuple[Range, ...] = ()
    made: int | None = None
    excused: tuple[Range, ...] = ()
