"""Attention over block lists in float64, written to be read: what every kernel is held against."""

from __future__ import annotations

import torch
from torch import Tensor

from codekiln.attention.selection import BlockLists


def visible(lists: BlockLists, start: int, rows: int, kv_heads: int) -> Tensor:
    """Which keys each row sees, bool [kv_heads, rows, start + rows]."""
    config = lists.config
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


def attend_oracle(q: Tensor, keys: Tensor, values: Tensor, lists: BlockLists, start: int) -> Tensor:
    """Sparse attention of q [rows, heads, head_dim] over keys, values [kv_heads, n, head_dim].

    The rows stand at `start`; their own keys are in `keys` already. Gives float64 of q's
    shape.
    """
    rows, heads, head_dim = q.shape
    kv_heads = keys.shape[0]
    end = start + rows
    grouped = q.double().view(rows, kv_heads, heads // kv_heads, head_dim).permute(1, 2, 0, 3)
    scores = grouped @ keys[:, :end].double().transpose(-1, -2).unsqueeze(1) * head_dim**-0.5
    mask = visible(lists, start, rows, kv_heads).unsqueeze(1).to(q.device)
    weights = scores.masked_fill(~mask, float("-inf")).softmax(-1)
    out: Tensor = weights @ values[:, :end].double().unsqueeze(
        1
    )  # [kv_heads, ratio, rows, head_dim]
    return out.permute(2, 0, 1, 3).reshape(rows, heads, head_dim)
