"""What sparse attention did at run time, per layer: how much it read, covered and cost.

An observer hangs on a BlockIndex and is told of every prefill call. The covered mass is sampled:
one query block per call, its attention over everything against that over its list.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from codekiln.attention.selection import BlockLists


@dataclass(slots=True)
class LayerReport:
    """Sums over the calls of one layer; `read` and `seen` count blocks per query block and head."""

    read: int = 0
    seen: int = 0
    mass: float = 0.0
    samples: int = 0
    select_s: float = 0.0
    attend_s: float = 0.0

    @property
    def density(self) -> float:
        """Share of the keys before the query blocks that was read."""
        return self.read / self.seen if self.seen else 1.0

    @property
    def covered(self) -> float | None:
        """Mean share of the attention mass that lies in what was read; None without a sample."""
        return self.mass / self.samples if self.samples else None


class AttentionReport:
    """One LayerReport per layer."""

    def __init__(self, layers: int) -> None:
        self.layers = [LayerReport() for _ in range(layers)]

    def observe(
        self,
        layer: int,
        q: Tensor,
        keys: Tensor,
        lists: BlockLists,
        start: int,
        seconds: tuple[float, float],
    ) -> None:
        """Count a call of `attend_listed`; `seconds` are those of selecting and of attending."""
        into = self.layers[layer]
        config = lists.config
        kv_heads, readers = lists.counts.shape
        first = start // config.query_block
        blocks_before = config.query_block // config.block * kv_heads
        into.read += int(lists.counts.sum())
        into.seen += blocks_before * sum(range(first, first + readers))
        into.select_s += seconds[0]
        into.attend_s += seconds[1]
        reader = readers // 2
        if first + reader > 0:
            into.mass += covered_mass(q, keys, lists, start, reader)
            into.samples += 1


def covered_mass(q: Tensor, keys: Tensor, lists: BlockLists, start: int, reader: int) -> float:
    """Share of one query block's attention to earlier keys that its list holds, 0 to 1.

    `q` [rows, heads, head_dim] stands at `start`, `keys` [kv_heads, n, head_dim]; the mean over
    rows and heads. Attention inside the query block counts as covered.
    """
    config = lists.config
    size = config.query_block
    own = (start // size + reader) * size
    begin, end = max(start, own), min(start + q.shape[0], own + size)
    kv_heads = keys.shape[0]
    rows = q[begin - start : end - start].float()
    grouped = rows.view(end - begin, kv_heads, -1, rows.shape[-1]).permute(1, 2, 0, 3)
    scores = grouped @ keys[:, None, :end].float().mT * rows.shape[-1] ** -0.5
    hidden = torch.arange(end, device=q.device) > torch.arange(begin, end, device=q.device)[:, None]
    weights = scores.masked_fill(hidden, float("-inf")).softmax(-1)
    listed = torch.zeros(kv_heads, own // config.block, dtype=torch.bool, device=q.device)
    for head in range(kv_heads):
        count = int(lists.counts[head, reader])
        listed[head, lists.blocks[head, reader, :count].long()] = True
    missed = ~listed.repeat_interleave(config.block, 1)[:, None, None, :]
    return 1.0 - float((weights[..., :own] * missed).sum(-1).mean())
