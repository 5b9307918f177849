"""Which blocks of keys each block of queries looks at: globals, a sliding window, and far blocks.

The far ones come from the index: a block counts by the share of attention that its mean key would
get from the averaged queries, among the means of all blocks before. One selection holds for the
heads of a KV group. Compiled where that is possible (native/select.cpp), else in PyTorch on any
device; attention over the lists is the kernels' business.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from codekiln.attention.block_index import BlockIndex
from codekiln.attention.config import SparseConfig
from codekiln.attention.native.build import Choice, Native, native_for

# Readers that share the packing of the means in the compiled selection: rows of prefill, and
# sequences of decode.
_SPAN_ROWS = 64
_SPAN_SEQUENCES = 8


@dataclass(frozen=True, slots=True)
class BlockLists:
    """The blocks that each reader looks at, ascending.

    A reader is a query block in prefill and a row in decode; its list holds for all heads of a KV
    group. Entries from a list's count on are padding.
    """

    blocks: Tensor  # int32 [kv_heads, readers, most]
    counts: Tensor  # int32 [kv_heads, readers]
    config: SparseConfig


def select(
    q: Tensor,  # [rows, heads, head_dim]
    index: BlockIndex,
    layer: int,
    start: int,
    dense_from: int,
    native: Native | None = None,
) -> BlockLists:
    """Choose for the rows `q` that stand at `start` and behind.

    Query blocks lie on the grid of the configuration; the first holds the row at `start`, and a
    row also sees the keys of its own query block up to itself. The index must hold the keys before
    the last row's query block. Query blocks that reach position `dense_from`, and all of a dense
    layer, look at everything before them.
    """
    if layer < index.config.dense_layers:
        dense_from = 0
    native = native or native_for(q.device, q.dtype, q.shape[-1], index.config.block)
    if native is not None:
        return _select_compiled(q, index, layer, start, dense_from, native)
    return select_plain(q, index, layer, start, dense_from)


def _select_compiled(
    q: Tensor, index: BlockIndex, layer: int, start: int, dense_from: int, native: Native
) -> BlockLists:
    config = index.config
    size, rows = config.query_block, q.shape[0]
    own = torch.arange(start // size, (start + rows - 1) // size + 1) * size
    begin, end = own.clamp(min=start), (own + size).clamp(max=start + rows)
    before = own // config.block
    readers = torch.stack(
        (
            begin - start,
            end - begin,
            begin % config.query_pool,
            before,
            (before - config.window // config.block).clamp(min=0),
            own + size > dense_from,
        ),
        1,
    )
    span = max(1, _SPAN_ROWS // size)
    return _compiled(q, index, layer, readers, span, config.query_pool, native)


def _compiled(
    q: Tensor,
    index: BlockIndex,
    layer: int,
    readers: Tensor,
    span: int,
    pool: int,
    native: Native,
) -> BlockLists:
    config = index.config
    blocks = index.blocks(layer)
    if blocks > config.most_groups * config.group:
        # Then each reader has groups of its own, whoever stands beside it.
        span = 1
    # No more than there are, so that any number of the configuration fits.
    choice = Choice(
        pool=pool,
        globals=min(config.global_tokens // config.block, blocks),
        group=min(config.group, blocks + 1),
        most_groups=min(config.most_groups, blocks + 1),
        min_blocks=min(config.min_blocks, blocks),
        max_blocks=min(config.max_blocks, blocks),
        threshold=config.threshold,
    )
    tables = index.means(layer), index.boxes(layer), readers.int().contiguous()
    return BlockLists(*native.select(q.contiguous(), *tables, span, choice), config)


def select_plain(
    q: Tensor, index: BlockIndex, layer: int, start: int, dense_from: int
) -> BlockLists:
    """`select` in PyTorch."""
    config = index.config
    size = config.query_block
    first, last = start // size, (start + q.shape[0] - 1) // size
    per_query = size // config.block
    # What is known without the device is reckoned here: asking a GPU makes everything wait.
    whole = last * per_query
    # The first query block that looks at everything.
    first_dense = min(max(first, dense_from // size), last + 1)
    forced_blocks = (config.global_tokens + config.window) // config.block
    has_far = first_dense > first and (first_dense - 1) * per_query > forced_blocks
    # [query_blocks]: whole blocks before each query block
    before = torch.arange(first, last + 1, device=q.device) * per_query
    means = index.means(layer)[:, :whole]
    number = torch.arange(means.shape[1], device=q.device)
    seen = number < before[:, None]  # [query_blocks, blocks]
    forced = seen & (
        (number < config.global_tokens // config.block)
        | (number >= before[:, None] - config.window // config.block)
    )
    is_dense = torch.arange(first, last + 1, device=q.device) >= first_dense
    forced |= seen & is_dense[:, None]
    kept = forced.expand(means.shape[0], -1, -1)
    if has_far:
        shares = estimated_shares(pooled(q, start, config, means.shape[0]), index, layer, seen)
        least = config.threshold / before.clamp(min=1)[:, None]
        kept = kept | _chosen(shares.masked_fill(~(seen & ~forced), -1.0), least, config)
    return _listed(kept, config)


def select_for_decode(
    q: Tensor,  # [rows, heads, head_dim]
    index: BlockIndex,
    layer: int,
    behind: Tensor,  # [rows]
    native: Native | None = None,
) -> BlockLists:
    """Choose for single rows behind the context of the index.

    Row i stands `behind[i]` tokens behind the end of that context: what its sequence has of its own
    is dense, and takes that much of the window.
    """
    config = index.config
    blocks = index.blocks(layer)
    window = (config.window - behind).clamp(min=0).add(config.block - 1) // config.block
    native = native or native_for(q.device, q.dtype, q.shape[-1], config.block)
    if native is not None:
        ones = torch.ones_like(behind)
        readers = torch.stack(
            (
                torch.arange(len(q)),
                ones,
                0 * ones,
                blocks * ones,
                (blocks - window).clamp(min=0),
                ones * (layer < config.dense_layers),
            ),
            1,
        )
        return _compiled(q, index, layer, readers, _SPAN_SEQUENCES, 1, native)
    return select_for_decode_plain(q, index, layer, window)


def select_for_decode_plain(q: Tensor, index: BlockIndex, layer: int, window: Tensor) -> BlockLists:
    """`select_for_decode` in PyTorch; `window` [rows] in blocks."""
    config = index.config
    means = index.means(layer)
    kv_heads, blocks, head_dim = means.shape
    seen = torch.ones(len(q), blocks, dtype=torch.bool, device=q.device)
    if layer < config.dense_layers:
        return _listed(seen.expand(kv_heads, -1, -1), config)
    number = torch.arange(blocks, device=q.device)
    forced = (number < config.global_tokens // config.block) | (number >= blocks - window[:, None])
    queries = q.view(len(q), kv_heads, -1, head_dim).transpose(0, 1)
    shares = estimated_shares(queries, index, layer, seen)
    return _listed(
        forced
        | _chosen(shares.masked_fill(forced, -1.0), config.threshold / max(1, blocks), config),
        config,
    )


def estimated_shares(queries: Tensor, index: BlockIndex, layer: int, seen: Tensor) -> Tensor:
    """The share of attention that each block is estimated to get, [kv_heads, query_blocks, blocks].

    Root mean squares over the rows: what one head of one query needs counts for more than what all
    need a little of.

    `queries` [kv_heads, query_blocks, rows, head_dim] with NaN rows for absent ones; `seen` bool
    [query_blocks, blocks]. Blocks of groups that were not looked into get 0.
    """
    config = index.config
    means = index.means(layer)[:, : seen.shape[1]]
    scale = queries.shape[-1] ** -0.5
    groups = -(-seen.shape[1] // config.group)
    if groups <= config.most_groups:
        scores = (queries @ means.transpose(-1, -2).unsqueeze(1)).float() * scale
        shares = scores.masked_fill(~seen.unsqueeze(-2), float("-inf")).softmax(-1)
        return _root_mean_square(shares)
    looked = _promising_groups(queries, index, layer, seen)  # [kv_heads, query_blocks, most_groups]
    members = (looked.unsqueeze(-1) * config.group).add(
        torch.arange(config.group, device=seen.device)
    )
    members = members.flatten(-2)  # [kv_heads, query_blocks, most_groups * group]
    inside = members < seen.shape[1]
    members = members.clamp(max=seen.shape[1] - 1)
    heads = torch.arange(means.shape[0], device=seen.device)[:, None, None]
    rows = torch.arange(seen.shape[0], device=seen.device)[None, :, None]
    scores = (queries @ means[heads, members].transpose(-1, -2)).float() * scale
    visible = inside & seen[rows, members]
    shares = scores.masked_fill(~visible.unsqueeze(-2), float("-inf")).softmax(-1)
    found = _root_mean_square(shares).masked_fill(~visible, 0.0)
    out = torch.zeros(*members.shape[:2], seen.shape[1], device=seen.device)
    return out.scatter_add_(-1, members, found)


def _root_mean_square(shares: Tensor) -> Tensor:
    """Over the rows [.., rows, blocks] that are there."""
    mean: Tensor = shares.square().nanmean(dim=-2).nan_to_num(0.0)
    return mean.sqrt()


def _promising_groups(queries: Tensor, index: BlockIndex, layer: int, seen: Tensor) -> Tensor:
    """The groups whose box allows the highest score of a block's mean, [.., most_groups]."""
    config = index.config
    groups = -(-seen.shape[1] // config.group)
    low, high = index.boxes(layer)[:, :, :groups].float()
    centre, half = (low + high) / 2, (high - low) / 2
    q = queries.float()
    bound = q @ centre.mT.unsqueeze(1) + q.abs() @ half.mT.unsqueeze(1)
    starts = torch.arange(groups, device=seen.device) * config.group
    visible = seen[:, starts]
    bound = (bound * queries.shape[-1] ** -0.5).masked_fill(~visible.unsqueeze(-2), float("-inf"))
    share = _root_mean_square(bound.softmax(-1))
    best: Tensor = share.topk(config.most_groups, dim=-1).indices
    return best


def _chosen(shares: Tensor, least: Tensor | float, config: SparseConfig) -> Tensor:
    """The blocks of the share `least` or more, at least `min_blocks` and at most `max_blocks`.

    `shares` [.., blocks] is negative where a block is no far block.
    """
    most = min(config.max_blocks, shares.shape[-1])
    if not most:
        return torch.zeros_like(shares, dtype=torch.bool)
    best = shares.topk(most, dim=-1)
    rank = torch.arange(most, device=shares.device)
    kept = (best.values >= 0) & ((best.values >= least) | (rank < config.min_blocks))
    return torch.zeros_like(shares, dtype=torch.bool).scatter_(-1, best.indices, kept)


def pooled(q: Tensor, start: int, config: SparseConfig, kv_heads: int) -> Tensor:
    """Means of neighbouring queries, [kv_heads, query_blocks, pools * ratio, head_dim].

    Pools lie on the grid of positions; those without a row are NaN.
    """
    rows, heads, head_dim = q.shape
    size, pool = config.query_block, config.query_pool
    first = start // size
    blocks = (start + rows - 1) // size - first + 1
    pools = size // pool
    if start % size == 0 and rows % size == 0:
        means = q.view(blocks * pools, pool, heads, head_dim).mean(dim=1)
    else:
        place = (torch.arange(start, start + rows, device=q.device) - first * size) // pool
        sums = torch.zeros(blocks * pools, heads, head_dim, device=q.device)
        sums.index_add_(0, place, q.float())
        counts = torch.bincount(place, minlength=blocks * pools)
        means = (sums / counts[:, None, None]).to(q.dtype)
    ratio = heads // kv_heads
    grid = means.view(blocks, pools, kv_heads, ratio, head_dim)
    return grid.permute(2, 0, 1, 3, 4).reshape(kv_heads, blocks, pools * ratio, head_dim)


def _listed(kept: Tensor, config: SparseConfig) -> BlockLists:
    number = torch.arange(kept.shape[-1], device=kept.device, dtype=torch.int32)
    counts = kept.sum(-1, dtype=torch.int32)
    # On a GPU the width is not worth waiting for.
    narrow = counts.numel() and counts.device.type == "cpu"
    most = int(counts.max()) if narrow else kept.shape[-1]
    blocks = torch.where(kept, number, kept.shape[-1]).sort(-1).values[..., :most]
    return BlockLists(blocks.int().contiguous(), counts, config)
