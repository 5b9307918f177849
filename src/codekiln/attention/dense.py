"""Dense causal attention through the compiled kernel, for long prompts on a CPU.

docs/attention.md has what it gains over PyTorch's flash attention.
"""

from __future__ import annotations

import torch
from torch import Tensor

from codekiln.attention.listed import work_items
from codekiln.attention.native.build import Context, Native, laid_out, native_of

# Rows that share a pass over the keys, and keys per block: what the kernel packs into a tile.
_ROWS = 64


def attend_dense(
    q: Tensor,  # [rows, heads, head_dim]
    keys: Tensor,  # [kv_heads, n, head_dim], the rows' own keys included
    values: Tensor,
    start: int,
    native: Native | None = None,
) -> Tensor | None:
    """Attention of the rows that stand at `start` over all keys up to their own.

    None where there is no kernel for these tensors.
    """
    native = native or native_of(q, keys, values, _ROWS)
    if native is None or not len(q):
        return None
    keys, values = laid_out(keys, values)
    rows = q.shape[0]
    first, last = start // _ROWS, (start + rows - 1) // _ROWS
    # All readers read from one list, each as much of it as lies before it.
    before = torch.arange(first, last + 1).expand(len(keys), -1)
    items = work_items(rows, start, _ROWS, before, torch.zeros_like(before))
    blocks = torch.arange(last, dtype=torch.int32)
    return native.attend(q.contiguous(), Context.of(keys, values), items, blocks, _ROWS)[0]
