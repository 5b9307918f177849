"""Dense attention through the compiled kernel, held against float32 attention in PyTorch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_contexts import KERNEL_DTYPES, TOLERANCE, random_context

from codekiln.attention import attend_block_plain, attend_dense


@pytest.mark.parametrize("dtype", KERNEL_DTYPES)
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 99),
    ends=st.lists(st.integers(1, 700), min_size=1, max_size=4, unique=True).map(sorted),
    ratio=st.sampled_from([1, 6, 7, 8]),
    head_dim=st.sampled_from([64, 128]),
)
def test_chunks_of_any_size_equal_dense_attention(
    seed: int, ends: list[int], ratio: int, head_dim: int, dtype: torch.dtype
) -> None:
    q, keys, values = (part.to(dtype) for part in random_context(seed, ends[-1], ratio, head_dim))
    wanted = (
        attend_block_plain(
            q.float().transpose(0, 1)[None], keys.float()[None], values.float()[None], causal=True
        )
        .out[0]
        .transpose(0, 1)
    )
    start = 0
    for end in ends:
        out = attend_dense(q[start:end], keys, values, start)
        assert out is not None
        near = TOLERANCE[dtype]
        torch.testing.assert_close(out.float(), wanted[start:end], atol=near, rtol=near)
        start = end


@pytest.mark.parametrize("dtype", KERNEL_DTYPES)
def test_keys_behind_the_rows_are_not_seen(dtype: torch.dtype) -> None:
    q, keys, values = (part.to(dtype) for part in random_context(1, 300, 7))
    out = attend_dense(q[100:200], keys, values, 100)
    keys[:, 200:], values[:, 200:] = float("nan"), float("nan")
    again = attend_dense(q[100:200], keys, values, 100)
    assert out is not None
    assert again is not None
    assert torch.equal(out, again)


@pytest.mark.parametrize("dtype", KERNEL_DTYPES)
def test_what_is_hidden_has_no_weight_at_all(dtype: torch.dtype) -> None:
    q, keys, values = (torch.ones(4, 2, 64), torch.ones(2, 4, 64), torch.ones(2, 4, 64))
    values[:, 3] = 1e38
    out = attend_dense(q.to(dtype), keys.to(dtype), values.to(dtype), 0)
    assert out is not None
    assert out[:3].eq(1).all()


@pytest.mark.parametrize("dtype", KERNEL_DTYPES)
def test_keys_and_values_may_lie_differently(dtype: torch.dtype) -> None:
    for kv_heads in (1, 2):
        q = torch.randn(100, 2, 64).to(dtype)
        keys = torch.randn(kv_heads, 110, 64).to(dtype)
        values = torch.randn(110, kv_heads, 64).to(dtype).transpose(0, 1)
        found = attend_dense(q, keys[:, 10:], values[:, 10:], 0)
        wanted = attend_dense(q, keys[:, 10:].contiguous(), values[:, 10:].contiguous(), 0)
        assert found is not None
        assert wanted is not None
        assert torch.equal(found, wanted)


def test_other_tensors_are_left_to_pytorch() -> None:
    q, keys, values = random_context(1, 100, 7)
    assert attend_dense(q, keys.bfloat16(), values.bfloat16(), 0) is None
    q, keys, values = random_context(1, 100, 7)
    assert attend_dense(q.half(), keys.half(), values.half(), 0) is None
    q, keys, values = (part[..., :32].contiguous() for part in (q, keys, values))
    assert attend_dense(q, keys, values, 0) is None
