"""Causal attention over the KV cache: the `Attend` of prefill and that of decode.

Grouped queries are packed per KV head, so that keys and values are read once per group whatever
the ratio of heads. Parts of a context (past and chunk, shared prompt and slot) are attended
separately and merged by their log-sum-exp, which is exact (FlashDecoding, arXiv 2311.01282).

Long prompts go through the compiled kernel where there is one, see codekiln.attention; a prompt
with a block index is attended sparsely. What a slot adds is dense.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from codekiln.attention import (
    Attended,
    BlockIndex,
    attend_block,
    attend_dense,
    attend_listed,
    attend_listed_rows,
    merge,
    select,
    select_for_decode,
)
from codekiln.engine.kv_cache import PromptCache, SlotCache

# Chunks that end before go through PyTorch, so that answers to short prompts stay what they were.
# At 4,096 tokens the kernel saves a third of the time; where it begins to pay is not measured.
COMPILED_FROM = 2048


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens [start, end) of a prompt that is being prefilled."""

    prompt: PromptCache
    start: int
    end: int


class PrefillAttend:
    """Attention of a packed run of prompt chunks; each sees its own prompt only.

    Without `compiled` dense attention is PyTorch's at any length.
    """

    def __init__(self, chunks: Sequence[Chunk], compiled: bool = True) -> None:
        self._chunks = chunks
        self._compiled = compiled

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `codekiln.engine.decoder.Attend`."""
        out = torch.empty_like(q)
        row = 0
        for chunk in self._chunks:
            size = chunk.end - chunk.start
            rows = slice(row, row + size)
            row += size
            keys, values = chunk.prompt.data[layer]  # [kv_heads, prompt, head_dim]
            keys[:, chunk.start : chunk.end] = k[rows].transpose(0, 1)
            values[:, chunk.start : chunk.end] = v[rows].transpose(0, 1)
            index = chunk.prompt.index
            if index is not None:
                out[rows] = _attend_sparse(layer, q[rows], keys, values, chunk, index)
            elif (
                self._compiled
                and chunk.end > COMPILED_FROM
                and (dense := attend_dense(q[rows], keys, values, chunk.start)) is not None
            ):
                out[rows] = dense
            else:
                out[rows] = _attend_chunk(q[rows], keys, values, chunk)
        return out


def _attend_sparse(
    layer: int, q: Tensor, keys: Tensor, values: Tensor, chunk: Chunk, index: BlockIndex
) -> Tensor:
    begun = time.perf_counter()
    index.update(layer, keys, chunk.end)
    dense_from = len(chunk.prompt.tokens) - index.config.dense_rows
    lists = select(q, index, layer, chunk.start, dense_from)
    selected = time.perf_counter()
    out = attend_listed(q, keys, values, lists, chunk.start)
    if index.report is not None:
        seconds = (selected - begun, time.perf_counter() - selected)
        index.report.observe(layer, q, keys, lists, chunk.start, seconds)
    return out


def _attend_chunk(q: Tensor, keys: Tensor, values: Tensor, chunk: Chunk) -> Tensor:
    size, heads, head_dim = q.shape
    own = slice(chunk.start, chunk.end)
    queries = q.transpose(0, 1).unsqueeze(0)  # [1, heads, chunk, head_dim]
    local = attend_block(queries, keys[None, :, own], values[None, :, own], causal=True)
    if chunk.start == 0:
        return local.out[0].transpose(0, 1)
    kv_heads = keys.shape[0]
    packed = q.transpose(0, 1).reshape(1, kv_heads, heads // kv_heads * size, head_dim)
    past = attend_block(packed, keys[None, :, : chunk.start], values[None, :, : chunk.start])
    shape = (1, heads, size)
    past = Attended(past.out.reshape(*shape, head_dim), past.lse.reshape(shape))
    return merge(local, past)[0].transpose(0, 1)


class DecodeAttend:
    """Attention of one new token per slot, batched over all slots of the cache.

    Made anew for each step: lengths and masks are the same for all layers. The slots'
    `lengths` still count the tokens before this step.
    """

    def __init__(self, cache: SlotCache) -> None:
        cache.reserve_next()
        self._cache = cache
        device = cache.data.device
        slots = len(cache)
        self._slots = torch.arange(slots, device=device)
        self._at = torch.tensor(cache.lengths, device=device)
        self._span = max(cache.lengths) + 1
        self._mask: Tensor | None = None
        if min(cache.lengths) + 1 < self._span:
            hidden = torch.arange(self._span, device=device) > self._at[:, None]
            mask = torch.zeros(slots, self._span, dtype=cache.data.dtype, device=device)
            self._mask = mask.masked_fill_(hidden, float("-inf"))[:, None, None, :]
        self._shared = _slots_by_prompt(cache.prompts, device)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `codekiln.engine.decoder.Attend`; row i belongs to slot i."""
        slots, heads, head_dim = q.shape
        keys, values = self._cache.data[layer]  # [slots, kv_heads, capacity, head_dim]
        kv_heads = keys.shape[1]
        keys[self._slots, :, self._at] = k
        values[self._slots, :, self._at] = v
        packed = q.view(slots, kv_heads, heads // kv_heads, head_dim)
        own = attend_block(
            packed, keys[:slots, :, : self._span], values[:slots, :, : self._span], mask=self._mask
        )
        if not self._shared:
            return own.out.reshape(slots, heads, head_dim)
        prompt = Attended(torch.zeros_like(own.out), torch.full_like(own.lse, float("-inf")))
        for cache, rows in self._shared:
            past_keys, past_values = cache.data[layer]
            if cache.index is not None:
                lists = select_for_decode(q[rows], cache.index, layer, self._at[rows])
                part = attend_listed_rows(q[rows], past_keys, past_values, lists)
                shape = (kv_heads, heads // kv_heads, len(rows))
                prompt.out[rows] = part.out.reshape(*shape, head_dim).permute(2, 0, 1, 3)
                prompt.lse[rows] = part.lse.reshape(shape).permute(2, 0, 1)
                continue
            group = packed[rows].transpose(0, 1).reshape(1, kv_heads, -1, head_dim)
            part = attend_block(group, past_keys[None], past_values[None])
            shape = (kv_heads, len(rows), heads // kv_heads)
            prompt.out[rows] = part.out.reshape(*shape, head_dim).transpose(0, 1)
            prompt.lse[rows] = part.lse.reshape(shape).transpose(0, 1)
        return merge(own, prompt).reshape(slots, heads, head_dim)


def _slots_by_prompt(
    prompts: Sequence[PromptCache | None], device: torch.device
) -> list[tuple[PromptCache, Tensor]]:
    rows: dict[int, list[int]] = {}
    caches: dict[int, PromptCache] = {}
    for slot, prompt in enumerate(prompts):
        if prompt is not None:
            caches[id(prompt)] = prompt
            rows.setdefault(id(prompt), []).append(slot)
    return [(caches[key], torch.tensor(slots, device=device)) for key, slots in rows.items()]
