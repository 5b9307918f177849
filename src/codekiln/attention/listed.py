"""Attention over block lists: a kernel where there is one (C++ or Triton), else gather and SDPA."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from codekiln.attention.native.build import Context, Native, laid_out, native_of
from codekiln.attention.partial import Attended, attend_block, merge
from codekiln.attention.selection import BlockLists


def attend_listed(
    q: Tensor,  # [rows, heads, head_dim]
    keys: Tensor,  # [kv_heads, n, head_dim], the rows' own keys included
    values: Tensor,
    lists: BlockLists,
    start: int,
    native: Native | None = None,
) -> Tensor:
    """Attention of the rows that stand at `start` over their lists and their own query block."""
    if (kernels := _triton(q, lists)) is not None:
        out: Tensor = kernels.attend_listed_triton(q, keys, values, lists, start)
        return out
    block = lists.config.block
    native = native or native_of(q, keys, values, block)
    if native is None:
        return attend_gathered(q, keys, values, lists, start)
    keys, values = laid_out(keys, values)
    items = work_items(q.shape[0], start, lists.config.query_block, lists.counts, _begins(lists))
    context = Context.of(keys, values)
    return native.attend(q.contiguous(), context, items, lists.blocks.flatten(), block)[0]


def attend_listed_rows(
    q: Tensor,  # [rows, heads, head_dim]
    keys: Tensor,  # [kv_heads, n, head_dim]
    values: Tensor,
    lists: BlockLists,  # one reader per row
    native: Native | None = None,
) -> Attended:
    """Attention of single rows over their lists and the tail that fills no block (decode).

    Gives [1, heads, rows, ..], to be merged with what else the rows see.
    """
    if (kernels := _triton(q, lists)) is not None:
        attended: Attended = kernels.attend_listed_rows_triton(q, keys, values, lists)
        return attended
    block, (rows, heads, head_dim) = lists.config.block, q.shape
    native = native or native_of(q, keys, values, block)
    tail = keys.shape[1] // block * block
    if native is not None:
        keys, values = laid_out(keys, values)
        context = Context.of(keys, values)
        items = _row_items(lists, tail, keys.shape[1] - tail)
        out, lse = native.attend(q.contiguous(), context, items, lists.blocks.flatten(), block)
        return Attended(out.transpose(0, 1)[None], lse.t()[None])
    parts = []
    for row in range(rows):
        packed = q[row].view(len(keys), 1, -1, head_dim)
        past_keys, past_values, mask = _gather(keys, values, lists, row)
        past = (
            torch.cat((past_keys, keys[:, tail:]), 1),
            torch.cat((past_values, values[:, tail:]), 1),
        )
        mask = F.pad(mask, (0, keys.shape[1] - tail))[:, None, None]
        parts.append(attend_block(packed, past[0][:, None], past[1][:, None], mask=mask))
    return Attended(
        torch.stack([part.out.reshape(heads, head_dim) for part in parts], 1)[None],
        torch.stack([part.lse.reshape(heads) for part in parts], 1)[None],
    )


def _triton(q: Tensor, lists: BlockLists) -> Any:
    """The module of the GPU kernels; None on a CPU, without triton, or for sizes it cannot take."""
    if not q.is_cuda:
        return None
    try:
        from codekiln.attention import triton_kernels
    except ImportError:
        return None
    return triton_kernels if triton_kernels.takes(q, lists) else None


def _row_items(lists: BlockLists, tail: int, tail_keys: int) -> Tensor:
    rows = torch.arange(lists.counts.shape[1])
    own = tail if tail_keys else -1
    return _table(lists.counts, _begins(lists), rows, 1, own, tail_keys)


def _begins(lists: BlockLists) -> Tensor:
    """Where each reader's list begins in the flat lists."""
    kv_heads, readers, most = lists.blocks.shape
    return torch.arange(kv_heads * readers).view(kv_heads, readers) * most


