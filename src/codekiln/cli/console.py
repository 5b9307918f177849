"""Where output goes: results to stdout, everything about them to stderr; both safe to print.

Text that a model or a program wrote may hold terminal control sequences; `visible` shows them
instead of obeying them.
"""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def stdout_console() -> Console:
    """For results."""
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True)


def stderr_console() -> Console:
    """For progress and evidence."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False)


def write_stdout(text: str) -> None:
    """Text to stdout as UTF-8, whatever the locale says."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", errors="replace"))
    sys.stdout.buffer.flush()


def write_json(value: object) -> None:
    """One JSON value to stdout."""
    write_stdout(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def error_line(message: str) -> None:
    """The one line that says what went wrong."""
    line = f"error: {visible(message)}\n"
    sys.stderr.flush()
    try:
        sys.stderr.buffer.write(line.encode("utf-8", errors="replace"))
        sys.stderr.buffer.flush()
    except BrokenPipeError:
        return


def visible(text: str) -> str:
    """Text whose control characters (not newline and tab) are spelled out.

    >>> visible("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def one_line(text: str, width: int = 200) -> str:
    """Text on one line of at most `width` characters, control characters spelled out."""
    line = " ".join(visible(text).split())
    return line if len(line) <= width else f"{line[: width - 1]}…"
