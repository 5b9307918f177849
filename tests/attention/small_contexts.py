"""Small numbers, contexts and indexes that the tests of attention share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
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

_CPUINFO = Path("/proc/cpuinfo")
_HAS_COMPILER = bool(shutil.which("g++") or shutil.which("clang++"))
_HAS_BF16 = _CPUINFO.exists() and "avx512_bf16" in _CPUINFO.read_text()
# The number formats that the compiled kernel has to take on this machine. Not asked of the kernel
# itself: one that fails its proof is not loaded, which must not look like a machine without it.
KERNEL_DTYPES = [
    pytest.param(
        torch.float32,
        marks=pytest.mark.skipif(not _HAS_COMPILER, reason="needs a C++ compiler"),
    ),
    pytest.param(
        torch.bfloat16,
        marks=pytest.mark.skipif(
            not (_HAS_COMPILER and _HAS_BF16), reason="needs AVX512-BF16 and a C++ compiler"
        ),
    ),
]
# Largest error of values around one. bfloat16: half a unit of weights and of outputs.
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.02}


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
