"""How the budget of candidates is spent: what is drawn next, and when it is enough.

A first small round with the greedy draft; where that settles it, nothing more is drawn. Where
nothing can be run, that round is the greedy draft alone, and it settles the task if no check finds
fault with it: others could not be shown to be better. Harder tasks get the rest of the budget.
Further drafts, not repairs, are what solves hard tasks with small models (docs/evaluation.md has
the figures), so only a small part is kept for repairs.
"""

from __future__ import annotations

from codekiln.core import Prompt, Task, Verdict
from codekiln.generation.confidence import evidence_of, probability
from codekiln.generation.drafting import Round
from codekiln.generation.telling_apart import tell_apart
from codekiln.generation.workbench import Workbench
from codekiln.languages import get_language

FIRST_ROUND = 4
# One of so many candidates is kept for repairs.
REPAIR_SHARE = 5
# Where the chosen answer is this likely to be right, further drafts seldom change it.
SETTLED = 0.88


def form_of(task: Task) -> str:
    """The prompt form for drafts of a task."""
    is_function = bool(task.entry_point) and not task.entry_point[0].isupper()
    return "complete" if task.language == "python" and is_function else "default"


def is_settled(bench: Workbench) -> bool:
    """True when the candidates so far make more drafts pointless."""
    if not _can_be_proved(bench.task):
        return any(
            one.verdict is Verdict.UNVERIFIED and not one.findings for one in bench.assessments
        )
    if len(bench.candidates) < 2:
        return False
    tell_apart(bench)
    selection = bench.select()
    if bench.assessments[selection.index].verdict is not Verdict.PASSED:
        return False
    evidence = evidence_of(bench.candidates, bench.assessments, selection)
    return (probability(evidence) or 0.0) >= SETTLED


def _can_be_proved(task: Task) -> bool:
    """Whether running candidates can tell which is right."""
    language = get_language(task.language)
    return language.name == "python" or (language.can_run and bool(task.checks))


def next_drafts(bench: Workbench, prompt: Prompt) -> Round | None:
    """The next round of drafts; None when there is no budget, or its rest is for repairs."""
    if bench.budget == 0:
        return None
    form = form_of(bench.task)
    drawn = sum(candidate.form == form for candidate in bench.candidates)
    total = bench.options.drafts
    most = max(1, total - total // REPAIR_SHARE)
    if drawn == 0:
        first = FIRST_ROUND if _can_be_proved(bench.task) else 1
        return Round(prompt, min(first, most, bench.budget), greedy=True, form=form)
    left = min(most - drawn, bench.budget)
    if left <= 0:
        # Where a draft passes, nothing needs a repair: the rest tells the passing ones apart.
        passing = any(a.verdict is Verdict.PASSED for a in bench.assessments)
        left = bench.budget if passing else 0
    return Round(prompt, left, form=form) if left > 0 else None
