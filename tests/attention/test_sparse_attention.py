"""The selection, the index and both CPU paths, held against dense attention and the oracle."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_contexts import CPU, KERNEL_DTYPES, SMALL, TOLERANCE, new_index, random_context
from torch import Tensor

from codekiln.attention import (
    AttentionReport,
    BlockIndex,
    BlockLists,
    SparseConfig,
    attend_block_plain,
    attend_dense,
    attend_listed,
    attend_listed_rows,
    attend_oracle,
    covered_mass,
    is_dense,
    select,
    select_for_decode,
)
from codekiln.attention.crossover import WITH_KERNEL
from codekiln.attention.listed import attend_gathered
from codekiln.attention.native import native_for
from codekiln.attention.oracle import visible
from codekiln.attention.selection import select_for_decode_plain, select_plain
from codekiln.core.errors import UsageError

on_both_paths = pytest.mark.usefixtures("path")
on_kernel = pytest.mark.parametrize("dtype", KERNEL_DTYPES)


@pytest.fixture(params=["compiled", "plain"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with the kernel where there is one, and once in plain PyTorch."""
    if request.param == "plain":
        monkeypatch.setattr("codekiln.attention.native.build.load_native", lambda: None)


def listed(lists: BlockLists, head: int, reader: int) -> list[int]:
    """The blocks of one reader."""
    blocks: list[int] = lists.blocks[head, reader, : int(lists.counts[head, reader])].tolist()
    return blocks


EVERYTHING = replace(SMALL, most_groups=1000, min_blocks=1000, max_blocks=1000)


def chunked(
    q: Tensor, keys: Tensor, values: Tensor, ends: list[int], config: SparseConfig
) -> tuple[Tensor, list[BlockLists]]:
    """Prefill in chunks that end at `ends`; gives the output and the lists of each chunk."""
    index, out = new_index(config, keys.shape[1]), torch.empty_like(q)
    lists: list[BlockLists] = []
    start = 0
    for end in ends:
        index.update(0, keys, end)
        lists.append(select_plain(q[start:end], index, 0, start, dense_from=10**9))
        out[start:end] = attend_gathered(q[start:end], keys, values, lists[-1], start)
        start = end
    return out, lists


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 99),
    ends=st.lists(st.integers(1, 300), min_size=1, max_size=4, unique=True).map(sorted),
    ratio=st.sampled_from([1, 3, 6, 7, 8]),
)
def test_a_budget_for_all_blocks_gives_dense_attention(
    seed: int, ends: list[int], ratio: int
) -> None:
    q, keys, values = random_context(seed, ends[-1], ratio)
    dense = attend_block_plain(q.transpose(0, 1)[None], keys[None], values[None], causal=True)
    out, _ = chunked(q, keys, values, ends, EVERYTHING)
    torch.testing.assert_close(out, dense.out[0].transpose(0, 1), atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 99),
    ends=st.lists(st.integers(1, 400), min_size=1, max_size=4, unique=True).map(sorted),
    ratio=st.sampled_from([1, 6, 7, 8]),
)
def test_gathered_attention_equals_the_oracle(seed: int, ends: list[int], ratio: int) -> None:
    q, keys, values = random_context(seed, ends[-1], ratio)
    out, lists = chunked(q, keys, values, ends, SMALL)
    start = 0
    for end, chosen in zip(ends, lists, strict=True):
        wanted = attend_oracle(q[start:end], keys, values, chosen, start)
        torch.testing.assert_close(out[start:end].double(), wanted, atol=1e-5, rtol=1e-5)
        start = end


@on_kernel
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 99),
    start=st.integers(0, 300),
    rows=st.integers(1, 130),
    ratio=st.integers(1, 9),
    head_dim=st.sampled_from([64, 128]),
)
def test_compiled_kernel_equals_the_oracle(
    seed: int, start: int, rows: int, ratio: int, head_dim: int, dtype: torch.dtype
) -> None:
    native = native_for(CPU, dtype, head_dim, SMALL.block)
    assert native is not None, "the kernel was not built, or its proof refused it"
    q, keys, values = (
        part.to(dtype) for part in random_context(seed, start + rows, ratio, head_dim)
    )
    index = new_index(SMALL, start + rows, head_dim, dtype)
    index.update(0, keys, start + rows)
    lists = select(q[start:], index, 0, start, dense_from=10**9)
    out = attend_listed(q[start:], keys, values, lists, start, native)
    wanted = attend_oracle(q[start:], keys, values, lists, start)
    near = TOLERANCE[dtype]
    torch.testing.assert_close(out.double(), wanted, atol=near, rtol=near)


