"""Holds two stored runs against each other, problem by problem, with a paired test.

Refuses runs that differ in anything that was not named as different on purpose. Reads the runs;
everything else is pure. Differences are B - A, in percentage points.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from codekiln.core.errors import UsageError
from codekiln.evals.estimators import Interval, bootstrap_difference, mcnemar, sign_flip_p
from codekiln.evals.likeness import Difference, refuse_unlike
from codekiln.evals.outcomes import CHOOSING, Outcome, Run, Scored
from codekiln.evals.store import Stored
from codekiln.evals.summary import (
    gate_of,
    right_gate,
    right_greedy,
    right_oracle,
    right_selected,
    warm_drafts,
)

Metric = Literal["greedy", "mean", "gate", "selected", "oracle"]
METRICS: tuple[Metric, ...] = get_args(Metric)

_DEFAULTS: dict[str, Metric] = {
    "greedy": "greedy",
    "sample": "mean",
    "verified": "selected",
    "one-shot": "selected",
    "stepwise": "selected",
}
_VALUES: dict[Metric, Callable[[Outcome], float]] = {
    "greedy": right_greedy,
    "mean": lambda outcome: _mean([draft.right for draft in warm_drafts(outcome)]),
    "gate": right_gate,
    "selected": right_selected,
    "oracle": right_oracle,
}
# What the suites of one pool differ in by nature.
_OWN_OF_SUITE = ("suite", "language", "dataset", "form", "limit", "topic", "problem", "repeat")
MOST_LISTED = 12


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two. `score` is a share of the problems that both have.

    `tokens` are the completion tokens of the candidates that the metric looks at; executions and
    seconds are those of the whole run. `overturned` counts right greedy drafts that were not
    answered with; None where the metric is not `selected`.
    """

    runs: tuple[str, ...]
    metric: Metric
    score: float
    tokens: int
    executions: int
    seconds: float | None
    overturned: int | None


