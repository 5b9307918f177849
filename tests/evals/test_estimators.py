from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from codekiln.evals import bootstrap_difference, mcnemar, pass_at_k, wilson
from codekiln.evals.estimators import sign_flip_p


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.data())
def test_pass_at_k_is_the_share_of_subsets_with_a_right_sample(
    counts: tuple[int, int], data: st.DataObject
) -> None:
    n, right = counts
    k = data.draw(st.integers(1, n))
    samples = [i < right for i in range(n)]
    subsets = list(itertools.combinations(samples, k))
    wanted = Fraction(sum(map(any, subsets)), len(subsets))
    assert pass_at_k(n, right, k) == pytest.approx(float(wanted), abs=1e-12)


@pytest.mark.parametrize(("n", "right", "k"), [(5, 6, 1), (5, -1, 1), (5, 2, 6), (5, 2, 0)])
def test_pass_at_k_is_not_defined_outside_its_counts(n: int, right: int, k: int) -> None:
    with pytest.raises(ValueError, match="not defined"):
        pass_at_k(n, right, k)


@given(st.integers(0, 200).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_the_wilson_interval_is_that_of_scipy(counts: tuple[int, int]) -> None:
    total, right = counts
    interval = wilson(right, total)
    if total == 0:
        assert (interval.low, interval.high) == (0.0, 1.0)
        return
    wanted = stats.binomtest(right, total).proportion_ci(method="wilson")
    assert interval.low == pytest.approx(wanted.low, abs=1e-9)
    assert interval.high == pytest.approx(wanted.high, abs=1e-9)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial_test_on_the_discordant_pairs(one: int, other: int) -> None:
    wanted = 1.0 if one + other == 0 else stats.binomtest(one, one + other, 0.5).pvalue
    assert mcnemar(one, other) == pytest.approx(wanted, abs=1e-9)


def test_the_bootstrap_interval_covers_a_known_difference_as_often_as_it_says() -> None:
    rng = random.Random(1)
    covered = 0
    for trial in range(60):
        first = [float(rng.random() < 0.5) for _ in range(120)]
        second = [float(rng.random() < 0.6) for _ in range(120)]
        interval = bootstrap_difference(first, second, seed=trial, resamples=400)
        covered += interval.low <= 0.1 <= interval.high
    assert covered >= 50


def test_the_permutation_test_tells_a_shift_from_noise() -> None:
    rng = random.Random(2)
    noise = [rng.random() for _ in range(80)]
    shifted = [value + 0.1 + 0.05 * rng.random() for value in noise]
    assert sign_flip_p(noise, noise) == 1.0
    assert sign_flip_p(noise, shifted, resamples=2000) < 0.01
    assert sign_flip_p(noise, noise[::-1], resamples=2000) > 0.2
