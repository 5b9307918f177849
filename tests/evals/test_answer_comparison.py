from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.evals.scoring.comparison import same
from codekiln.evals.scoring.special import comparer, mbpp_arguments


@pytest.mark.parametrize(
    ("observed", "expected", "accepted"),
    [
        (1, 1, True),
        (True, 1, True),
        (1.0, 1, True),
        ([1, 2], (1, 2), False),
        ("1", 1, False),
        (None, False, False),
        (0.30000000000000004, 0.3, True),
        ([0.1 + 0.2], [0.3], True),
        ((0.1 + 0.2,), [0.3], False),
        ([0.1 + 0.2, 1], [0.3, 1], False),
        (1.001, 1.0, False),
        (float("nan"), float("nan"), False),
        (float("inf"), float("inf"), True),
        ({"a": 1}, {"a": 1.0}, True),
        ({1, 2}, {2, 1}, True),
    ],
)
def test_without_a_tolerance_only_floats_may_differ_a_little(
    observed: object, expected: object, accepted: bool
) -> None:
    assert same(observed, expected) is accepted


def test_a_tolerance_holds_for_numbers_within_containers() -> None:
    assert same([1.0005, [2]], [1.0, [2]], tolerance=1e-3)
    assert not same([1.0015, [2]], [1.0, [2]], tolerance=1e-3)
    assert same({"a": 1.0005}, {"a": 1.0}, tolerance=1e-3)
    assert not same(1, 1.0005, tolerance=1e-3)  # another type


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5),
    st.lists(st.floats(-1e-5, 1e-5), min_size=5, max_size=5),
)
def test_floats_agree_with_numpy(values: list[float], noise: list[float]) -> None:
    moved = [value + change for value, change in zip(values, noise, strict=False)]
    wanted = moved == values or np.allclose(moved, values, rtol=1e-7, atol=1e-6)
    assert same(moved, values) == wanted


def test_any_root_of_a_polynomial_is_right() -> None:
    accept = comparer("find_zero", 1e-4)
    assert accept is not None
    assert accept(-1.0, 1.0, ([-1, 0, 1],))
    assert not accept(0.5, 1.0, ([-1, 0, 1],))
    assert not accept("1", 1.0, ([-1, 0, 1],))
    assert not accept(math.nan, 1.0, ([-1, 0, 1],))


def test_results_whose_order_is_open_compare_as_sets() -> None:
    accept = comparer("similar_elements", 0)
    assert accept is not None
    assert accept([2, 1], (1, 2), ())
    assert not accept([1], (1, 2), ())
    assert not accept(3, (1, 2), ())
    assert comparer("anything_else", 0) is None


def test_arguments_get_the_types_that_json_loses() -> None:
    assert mbpp_arguments(2, [[1, 2], [3]]) == [(1, 2), (3,)]
    assert mbpp_arguments(63, [[[1, 2], [3, 4]]]) == [[(1, 2), (3, 4)]]
    assert mbpp_arguments(106, [[5], [6, 7]]) == [[5], (6, 7)]
    assert mbpp_arguments(124, ["0", "1j"]) == [0.0, 1j]
    assert mbpp_arguments(580, [[4, [7, [8]]]]) == [(4, (7, (8,)))]
    assert mbpp_arguments(3, [[1, 2]]) == [[1, 2]]
