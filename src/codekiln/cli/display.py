"""Shows on stderr what is being done: one line that lives on a terminal, rare lines elsewhere.

Nothing is shown for stages that take under two seconds where output is not a terminal.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from codekiln.cli.console import one_line, stderr_console, visible
from codekiln.generation import Event, OnEvent
from codekiln.models.progress import format_bytes

# A rate is that of the last few seconds, so that a resumed download does not look fast.
_RATE_WINDOW_S = 8.0
_QUIET_S = 2.0
_PLAIN_EVERY_S = 10.0
_CODE_LINES = 12
_IDLE = "Preparing"
_TITLES = {
    "read": "Reading the task and its context",
    "sample": "Writing",
    "check": "Checking",
    "change": "Trying changes",
    "repair": "Repairing",
}


@contextmanager
def show_progress(*, quiet: bool = False) -> Iterator[OnEvent]:
    """A listener for events that shows them until the block ends."""
    console = stderr_console()
    if quiet:
        yield lambda _: None
    elif console.is_terminal and not console.is_dumb_terminal:
        state = Stage()
        with Live(_LiveView(state), console=console, transient=True, refresh_per_second=8) as live:

            def listen(event: Event) -> None:
                if event.stage == "note":
                    live.console.print(Text(one_line(event.text), style="dim"))
                else:
                    state.take(event)

            yield listen
    else:
        yield PlainView(console).take


class Stage:
    """What the events of the current stage add up to."""

    def __init__(self) -> None:
        self.title = _IDLE
        self.done = 0
        self.total: int | None = None
        self.code = ""
        self.started = time.monotonic()
        self._kind = ""
        self._tokens = 0
        self._history: deque[tuple[float, int]] = deque()

    def take(self, event: Event) -> None:
        """Add one event; a new stage starts anew."""
        title = _TITLES.get(event.stage) or event.text or _IDLE
        now = time.monotonic()
        if (event.stage, title) != (self._kind, self.title):
            self._kind, self.title, self.started = event.stage, title, now
            self._tokens, self.code = 0, ""
            self._history.clear()
        self.done, self.total, self._tokens = event.done, event.total, event.tokens
        if event.stage in ("sample", "repair") and event.sample == 0:
            self.code += event.text
        counted = self.done if self._kind in ("load", "read") else self._tokens
        self._history.append((now, counted))
        while now - self._history[0][0] > _RATE_WINDOW_S:
            self._history.popleft()

    @property
    def line(self) -> str:
        """Title, counts, rate and time left in one line."""
        parts = [part for part in (self._counts(), self._rates()) if part]
        return f"{self.title}: {', '.join(parts)}" if parts else self.title

    def _counts(self) -> str:
        if self._kind == "load":
            if self.total:
                return f"{format_bytes(self.done)} of {format_bytes(self.total)}"
            return format_bytes(self.done) if self.done else ""
        if self._kind == "read":
            return f"{self.done:,} of {self.total:,} tokens"
        if self._kind in ("sample", "repair", "check") and self.total:
            what = "candidate" if self.total == 1 else "candidates"
            return f"{self.done} of {self.total} {what}"
        if self._kind == "change":
            return f"{self.done} variants"
        return ""

    def _rates(self) -> str:
        if not self._history:
            return ""
        (first_at, first), (last_at, last) = self._history[0], self._history[-1]
        if last_at - first_at < 0.5 or last <= first:
            return ""
        rate = (last - first) / (last_at - first_at)
        if self._kind in ("load", "read"):
            if not self.total or self.done >= self.total:
                return ""
            left = (self.total - self.done) / rate
            speed = format_bytes(int(rate)) if self._kind == "load" else f"{rate:,.0f}"
            return f"{speed}/s, {_duration(left)} left"
        return f"{self._tokens} tokens, {rate:.0f}/s" if self._tokens else ""


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _LiveView:
    """A spinner, the line, a bar, and the last lines that the first candidate wrote."""

    def __init__(self, state: Stage) -> None:
        self._state = state
        self._spinner = Spinner("dots")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        state = self._state
        head = Table.grid(padding=(0, 1))
        row: list[Spinner | Text | ProgressBar] = [self._spinner, Text(state.line)]
        if state.total:
            row.append(ProgressBar(total=state.total, completed=state.done, width=24))
        head.add_row(*row)
        tail = visible(state.code).splitlines()[-_CODE_LINES:]
        width = max(options.max_width - 4, 10)
        yield Group(head, *(Text(f"  {line[:width]}", style="dim") for line in tail))


class PlainView:
    """A line now and then, for logs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state = Stage()
        self._last = time.monotonic()

    def take(self, event: Event) -> None:
        """Print when the stage has gone on for a while and the last line is not recent."""
        if event.stage == "note":
            self._print(one_line(event.text))
            return
        self._state.take(event)
        now = time.monotonic()
        first_due = self._state.started + _QUIET_S
        shown = self._last >= first_due
        due = self._last + _PLAIN_EVERY_S if shown else first_due
        if now >= due:
            self._last = now
            self._print(self._state.line)

    def _print(self, line: str) -> None:
        self._console.print(line, soft_wrap=True)
