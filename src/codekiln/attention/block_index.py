"""The two-level index of one sequence's keys: means of blocks, and boxes around groups of means.

Only whole blocks are summarised; what comes behind them is local to whoever asks. Nothing is
evicted, so a rollback is a smaller length: what stays was summarised from keys that stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from codekiln.attention.config import SparseConfig

if TYPE_CHECKING:
    from codekiln.attention.report import AttentionReport


class BlockIndex:
    """Summaries of every layer's keys, for up to `capacity` tokens.

    `report`, where it is set, is told of every prefill call.
    """

    def __init__(
        self,
        layers: int,
        kv_heads: int,
        head_dim: int,
        capacity: int,
        config: SparseConfig,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.config = config
        self.report: AttentionReport | None = None
        blocks = capacity // config.block
        groups = -(-blocks // config.group)
        self._blocks = [0] * layers
        # [layers, kv_heads, blocks, head_dim]
        self._means = torch.zeros(layers, kv_heads, blocks, head_dim, dtype=dtype, device=device)
        # [layers, low or high, kv_heads, groups, head_dim]: corners of the box around the means
        self._boxes = torch.zeros(layers, 2, kv_heads, groups, head_dim, dtype=dtype, device=device)

    def update(self, layer: int, keys: Tensor, length: int) -> None:
        """Summarise the blocks that became whole; `keys` [kv_heads, >= length, head_dim]."""
        size, group = self.config.block, self.config.group
        first, last = self._blocks[layer], length // size
        if last <= first:
            return
        new = keys[:, first * size : last * size].reshape(len(keys), last - first, size, -1)
        self._means[layer, :, first:last] = new.mean(dim=2, dtype=torch.float32)
        self._blocks[layer] = last
        first_group = first // group
        means = self._means[layer, :, first_group * group : last]
        for number, part in enumerate(torch.split(means, group, dim=1), first_group):
            self._boxes[layer, 0, :, number] = part.amin(dim=1)
            self._boxes[layer, 1, :, number] = part.amax(dim=1)

    def truncate(self, length: int) -> None:
        """Forget what lies behind `length` tokens."""
        for layer, blocks in enumerate(self._blocks):
            kept = min(blocks, length // self.config.block)
            self._blocks[layer] = kept
            if kept < blocks and kept % self.config.group:
                number = kept // self.config.group
                part = self._means[layer, :, number * self.config.group : kept]
                self._boxes[layer, 0, :, number] = part.amin(dim=1)
                self._boxes[layer, 1, :, number] = part.amax(dim=1)

    def blocks(self, layer: int) -> int:
        """Whole blocks of this layer's keys."""
        return self._blocks[layer]

    def means(self, layer: int) -> Tensor:
        """[kv_heads, blocks, head_dim]"""
        return self._means[layer, :, : self._blocks[layer]]

    def boxes(self, layer: int) -> Tensor:
        """[low or high, kv_heads, groups, head_dim]; the last group may be partly filled."""
        return self._boxes[layer, :, :, : -(-self._blocks[layer] // self.config.group)]
