"""Attention over block lists in float64, written to be read: what every kernel is held against."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from codekiln.attention.selection import BlockLists


def visible(lists: BlockLists, rows: int, kv_heads: int) -> Tensor:
    """Which keys each row sees, bool [kv_heads, rows, start + rows]."""
    config, start = lists.config, lists.start
    mask = torch.zeros(kv_heads, rows, start + rows, dtype=torch.bool)
    first = start // config.query_block
    for row in range(rows):
        position = start + row
        place = position // config.query_block - first
        for head in range(kv_heads):
            for block in lists.blocks[head, place, : int(lists.counts[head, place])].tolist():
                mask[head, row, block * config.block : (block + 1) * config.block] = True
        own = position // config.query_block * config.query_block
        mask[:, row, own : position + 1] = True
    return mask


def attend_oracle(q: Tensor, keys: Tensor, values: Tensor, lists: BlockLists) -> Tensor:
    """Sparse attention of q [rows, heads, head_dim] over keys, values [kv_heads, n, head_dim].

    The rows stand at `lists.start`; their own keys are in `keys` already. Gives float64 of q's
    shape.
    """
    rows, heads, head_dim = q.shape
    kv_heads, block = keys.shape[0], lists.config.block
    end = lists.start + rows
    mask = visible(lists, rows, kv_heads)
    keys, values = keys[:, :end].double(), values[:, :end].double()
    bias = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(~mask, float("-inf"))
    if lists.means is not None:
        size = lists.config.query_block
        before = torch.arange(lists.start, end) // size * (size // block)
        blocks = int(before[-1])
        unread = ~mask[..., : blocks * block : block]
        unread &= torch.arange(blocks) < before[:, None]
        many = torch.full(unread.shape, math.log(block), dtype=torch.float64)
        bias = torch.cat((bias, many.masked_fill(~unread, float("-inf"))), dim=-1)
        keys = torch.cat((keys, lists.means[0, :, :blocks].double()), dim=1)
        values = torch.cat((values, lists.means[1, :, :blocks].double()), dim=1)
    grouped = q.double().view(rows, kv_heads, heads // kv_heads, head_dim).permute(1, 2, 0, 3)
    scores = grouped @ keys.transpose(-1, -2).unsqueeze(1) * head_dim**-0.5
    weights = (scores + bias.unsqueeze(1).to(q.device)).softmax(-1)
    out: Tensor = weights @ values.unsqueeze(1)  # [kv_heads, ratio, rows, head_dim]
    return out.permute(2, 0, 1, 3).reshape(rows, heads, head_dim)
