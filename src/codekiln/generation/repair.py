"""Repair: failing candidates go back to the model with what was wrong and what was seen.

At most two rounds. A repaired candidate counts only when it is strictly better and loses no
example that its parent passed, so that repair never makes an answer worse; a candidate whose
error came back unchanged is not asked about again.
"""

from __future__ import annotations

from codekiln.core import Assessment, Verdict
from codekiln.core.errors import ContextOverflowError
from codekiln.generation.drafting import Round
from codekiln.generation.prompts import build_repair_prompt
from codekiln.generation.selection import mean_logprob, standing
from codekiln.generation.workbench import Workbench
from codekiln.verify import normalise, observe_failure

ROUNDS = 2


def can_repair(assessment: Assessment) -> bool:
    """True for a failure; an unverified candidate gives nothing to work on."""
    return assessment.verdict not in (Verdict.PASSED, Verdict.UNVERIFIED)


def repair(bench: Workbench) -> tuple[str, ...]:
    """Up to two rounds on the best failing candidates, within the budget; remarks for the user.

    The first round spreads over different candidates: they fail for different reasons.
    """
    asked: set[str] = set()
    for number in range(1, ROUNDS + 1):
        rounds_left = ROUNDS + 1 - number
        parents = _parents(bench, asked, (bench.budget + rounds_left - 1) // rounds_left)
        for place in parents:
            asked.add(_failure(bench, place))
            try:
                drawn = _draw(bench, place, number)
            except ContextOverflowError:
                return ("no further repair: its prompt would not fit the context window",)
            if any(not can_repair(bench.assessments[new]) for new in drawn):
                return ()
    return ()


def kept(bench: Workbench) -> list[int]:
    """Places of the candidates to choose from: all drafts, and the repairs that got better."""
    return [
        place
        for place, candidate in enumerate(bench.candidates)
        if candidate.parent is None
        or improves(bench.assessments[candidate.parent], bench.assessments[place])
    ]


def improves(before: Assessment, after: Assessment) -> bool:
    """True when `after` stands strictly higher and every example passed before still passes."""
    lost = _passed(before) - _passed(after)
    return standing(after) > standing(before) and not lost


def _draw(bench: Workbench, place: int, number: int) -> tuple[int, ...]:
    candidate, assessment = bench.candidates[place], bench.assessments[place]
    with bench.clock("repair"):
        seen = observe_failure(candidate.code, bench.task, assessment, isolation=bench.isolation)
    prompt = build_repair_prompt(
        bench.task,
        candidate.code,
        findings=assessment.findings,
        example_runs=assessment.example_runs,
        seen=seen,
        count_tokens=bench.backend.count_tokens,
        budget_tokens=bench.prompt_tokens,
    )
    return bench.draw(Round(prompt, 1, number=number, parent=place))


def _parents(bench: Workbench, asked: set[str], count: int) -> list[int]:
    """The best failing candidates, of different normal forms, whose failure is new."""
    ranked = sorted(
        (place for place, a in enumerate(bench.assessments) if can_repair(a)),
        key=lambda place: (
            standing(bench.assessments[place]),
            bench.candidates[place].round,
            mean_logprob(bench.candidates[place]),
            -place,
        ),
        reverse=True,
    )
    chosen: list[int] = []
    forms: set[str] = set()
    for place in ranked:
        form = normalise(bench.candidates[place].code, bench.task.language)
        failure = _failure(bench, place)
        if form not in forms and failure not in asked:
            forms.add(form)
            chosen.append(place)
    return chosen[:count]


def _failure(bench: Workbench, place: int) -> str:
    """What went wrong, the same text for the same error of the same code."""
    form = normalise(bench.candidates[place].code, bench.task.language)
    return f"{form}\n{[finding.message for finding in bench.assessments[place].findings]}"


def _passed(before: Assessment) -> set[tuple[int, str]]:
    """Examples that passed, by call; equal calls are told apart by how often they came before."""
    seen: dict[str, int] = {}
    passed = set()
    for run in before.example_runs:
        seen[run.call] = seen.get(run.call, 0) + 1
        if run.passed:
            passed.add((seen[run.call], run.call))
    return passed
