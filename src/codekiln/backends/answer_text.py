"""A server's raw text in, the text that the Backend contract promises out.

Takes away an echoed prefill and cuts at the first stop string, also when either is split across
pieces; what is given out is never taken back. Servers cut at stop strings themselves; this is
the same rule once more for those that do not, or that accept only a few.
"""

from __future__ import annotations

from typing import Literal

PrefillHandling = Literal["silent", "echoed", "searched"]


class AnswerText:
    """The state of one answer.

    `handling` says how the prefill comes back: not at all ("silent"), before the answer
    ("echoed"), or, when it could not be sent, perhaps somewhere in a free answer ("searched"):
    then everything up to and including it is dropped, and an answer without it is given whole.
    `stop` cuts everywhere; `prefill_stop` belongs to the prefill (a closing fence), so in a free
    answer it cuts only behind it, where an opening fence can no longer be mistaken for it.
    """

    def __init__(
        self,
        prefill: str = "",
        handling: PrefillHandling = "silent",
        stop: tuple[str, ...] = (),
        prefill_stop: tuple[str, ...] = (),
    ) -> None:
        self._prefill = prefill
        self._handling: PrefillHandling = handling if prefill else "silent"
        self._pending = ""
        self._stop = stop
        self._prefill_stop = prefill_stop
        self._stops = stop if self._handling == "searched" else stop + prefill_stop
        self.stopped = False
        self.dropped_lead_in = False

    def feed(self, piece: str) -> str:
        """The text that is certain after `piece`; empty once `stopped` is true."""
        if self.stopped:
            return ""
        self._pending += piece
        if self._handling != "silent" and not self._pass_prefill():
            return ""
        return self._cut()

    def finish(self) -> str:
        """The rest, when the server has ended the answer."""
        if self.stopped:
            return ""
        self._handling = "silent"
        text = self._cut() + self._pending
        self._pending = ""
        return text

    def _pass_prefill(self) -> bool:
        """Drop the prefill from the pending text; False while that needs more text."""
        if self._handling == "searched":
            if self._prefill not in self._pending:
                return False
            lead_in, _, self._pending = self._pending.partition(self._prefill)
            self.dropped_lead_in = bool(lead_in)
            self._stops = self._stop + self._prefill_stop
        elif self._pending.startswith(self._prefill):
            self._pending = self._pending.removeprefix(self._prefill)
        elif self._prefill.startswith(self._pending):
            return False
        self._handling = "silent"
        return True

    def _cut(self) -> str:
        """Move text out of `_pending` up to a stop string or to what may become one."""
        # The stop string that ends first wins: that choice does not depend on the pieces.
        found = [
            (start + len(stop), start)
            for stop in self._stops
            if (start := self._pending.find(stop)) >= 0
        ]
        if found:
            self.stopped = True
            text, self._pending = self._pending[: min(found)[1]], ""
            return text
        held = max((_overlap(self._pending, stop) for stop in self._stops), default=0)
        cut = len(self._pending) - held
        text, self._pending = self._pending[:cut], self._pending[cut:]
        return text


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop` without completing it."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