# What float32 and the exponential of the kernel leave of a share.
SHARE_ERROR = 1e-3


def true_shares(queries: Tensor, keys: Tensor) -> Tensor:
    """Root mean squares over rows of the shares that `keys` [n, head_dim] get, in float64."""
    scores = queries.double() @ keys.double().mT * queries.shape[-1] ** -0.5
    shares: Tensor = scores.softmax(-1).square().mean(0).sqrt()
    return shares


def pooled_rows(q: Tensor, head: int, ratio: int, start: int, pool: int) -> Tensor:
    """Means of rows on the grid of positions, all heads of a group, rounded as the kernel does."""
    group = q[:, head * ratio : (head + 1) * ratio]
    cuts = [row for row in range(1, len(q)) if (start + row) % pool == 0]
    parts = torch.tensor_split(group.float(), cuts)
    return torch.cat([part.mean(0) for part in parts]).to(q.dtype)


def check_choice(
    chosen: set[int], shares: Tensor, far: set[int], before: int, config: SparseConfig
) -> None:
    """That the far blocks among `chosen` are those which the configuration asks for."""
    picked, left = sorted(chosen & far), sorted(far - chosen)
    if not far:
        return
    least, of_far = config.threshold / before, shares[sorted(far)]
    clearly = int((of_far > least * (1 + SHARE_ERROR)).sum())
    maybe = int((of_far >= least * (1 - SHARE_ERROR)).sum())
    floor = min(config.min_blocks, len(far))
    assert min(max(clearly, floor), config.max_blocks) <= len(picked)
    assert len(picked) <= min(max(maybe, floor), config.max_blocks)
    if picked and left:
        assert float(shares[picked].min()) >= float(shares[left].max()) * (1 - SHARE_ERROR)


