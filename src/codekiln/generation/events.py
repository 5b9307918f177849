"""What the pipeline tells while it works: small values for a progress display, nothing printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["load", "read", "sample", "check", "change", "repair", "note"]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of progress.

    `done` and `total` count in the stage's own unit: bytes for "load" (getting and reading
    weights), tokens of a long prompt for "read", variants for "change", finished candidates for the
    other stages; `total` is None when it is not known. `text` is a label for "load" and "note"; for
    "sample" and "repair" the piece of text that `sample` just wrote. `tokens` is about how many
    tokens were drawn in this stage.
    """

    stage: Stage
    done: int = 0
    total: int | None = None
    text: str = ""
    sample: int = 0
    tokens: int = 0


OnEvent = Callable[[Event], None]


def ignore(_: Event) -> None:
    """The listener of those who do not listen."""


class LoadingProgress:
    """A `codekiln.models.Progress` that turns bytes into events."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._label = ""
        self._done = 0
        self._total: int | None = None

    def start(self, label: str, total_bytes: int | None) -> None:
        """See Progress."""
        self._label, self._done, self._total = label, 0, total_bytes
        self._on_event(Event("load", 0, total_bytes, label))

    def advance(self, n: int) -> None:
        """See Progress."""
        self._done += n
        self._on_event(Event("load", self._done, self._total, self._label))

    def finish(self) -> None:
        """See Progress. An event without a label says that the task has ended."""
        self._on_event(Event("load"))

    def note(self, message: str) -> None:
        """See Progress."""
        self._on_event(Event("note", text=message))
