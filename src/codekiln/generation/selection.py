"""Chooses one of several checked candidates, and says by what evidence. A pure function.

Order of what counts: passing all checks; then examples passed; then how far the checks got; then
agreement: how many of the candidates that stand as well give the same results, input by input
(minimum Bayes risk by execution, Shi et al. 2022, arXiv 2204.11454); then the greedy draft; then
the mean log-probability per token (a sum would favour short answers).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.core import Assessment, Candidate, Verdict
from codekiln.verify import normalise

_VERDICTS = tuple(Verdict)
# Agreements closer than this are one: which of them is larger is an accident of the inputs.
_EQUAL = 1e-6


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

    `index` is the chosen candidate's, `cluster` the group of those that behave just like it,
    `clusters` all groups of the candidates that stand as well as it does, the chosen one's first,
    then by size; `agreement` is the mean share of them that agree with it on an input (1: all),
    `considered` counts all candidates, duplicates included.
    """

    index: int
    standing: Standing
    cluster: Cluster
    clusters: tuple[Cluster, ...]
    considered: int
    agreement: float = 1.0


@dataclass(frozen=True, slots=True)
class _Entry:
    candidate: Candidate
    assessment: Assessment
    form: str

    @property
    def alike(self) -> str:
        """Equal for candidates that behave alike, as far as it is known."""
        if self.assessment.behaviour:
            return "=>".join(("", self.assessment.behaviour, *self.assessment.deciding))
        return f"=={self.form}"


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
    pairs = sorted(zip(candidates, assessments, strict=True), key=lambda pair: pair[0].index)
    best = max(standing(assessment) for _, assessment in pairs)
    entries = [
        _Entry(candidate, assessment, normalise(candidate.code, language))
        for candidate, assessment in pairs
        if standing(assessment) == best
    ]
    shares = agreements(entries)
    top = max(shares.values())
    # A repair was written after an example was seen to fail; it stands back behind free drafts.
    chosen = max(
        (entry for entry in entries if shares[entry.alike] >= top - _EQUAL),
        key=lambda entry: _preference(entry.candidate),
    )
    groups: dict[str, list[_Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.alike, []).append(entry)
    ranked = sorted(
        groups.items(), key=lambda item: (item[0] != chosen.alike, -len(item[1]), item[0])
    )
    clusters = tuple(_cluster(group) for _, group in ranked)
    return Selection(
        chosen.candidate.index,
        best,
        clusters[0],
        clusters,
        len(pairs),
        shares[chosen.alike],
    )


def agreements(entries: Sequence[_Entry]) -> dict[str, float]:
    """For each behaviour the mean share of entries that give the same, over all varied inputs.

    An input counts by the share of entries that give a value there: where most raise, it is
    likely to be no valid one.
    """
    first = {entry.alike: entry for entry in entries}
    sizes = Counter(entry.alike for entry in entries)
    given = {
        alike: entry.assessment.outputs + entry.assessment.deciding
        for alike, entry in first.items()
    }
    length = min(map(len, given.values()), default=0)
    total = len(entries)
    if not length:
        return {alike: size / total for alike, size in sizes.items()}
    sums = dict.fromkeys(first, 0.0)
    weights = 0.0
    for place in range(length):
        outputs = {alike: texts[place] for alike, texts in given.items()}
        counts: Counter[str] = Counter()
        for alike, output in outputs.items():
            counts[output] += sizes[alike]
        weight = sum(n for output, n in counts.items() if not output.startswith("!")) / total
        weights += weight
        for alike, output in outputs.items():
            sums[alike] += weight * counts[output] / total
    if not weights:
        return {alike: size / total for alike, size in sizes.items()}
    return {alike: value / weights for alike, value in sums.items()}


def _cluster(group: Sequence[_Entry]) -> Cluster:
    return Cluster(
        members=tuple(sorted(entry.candidate.index for entry in group)),
        distinct=len({entry.form for entry in group}),
        has_greedy=any(entry.candidate.greedy for entry in group),
    )


def _preference(candidate: Candidate) -> tuple[bool, bool, bool, float, int]:
    # What was mended may lack what the model would have written.
    is_whole = not candidate.mended
    likely = mean_logprob(candidate)
    return (candidate.round == 0, is_whole, candidate.greedy, likely, -candidate.index)


def mean_logprob(candidate: Candidate) -> float:
    """Log-probability per token; minus infinity where the backend does not tell."""
    if candidate.logprob is None:
        return float("-inf")
    return candidate.logprob / max(candidate.completion_tokens, 1)
