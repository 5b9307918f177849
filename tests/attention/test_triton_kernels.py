"""The GPU kernels against the float64 oracle: on a GPU where there is one, else interpreted."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_contexts import SMALL, new_index, random_context

from codekiln.attention import attend_oracle, select, select_for_decode

HAS_GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if HAS_GPU else "cpu")
pytest.importorskip("triton")
from codekiln.attention import triton_kernels  # noqa: E402

if not HAS_GPU and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("there is no GPU and TRITON_INTERPRET is not 1", allow_module_level=True)


def context(seed: int, tokens: int, ratio: int, head_dim: int, dtype: torch.dtype) -> Any:
    parts = random_context(seed, tokens, ratio, head_dim)
    index = new_index(SMALL, tokens, head_dim, dtype, DEVICE)
    return (*(part.to(dtype).to(DEVICE) for part in parts), index)


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    start=st.integers(0, 120),
    rows=st.integers(1, 70),
    ratio=st.sampled_from([1, 6, 7, 8]),
    head_dim=st.sampled_from([16, 64]),
)
def test_prefill_equals_the_oracle(
    seed: int, start: int, rows: int, ratio: int, head_dim: int
) -> None:
    q, keys, values, index = context(seed, start + rows, ratio, head_dim, torch.float32)
    index.update(0, keys, start + rows)
    part = q[start:]
    lists = select(part, index, 0, start, dense_from=10**9)
    found = triton_kernels.attend_listed_triton(part, keys, values, lists, start)
    wanted = attend_oracle(part.cpu(), keys.cpu(), values.cpu(), on_cpu(lists), start)
    torch.testing.assert_close(found.cpu().double(), wanted, atol=2e-5, rtol=2e-5)


@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 10**6),
    tokens=st.integers(1, 260),
    rows=st.integers(1, 3),
    ratio=st.sampled_from([1, 6, 7, 8]),
)
def test_decode_equals_attention_over_the_listed_keys(
    seed: int, tokens: int, rows: int, ratio: int
) -> None:
    q, keys, values, index = context(seed, tokens, ratio, 32, torch.float32)
    index.update(0, keys, tokens)
    q = q[:1].expand(rows, -1, -1) + torch.arange(rows, device=DEVICE)[:, None, None]
    lists = select_for_decode(q, index, 0, torch.zeros(rows, dtype=torch.long, device=DEVICE))
    found = triton_kernels.attend_listed_rows_triton(q, keys, values, lists)
    tail = tokens // SMALL.block * SMALL.block
    for row in range(rows):
        for head in range(2):
            places = list(range(tail, tokens))
            for block in lists.blocks[head, row, : int(lists.counts[head, row])].tolist():
                places += range(block * SMALL.block, (block + 1) * SMALL.block)
            own = q[row, head * ratio : (head + 1) * ratio].double()
            scores = own @ keys[head, places].double().T * 32**-0.5
            wanted = scores.softmax(-1) @ values[head, places].double()
            members = slice(head * ratio, (head + 1) * ratio)
            got = found.out[0, members, row].double()
            torch.testing.assert_close(got, wanted, atol=2e-5, rtol=2e-5)
            lse = found.lse[0, members, row].double()
            torch.testing.assert_close(lse, scores.logsumexp(-1), atol=2e-5, rtol=2e-5)


# The interpreter multiplies the bits of bfloat16 as if they were integers.
@pytest.mark.parametrize("dtype", [torch.float16, *([torch.bfloat16] if HAS_GPU else [])])
def test_sixteen_bit_numbers(dtype: torch.dtype) -> None:
    q, keys, values, index = context(3, 200, 7, 64, dtype)
    index.update(0, keys, 200)
    lists = select(q[64:], index, 0, 64, dense_from=10**9)
    found = triton_kernels.attend_listed_triton(q[64:], keys, values, lists, 64)
    wanted = attend_oracle(q[64:].cpu(), keys.cpu(), values.cpu(), on_cpu(lists), 64)
    assert found.dtype == dtype
    torch.testing.assert_close(found.cpu().double(), wanted, atol=2e-2, rtol=2e-2)


def test_keys_with_gaps_between_heads_are_read_in_place() -> None:
    """As a cache with room at its end gives them."""
    q, keys, values, index = context(5, 150, 6, 32, torch.float32)
    room = [torch.full((2, 400, 32), float("nan"), device=DEVICE) for _ in range(2)]
    for store, part in zip(room, (keys, values), strict=True):
        store[:, :150] = part
    index.update(0, keys, 150)
    lists = select(q, index, 0, 0, dense_from=10**9)
    found = triton_kernels.attend_listed_triton(q, room[0][:, :150], room[1][:, :150], lists, 0)
    wanted = triton_kernels.attend_listed_triton(q, keys, values, lists, 0)
    assert torch.equal(found, wanted)


def test_adversarial_numbers_give_no_nan() -> None:
    q, keys, values, index = context(5, 96, 2, 32, torch.float32)
    for scale in (0.0, 1e4):
        index.truncate(0)
        index.update(0, keys * scale, 96)
        lists = select(q * scale, index, 0, 0, dense_from=10**9)
        found = triton_kernels.attend_listed_triton(q * scale, keys * scale, values, lists, 0)
        assert torch.isfinite(found).all()


def test_sizes_that_are_no_powers_of_two_are_left_to_others() -> None:
    q, keys, _, index = context(1, 64, 2, 24, torch.float32)
    index.update(0, keys, 64)
    assert not triton_kernels.takes(q, select(q, index, 0, 0, dense_from=10**9))


def on_cpu(lists: Any) -> Any:
    return type(lists)(lists.blocks.cpu(), lists.counts.cpu(), lists.config)
