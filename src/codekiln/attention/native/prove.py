"""Holds freshly built kernels against PyTorch: `python -m codekiln.attention.native.prove FILE`.

Run in a process of its own, which may crash. Exit status 0 when they agree.
"""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from codekiln.attention.block_index import BlockIndex
from codekiln.attention.config import SparseConfig
from codekiln.attention.listed import attend_listed
from codekiln.attention.native.build import Native, open_native
from codekiln.attention.oracle import attend_oracle
from codekiln.attention.report import covered_mass
from codekiln.attention.selection import BlockLists, select, select_plain

# Of values around one. bfloat16: half a unit in the last place of weights and of outputs.
TOLERANCE = {torch.bfloat16: 0.02, torch.float32: 1e-5}


def main(path: str) -> int:
    """Random lists for every number format and head size that the kernel is made for."""
    native = open_native(Path(path))
    config = SparseConfig(block=16, query_block=32, query_pool=8, global_tokens=16, window=32)
    random = torch.Generator().manual_seed(0)
    for dtype, (head_dim, ratio) in itertools.product(native.dtypes, ((64, 7), (128, 6))):
        q = torch.randn(70, 2 * ratio, head_dim, generator=random).to(dtype)
        keys = torch.randn(2, 390, head_dim, generator=random).to(dtype)
        values = torch.randn(2, 390, head_dim, generator=random).to(dtype)
        chosen = torch.rand(2, 3, 20, generator=random).argsort(-1)[..., :11].sort(-1).values
        counts = torch.tensor([[11, 4, 0], [1, 11, 7]], dtype=torch.int32)
        lists = BlockLists(chosen.int(), counts, config)
        out = attend_listed(q, keys, values, lists, 320, native)
        error = (out.double() - attend_oracle(q, keys, values, lists, 320)).abs().max()
        if not error <= TOLERANCE[dtype]:
            print(f"attention is wrong for {dtype} heads of {head_dim}", file=sys.stderr)
            return 1
        if not _selects_well(q, keys, config, native):
            print(f"selection is wrong for {dtype} heads of {head_dim}", file=sys.stderr)
            return 1
    return 0


def _selects_well(q: Tensor, keys: Tensor, config: SparseConfig, native: Native) -> bool:
    """Whether the compiled selection takes blocks of as much attention as the plain one."""
    few = replace(config, min_blocks=4, max_blocks=4)
    index = BlockIndex(1, 2, q.shape[-1], keys.shape[1], few, q.dtype, q.device)
    index.update(0, keys, keys.shape[1])
    found = select(q, index, 0, 320, 10**9, native)
    wanted = select_plain(q, index, 0, 320, 10**9)
    return found.counts.equal(wanted.counts) and all(
        abs(covered_mass(q, keys, found, 320, at) - covered_mass(q, keys, wanted, 320, at))
        < TOLERANCE[q.dtype]
        for at in range(found.counts.shape[1])
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
