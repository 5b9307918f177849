"""Estimators and paired tests. Pure functions on counts and lists; no I/O.

Sources: unbiased pass@k of Chen et al. 2021 (arXiv 2107.03374); Wilson 1927; exact McNemar test
on the discordant pairs; percentile bootstrap over problems.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A two-sided 95 % interval."""

    low: float
    high: float


def pass_at_k(n: int, right: int, k: int) -> float:
    """The chance that one of k of the n samples is right, without bias.

    Raises ValueError for k > n.

    >>> pass_at_k(10, 3, 1), round(pass_at_k(10, 3, 5), 4), pass_at_k(10, 0, 10)
    (0.3, 0.9167, 0.0)
    """
    if not 0 <= right <= n or not 1 <= k <= n:
        raise ValueError(f"pass@{k} of {n} samples with {right} right is not defined")
    if n - right < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - right + 1, n + 1))


def wilson(right: float, total: int, z: float = 1.959963984540054) -> Interval:
    """The interval of a proportion; holds at 0 and 1 too.

    >>> interval = wilson(82, 164)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.424, 0.576)
    """
    if total == 0:
        return Interval(0.0, 1.0)
    p = right / total
    scale = 1 + z * z / total
    middle = (p + z * z / (2 * total)) / scale
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / scale
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p of as unequal a split of the discordant pairs.

    >>> round(mcnemar(1, 9), 4), mcnemar(3, 3)
    (0.0215, 1.0)
    """
    total = only_first + only_second
    tail = sum(math.comb(total, i) for i in range(min(only_first, only_second) + 1))
    return min(1.0, float(2 * tail / 2**total))


def bootstrap_difference(
    first: Sequence[float], second: Sequence[float], seed: int = 0, resamples: int = RESAMPLES
) -> Interval:
    """The interval of mean(second) - mean(first) over resampled problems of parallel lists."""
    differences = [b - a for a, b in zip(first, second, strict=True)]
    if not differences:
        return Interval(0.0, 0.0)
    rng = random.Random(seed)
    count = len(differences)
    means = sorted(sum(rng.choices(differences, k=count)) / count for _ in range(resamples))
    return Interval(means[int(0.025 * resamples)], means[int(0.975 * resamples) - 1])


def sign_flip_p(
    first: Sequence[float], second: Sequence[float], seed: int = 0, resamples: int = RESAMPLES
) -> float:
    """Two-sided p of a paired permutation test: the signs of the differences are flipped at random.

    For scores that are not 0 or 1, such as the expectation of a random pick, where McNemar's test
    does not apply.
    """
    differences = [b - a for a, b in zip(first, second, strict=True) if a != b]
    if not differences:
        return 1.0
    observed = abs(sum(differences))
    rng = random.Random(seed)
    hits = sum(
        abs(sum(d if rng.random() < 0.5 else -d for d in differences)) >= observed - 1e-12
        for _ in range(resamples)
    )
    return (hits + 1) / (resamples + 1)
