"""Attention over block lists on a GPU, in Triton; the same results as the compiled CPU kernel.

Prefill: one program per query block and head walks the block's list, 64 keys at a time, then the
query block itself (FlashAttention's online softmax, arXiv 2307.08691). Decode: one program per row,
KV head and part of the list; the parts are merged by their log-sum-exp (FlashDecoding, arXiv
2311.01282). Keys are gathered by block number, so that nothing is copied together.

Importing this module needs triton. Without a GPU it runs in Triton's interpreter
(TRITON_INTERPRET=1, set before triton is imported), which is how it is tested.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from codekiln.attention.partial import Attended
from codekiln.attention.selection import BlockLists

# Keys per step: a multiple of the block that fills the matrix units.
_STEP_KEYS = 64
# Parts of a decode list that run side by side, so that few rows still fill a GPU.
_SPLITS = 8
# `tl.dot` takes no fewer rows.
_FEWEST_ROWS = 16
_LOG2_E = 1.4426950408889634


@triton.jit  # type: ignore[untyped-decorator]
def _look(  # type: ignore[no-untyped-def]
    q, k_base, v_base, key, there, visible, scale, best, total, acc, WIDTH: tl.constexpr
):
    """Lets all rows look at the keys at `key`: one step of the online softmax, in base 2.

    `there` says which of the keys exist, `visible` [rows, keys] who sees which.
    """
    lane = tl.arange(0, WIDTH)
    k = tl.load(k_base + key[None, :] * WIDTH + lane[:, None], mask=there[None, :], other=0.0)
    scores = tl.dot(q, k, input_precision="ieee") * scale
    scores = tl.where(visible, scores, float("-inf"))
    new_best = tl.maximum(best, tl.max(scores, 1))
    # Rows that saw no key yet: -inf minus -inf is no number.
    shift = tl.where(new_best == float("-inf"), 0.0, new_best)
    weights = tl.exp2(scores - shift[:, None])
    kept = tl.exp2(best - shift)
    total = total * kept + tl.sum(weights, 1)
    v = tl.load(v_base + key[:, None] * WIDTH + lane[None, :], mask=there[:, None], other=0.0)
    acc = acc * kept[:, None] + tl.dot(weights.to(v.dtype), v, input_precision="ieee")
    return new_best, total, acc


@triton.jit  # type: ignore[untyped-decorator]
def _walk(  # type: ignore[no-untyped-def]
    q, k_base, v_base, listed, begin, stop, scale, best, total, acc,
    WIDTH: tl.constexpr, BLOCK: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    """Looks at the blocks `listed[begin:stop]`, STEP keys at a time."""
    offset = tl.arange(0, STEP)
    for first in range(begin, stop, STEP // BLOCK):
        place = first + offset // BLOCK
        seen = place < stop
        key = tl.load(listed + place, mask=seen, other=0) * BLOCK + offset % BLOCK
        best, total, acc = _look(
            q, k_base, v_base, key, seen, seen[None, :], scale, best, total, acc, WIDTH
        )
    return best, total, acc


@triton.jit  # type: ignore[untyped-decorator]
def _prefill(  # type: ignore[no-untyped-def]
    q_base, k_base, v_base, blocks_base, counts_base, out_base,
    rows, start, most, readers, scale,
    q_row, q_head, k_head, v_head, out_row, out_head,
    RATIO: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    QUERIES: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    reader, head = tl.program_id(0), tl.program_id(1)
    group = head // RATIO
    own = (start // QUERIES + reader) * QUERIES
    position = own + tl.arange(0, QUERIES)
    row = position - start
    is_row = (row >= 0) & (row < rows)
    lane = tl.arange(0, WIDTH)
    q = tl.load(
        q_base + row[:, None] * q_row + head * q_head + lane[None, :],
        mask=is_row[:, None],
        other=0.0,
    )
    best = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    acc = tl.zeros((QUERIES, WIDTH), tl.float32)
    k_base += group * k_head
    v_base += group * v_head
    count = tl.load(counts_base + group * readers + reader)
    listed = blocks_base + (group * readers + reader) * most
    best, total, acc = _walk(
        q, k_base, v_base, listed, 0, count, scale, best, total, acc, WIDTH, BLOCK, STEP
    )
    key = own + tl.arange(0, QUERIES)
    there = key < start + rows
    visible = (key[None, :] <= position[:, None]) & there[None, :]
    best, total, acc = _look(q, k_base, v_base, key, there, visible, scale, best, total, acc, WIDTH)
    out = acc / total[:, None]
    tl.store(
        out_base + row[:, None] * out_row + head * out_head + lane[None, :],
        out.to(out_base.dtype.element_ty), mask=is_row[:, None],
    )  # fmt: skip


@triton.jit  # type: ignore[untyped-decorator]
def _decode(  # type: ignore[no-untyped-def]
    q_base, k_base, v_base, blocks_base, counts_base, out_base, lse_base,
    rows, heads, most, tail, end, scale,
    q_row, q_head, k_head, v_head,
    RATIO: tl.constexpr, PADDED: tl.constexpr, WIDTH: tl.constexpr, BLOCK: tl.constexpr,
    STEP: tl.constexpr, SPLITS: tl.constexpr,
):  # fmt: skip
    row, group, split = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    member = tl.arange(0, PADDED)
    is_head = member < RATIO
    head = group * RATIO + member
    lane = tl.arange(0, WIDTH)
    q = tl.load(
        q_base + row * q_row + head[:, None] * q_head + lane[None, :],
        mask=is_head[:, None], other=0.0,
    )  # fmt: skip
    best = tl.full((PADDED,), float("-inf"), tl.float32)
    total = tl.zeros((PADDED,), tl.float32)
    acc = tl.zeros((PADDED, WIDTH), tl.float32)
    k_base += group * k_head
    v_base += group * v_head
    count = tl.load(counts_base + group * rows + row)
    listed = blocks_base + (group * rows + row) * most
    share = tl.cdiv(tl.cdiv(count, SPLITS), STEP // BLOCK) * (STEP // BLOCK)
    stop = tl.minimum(count, (split + 1) * share)
    best, total, acc = _walk(
        q, k_base, v_base, listed, split * share, stop, scale, best, total, acc, WIDTH, BLOCK, STEP
    )
    if split == SPLITS - 1:
        # Keys behind the last whole block, fewer than a block of them.
        key = tail + tl.arange(0, BLOCK)
        there = key < end
        best, total, acc = _look(
            q, k_base, v_base, key, there, there[None, :], scale, best, total, acc, WIDTH
        )
    empty = total == 0.0
    total = tl.where(empty, 1.0, total)
    out = acc / total[:, None]
    # Natural logarithms, as PyTorch's log-sum-exp.
    lse = tl.where(empty, float("-inf"), (best + tl.log2(total)) * 0.6931471805599453)
    place = (split * rows + row) * heads + head
    tl.store(out_base + place[:, None] * WIDTH + lane[None, :], out, mask=is_head[:, None])
    tl.store(lse_base + place, lse, mask=is_head)


def attend_listed_triton(
    q: Tensor,  # [rows, heads, head_dim]
    keys: Tensor,  # [kv_heads, n, head_dim], the rows' own keys included
    values: Tensor,
    lists: BlockLists,
    start: int,
) -> Tensor:
    """See `codekiln.attention.attend_listed`."""
    rows, heads, head_dim = q.shape
    config, readers = lists.config, lists.counts.shape[1]
    q, out = _rows_apart(q), torch.empty_like(q, memory_format=torch.contiguous_format)
    keys, values = _heads_apart(keys), _heads_apart(values)
    _prefill[(readers, heads)](
        *(q, keys, values, lists.blocks, lists.counts, out),
        *(rows, start, lists.blocks.shape[2], readers, _LOG2_E * head_dim**-0.5),
        *(q.stride(0), q.stride(1), keys.stride(0), values.stride(0)),
        *(out.stride(0), out.stride(1)),
        RATIO=heads // keys.shape[0],
        WIDTH=head_dim,
        BLOCK=config.block,
        QUERIES=config.query_block,
        STEP=max(_STEP_KEYS, config.block),
    )
    return out


def attend_listed_rows_triton(
    q: Tensor,  # [rows, heads, head_dim]
    keys: Tensor,  # [kv_heads, n, head_dim]
    values: Tensor,
    lists: BlockLists,  # one reader per row
) -> Attended:
    """See `codekiln.attention.attend_listed_rows`."""
    rows, heads, head_dim = q.shape
    kv_heads, tokens = keys.shape[:2]
    block, ratio = lists.config.block, heads // kv_heads
    q = _rows_apart(q)
    keys, values = _heads_apart(keys), _heads_apart(values)
    out = torch.empty(_SPLITS, rows, heads, head_dim, dtype=torch.float32, device=q.device)
    lse = torch.empty(_SPLITS, rows, heads, dtype=torch.float32, device=q.device)
    _decode[(rows, kv_heads, _SPLITS)](
        *(q, keys, values, lists.blocks, lists.counts, out, lse),
        *(rows, heads, lists.blocks.shape[2], tokens // block * block, tokens),
        _LOG2_E * head_dim**-0.5,
        *(q.stride(0), q.stride(1), keys.stride(0), values.stride(0)),
        RATIO=ratio,
        PADDED=max(_FEWEST_ROWS, triton.next_power_of_2(ratio)),
        WIDTH=head_dim,
        BLOCK=block,
        STEP=max(_STEP_KEYS, block),
        SPLITS=_SPLITS,
    )
    whole = lse.logsumexp(0)  # [rows, heads]
    # A row that sees nothing at all has nothing to merge.
    weights = (lse - whole).exp().nan_to_num(0.0)
    merged = (out * weights[..., None]).sum(0).to(q.dtype)
    return Attended(merged.transpose(0, 1)[None], whole.t()[None])


def takes(q: Tensor, lists: BlockLists) -> bool:
    """Whether the kernels can do this: a head width and sizes that are powers of two."""
    sizes = (q.shape[-1], lists.config.block, lists.config.query_block)
    return all(size >= _FEWEST_ROWS and math.log2(size).is_integer() for size in sizes)


def _rows_apart(q: Tensor) -> Tensor:
    return q if q.stride(2) == 1 else q.contiguous()


def _heads_apart(part: Tensor) -> Tensor:
    """Rows of one head lie one behind the other, as they do in every cache here."""
    return part if part.stride()[1:] == (part.shape[2], 1) else part.contiguous()
