"""From tokens to text: complete characters only, up to the first stop string.

Token bytes go in one at a time. Text comes out as soon as it can no longer turn out to be part of
a stop string or of an unfinished UTF-8 character. Knows nothing of how tokens are drawn.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """The text of one completion as it grows."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._stop = tuple(stop)
        self._longest = max((len(text) for text in self._stop), default=0)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._held = ""
        self.stopped_by: str | None = None

    def push(self, token: bytes) -> str:
        """Add a token's bytes and give the text that is now certain.

        Once `stopped_by` is set, the text is complete and further tokens give nothing.
        """
        return self._release(self._decoder.decode(token))

    def finish(self) -> str:
        """The rest of the text; an unfinished character becomes U+FFFD."""
        text = self._release(self._decoder.decode(b"", final=True))
        if self.stopped_by is None:
            text, self._held = text + self._held, ""
        return text

    def _release(self, text: str) -> str:
        if self.stopped_by is not None:
            return ""
        self._held += text
        # The stop string that ends first wins, so that the result does not depend on how the
        # text was cut into tokens.
        hits = [
            (at + len(stop), at, stop) for stop in self._stop if (at := self._held.find(stop)) >= 0
        ]
        if hits:
            _, at, self.stopped_by = min(hits)
            certain, self._held = self._held[:at], ""
            return certain
        keep = self._length_of_possible_stop()
        cut = len(self._held) - keep
        certain, self._held = self._held[:cut], self._held[cut:]
        return certain

    def _length_of_possible_stop(self) -> int:
        """Length of the longest suffix of the held text that begins a stop string."""
        for size in range(min(self._longest - 1, len(self._held)), 0, -1):
            tail = self._held[-size:]
            if any(stop.startswith(tail) for stop in self._stop):
                return size
        return 0