@dataclass(frozen=True, slots=True)
class Budget:
    """How the gate of one suite was held to the tokens of the other run.

    Every problem got its first `drafts`, the first `problems_with_more` one more. `exhausted`:
    the gate used every draft it had and still is below `allowed`.
    """

    suite: str
    allowed: int
    used: int
    drafts: int
    problems_with_more: int
    exhausted: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came out. `difference` and `interval` (95 %, paired bootstrap) are in points.

    `only_a` and `only_b` name the problems where one side scores higher; with scores of 0 and 1,
    those that only this side has right. `p` is of the exact McNemar test then, else of a paired
    permutation test. `left_out` counts problems that only one run has.
    """

    a: Side
    b: Side
    problems: int
    difference: float
    interval: Interval
    p: float
    test: Literal["mcnemar", "sign_flip"]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    on_purpose: tuple[Difference, ...] = ()
    left_out: int = 0
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class _Half:
    """One side of one pair of runs: values and tokens are parallel to the pair's problems."""

    run: Run
    metric: Metric
    outcomes: tuple[Outcome, ...]
    values: tuple[float, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class _Pair:
    a: _Half
    b: _Half
    on_purpose: tuple[Difference, ...]
    left_out: int
    budget: Budget | None


def compare(
    a: Stored,
    b: Stored,
    *,
    differing: Collection[str] = (),
    metric_a: str | None = None,
    metric_b: str | None = None,
    equal_tokens: bool = False,
) -> Comparison:
    """Hold B against A. `differing` names what differs on purpose; metrics default by mode.

    With `equal_tokens`, one metric is the gate of a sample run, which gets only as many drafts as
    the tokens of the other side pay for. Raises UsageError.
    """
    return compare_pairs(
        [(a, b)],
        differing=differing,
        metric_a=metric_a,
        metric_b=metric_b,
        equal_tokens=equal_tokens,
    )


def compare_pairs(
    pairs: Sequence[tuple[Stored, Stored]],
    *,
    differing: Collection[str] = (),
    metric_a: str | None = None,
    metric_b: str | None = None,
    equal_tokens: bool = False,
) -> Comparison:
    """Like `compare`, over the problems of several suites together; each pair is of one suite.

    Budgets hold within each suite. Raises UsageError, also where a side's runs are unlike or a
    problem would count twice.
    """
    if not pairs:
        raise UsageError("there is nothing to pool", "Name at least one pair of runs")
    for side in zip(*pairs, strict=True):
        for other in side[1:]:
            refuse_unlike(side[0].run, other.run, {*differing, *_OWN_OF_SUITE})
    found = [
        _pair(a, b, differing, metric_a, metric_b, equal_tokens=equal_tokens) for a, b in pairs
    ]
    if len({(pair.a.metric, pair.b.metric) for pair in found}) > 1:
        raise UsageError("the pairs have different metrics", "Name metric_a and metric_b")
    seen: dict[tuple[str, str], str] = {}
    for pair in found:
        run = pair.a.run
        for outcome in pair.a.outcomes:
            key = (run.language, outcome.problem)
            if key in seen:
                raise UsageError(
                    f"{outcome.problem} would count twice, in {seen[key]} and {run.suite}",
                    "Pool suites that share no problem",
                )
            seen[key] = run.suite
    names = [f"{suite} {language}: {problem}" for (language, problem), suite in seen.items()]
    if len(found) == 1:
        names = [problem for _, problem in seen]
    return _compared(found, names)


def default_metric(mode: str) -> Metric:
    """What a run of this mode is judged by."""
    return _DEFAULTS.get(mode, "greedy")


def finished_outcomes(stored: Stored) -> tuple[Outcome, ...]:
    """The outcomes of a whole run. Raises UsageError for one that is under way or empty."""
    outcomes = stored.outcomes()
    if not stored.is_whole or len(outcomes) != stored.run.problems:
        raise UsageError(
            f"the run {stored.run.id} has {len(outcomes)} of {stored.run.problems} problems done",
            "Give the command that began it once more; it goes on where it ended",
        )
    return outcomes


def _pair(
    a: Stored,
    b: Stored,
    differing: Collection[str],
    metric_a: str | None,
    metric_b: str | None,
    *,
    equal_tokens: bool,
) -> _Pair:
    on_purpose = refuse_unlike(a.run, b.run, differing)
    for run in (a.run, b.run):
        if run.settings.get("repeat", 1) != 1:
            raise UsageError(
                f"{run.id} asks each problem {run.settings['repeat']} times; the tests of a "
                "comparison take problems to be independent of one another",
                "Compare runs without --repeat; 'codekiln eval list' has the figures of this one",
            )
    of_a = {outcome.problem: outcome for outcome in finished_outcomes(a)}
    of_b = {outcome.problem: outcome for outcome in finished_outcomes(b)}
    both = [problem for problem in of_a if problem in of_b]
    single = [*(p for p in of_a if p not in of_b), *(p for p in of_b if p not in of_a)]
    if not both or (single and "limit" not in differing):
        more = f" and {len(single) - MOST_LISTED} more" * (len(single) > MOST_LISTED)
        raise UsageError(
            f"only one of {a.run.id} and {b.run.id} has {', '.join(single[:MOST_LISTED])}{more}",
            "Name limit as different on purpose to compare the problems that both have"
            if both
            else "Compare runs that share problems",
        )
    halves = [
        _half(stored.run, _metric(stored.run, metric), tuple(outcomes[p] for p in both))
        for stored, metric, outcomes in ((a, metric_a, of_a), (b, metric_b, of_b))
    ]
    if not equal_tokens:
        return _Pair(halves[0], halves[1], on_purpose, len(single), None)
    gates = [number for number, half in enumerate(halves) if half.metric == "gate"]
    if len(gates) != 1 or halves[gates[0]].run.mode != "sample":
        raise UsageError(
            "equal tokens needs the gate of a run of mode sample on one side only",
            "Name 'gate' as the metric of the sample run",
        )
    held, budget = _within(halves[gates[0]], halves[1 - gates[0]].tokens)
    halves[gates[0]] = held
    return _Pair(halves[0], halves[1], on_purpose, len(single), budget)


def _metric(run: Run, name: str | None) -> Metric:
    metric = default_metric(run.mode) if name is None else cast(Metric, name)
    if metric not in METRICS:
        raise UsageError(f"the metric {name!r} is not known", f"Use one of: {', '.join(METRICS)}")
    return metric


def _half(run: Run, metric: Metric, outcomes: tuple[Outcome, ...]) -> _Half:
    has: dict[Metric, bool] = {
        "greedy": all(outcome.greedy or not outcome.candidates for outcome in outcomes),
        "mean": run.mode == "sample",
        "gate": any(draft.visible for outcome in outcomes for draft in outcome.candidates),
        "selected": run.mode in CHOOSING,
        "oracle": True,
    }
    if not has[metric]:
        raise UsageError(
            f"the run {run.id} has no score {metric!r}",
            f"It has: {', '.join(name for name in METRICS if has[name])}",
        )
    values = tuple(float(_VALUES[metric](outcome)) for outcome in outcomes)
    looked = (draft for outcome in outcomes for draft in _looked_at(outcome, metric))
    tokens = sum(draft.completion_tokens for draft in looked)
    if metric in ("selected", "oracle"):
        tokens += sum(outcome.side_tokens for outcome in outcomes)
    return _Half(run, metric, outcomes, values, tokens)


def _looked_at(outcome: Outcome, metric: Metric) -> Sequence[Scored]:
    """The candidates that have to be drawn for this score."""
    if metric == "greedy":
        return [outcome.greedy] if outcome.greedy else []
    if metric == "mean":
        return warm_drafts(outcome)
    return _drafts(outcome) if metric == "gate" else outcome.candidates


def _drafts(outcome: Outcome) -> list[Scored]:
    return [candidate for candidate in outcome.candidates if candidate.round == 0]


def _within(half: _Half, allowed: int) -> tuple[_Half, Budget]:
    """The gate with as many drafts as `allowed` tokens pay for. Raises UsageError for none."""
    drafts = [_drafts(outcome) for outcome in half.outcomes]

    def cost(k: int) -> int:
        return sum(draft.completion_tokens for found in drafts for draft in found[:k])

    most = max(map(len, drafts))
    k = max((k for k in range(1, most + 1) if cost(k) <= allowed), default=0)
    if k == 0:
        raise UsageError(
            f"one draft per problem of {half.run.id} costs {cost(1)} tokens, "
            f"more than the {allowed} of the other run",
            "There is no comparison at equal tokens between these runs",
        )
    used, more = cost(k), 0
    for found in drafts:
        tokens = sum(draft.completion_tokens for draft in found[k : k + 1])
        if k == most or used + tokens > allowed:
            break
        used, more = used + tokens, more + 1
    values = tuple(gate_of(found[: k + (place < more)]) for place, found in enumerate(drafts))
    with_more = sum(len(found) > k for found in drafts[:more])
    exhausted = k == most and used < allowed
    budget = Budget(half.run.suite, allowed, used, k, with_more, exhausted)
    return _Half(half.run, half.metric, half.outcomes, values, used), budget


def _compared(pairs: Sequence[_Pair], names: Sequence[str]) -> Comparison:
    a = [value for pair in pairs for value in pair.a.values]
    b = [value for pair in pairs for value in pair.b.values]
    only_a = tuple(name for name, x, y in zip(names, a, b, strict=True) if x > y)
    only_b = tuple(name for name, x, y in zip(names, a, b, strict=True) if y > x)
    binary = all(value in (0.0, 1.0) for value in (*a, *b))
    interval = bootstrap_difference(a, b)
    return Comparison(
        a=_side([pair.a for pair in pairs]),
        b=_side([pair.b for pair in pairs]),
        problems=len(names),
        difference=100 * (_mean(b) - _mean(a)),
        interval=Interval(100 * interval.low, 100 * interval.high),
        p=mcnemar(len(only_a), len(only_b)) if binary else sign_flip_p(a, b),
        test="mcnemar" if binary else "sign_flip",
        only_a=only_a,
        only_b=only_b,
        on_purpose=tuple({item: None for pair in pairs for item in pair.on_purpose}),
        left_out=sum(pair.left_out for pair in pairs),
        budgets=tuple(pair.budget for pair in pairs if pair.budget is not None),
    )


def _side(halves: Sequence[_Half]) -> Side:
    outcomes = [outcome for half in halves for outcome in half.outcomes]
    metric = halves[0].metric
    overturned = sum(right_greedy(o) and not right_selected(o) for o in outcomes)
    return Side(
        runs=tuple(half.run.id for half in halves),
        metric=metric,
        score=_mean([value for half in halves for value in half.values]),
        tokens=sum(half.tokens for half in halves),
        executions=sum(outcome.executions for outcome in outcomes),
        seconds=_sum_of(outcome.seconds for outcome in outcomes),
        overturned=overturned if metric == "selected" else None,
    )


def _sum_of(seconds: Iterable[float | None]) -> float | None:
    """None where some are not known, since completions were read from memory."""
    known = list(seconds)
    return None if None in known else round(sum(value or 0.0 for value in known), 3)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
