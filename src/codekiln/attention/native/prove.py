"""Holds a freshly built kernel against float64: `python -m codekiln.attention.native.prove FILE`.

Run in a process of its own, which may crash. Exit status 0 when it agrees.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from codekiln.attention.config import SparseConfig
from codekiln.attention.listed import attend_listed
from codekiln.attention.native.build import open_native
from codekiln.attention.oracle import attend_oracle
from codekiln.attention.selection import BlockLists

# bfloat16 weights and outputs: half a unit in the last place each, of values around one.
TOLERANCE = 0.02


def main(path: str) -> int:
    """Random lists for every head size that the kernel is made for."""
    native = open_native(Path(path))
    config = SparseConfig(block=16, query_block=32, query_pool=8, global_tokens=16, window=32)
    random = torch.Generator().manual_seed(0)
    for head_dim, ratio in ((64, 7), (128, 6)):
        q = torch.randn(70, 2 * ratio, head_dim, generator=random).bfloat16()
        keys = torch.randn(2, 390, head_dim, generator=random).bfloat16()
        values = torch.randn(2, 390, head_dim, generator=random).bfloat16()
        chosen = torch.rand(2, 3, 20, generator=random).argsort(-1)[..., :11].sort(-1).values
        counts = torch.tensor([[11, 4, 0], [1, 11, 7]], dtype=torch.int32)
        lists = BlockLists(chosen.int(), counts, config)
        out = attend_listed(q, keys, values, lists, 320, native)
        if (out.double() - attend_oracle(q, keys, values, lists, 320)).abs().max() > TOLERANCE:
            print(f"the kernel is wrong for heads of {head_dim}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
