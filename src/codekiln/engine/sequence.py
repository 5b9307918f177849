"""The state of one running completion, and the events it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from codekiln.core import Sampling
from codekiln.engine.guard import DecodeGuard
from codekiln.engine.kv_cache import PromptCache
from codekiln.engine.text_stream import TextStream

FinishReason = Literal["stop", "length", "cancelled", "guard"]


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One completion of a prompt given as token ids. `sampling.seed` None means a random one."""

    prompt: tuple[int, ...]
    sampling: Sampling
    guard: DecodeGuard | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """How a completion ended. `tokens` include the end token when there was one.

    `drawn` also counts the tokens that a guard took back.
    """

    reason: FinishReason
    text: str
    tokens: tuple[int, ...]
    token_logprobs: tuple[float, ...] | None
    seed: int
    drawn: int


@dataclass(frozen=True, slots=True)
class Event:
    """Progress of one completion: new text, and `finished` on the last event.

    Before that, `read` tells how many tokens of a long prompt have been read. Under a guard, which
    may take text back, all of it comes with the last event.
    """

    ticket: int
    text: str
    finished: Finished | None = None
    read: int = 0


@dataclass(slots=True, eq=False)
class Sequence:
    """A completion that is waiting or running; the engine alone changes it.

    While it runs, `slot` is its place in the slot cache, and the last of `tokens` has been drawn
    but is not in the cache yet.
    """

    ticket: int
    request: GenerationRequest
    seed: int
    prompt: PromptCache
    token_bytes: Callable[[int], bytes]
    slot: int = -1
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    bans: dict[int, set[int]] = field(default_factory=dict)
    rejections: int = 0  # since the completion was last longer than ever before
    longest: int = 0
    drawn: int = 0
    _random: np.random.Generator = field(init=False)
    _stream: TextStream = field(init=False)
    _text: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Users may well choose a negative seed, which numpy does not take.
        self._random = np.random.Generator(np.random.PCG64(self.seed % (1 << 128)))
        self._stream = TextStream(self.request.sampling.stop)

    def uniform(self) -> float:
        """The next random number of this request's own stream."""
        return float(self._random.random())

    def accept(self, token: int, logprob: float | None) -> str:
        """Append a token and give the text that became certain."""
        self.tokens.append(token)
        if len(self.tokens) > self.longest:
            self.longest, self.rejections = len(self.tokens), 0
        if logprob is not None:
            self.logprobs.append(logprob)
        text = self._stream.push(self.token_bytes(token))
        self._text.append(text)
        return text

    def roll_back(self, to: int, ban: frozenset[int]) -> None:
        """Forget generated tokens from position `to` on and remember what not to draw there."""
        del self.tokens[to:], self.logprobs[to:]
        self.bans = {at: ids for at, ids in self.bans.items() if at <= to}
        self.bans.setdefault(to, set()).update(ban)
        self._stream = TextStream(self.request.sampling.stop)
        self._text = [self._stream.push(self.token_bytes(token)) for token in self.tokens]

    @property
    def stopped(self) -> bool:
        """True once a stop string has appeared."""
        return self._stream.stopped_by is not None

    @property
    def text(self) -> str:
        """The certain text so far."""
        return "".join(self._text)

    def finish(self, reason: FinishReason) -> Event:
        """The last event, with the text that was held back."""
        rest = self._stream.finish()
        self._text.append(rest)
        logprobs = tuple(self.logprobs) if self.request.sampling.logprobs else None
        finished = Finished(reason, self.text, tuple(self.tokens), logprobs, self.seed, self.drawn)
        return Event(self.ticket, rest, finished)
