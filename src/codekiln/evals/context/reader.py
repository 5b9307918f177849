"""Reads a long context with one kind of attention and answers questions behind it.

Goes through the engine's own prefill and decode attention, so that what is measured is what runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from codekiln.attention import AttentionReport, SparseConfig
from codekiln.engine import Decoder
from codekiln.engine.attend import Chunk, DecodeAttend, PrefillAttend
from codekiln.engine.kv_cache import PromptCache, SlotCache

CHUNK_TOKENS = 1024
# Rows whose scores over the vocabulary are held at the same time.
_SCORE_ROWS = 256
# Behind the context, so that no row of it counts as one of the prompt's last.
_ROOM = 4096


@dataclass(frozen=True, slots=True)
class Predictions:
    """Of each token from `first` on: its loss in nats, and the likeliest token in its place."""

    first: int
    loss: Tensor  # float32 [n]
    best: Tensor  # int64 [n]


@dataclass(frozen=True, slots=True)
class Answer:
    """`is_right`: greedy decoding gives exactly the answer; `loss` in nats over all its tokens."""

    is_right: bool
    loss: float


class LongReader:
    """One context in one cache. `sparse` None is the engine's dense attention, without `compiled`
    that of PyTorch alone."""

    def __init__(
        self,
        decoder: Decoder,
        tokens: Sequence[int],
        sparse: SparseConfig | None = None,
        compiled: bool = True,
    ) -> None:
        self._decoder = decoder
        self._compiled = compiled
        self._sparse = sparse
        self._context = tuple(tokens)
        self._cache = self._new_cache((*self._context, *[0] * _ROOM))
        self.report: AttentionReport | None = None
        if self._cache.index is not None:
            self.report = AttentionReport(decoder.config.layers)
            self._cache.index.report = self.report

    def read(self, first: int, on_tokens: Callable[[int, int], object]) -> Predictions:
        """Prefill the context and tell how its tokens from `first` on are predicted.

        `on_tokens` is told how many are read, and of how many.
        """
        losses: list[Tensor] = []
        best: list[Tensor] = []
        for start in range(0, len(self._context), CHUNK_TOKENS):
            end = min(start + CHUNK_TOKENS, len(self._context))
            hidden = self._forward(self._cache, start, end)
            known = min(end, len(self._context) - 1)
            for row in range(max(start, first - 1), known, _SCORE_ROWS):
                rows = range(row, min(row + _SCORE_ROWS, known))
                scores = self._decoder.logits(hidden[rows.start - start : rows.stop - start])
                wanted = torch.tensor(self._context[rows.start + 1 : rows.stop + 1])
                losses.append(_losses(scores, wanted))
                best.append(scores.argmax(-1).cpu())
            on_tokens(end, len(self._context))
        return Predictions(first, torch.cat(losses), torch.cat(best))

    def ask(self, question: Sequence[int], answer: Sequence[int]) -> Answer:
        """Prefill `question` behind the context and decode; `answer` is fed token by token."""
        length = len(self._context)
        cache = self._new_cache((*self._context, *question))
        cache.data[:, :, :, :length] = self._cache.data[:, :, :, :length]
        hidden = self._forward(cache, length, length + len(question))
        scores = self._decoder.logits(hidden[-1:])
        # Decoding looks at prompts that are done.
        cache.last_logits = scores[0]
        slots = SlotCache(self._decoder.config, self._decoder.dtype, self._decoder.device)
        slots.add(cache)
        loss, is_right = 0.0, True
        for number, token in enumerate(answer):
            loss += float(_losses(scores, torch.tensor([token])))
            is_right &= int(scores.argmax()) == token
            if number + 1 < len(answer):
                scores = self._decode(slots, token, len(cache.tokens) + number)
        return Answer(is_right, loss)

    def _new_cache(self, tokens: tuple[int, ...]) -> PromptCache:
        decoder = self._decoder
        return PromptCache(decoder.config, tokens, decoder.dtype, decoder.device, self._sparse)

    def _forward(self, cache: PromptCache, start: int, end: int) -> Tensor:
        device = self._decoder.device
        hidden = self._decoder.forward(
            torch.tensor(cache.tokens[start:end], device=device),
            torch.arange(start, end, device=device),
            end - 1,
            PrefillAttend([Chunk(cache, start, end)], self._compiled),
        )
        cache.length = end
        return hidden

    def _decode(self, slots: SlotCache, token: int, position: int) -> Tensor:
        device = self._decoder.device
        hidden = self._decoder.forward(
            torch.tensor([token], device=device),
            torch.tensor([position], device=device),
            position,
            DecodeAttend(slots),
        )
        slots.lengths[0] += 1
        return self._decoder.logits(hidden)


def _losses(scores: Tensor, wanted: Tensor) -> Tensor:
    found = scores.float().log_softmax(-1).cpu().gather(1, wanted[:, None])[:, 0]
    if not math.isfinite(float(found.sum())):
        raise ArithmeticError("the model's scores are not finite")
    return -found
