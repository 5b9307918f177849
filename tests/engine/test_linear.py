"""Packed products against the plain ones."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from codekiln.engine.linear import Linear, can_pack

SIZES = st.integers(1, 300)


@given(rows=st.integers(1, 70), width=SIZES, height=SIZES, biased=st.booleans(), seed=SIZES)
def test_a_packed_product_is_as_near_to_the_exact_one_as_the_plain(
    rows: int, width: int, height: int, biased: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).to(torch.bfloat16)

    x, weight = random(rows, width), random(height, width)
    bias = random(height) if biased else None
    product = Linear(weight, bias)(x)
    exact = F.linear(x.double(), weight.double(), bias.double() if bias is not None else None)
    assert product.dtype == torch.bfloat16
    # Sums in float32, rounded once: half a unit in the last place of 8 significant bits.
    torch.testing.assert_close(product.double(), exact, rtol=2**-8, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weight_itself_is_left_alone(dtype: torch.dtype) -> None:
    weight = torch.randn(32, 48).to(dtype)
    before = weight.clone()
    Linear(weight)(torch.randn(2, 48).to(dtype))
    assert torch.equal(weight, before)


def test_float32_stays_plain() -> None:
    # Tokens in float32 are promised not to depend on the rest of the batch.
    assert not can_pack(torch.randn(8, 8))