@on_kernel
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 99),
    start=st.integers(0, 1500),
    rows=st.integers(1, 130),
    ratio=st.integers(1, 9),
    head_dim=st.sampled_from([64, 128]),
    query_block=st.sampled_from([16, 32, 64]),
    sharp=st.sampled_from([0.0, 1.0, 6.0]),
)
def test_compiled_selection_is_that_of_a_float64_reference(
    seed: int,
    start: int,
    rows: int,
    ratio: int,
    head_dim: int,
    query_block: int,
    sharp: float,
    dtype: torch.dtype,
) -> None:
    native = native_for(CPU, dtype, head_dim, 16)
    assert native is not None
    config = replace(SMALL, query_block=query_block, most_groups=100, max_blocks=9, threshold=0.99)
    q, keys, _ = random_context(seed, start + rows, ratio, head_dim)
    q, keys = (q * sharp).to(dtype), keys.to(dtype)
    index = new_index(config, start + rows, head_dim, dtype)
    index.update(0, keys, start + rows)
    dense_from = start + rows - 20
    found = select(q[start:], index, 0, start, dense_from, native)
    plain = select_plain(q[start:], index, 0, start, dense_from)
    for reader in range(found.counts.shape[1]):
        own = (start // query_block + reader) * query_block
        begin, end, before = max(own, start), min(own + query_block, start + rows), own // 16
        far = set(range(1, before - 2)) if own + query_block <= dense_from else set()
        for head in range(2):
            chosen = listed(found, head, reader)
            assert chosen == sorted(set(chosen))
            assert set(chosen) - far == set(listed(plain, head, reader)) - far
            assert set(range(before)) - far == set(chosen) - far
            queries = pooled_rows(q[begin:end], head, ratio, begin, config.query_pool)
            shares = true_shares(queries, index.means(0)[head, :before])
            check_choice(set(chosen), shares, far, before, config)


@on_kernel
@pytest.mark.parametrize("ratio", [1, 6, 7])
@pytest.mark.parametrize("tokens", [5, 320, 1403])
@pytest.mark.parametrize("dense_layers", [0, 1])
def test_compiled_selection_for_decode_is_that_of_a_float64_reference(
    tokens: int, ratio: int, dense_layers: int, dtype: torch.dtype
) -> None:
    native = native_for(CPU, dtype, 64, 16)
    assert native is not None
    config = replace(SMALL, most_groups=100, threshold=0.99, dense_layers=dense_layers)
    q, keys, _ = (part.to(dtype) for part in random_context(1, tokens, ratio))
    q = q[: min(11, tokens)]
    index = new_index(config, tokens, dtype=dtype)
    index.update(0, keys, tokens)
    behind = torch.arange(len(q)) * 5
    found = select_for_decode(q, index, 0, behind, native)
    window = (config.window - behind).clamp(min=0).add(15) // 16
    plain = select_for_decode_plain(q, index, 0, window)
    blocks = tokens // 16
    for row in range(len(q)):
        far = set() if dense_layers else set(range(1, blocks - int(window[row])))
        for head in range(2):
            chosen = listed(found, head, row)
            assert set(chosen) - far == set(listed(plain, head, row)) - far
            queries = q[row, head * ratio : (head + 1) * ratio]
            shares = true_shares(queries, index.means(0)[head])
            check_choice(set(chosen), shares, far, blocks, config)


@on_kernel
@pytest.mark.parametrize("start", [960, 970])
def test_the_groups_that_are_looked_into_are_those_whose_boxes_allow_most(
    start: int, dtype: torch.dtype
) -> None:
    native = native_for(CPU, dtype, 64, 16)
    assert native is not None
    # Whatever is scored is read, so that the lists tell what was looked into.
    config = replace(
        SMALL, query_block=16, most_groups=5, threshold=1e-30, min_blocks=0, max_blocks=1000
    )
    # Keys that come in runs, so that boxes differ in where they are and how large they are.
    random = torch.Generator().manual_seed(1)
    tokens = start + 30
    runs = 2 * torch.randn(2, 17, 64, generator=random).repeat_interleave(64, 1)[:, :tokens]
    spread = torch.rand(2, 17, 1, generator=random).repeat_interleave(64, 1)[:, :tokens]
    keys = (runs + 4 * spread * torch.randn(2, tokens, 64, generator=random)).to(dtype)
    q = torch.randn(30, 6, 64, generator=random).to(dtype)
    index = new_index(config, tokens, dtype=dtype)
    index.update(0, keys, tokens)
    found = select(q, index, 0, start, 10**9, native)
    low, high = index.boxes(0).double()
    for reader in range(found.counts.shape[1]):
        own = (start // 16 + reader) * 16
        begin, end, before = max(own, start), min(own + 16, tokens), own // 16
        for head in range(2):
            queries = pooled_rows(q[begin - start : end - start], head, 3, begin, 4).double()
            centre, half = (low[head] + high[head]) / 2, (high[head] - low[head]) / 2
            bounds = (queries @ centre.mT + queries.abs() @ half.mT)[:, : -(-before // 4)] / 8
            worth = bounds.softmax(-1).square().mean(0).sqrt()
            far = set(listed(found, head, reader)) & set(range(1, before - 2))
            looked = {block // 4 for block in far}
            # Corners are rounded to bfloat16 in the kernel; only what is clearly better must be in.
            least = float(worth.topk(5).values[-1])
            # The first and the last group may hold forced blocks alone.
            inner = range(1, (before - 2) // 4)
            assert {g for g in inner if worth[g] > 1.1 * least} <= looked
            assert all(worth[g] > least / 1.1 for g in looked)


@on_kernel
def test_keys_and_values_may_lie_as_a_projection_leaves_them(dtype: torch.dtype) -> None:
    q, keys, values = (part.to(dtype) for part in random_context(0, 320, 7))
    index = new_index(SMALL, 320, dtype=dtype)
    index.update(0, keys, 320)
    lists = select(q, index, 0, 0, dense_from=10**9)
    rows = select_for_decode(q[:3], index, 0, torch.zeros(3, dtype=torch.long))

    def attended(k: Tensor, v: Tensor) -> list[Tensor]:
        dense = attend_dense(q, k, v, 0)
        assert dense is not None
        return [
            dense,
            attend_listed(q, k, v, lists, 0),
            attend_listed_rows(q[:3], k, v, rows).out,
        ]

    apart, beside = (part.transpose(0, 1).contiguous().transpose(0, 1) for part in (keys, values))
    assert apart.stride() != keys.stride()
    pairs = zip(attended(apart, beside), attended(keys, values), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


@on_kernel
def test_what_is_no_number_is_not_hidden(dtype: torch.dtype) -> None:
    q, keys, values = (part.to(dtype) for part in random_context(0, 320, 7))
    index = new_index(EVERYTHING, 320, dtype=dtype)
    index.update(0, keys, 320)
    lists = select(q, index, 0, 0, dense_from=0)
    keys[0, 40, 3] = float("nan")
    out = attend_listed(q, keys, values, lists, 0)
    assert out[40:, :7].isnan().all()
    assert out[:40].isfinite().all()
    assert out[:, 7:].isfinite().all()


@on_both_paths
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("ratio", [1, 6, 7, 8])
@pytest.mark.parametrize("tokens", [5, 320, 403])
def test_decode_over_lists_equals_attention_over_the_keys_they_name(
    tokens: int, ratio: int, dtype: torch.dtype
) -> None:
    q, keys, values = (part.to(dtype) for part in random_context(1, tokens, ratio))
    q = q[:3]
    index = new_index(SMALL, tokens, dtype=dtype)
    index.update(0, keys, tokens)
    lists = select_for_decode(q, index, 0, torch.tensor([0, 20, 500])[: len(q)])
    got = attend_listed_rows(q, keys, values, lists)
    mask = torch.full((2, len(q), tokens), float("-inf"))
    mask[..., tokens // SMALL.block * SMALL.block :] = 0
    for head in range(2):
        for row in range(len(q)):
            for block in lists.blocks[head, row, : int(lists.counts[head, row])].tolist():
                mask[head, row, block * SMALL.block : (block + 1) * SMALL.block] = 0
    mask = mask.repeat_interleave(ratio, 0)[None]
    wanted = attend_block_plain(
        q.float().transpose(0, 1)[None], keys[None], values[None], mask=mask
    )
    tolerance = 1e-5 if dtype == torch.float32 else 0.02
    torch.testing.assert_close(got.out.float(), wanted.out, atol=tolerance, rtol=tolerance)
    torch.testing.assert_close(got.lse, wanted.lse, atol=tolerance, rtol=tolerance)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 99), ends=st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_an_index_that_grew_and_was_rolled_back_equals_a_fresh_one(
    seed: int, ends: list[int]
) -> None:
    _, keys, _ = random_context(seed, 300, 1)
    grown = new_index(SMALL, 300)
    for end in ends:
        grown.truncate(end)
        grown.update(0, keys, end)
    fresh = new_index(SMALL, 300)
    fresh.update(0, keys, ends[-1])
    torch.testing.assert_close(grown.means(0), fresh.means(0))
    torch.testing.assert_close(grown.boxes(0), fresh.boxes(0))


@on_both_paths
def test_every_list_holds_globals_and_window_and_stays_within_its_budget() -> None:
    q, keys, _ = random_context(0, 640, 7)
    index = new_index(SMALL, 640)
    index.update(0, keys, 640)
    lists = select(q, index, 0, 0, dense_from=10**9)
    for place in range(lists.counts.shape[1]):
        before = place * 2
        for head in range(2):
            chosen = lists.blocks[head, place, : int(lists.counts[head, place])].tolist()
            assert chosen == sorted(set(chosen))
            assert all(block < before for block in chosen)
            forced = {0, before - 2, before - 1} & set(range(before))
            assert forced <= set(chosen)
            assert len(chosen) - len(forced) <= SMALL.max_blocks


@on_both_paths
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("most_groups", [2, 100])
def test_the_far_block_that_is_asked_for_is_found(dtype: torch.dtype, most_groups: int) -> None:
    """Among 16 groups too, of which two are looked into."""
    q, keys, _ = random_context(0, 1030, 7)
    wanted = torch.randn(64, generator=torch.Generator().manual_seed(5))
    keys[:, 10 * 16 : 11 * 16] = wanted
    q[1008:] = 4 * wanted
    q, keys = q.to(dtype), keys.to(dtype)
    config = replace(SMALL, most_groups=most_groups, query_block=16)
    index = new_index(config, 1030, dtype=dtype)
    index.update(0, keys, 1030)
    lists = select(q, index, 0, 0, dense_from=10**9)
    decoded = select_for_decode(q[-3:], index, 0, torch.zeros(3, dtype=torch.long))
    for head in range(2):
        assert 10 in listed(lists, head, -1)
        assert all(10 in listed(decoded, head, row) for row in range(3))


@on_both_paths
def test_the_last_rows_and_the_first_layers_are_dense() -> None:
    q, keys, _ = random_context(0, 640, 7)
    config = replace(SMALL, dense_layers=1)
    index = BlockIndex(2, 2, 64, 640, config, torch.float32, torch.device("cpu"))
    for layer in range(2):
        index.update(layer, keys, 640)
    everything = [[2 * place for place in range(20)]] * 2
    assert select(q, index, 0, 0, dense_from=10**9).counts.tolist() == everything
    counts = select(q, index, 1, 0, dense_from=610).counts
    assert counts[:, -1].tolist() == [38, 38]
    assert int(counts[:, -2].max()) < 36
    behind = torch.zeros(len(q), dtype=torch.long)
    assert int(select_for_decode(q, index, 0, behind).counts.min()) == 40
    assert int(select_for_decode(q, index, 1, behind).counts.max()) < 40


@on_both_paths
@pytest.mark.parametrize("norm", [0.0, 1.0, 1e4, 1e18])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equal_keys_and_huge_norms_give_numbers(norm: float, dtype: torch.dtype) -> None:
    q, keys, values = random_context(0, 400, 7)
    q, keys = (q * norm).to(dtype), (torch.ones_like(keys) * norm).to(dtype)
    index = new_index(SMALL, 400, dtype=dtype)
    index.update(0, keys, 400)
    lists = select(q, index, 0, 0, dense_from=10**9)
    assert attend_listed(q, keys, values.to(dtype), lists, 0).isfinite().all()


@pytest.mark.parametrize(
    "changed",
    [{"block": 48}, {"window": 100}, {"threshold": -1.0}, {"min_blocks": 5000}, {"query_pool": 3}],
)
def test_contradicting_numbers_are_refused(changed: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="sparse attention"):
        SparseConfig(**changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("start", [0, 64, 80])
def test_the_report_counts_what_was_read_and_the_mass_it_covers(start: int) -> None:
    rows, tokens = 96, start + 96
    q, keys, _ = random_context(3, tokens, ratio=3)
    index = new_index(SMALL, tokens)
    index.update(0, keys, tokens)
    part = q[start:]
    lists = select(part, index, 0, start, dense_from=10**9)
    report = AttentionReport(1)
    report.observe(0, part, keys, lists, start, (0.25, 0.5))
    layer = report.layers[0]
    assert layer.read == int(lists.counts.sum())
    first, last = start // SMALL.query_block, (tokens - 1) // SMALL.query_block
    before = [number * SMALL.query_block // SMALL.block for number in range(first, last + 1)]
    assert layer.seen == 2 * sum(before)
    assert (layer.select_s, layer.attend_s) == (0.25, 0.5)
    # The same mass, from the oracle's mask.
    mask = visible(lists, start, rows, kv_heads=2)
    scores = part.double().view(rows, 2, 3, -1).permute(1, 2, 0, 3) @ keys.double()[:, None].mT
    causal = torch.arange(tokens) > torch.arange(start, tokens)[:, None]
    weights = (scores * 64**-0.5).masked_fill(causal, float("-inf")).softmax(-1)
    covered = (weights * mask[:, None]).sum(-1)  # [kv_heads, ratio, rows]
    for reader in range(lists.counts.shape[1]):
        own = (first + reader) * SMALL.query_block
        inside = slice(max(own, start) - start, own + SMALL.query_block - start)
        wanted = float(covered[..., inside].mean())
        assert covered_mass(part, keys, lists, start, reader) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("config", [SparseConfig(), replace(SMALL, group=8)])
def test_the_index_takes_the_share_of_memory_that_the_configuration_tells(
    config: SparseConfig,
) -> None:
    tokens, head_dim = 4096, 64
    index = BlockIndex(2, 2, head_dim, tokens, config, torch.bfloat16, CPU)
    index.update(0, torch.zeros(2, tokens, head_dim, dtype=torch.bfloat16), tokens)
    parts = index.means(0), index.boxes(0)
    used = sum(part.numel() * part.element_size() for part in parts)
    keys_and_values = 2 * 2 * tokens * head_dim * 2
    assert used / keys_and_values == pytest.approx(config.index_share)
    assert SparseConfig().index_share < 0.07


def test_a_crossover_that_was_set_holds_for_every_implementation() -> None:
    config = replace(SMALL, crossover=100)
    for dtype in (torch.float32, torch.bfloat16):
        assert is_dense(100, config, CPU, dtype, 64)
        assert not is_dense(101, config, CPU, dtype, 64)


@on_kernel
def test_without_one_only_the_kernel_reads_long_prompts_sparsely(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(SMALL, crossover=None)
    assert is_dense(WITH_KERNEL, config, CPU, dtype, 64)
    assert not is_dense(WITH_KERNEL + 1, config, CPU, dtype, 64)
    assert is_dense(10 * WITH_KERNEL, config, CPU, dtype, 32)
    assert is_dense(10 * WITH_KERNEL, config, CPU, torch.float16, 64)
    assert is_dense(10 * WITH_KERNEL, config, torch.device("cuda"), dtype, 64)
    monkeypatch.setattr("codekiln.attention.native.build.load_native", lambda: None)
    assert is_dense(10 * WITH_KERNEL, config, CPU, dtype, 64)
