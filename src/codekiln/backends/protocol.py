"""The Backend contract: prompts in, completions out, whoever computes them.

Every implementation passes the conformance suite in tests/backends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self, cast, get_args

from codekiln.core import Prompt, Sampling
from codekiln.core.errors import UsageError
from codekiln.core.text_guard import TextGuard

FinishReason = Literal["stop", "length", "cancelled"]
# Of the embedded engine: "sparse" reads every prompt sparsely, "auto" those where it pays.
Attention = Literal["auto", "dense", "sparse"]


def as_attention(name: str) -> Attention:
    """The way of attending of this name. Raises UsageError."""
    for attention in get_args(Attention):
        if attention == name:
            return cast(Attention, attention)
    raise UsageError(f"attention is {name!r}", f"Use one of: {', '.join(get_args(Attention))}")


# Among BackendInfo.details: bytes of keys and values that a token of a prompt takes.
KV_TOKEN_BYTES = "kv_token_bytes"


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """`n` independent completions of one prompt.

    Sample i of a request with seed s uses seed s + i, so that a batch can be repeated. `guard`
    makes the guard of a sample; a server that cannot go on with a text refuses it with a
    UsageError. Its text then comes with the last delta.
    """

    prompt: Prompt
    sampling: Sampling
    n: int = 1
    guard: Callable[[int], TextGuard] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """One finished completion; `text` does not include the prefill nor the stop string.

    `token_logprobs` and `logprob` (their sum) are None when the backend cannot tell. `seed` is
    the one that was used. `drawn_tokens` also counts what a guard took back; None: not told.
    """

    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    logprob: float | None = None
    token_logprobs: tuple[float, ...] | None = None
    seed: int | None = None
    drawn_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of one completion as it is written. The last one carries `completion`.

    `request` and `sample` are indexes into the call's requests and their n samples. While a long
    prompt is read, deltas without text tell with `read` how many tokens are, and of how many.
    """

    request: int
    sample: int
    text: str
    completion: Completion | None = None
    read: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class BackendInfo:
    """Who answers: for records and for messages. `weights_sha256` is empty when unknown."""

    name: str
    model: str
    weights_sha256: str = ""
    context_tokens: int | None = None
    details: dict[str, str] = field(default_factory=dict)


class Cancel:
    """A flag that another thread may set; a backend looks at it between tokens."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Ask for the work to stop; may be called from any thread or signal handler."""
        self._event.set()

    @property
    def is_set(self) -> bool:
        """True once `set` was called."""
        return self._event.is_set()


class Backend(Protocol):
    """A source of completions. Use as a context manager or call `close`."""

    @property
    def info(self) -> BackendInfo:
        """Identity of the model behind this backend."""

    def count_tokens(self, prompt: Prompt) -> int | None:
        """Tokens the prompt takes, template included; None when this backend cannot tell."""

    def stream(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel | None = None,
        *,
        pieces: bool = True,
    ) -> Iterator[Delta]:
        """Run all requests together and yield text as it appears, samples interleaved.

        Without `pieces` only the last delta of each sample comes, with an empty text: whoever
        shows no text spares the engine the waking of a thread for every token.
        Cancelling ends every unfinished sample with finish_reason "cancelled". Closing the
        iterator early frees what the requests held. Raises ContextOverflowError before any
        work when a prompt does not fit, and BackendError subclasses when a server fails.
        """

    def complete(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None
    ) -> list[tuple[Completion, ...]]:
        """All completions of all requests, in order."""

    def __enter__(self) -> Self:
        """The backend itself; leaving the block closes it."""

    def __exit__(self, *_: object) -> None:
        """Close."""

    def close(self) -> None:
        """Free weights, sockets and threads; idempotent."""


def collect(
    deltas: Iterator[Delta], requests: Sequence[CompletionRequest]
) -> list[tuple[Completion, ...]]:
    """Drain a stream into the completions of each request, in order."""
    done: dict[tuple[int, int], Completion] = {}
    for delta in deltas:
        if delta.completion is not None:
            done[delta.request, delta.sample] = delta.completion
    return [
        tuple(done[index, sample] for sample in range(request.n))
        for index, request in enumerate(requests)
    ]
