"""A Backend that recites: for the pipeline's logic, where the model's words must be given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from codekiln.backends import BackendInfo, Cancel, Completion, CompletionRequest, Delta
from codekiln.backends.protocol import FinishReason, collect
from codekiln.core import Prompt


class ScriptedBackend:
    """Gives the texts of `rounds` in order, one list per call, and keeps what it was asked.

    `logprobs` (per text, over all rounds) are sums; every text counts as ten tokens.
    """

    def __init__(
        self,
        *rounds: Sequence[str],
        name: str = "local",
        model: str = "scripted",
        weights: str = "ab" * 32,
        context_tokens: int | None = 4096,
        logprobs: Sequence[float] = (),
        finish_reason: FinishReason = "stop",
        cancel_after: int | None = None,
        details: dict[str, str] | None = None,
    ) -> None:
        self.rounds = list(rounds)
        self.calls: list[tuple[CompletionRequest, ...]] = []
        self.closed = False
        self._info = BackendInfo(name, model, weights, context_tokens, details or {"threads": "2"})
        self._logprobs = list(logprobs)
        self._finish_reason: FinishReason = finish_reason
        self._cancel_after = cancel_after

    @property
    def info(self) -> BackendInfo:
        return self._info

    def count_tokens(self, prompt: Prompt) -> int:
        return sum(len(message.content) for message in prompt.messages) // 4

    def stream(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel | None = None,
        *,
        pieces: bool = True,
    ) -> Iterator[Delta]:
        texts = list(self.rounds[len(self.calls)])
        self.calls.append(tuple(requests))
        given = 0
        for index, request in enumerate(requests):
            for sample in range(request.n):
                if cancel is not None and given == self._cancel_after:
                    cancel.set()
                stopped = cancel is not None and cancel.is_set
                text = "" if stopped else texts[given]
                given += 1
                if pieces:
                    yield Delta(index, sample, text)
                yield Delta(index, sample, "", self._completion(text, request, sample, stopped))

    def complete(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None
    ) -> list[tuple[Completion, ...]]:
        return collect(self.stream(requests, cancel), requests)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.closed = True

    def _completion(
        self, text: str, request: CompletionRequest, sample: int, stopped: bool
    ) -> Completion:
        seed = request.sampling.seed
        return Completion(
            text=text,
            finish_reason="cancelled" if stopped else self._finish_reason,
            prompt_tokens=7,
            completion_tokens=10,
            logprob=self._logprobs.pop(0) if self._logprobs else None,
            seed=None if seed is None else seed + sample,
        )
