"""One round of repair: the best failing candidate goes back to the model with what was wrong.

A repaired candidate counts only when it is strictly better and loses no example that its parent
passed, so that repair never makes an answer worse.
"""

from __future__ import annotations

from collections.abc import Sequence

from codekiln.backends import Backend
from codekiln.core import Assessment, Candidate, Prompt, Task, Verdict
from codekiln.generation.options import Options
from codekiln.generation.prompts import build_repair_prompt
from codekiln.generation.selection import standing

REPAIRS = 4


def can_repair(assessment: Assessment) -> bool:
    """True for a failure; an unverified candidate gives nothing to work on."""
    return assessment.verdict not in (Verdict.PASSED, Verdict.UNVERIFIED)


def repair_count(options: Options) -> int:
    """How many repairs to draw: never more than there were first drafts."""
    return min(REPAIRS, options.drafts)


def repair_prompt(
    task: Task, candidate: Candidate, assessment: Assessment, backend: Backend, budget_tokens: int
) -> Prompt:
    """The task, the code and the first thing wrong with it. Raises ContextOverflowError."""
    return build_repair_prompt(
        task,
        candidate.code,
        findings=assessment.findings,
        example_runs=assessment.example_runs,
        count_tokens=backend.count_tokens,
        budget_tokens=budget_tokens,
    )


def improvements(
    before: Assessment, repaired: Sequence[Candidate], after: Sequence[Assessment]
) -> tuple[tuple[Candidate, ...], tuple[Assessment, ...]]:
    """Those repairs, with their assessments, that are better than what they repair."""
    kept = [
        (candidate, assessment)
        for candidate, assessment in zip(repaired, after, strict=True)
        if improves(before, assessment)
    ]
    return tuple(candidate for candidate, _ in kept), tuple(result for _, result in kept)


def improves(before: Assessment, after: Assessment) -> bool:
    """True when `after` stands strictly higher and every example passed before still passes."""
    lost = _passed(before) - _passed(after)
    return standing(after) > standing(before) and not lost


def _passed(assessment: Assessment) -> set[tuple[int, str]]:
    """Examples that passed, by call; equal calls are told apart by how often they came before."""
    seen: dict[str, int] = {}
    passed = set()
    for run in assessment.example_runs:
        seen[run.call] = seen.get(run.call, 0) + 1
        if run.passed:
            passed.add((seen[run.call], run.call))
    return passed
