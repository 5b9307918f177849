"""A guard over text, as the decode guard over tokens that the engine asks."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Collection, Sequence

from codekiln.core.text_guard import TextGuard
from codekiln.engine.guard import Accept, GuardDecision, RollBack


class TokenGuard:
    """Keeps the text of one sequence beside its tokens. `token_bytes` gives a token's UTF-8 bytes.

    A take-back begins with the token that holds the character it names.
    """

    def __init__(
        self,
        guard: TextGuard,
        token_bytes: Callable[[int], bytes],
        eos_ids: Collection[int],
        stop: Sequence[str] = (),
    ) -> None:
        self._guard = guard
        self._token_bytes = token_bytes
        self._eos = frozenset(eos_ids)
        self._stop = tuple(text.encode() for text in stop)
        self._longest_stop = max(map(len, self._stop), default=0)
        self._bytes = bytearray()
        self._ends: list[int] = []  # where each token's bytes end

    def inspect(self, generated: Sequence[int], drawn: int) -> GuardDecision:
        """See DecodeGuard."""
        del self._ends[len(generated) :]
        del self._bytes[self._ends[-1] if self._ends else 0 :]
        for token in generated[len(self._ends) :]:
            self._append(token)
        ended = drawn in self._eos
        added = b"" if ended else self._token_bytes(drawn)
        written = bytes(self._bytes + added)
        stops = [at for text in self._stop if (at := written.find(text, self._unsearched())) >= 0]
        if stops:
            written, ended = written[: min(stops)], True
        if not ended and not self._guard.wakes(added.decode(errors="ignore")):
            return Accept()
        text = written.decode(errors="ignore")
        found = self._guard.judge(text, ended=ended)
        if found is None:
            return Accept()
        at = _byte_of(written, found.to)
        to = next((number for number, end in enumerate(self._ends) if end > at), len(generated))
        first = generated[to] if to < len(generated) else drawn
        return RollBack(to, frozenset({first}) if found.differently else frozenset())

    def _unsearched(self) -> int:
        return max(0, len(self._bytes) - self._longest_stop)

    def _append(self, token: int) -> None:
        self._bytes += b"" if token in self._eos else self._token_bytes(token)
        self._ends.append(len(self._bytes))


def _byte_of(written: bytes, character: int) -> int:
    """Where a character of the text begins; bytes that are no text count for none.

    Behind the last character, the end.
    """
    at = bisect.bisect_left(
        range(len(written) + 1),
        character + 1,
        key=lambda size: len(written[:size].decode(errors="ignore")),
    )
    if at > len(written):
        return len(written)
    # Behind the character's last byte; back to its first.
    start = at - 1
    while start > 0 and written[start] & 0xC0 == 0x80:
        start -= 1
    return start
