"""Draws tokens from logits: exact, reproducible per request, and cheap for large batches.

The vocabulary is wide (152k), so a full sort, softmax or noise tensor over a large batch costs
more than the model does. Here a few rows at a time pass through one buffer that stays in the
processor's cache, and a token is found by inverting the cumulative distribution in two levels
(sums of blocks, then inside one block). Only rows that ask for top-k or top-p pay for a partial
sort. What a row draws depends on its own logits, settings and uniform number alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from codekiln.core import Sampling
from codekiln.core.errors import ModelError

# Rows per pass: 8 x 152k float32 is 4.9 MB, which stays in a level-3 cache.
_ROWS = 8
_BLOCK = 128
# At this temperature a difference of 1e-4 between logits is already certainty.
_COLDEST = 1e-6
# Candidates looked at first for top-p; a flatter distribution falls back to a full sort.
_TOP_P_CANDIDATES = 512


@dataclass(frozen=True, slots=True)
class DrawSpec:
    """How one row is drawn.

    `uniform` in [0, 1) is the row's random number. `seen` are the token ids that the repetition
    penalty applies to, `banned` ids that must not come out.
    """

    sampling: Sampling
    uniform: float = 0.0
    seen: Collection[int] = ()
    banned: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Draw:
    """A drawn token; `logprob` is the model's own (before temperature and filters), or None."""

    token: int
    logprob: float | None


def _samples(spec: DrawSpec) -> bool:
    """False for greedy, which includes temperatures that float32 cannot divide by."""
    return spec.sampling.temperature > _COLDEST


class NoTokenLeftError(Exception):
    """Every token of a row is banned."""


@torch.inference_mode()
def draw(logits: Tensor, specs: Sequence[DrawSpec]) -> list[Draw]:
    """Draw one token per row of logits [rows, vocab].

    Raises NoTokenLeftError, or ModelError when scores are not numbers.
    """
    vocab = logits.shape[1]
    # Whole blocks, so that block sums are a plain reshape; the padding has probability 0.
    width = -(-vocab // _BLOCK) * _BLOCK
    buffer = torch.empty((min(_ROWS, len(specs)), width), device=logits.device)
    out: list[Draw] = []
    for start in range(0, len(specs), _ROWS):
        some = specs[start : start + _ROWS]
        scores = buffer[: len(some)]
        scores[:, :vocab] = logits[start : start + len(some)]
        scores[:, vocab:] = float("-inf")
        out += _draw_rows(scores, some)
    return out


def _draw_rows(scores: Tensor, specs: Sequence[DrawSpec]) -> list[Draw]:
    """Draw from float32 scores [rows, width]; the scores are overwritten."""
    raw = scores.log_softmax(-1) if any(spec.sampling.logprobs for spec in specs) else None
    for row, spec in enumerate(specs):
        _penalise(scores[row], spec)
    best, best_token = scores.max(-1)
    if not torch.isfinite(best).all():
        if torch.isnan(best).any():
            raise ModelError(
                "the model's scores are not numbers",
                "Check the weights: codekiln models verify NAME",
            )
        raise NoTokenLeftError
    tokens: list[int] = best_token.tolist()
    if any(map(_samples, specs)):
        warmth = [spec.sampling.temperature if _samples(spec) else 1.0 for spec in specs]
        scores.sub_(best[:, None]).div_(torch.tensor(warmth, device=scores.device)[:, None]).exp_()
        sampled = [row for row, spec in enumerate(specs) if _samples(spec)]
        for row in sampled:
            _filter(scores[row], specs[row].sampling)
        drawn = _invert(scores, [spec.uniform for spec in specs])
        for row in sampled:
            tokens[row] = drawn[row]
    if raw is None:
        return [Draw(token, None) for token in tokens]
    return [
        Draw(token, raw[row, token].item() if spec.sampling.logprobs else None)
        for row, (token, spec) in enumerate(zip(tokens, specs, strict=True))
    ]


def _penalise(scores: Tensor, spec: DrawSpec) -> None:
    if spec.sampling.repetition_penalty != 1.0 and spec.seen:
        ids = torch.tensor(sorted(spec.seen), device=scores.device)
        penalty = spec.sampling.repetition_penalty
        values = scores[ids]
        scores[ids] = torch.where(values < 0, values * penalty, values / penalty)
    if spec.banned:
        scores[torch.tensor(sorted(spec.banned), device=scores.device)] = float("-inf")


def _filter(weights: Tensor, sampling: Sampling) -> None:
    """Set to 0 what top-k, top-p and min-p exclude; weights [width] have their maximum at 1."""
    if 0 < sampling.top_k < weights.shape[0]:
        values, ids = weights.topk(sampling.top_k)
        weights.zero_()
        weights[ids] = values
    if sampling.top_p < 1.0:
        values, ids = weights.topk(min(_TOP_P_CANDIDATES, weights.shape[0]))
        wanted = sampling.top_p * weights.sum(dtype=torch.float64)
        if values.sum(dtype=torch.float64) < wanted:
            values, ids = weights.sort(descending=True)
        before = values.cumsum(0, dtype=torch.float64) - values
        kept = before < wanted
        weights.zero_()
        weights[ids[kept]] = values[kept]
    if sampling.min_p > 0.0:
        weights[weights < sampling.min_p * weights.max()] = 0.0


def _invert(weights: Tensor, uniforms: Sequence[float]) -> list[int]:
    """The token at which each row's cumulative weight first exceeds uniform * total."""
    rows = weights.shape[0]
    blocks = weights.view(rows, -1, _BLOCK)
    edges = blocks.sum(-1, dtype=torch.float64).cumsum(-1)  # [rows, blocks]
    target = torch.tensor(uniforms, dtype=torch.float64, device=weights.device)[:, None]
    target = target * edges[:, -1:]
    block = torch.searchsorted(edges, target, right=True).clamp_(max=edges.shape[1] - 1)
    start = torch.where(block > 0, edges.gather(1, (block - 1).clamp_(min=0)), 0.0)
    inside = blocks[torch.arange(rows, device=weights.device), block[:, 0]]  # [rows, block]
    steps = inside.cumsum(-1, dtype=torch.float64)
    offset = torch.searchsorted(steps, target - start, right=True)
    # Rounding may carry the target past the last positive weight of the block: step back to it.
    last = (inside > 0).cumsum(-1).argmax(-1, keepdim=True)
    return (block * _BLOCK + torch.minimum(offset, last))[:, 0].tolist()
