"""Small numbers, contexts and indexes that the tests of attention share."""

from __future__ import annotations

import torch
from torch import Tensor

from codekiln.attention import BlockIndex, SparseConfig

CPU = torch.device("cpu")
SMALL = SparseConfig(
    global_tokens=16,
    window=32,
    block=16,
    query_block=32,
    query_pool=4,
    group=4,
    most_groups=2,
    threshold=1.0,
    min_blocks=1,
    max_blocks=3,
)


def random_context(seed: int, tokens: int, ratio: int, head_dim: int = 64) -> tuple[Tensor, ...]:
    """Queries [tokens, 2 * ratio, head_dim], keys and values [2, tokens, head_dim]."""
    random = torch.Generator().manual_seed(seed)
    q = torch.randn(tokens, 2 * ratio, head_dim, generator=random)
    keys = torch.randn(2, tokens, head_dim, generator=random)
    return q, keys, torch.randn(2, tokens, head_dim, generator=random)


def new_index(
    config: SparseConfig,
    tokens: int,
    head_dim: int = 64,
    dtype: torch.dtype = torch.float32,
    device: torch.device = CPU,
) -> BlockIndex:
    """An index of one layer with two KV heads."""
    return BlockIndex(1, 2, head_dim, tokens, config, dtype, device)