def work_items(rows: int, start: int, size: int, counts: Tensor, begins: Tensor) -> Tensor:
    """What the kernel works through for `rows` rows at `start`, in query blocks of `size` rows.

    `counts` and `begins` [kv_heads, query blocks] say how long each list is and where it begins.
    """
    own = (torch.arange(counts.shape[1]) + start // size) * size
    begin, end = own.clamp(min=start), (own + size).clamp(max=start + rows)
    return _table(counts, begins, begin - start, end - begin, own, begin - own + 1)


def _table(
    counts: Tensor,
    begins: Tensor,
    first_row: Tensor,
    rows: Tensor | int,
    own: Tensor | int,
    seen: Tensor | int,
) -> Tensor:
    """The fields of the kernel's `Item`, int32 [items, 8].

    The arguments are by reader. The longest come first, so that no thread ends with one alone.
    """
    table = torch.zeros(*counts.shape, 8, dtype=torch.int32)
    table[..., 1] = torch.arange(len(counts))[:, None]
    table[..., 2] = first_row
    table[..., 3] = rows
    table[..., 4] = begins
    table[..., 5] = counts
    table[..., 6] = own
    table[..., 7] = seen
    table = table.flatten(0, 1)
    return table[table[:, 5].argsort(descending=True)].contiguous()


def attend_gathered(
    q: Tensor, keys: Tensor, values: Tensor, lists: BlockLists, start: int
) -> Tensor:
    """`attend_listed` in PyTorch: copies the listed keys together, one query block at a time."""
    rows, heads, head_dim = q.shape
    kv_heads, ratio = keys.shape[0], heads // keys.shape[0]
    size = lists.config.query_block
    out = torch.empty_like(q)
    first = start // size
    for number in range((start + rows - 1) // size - first + 1):
        own_start = (first + number) * size
        begin, end = max(start, own_start), min(start + rows, own_start + size)
        part = q[begin - start : end - start].transpose(0, 1)  # [heads, part, head_dim]
        own = slice(own_start, end)
        local = _attend_own(part, keys[:, own], values[:, own], begin - own_start)
        past_keys, past_values, mask = _gather(keys, values, lists, number)
        result = local.out[0]
        if past_keys.shape[1]:
            # One KV head per batch entry, so that each has a mask of its own.
            packed = part.reshape(kv_heads, 1, ratio * (end - begin), head_dim)
            past = attend_block(
                packed, past_keys[:, None], past_values[:, None], mask=mask[:, None, None]
            )
            shape = (1, heads, end - begin)
            # The log-sum-exp of an empty list is no number; it has nothing to merge.
            empty = (lists.counts[:, number] == 0).repeat_interleave(ratio)[None, :, None]
            lse = past.lse.reshape(shape).masked_fill(empty, float("-inf"))
            partial = past.out.reshape(*shape, head_dim).nan_to_num(0.0)
            result = merge(local, Attended(partial, lse))[0]
        out[begin - start : end - start] = result.transpose(0, 1)
    return out


def _gather(
    keys: Tensor, values: Tensor, lists: BlockLists, reader: int
) -> tuple[Tensor, Tensor, Tensor]:
    """A reader's listed keys and values, [kv_heads, n, head_dim], and their additive mask."""
    block, counts = lists.config.block, lists.counts[:, reader]
    most = int(counts.max())
    listed = lists.blocks[:, reader, :most].long()
    used = torch.arange(most, device=keys.device) < counts[:, None]
    inside = torch.arange(block, device=keys.device)
    tokens = (listed.where(used, 0)[..., None] * block + inside).flatten(1)
    head = torch.arange(len(keys), device=keys.device)[:, None]
    mask = torch.zeros(tokens.shape, dtype=keys.dtype, device=keys.device)
    mask.masked_fill_(~used.repeat_interleave(block, 1), float("-inf"))
    return keys[head, tokens], values[head, tokens], mask


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
