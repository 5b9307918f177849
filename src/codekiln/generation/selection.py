"""Chooses one of several checked candidates, and says by what evidence. A pure function.

Order of what counts: passing all checks; then examples passed; then how far the checks got;
then the size of the group that behaves alike; then whether the greedy draft is in that group;
then the mean log-probability per token (a sum would favour short answers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.core import Assessment, Candidate, Verdict
from codekiln.verify import normalise

_VERDICTS = tuple(Verdict)


@dataclass(frozen=True, slots=True, order=True)
class Standing:
    """How good a checked candidate is; a greater one is better."""

    passed: bool
    examples_passed: int
    verdict: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """Candidates that behave alike, by index; of `distinct` normal forms."""

    members: tuple[int, ...]
    distinct: int
    has_greedy: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """The choice with its evidence.

    `index` is the chosen candidate's, `cluster` the group it stands for, `clusters` all groups
    of the candidates that stand as well as it does, best first; `considered` counts all
    candidates, duplicates included.
    """

    index: int
    standing: Standing
    cluster: Cluster
    clusters: tuple[Cluster, ...]
    considered: int


def standing(assessment: Assessment) -> Standing:
    """Passing counts most, then examples passed, then how far the checks got."""
    return Standing(
        passed=assessment.verdict is Verdict.PASSED,
        examples_passed=assessment.examples_passed,
        verdict=_VERDICTS.index(assessment.verdict),
    )


def select(
    candidates: Sequence[Candidate], assessments: Sequence[Assessment], language: str = "python"
) -> Selection:
    """The best of at least one candidate; `assessments` is parallel to `candidates`.

    Candidates group by equal behaviour on varied inputs, and where nothing was run by equal
    normal form. Without log-probabilities, and where they are equal too, the lowest index wins.
    The order of the arguments does not matter.
    """
    if not candidates or len(candidates) != len(assessments):
        raise ValueError(f"{len(candidates)} candidates with {len(assessments)} assessments")
    pairs = list(zip(candidates, assessments, strict=True))
    best = max(standing(assessment) for _, assessment in pairs)
    groups: dict[str, list[tuple[Candidate, str]]] = {}
    for candidate, assessment in pairs:
        if standing(assessment) == best:
            form = normalise(candidate.code, language)
            alike = f"=>{assessment.behaviour}" if assessment.behaviour else f"=={form}"
            groups.setdefault(alike, []).append((candidate, form))
    ranked = sorted(groups.values(), key=_strength, reverse=True)
    clusters = tuple(
        Cluster(
            members=tuple(sorted(candidate.index for candidate, _ in group)),
            distinct=len({form for _, form in group}),
            has_greedy=any(candidate.greedy for candidate, _ in group),
        )
        for group in ranked
    )
    chosen = max((candidate for candidate, _ in ranked[0]), key=_likelihood)
    return Selection(chosen.index, best, clusters[0], clusters, len(pairs))


def _strength(group: Sequence[tuple[Candidate, str]]) -> tuple[int, bool, float, int]:
    _, logprob, index = max(_likelihood(candidate) for candidate, _ in group)
    greedy = any(candidate.greedy for candidate, _ in group)
    return len(group), greedy, logprob, index


def _likelihood(candidate: Candidate) -> tuple[bool, float, int]:
    logprob = float("-inf")
    if candidate.logprob is not None:
        logprob = candidate.logprob / max(candidate.completion_tokens, 1)
    return candidate.greedy, logprob, -candidate.index
