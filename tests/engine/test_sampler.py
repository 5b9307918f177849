from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from codekiln.core import Sampling
from codekiln.core.errors import ModelError, UsageError
from codekiln.engine.sampler import DrawSpec, NoTokenLeftError, draw


def naive_distribution(logits: Tensor, sampling: Sampling, seen: set[int]) -> np.ndarray:
    """The distribution that the settings define, by full sorts in float64."""
    scores = logits.double().numpy().copy()
    for token in seen:
        penalty = sampling.repetition_penalty
        scores[token] = scores[token] * penalty if scores[token] < 0 else scores[token] / penalty
    scores /= sampling.temperature
    p = np.exp(scores - scores.max())
    order = np.argsort(-p, kind="stable")
    if sampling.top_k:
        p[order[sampling.top_k :]] = 0.0
    if sampling.top_p < 1.0:
        before = np.cumsum(p[order]) - p[order]
        p[order[before >= sampling.top_p * p.sum()]] = 0.0
    p[p < sampling.min_p * p.max()] = 0.0
    return np.asarray(p / p.sum())


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=1.0),
        Sampling(temperature=0.7),
        Sampling(temperature=1.5, top_k=7),
        Sampling(temperature=1.0, top_p=0.8),
        Sampling(temperature=1.0, min_p=0.1),
        Sampling(temperature=0.9, top_k=40, top_p=0.9, min_p=0.02, repetition_penalty=1.3),
    ],
    ids=lambda s: f"T{s.temperature}-k{s.top_k}-p{s.top_p}-m{s.min_p}-r{s.repetition_penalty}",
)
def test_sampled_frequencies_match_the_exact_distribution(sampling: Sampling) -> None:
    draws = 40_000
    logits = torch.randn(300, generator=torch.Generator().manual_seed(7)) * 2
    seen = {3, 50, 299} if sampling.repetition_penalty != 1.0 else set()
    uniforms = np.random.default_rng(11).random(draws)
    specs = [DrawSpec(sampling, uniform=float(u), seen=seen) for u in uniforms]
    tokens = [drawn.token for drawn in draw(logits.expand(draws, -1), specs)]
    p = naive_distribution(logits, sampling, seen)
    observed = np.bincount(tokens, minlength=300)
    assert observed[p == 0].sum() == 0
    # Chi-square wants at least about five expected per cell: rare tokens form one cell.
    common = p * draws >= 5
    cells = np.append(observed[common], observed[~common].sum())
    expected = np.append(p[common], p[~common].sum()) * draws
    keep = expected > 0
    assert stats.chisquare(cells[keep], expected[keep]).pvalue > 1e-4


@settings(max_examples=150, deadline=None)
@given(
    vocab=st.integers(1, 700),
    seed=st.integers(0, 2**31),
    uniform=st.floats(0, 1, exclude_max=True),
    temperature=st.sampled_from([0.05, 0.7, 2.0]),
    top_k=st.integers(0, 5),
    top_p=st.sampled_from([1e-6, 0.5, 0.999, 1.0]),
)
def test_a_draw_inverts_the_cumulative_distribution(
    vocab: int, seed: int, uniform: float, temperature: float, top_k: int, top_p: float
) -> None:
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p)
    logits = torch.randn(vocab, generator=torch.Generator().manual_seed(seed)) * 3
    [drawn] = draw(logits[None], [DrawSpec(sampling, uniform=uniform)])
    p = naive_distribution(logits, sampling, set())
    cumulative = np.cumsum(p)
    low = cumulative[drawn.token] - p[drawn.token]
    assert p[drawn.token] > 0
    assert low - 1e-5 <= uniform <= cumulative[drawn.token] + 1e-5


def test_greedy_takes_the_largest_and_the_first_of_equals() -> None:
    logits = torch.tensor([[0.0, 5.0, 5.0, 1.0]])
    assert draw(logits, [DrawSpec(Sampling())])[0].token == 1


def test_rows_do_not_influence_each_other() -> None:
    logits = torch.randn(20, 500, generator=torch.Generator().manual_seed(1))
    mixed = [
        DrawSpec(Sampling(temperature=t, top_p=p, logprobs=t > 0), uniform=0.37)
        for t, p in [(0.0, 1.0), (0.8, 1.0), (1.0, 0.5), (1.2, 0.9)] * 5
    ]
    together = draw(logits, mixed)
    alone = [draw(logits[i : i + 1], [spec])[0] for i, spec in enumerate(mixed)]
    assert [d.token for d in together] == [d.token for d in alone]
    for a, b in zip(together, alone, strict=True):
        assert (a.logprob is None) == (b.logprob is None)
        assert a.logprob is None or math.isclose(a.logprob, b.logprob or 0.0, abs_tol=1e-5)


def test_a_flat_distribution_needs_more_than_the_first_candidates_for_top_p() -> None:
    specs = [DrawSpec(Sampling(temperature=1.0, top_p=0.9), uniform=u / 100) for u in range(100)]
    tokens = {d.token for d in draw(torch.zeros(100, 5000), specs)}
    assert len(tokens) == 100


def test_banned_tokens_never_come_and_a_row_without_tokens_is_an_error() -> None:
    logits = torch.tensor([[1.0, 9.0, 2.0]])
    sampling = Sampling(temperature=1.0)
    assert draw(logits, [DrawSpec(sampling, uniform=0.99, banned={1, 2})])[0].token == 0
    with pytest.raises(NoTokenLeftError):
        draw(logits, [DrawSpec(sampling, banned={0, 1, 2})])


def test_scores_that_are_not_numbers_are_an_error_not_an_empty_answer() -> None:
    with pytest.raises(ModelError, match="not numbers"):
        draw(torch.tensor([[0.0, float("nan")]]), [DrawSpec(Sampling())])


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": -1},
        {"top_p": 0},
        {"top_k": -1},
        {"min_p": 1},
        {"repetition_penalty": 0},
        {"max_tokens": 0},
        {"stop": ("",)},
    ],
)
def test_impossible_sampling_settings_are_refused_by_name(fields: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(fields))):
        Sampling(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [1e-46, 1e-30, 1e-7])
def test_a_temperature_next_to_nothing_is_greedy(temperature: float) -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0, -1.0]])
    spec = DrawSpec(Sampling(temperature=temperature), uniform=0.999)
    assert draw(logits, [spec])[0].token == 1
