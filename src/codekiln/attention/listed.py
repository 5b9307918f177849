"""Prefill attention over block lists: the compiled kernel where it can, else gather and SDPA."""

from __future__ import annotations

import torch
from torch import Tensor

from codekiln.attention.native.build import Native, load_native
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
    if native is not None and native.takes(q, block) and keys.stride(1) == keys.shape[-1]:
        items = _items(q.shape[0], lists)
        address = torch.tensor([keys.data_ptr(), values.data_ptr()])
        return native.attend(
            q.contiguous(),
            address[:1],
            address[1:],
            keys.stride(0),
            items,
            lists.blocks.flatten(),
            block,
            keys.shape[0],
        )[0]
    return attend_gathered(q, keys, values, lists)


def _items(rows: int, lists: BlockLists) -> Tensor:
    """What the kernel works through, int32 [items, 8]; see kernel.cpp. The longest come first."""
    size = lists.config.query_block
    kv_heads, number, most = lists.blocks.shape
    place = torch.arange(number) + lists.start // size
    begin = (place * size).clamp(min=lists.start)
    end = ((place + 1) * size).clamp(max=lists.start + rows)
    table = torch.empty(kv_heads, number, 8, dtype=torch.int32)
    table[..., 0] = 0
    table[..., 1] = torch.arange(kv_heads)[:, None]
    table[..., 2] = begin - lists.start
    table[..., 3] = end - begin
    table[..., 4] = (torch.arange(kv_heads)[:, None] * number + torch.arange(number)) * most
    table[..., 5] = lists.counts
    table[..., 6] = place * size
    table[..., 7] = begin - place * size + 1
    table = table.flatten(0, 1)
    return table[table[:, 5].argsort(descending=True)].contiguous()


def attend_gathered(q: Tensor, keys: Tensor, values: Tensor, lists: BlockLists) -> Tensor:
    """`attend_listed` in PyTorch: copies the listed keys together, one query block at a time."""
    rows, heads, head_dim = q.shape
    kv_heads, ratio = keys.shape[0], heads // keys.shape[0]
    config = lists.config
    size = config.query_block
    out = torch.empty_like(q)
    inside = torch.arange(config.block, device=q.device)
    head = torch.arange(kv_heads, device=q.device)[:, None]
    for number, place in enumerate(
        range(lists.start // size, (lists.start + rows - 1) // size + 1)
    ):
        begin, end = max(lists.start, place * size), min(lists.start + rows, (place + 1) * size)
        part = q[begin - lists.start : end - lists.start].transpose(0, 1)  # [heads, part, head_dim]
        own = slice(place * size, end)
        local = _attend_own(part, keys[:, own], values[:, own], begin - place * size)
        counts = lists.counts[:, number]
        most = int(counts.max())
        if most:
            blocks = lists.blocks[:, number, :most].long()
            used = torch.arange(most, device=q.device) < counts[:, None]
            tokens = blocks.where(used, 0)[..., None] * config.block + inside
            tokens = tokens.flatten(1)  # [kv_heads, most * block]
            mask = torch.zeros(tokens.shape, dtype=q.dtype, device=q.device)
            mask.masked_fill_(~used.repeat_interleave(config.block, 1), float("-inf"))
            packed = part.reshape(1, kv_heads, ratio * (end - begin), head_dim)
            # One head per batch entry, so that each has a mask of its own.
            past = attend_block(
                packed[0, :, None],
                keys[head, tokens][:, None],
                values[head, tokens][:, None],
                mask=None if bool(used.all()) else mask[:, None, None],
            )
            shape = (1, heads, end - begin)
            # An empty list leaves nothing to merge: its log-sum-exp is NaN or -inf.
            lse = past.lse.reshape(kv_heads, ratio * (end - begin))
            lse = lse.masked_fill((counts == 0)[:, None], float("-inf")).reshape(shape)
            partial = past.out.reshape(*shape, head_dim).nan_to_num(0.0)
            result = merge(local, Attended(partial, lse))[0]
        else:
            result = local.out[0]
        out[begin - lists.start : end - lists.start] = result.transpose(0, 1)
    return out


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
