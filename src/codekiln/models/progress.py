"""How long work on big files tells the caller where it is; prints nothing itself."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """One task at a time: `start`, any number of `advance`, then `finish`.

    `finish` is called on failure too. `note` may come at any time, also outside a task.
    """

    def start(self, label: str, total_bytes: int | None) -> None:
        """A task begins; `total_bytes` is None when its size is unknown."""

    def advance(self, n: int) -> None:
        """`n` more bytes are done."""

    def finish(self) -> None:
        """The task has ended."""

    def note(self, message: str) -> None:
        """A one-line remark for the user, such as why there is a wait."""


class SilentProgress:
    """Says nothing."""

    def start(self, label: str, total_bytes: int | None) -> None:
        """Do nothing."""

    def advance(self, n: int) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def note(self, message: str) -> None:
        """Do nothing."""


def format_bytes(count: int) -> str:
    """A size as people read it.

    >>> format_bytes(491_400_064)
    '491.4 MB'
    """
    if count >= 10**9:
        return f"{count / 1e9:.2f} GB"
    if count >= 10**6:
        return f"{count / 1e6:.1f} MB"
    return f"{count / 1e3:.1f} kB" if count >= 10**3 else f"{count} B"
