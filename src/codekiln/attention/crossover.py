"""Up to which length of prompt dense attention is at least as fast, per implementation."""

from __future__ import annotations

import torch

from codekiln.attention.config import SparseConfig
from codekiln.attention.native import native_for

# Measured with bench/attention_speed.py, see docs/attention.md.
WITH_KERNEL = 4096


def is_dense(
    tokens: int,
    config: SparseConfig,
    device: torch.device,
    dtype: torch.dtype,
    head_dim: int,
) -> bool:
    """Whether a prompt of `tokens` stays dense.

    Without a crossover in `config` also where sparse attention was never shown to be faster: in
    plain PyTorch, and on a GPU.
    """
    if config.crossover is not None:
        return tokens <= config.crossover
    # Asked last: the kernel may have to be built.
    return tokens <= WITH_KERNEL or native_for(device, dtype, head_dim, config.block) is None
