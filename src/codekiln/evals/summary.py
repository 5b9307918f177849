"""From the outcomes of a run to its figures. Pure functions; every score is over all problems.

Beside what was selected stand the scores that it has to be held against: the greedy answer, the
mean sample, a random pick among the drafts that pass the visible checks (the gate), and the
oracle, which knows the hidden tests.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from codekiln.core import Verdict
from codekiln.evals.estimators import pass_at_k, wilson
from codekiln.evals.outcomes import CHOOSING, Outcome, Scored

PASSING = (Verdict.PASSED.value, Verdict.UNVERIFIED.value)


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of one run. Scores are shares of all problems; None where the mode has no such thing.

    `pass_at` maps k to the unbiased estimate from the drafts at temperature above 0. `overturned`
    counts problems whose greedy answer was right and whose selected one is not; `mean` and
    `pass_at` exist in mode sample only, since adaptive drawing would bias them. `recovered` is
    the share of (oracle - greedy) that selection keeps.
    """

    problems: int
    greedy: float | None = None
    mean: float | None = None
    gate: float | None = None
    selected: float | None = None
    oracle: float | None = None
    recovered: float | None = None
    pass_at: dict[str, float] = field(default_factory=dict)
    verified: int = 0
    verified_wrong: int = 0
    overturned: int = 0
    interval: tuple[float, float] | None = None
    tokens: int = 0
    prompt_tokens: int = 0
    candidates: int = 0
    executions: int = 0
    seconds_median: float | None = None
    seconds_p99: float | None = None
    wall_s: float = 0.0
    verdicts: dict[str, int] = field(default_factory=dict)


def summarise(outcomes: Sequence[Outcome], mode: str, wall_s: float = 0.0) -> Summary:
    """The figures of `outcomes`, of which there is at least one."""
    count = len(outcomes)
    chooses = mode in CHOOSING
    greedy = _share([1.0 * right_greedy(outcome) for outcome in outcomes])
    # A score that only some problems have would count the others as wrong.
    has_greedy = all(outcome.greedy or not outcome.candidates for outcome in outcomes)
    samples = [warm_drafts(outcome) for outcome in outcomes]
    several = any(len(outcome.candidates) > 1 for outcome in outcomes)
    selected = _share([1.0 * right_selected(o) for o in outcomes]) if chooses else None
    oracle = _share([1.0 * right_oracle(o) for o in outcomes]) if several else None
    recovered = None
    if has_greedy and selected is not None and oracle is not None and oracle > greedy:
        recovered = (selected - greedy) / (oracle - greedy)
    answers = [outcome.selected or outcome.greedy for outcome in outcomes]
    main = selected if chooses else greedy if mode == "greedy" else None
    seconds = sorted(outcome.seconds for outcome in outcomes if outcome.seconds is not None)
    interval = wilson(main * count, count) if main is not None else None
    return Summary(
        problems=count,
        greedy=greedy if has_greedy else None,
        mean=_mean_of(samples) if mode == "sample" else None,
        gate=_share([right_gate(outcome) for outcome in outcomes]) if several else None,
        selected=selected,
        oracle=oracle,
        recovered=recovered,
        pass_at=_pass_at(samples) if mode == "sample" else {},
        verified=sum(outcome.verified for outcome in outcomes),
        verified_wrong=sum(o.verified and not right_selected(o) for o in outcomes),
        overturned=sum(right_greedy(o) and not right_selected(o) for o in outcomes)
        if chooses
        else 0,
        interval=(interval.low, interval.high) if interval else None,
        tokens=sum(outcome.tokens for outcome in outcomes),
        prompt_tokens=sum(_prompt_tokens(outcome) for outcome in outcomes),
        candidates=sum(len(outcome.candidates) for outcome in outcomes),
        executions=sum(outcome.executions for outcome in outcomes),
        seconds_median=round(median(seconds), 3) if seconds else None,
        seconds_p99=round(_nearest_rank(seconds, 0.99), 3) if seconds else None,
        wall_s=round(wall_s, 1),
        verdicts=dict(
            Counter(str(answer.verdict if answer else Verdict.NO_CODE) for answer in answers)
        ),
    )


def _nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def summary_as_json(summary: Summary) -> dict[str, Any]:
    """Plain JSON values."""
    return asdict(summary)


def right_greedy(outcome: Outcome) -> bool:
    """Whether the greedy draft passes the hidden tests."""
    return outcome.greedy is not None and outcome.greedy.right


def right_selected(outcome: Outcome) -> bool:
    """Whether what was answered with passes the hidden tests."""
    return outcome.selected is not None and outcome.selected.right


def right_oracle(outcome: Outcome) -> bool:
    """Whether any candidate passes the hidden tests."""
    return any(candidate.right for candidate in outcome.candidates)


def right_gate(outcome: Outcome) -> float:
    """The chance that a random one of the drafts that pass the visible checks is right.

    Where none passes, of all drafts. Drafts that could not be checked count as passing.
    """
    return gate_of(
        [
            item
            for item in outcome.candidates
            if item.greedy or item.temperature > 0
            if item.round == 0
        ]
    )


def gate_of(drafts: Sequence[Scored]) -> float:
    """`right_gate` of these drafts."""
    passing = [item for item in drafts if item.visible == Verdict.PASSED.value]
    passing = passing or [item for item in drafts if item.visible in PASSING] or list(drafts)
    return sum(item.right for item in passing) / len(passing) if passing else 0.0


def warm_drafts(outcome: Outcome) -> list[Scored]:
    """Free drafts at a temperature above 0: no repairs, no modules of finished functions."""
    return [item for item in outcome.candidates if item.round == 0 and item.temperature > 0]


def _mean_of(samples: Sequence[Sequence[Scored]]) -> float | None:
    if not any(samples):
        return None
    return _share([sum(s.right for s in drafts) / max(1, len(drafts)) for drafts in samples])


def _pass_at(samples: Sequence[Sequence[Scored]]) -> dict[str, float]:
    """Only for a k that every problem has samples for: anything else is another estimate."""
    least = min((len(drafts) for drafts in samples), default=0)
    return {
        str(k): _share([pass_at_k(len(d), sum(s.right for s in d), k) for d in samples])
        for k in range(1, least + 1)
    }


def _prompt_tokens(outcome: Outcome) -> int:
    """Each prompt once: samples of one prompt share its prefill."""
    prompts = {(c.round, c.form, c.prompt_tokens) for c in outcome.candidates}
    return sum(tokens for _, _, tokens in prompts)


def _share(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
