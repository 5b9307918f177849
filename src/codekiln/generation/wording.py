"""What an answer says about itself in words: why it is not verified, and what to know about it."""

from __future__ import annotations

from collections.abc import Sequence

from codekiln.core import Assessment, Candidate, Prompt, Task, Verdict
from codekiln.generation.confidence import LEAST_PROBABILITY, Evidence, probability
from codekiln.generation.selection import Selection
from codekiln.languages import get_language


def why_unverified(task: Task, assessment: Assessment) -> str:
    """One line on what keeps the answer from being verified; empty when it is."""
    if assessment.verdict is Verdict.PASSED:
        return ""
    if assessment.verdict is Verdict.NO_CODE:
        return "no candidate contained code"
    if assessment.verdict is not Verdict.UNVERIFIED:
        return _failure(assessment)
    language = get_language(task.language)
    if not language.can_run:
        is_compiled = any(one.check == "compiler" and one.isolation for one in assessment.reports)
        done = "compiled" if is_compiled else "parsed"
        return f"{language.display_name} is only {done}; nothing of it was run"
    if not task.examples:
        return f"no example could be run: the task gives none. Add one like {_like(task)}"
    if not task.checks:
        why = next((example.why_not for example in task.examples if example.why_not), "")
        because = f" ({why})" if why else ""
        return f"no example could be read as a check{because}. Write one like {_like(task)}"
    details = [report.detail for report in assessment.reports if report.detail]
    return details[0] if details else "no check could say whether it works"


def why_unsure(evidence: Evidence, selection: Selection) -> str:
    """One line on why an answer that passes its examples is not called verified."""
    likely = probability(evidence) or 0.0
    others = len(selection.clusters) - 1
    reasons = []
    if others:
        reasons.append(
            f"{others} other group{'s' * (others > 1)} of candidates pass{'es' * (others == 1)} "
            "them too and behave otherwise"
        )
    if evidence.repaired:
        reasons.append("it was made to pass them after it had failed")
    elif evidence.pass_share < 0.5:
        reasons.append("few candidates pass them at all")
    if evidence.parts < LEAST_PROBABILITY:
        reasons.append("it is built on functions that few examples of their own speak for")
    because = f": {' and '.join(reasons)}" if reasons else ""
    return (
        f"it passes its examples, but the chance that it is right is only about {likely:.0%}"
        f"{because}. Another example would tell more"
    )


def _failure(assessment: Assessment) -> str:
    errors = [finding for finding in assessment.findings if finding.severity == "error"]
    kind = assessment.verdict.value.replace("_", " ")
    if not errors:
        return f"no candidate passed ({kind})"
    return f"no candidate passed; the best one: {' '.join(errors[0].message.split())}"


def _like(task: Task) -> str:
    name = task.entry_point
    return f"{name}(...) -> ..." if name.isidentifier() else "f(1) -> 2"


def answer_notes(task: Task, prompt: Prompt, candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Remarks of the task's reader, what was cut from the prompt, drafts that were cut off."""
    cut_off = sum(candidate.finish_reason == "length" for candidate in candidates)
    notes = [*task.notes, *(f"context cut: {cut}" for cut in prompt.cuts)]
    if cut_off:
        longest = max(candidate.completion_tokens for candidate in candidates)
        notes.append(
            f"{cut_off} of {len(candidates)} candidates were cut off at {longest} tokens; "
            "a larger token limit gives them room"
        )
    return tuple(notes)
