"""Prefill attention over block lists: the compiled kernel where it can, else gather and SDPA."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from codekiln.attention.native.build import Native, Source, load_native
from codekiln.attention.partial import Attended, attend_block, merge
from codekiln.attention.selection import BlockLists


def attend_listed(
    q: Tensor,  # [rows, heads, head_dim]
    keys: Tensor,  # [kv_heads, n, head_dim], the rows' own keys included
    values: Tensor,
    lists: BlockLists,
    native: Native | None = None,
) -> Tensor:
    """Attention of the rows at `lists.start` over their lists and their own query block."""
    native = native or load_native()
    block = lists.config.block
    if native is None or not native.takes(q, block):
        return attend_gathered(q, keys, values, lists)
    exact = Source.of(keys, values)
    return native.attend(
        q.contiguous(),
        exact,
        exact if lists.means is None else Source.of(*lists.means),
        _items(q.shape[0], lists),
        lists.blocks.flatten(),
        block,
        keys.shape[0],
    )[0]


def _items(rows: int, lists: BlockLists) -> Tensor:
    """What the kernel works through, int32 [items, 9]; see kernel.cpp. The longest come first."""
    size = lists.config.query_block
    kv_heads, number, most = lists.blocks.shape
    place = torch.arange(number) + lists.start // size
    begin = (place * size).clamp(min=lists.start)
    end = ((place + 1) * size).clamp(max=lists.start + rows)
    table = torch.empty(kv_heads, number, 9, dtype=torch.int32)
    table[..., 0] = 0
    table[..., 1] = torch.arange(kv_heads)[:, None]
    table[..., 2] = begin - lists.start
    table[..., 3] = end - begin
    table[..., 4] = (torch.arange(kv_heads)[:, None] * number + torch.arange(number)) * most
    table[..., 5] = lists.counts
    table[..., 6] = place * size
    table[..., 7] = begin - place * size + 1
    summarised = place * (size // lists.config.block)
    table[..., 8] = summarised if lists.means is not None else 0
    table = table.flatten(0, 1)
    return table[table[:, 5].argsort(descending=True)].contiguous()


def attend_gathered(q: Tensor, keys: Tensor, values: Tensor, lists: BlockLists) -> Tensor:
    """`attend_listed` in PyTorch: copies the listed keys together, one query block at a time."""
    rows, heads, head_dim = q.shape
    kv_heads, ratio = keys.shape[0], heads // keys.shape[0]
    config = lists.config
    size = config.query_block
    out = torch.empty_like(q)
    first = lists.start // size
    for number in range((lists.start + rows - 1) // size - first + 1):
        own_start = (first + number) * size
        begin, end = max(lists.start, own_start), min(lists.start + rows, own_start + size)
        part = q[begin - lists.start : end - lists.start].transpose(0, 1)  # [heads, part, head_dim]
        own = slice(own_start, end)
        local = _attend_own(part, keys[:, own], values[:, own], begin - own_start)
        past_keys, past_values, mask = _gather(keys, values, lists, number)
        if past_keys.shape[1]:
            packed = part.reshape(kv_heads, 1, ratio * (end - begin), head_dim)
            # One KV head per batch entry, so that each has a mask of its own.
            past = attend_block(
                packed, past_keys[:, None], past_values[:, None], mask=mask[:, None, None]
            )
            shape = (1, heads, end - begin)
            partial = Attended(past.out.reshape(*shape, head_dim), past.lse.reshape(shape))
            result = merge(local, partial)[0]
        else:
            result = local.out[0]
        out[begin - lists.start : end - lists.start] = result.transpose(0, 1)
    return out


def _gather(
    keys: Tensor, values: Tensor, lists: BlockLists, number: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Keys and values before a query block, [kv_heads, n, head_dim], and their additive mask."""
    config, device = lists.config, keys.device
    counts = lists.counts[:, number]
    most = int(counts.max())
    listed = lists.blocks[:, number, :most].long()
    used = torch.arange(most, device=device) < counts[:, None]
    inside = torch.arange(config.block, device=device)
    tokens = (listed.where(used, 0)[..., None] * config.block + inside).flatten(1)
    head = torch.arange(len(keys), device=device)[:, None]
    mask = torch.zeros(tokens.shape, dtype=keys.dtype, device=device)
    mask.masked_fill_(~used.repeat_interleave(config.block, 1), float("-inf"))
    keys, values = keys[head, tokens], values[head, tokens]
    if lists.means is None:
        return keys, values, mask
    before = (lists.start // config.query_block + number) * (config.query_block // config.block)
    many = torch.full((len(keys), before + 1), math.log(config.block), device=device)
    # Unused places of the list all point behind the last block.
    many.scatter_(1, listed.where(used, before), float("-inf"))
    means = lists.means[:, :, :before]
    return (
        torch.cat((keys, means[0]), dim=1),
        torch.cat((values, means[1]), dim=1),
        torch.cat((mask, many[:, :before].to(mask.dtype)), dim=1),
    )


def _attend_own(q: Tensor, keys: Tensor, values: Tensor, before: int) -> Attended:
    """Causal attention inside a query block, of which `before` rows came with an earlier chunk."""
    if not before:
        return attend_block(q[None], keys[None], values[None], causal=True)
    number = torch.arange(keys.shape[1], device=q.device)
    hidden = number > number[before:, None]
    mask = torch.zeros(hidden.shape, dtype=q.dtype, device=q.device)
    return attend_block(
        q[None], keys[None], values[None], mask=mask.masked_fill_(hidden, float("-inf"))[None, None]
    )
