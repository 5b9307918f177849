"""Finds the code in an answer that is still being written: what stands in a fence of a language."""

from __future__ import annotations

import re
from collections.abc import Callable

_FENCE = re.compile(r"^```[ \t]*([\w+#.-]*)[^\n`]*\n", re.MULTILINE)
_FENCE_END = re.compile(r"^```[ \t\r]*$", re.MULTILINE)


def fenced_code(text: str, fits: Callable[[str], bool]) -> tuple[int, int, bool] | None:
    """Where the code of the first fence whose tag `fits` is, and whether that is closed."""
    at = 0
    while (opened := _FENCE.search(text, at)) is not None:
        closed = _FENCE_END.search(text, opened.end())
        if fits(opened[1].lower()):
            return opened.end(), closed.start() if closed else len(text), closed is not None
        if closed is None:
            break
        at = closed.end()
    return None
