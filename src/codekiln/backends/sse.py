"""Bytes of a text/event-stream in, events out, however the bytes were split.

Follows the WHATWG definition (comments, CR, LF and CRLF, multi-line data, byte order mark) with
two leniencies: a field named `error`, which some servers send in place of `data`, makes an event
of that name, and `close` still gives an event whose closing blank line never came. A line that
is cut off is dropped. Knows nothing of HTTP, JSON or completions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codekiln.core.errors import BackendError

MAX_EVENT_BYTES = 8 << 20
_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event: its name ("message" unless the server named it) and its joined data lines."""

    data: str
    event: str = "message"


class SseParser:
    """The state between two pieces of one stream."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._rest = bytearray()
        self._scanned = 0
        self._skip_lf = False
        self._at_start = True
        self._event = ""
        self._data: list[str] = []
        self._data_bytes = 0

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """The events that `piece` completes.

        Raises BackendError when one event grows beyond `max_event_bytes`.
        """
        if self._skip_lf and piece:
            self._skip_lf = False
            piece = piece.removeprefix(b"\n")
        self._rest += piece
        if self._at_start:
            if len(self._rest) < len(_BOM) and _BOM.startswith(self._rest):
                return []
            if self._rest.startswith(_BOM):
                del self._rest[: len(_BOM)]
            self._at_start = False
        events: list[ServerSentEvent] = []
        line_start = 0
        while end := _LINE_END.search(self._rest, max(self._scanned, line_start)):
            line = bytes(self._rest[line_start : end.start()])
            line_start = end.end()
            # A CR that ends the piece may be half of a CRLF; the line is complete either way.
            self._skip_lf = end.group() == b"\r" and line_start == len(self._rest)
            if (event := self._take_line(line)) is not None:
                events.append(event)
        del self._rest[:line_start]
        self._scanned = len(self._rest)
        self._refuse_oversize(len(self._rest))
        return events

    def close(self) -> list[ServerSentEvent]:
        """The event, if any, that the end of the stream left without its blank line."""
        event = self._dispatch()
        return [] if event is None else [event]

    def _take_line(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", errors="replace")
        if name == b"data":
            self._data.append(text)
            self._data_bytes += len(value)
            self._refuse_oversize(0)
        elif name == b"event":
            self._event = text
        elif name == b"error":
            self._event = "error"
            self._data.append(text)
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        data, event = self._data, self._event
        self._data, self._event, self._data_bytes = [], "", 0
        return ServerSentEvent("\n".join(data), event or "message") if data else None

    def _refuse_oversize(self, pending_bytes: int) -> None:
        if self._data_bytes + pending_bytes > self._max_event_bytes:
            raise BackendError(
                f"The server sent one event of more than {self._max_event_bytes} bytes",
                "Check that the address is that of a chat completion server",
            )
