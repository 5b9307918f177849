"""Tries small changes of failing candidates until some pass: repair without a model.

A small model's wrong program is often one step from a right one, and it seldom finds that step when
it is told of the failure. Trying thousands of steps costs seconds of the sandbox and no token.
Generate-and-validate repair (Weimer et al. 2009; Long and Rinard 2016), with the task's examples as
tests. What passes may fit the examples alone, so that it counts as a repair: free drafts that pass
are preferred to it, and the confidence in it is low. Python only.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from codekiln.core import Assessment, Candidate, Verdict
from codekiln.core.errors import CancelledError
from codekiln.generation.events import Event
from codekiln.generation.mutation.variants import variants
from codekiln.generation.selection import mean_logprob, standing
from codekiln.generation.workbench import Workbench
from codekiln.verify import assess_many, find_passing, normalise, parse_python

# The name under which such a candidate is recorded.
FORM = "changed"
MAX_PARENTS = 8
MAX_VARIANTS = 4000
# Programs that share a process, and between two looks at whether it was cancelled.
_BATCH = 128
# Enough to see which behaviour is the common one.
_MAX_PASSING = 60
# Variants that loop or grow without end cost most of the time; then it is enough.
_MAX_CPU_S = 60.0


@dataclass(frozen=True, slots=True)
class _Variant:
    code: str
    parent: int


def try_changes(bench: Workbench) -> tuple[str, ...]:
    """Add the best variant that passes all checks, if any; remarks for the user.

    Raises CancelledError and SandboxError.
    """
    if bench.task.language != "python" or not bench.task.checks:
        return ()
    pool = _pool(bench)
    if not pool:
        return ()
    with bench.clock("change"):
        passing = _passing(bench, pool)
        codes = [variant.code for variant in passing]
        assessments = assess_many(codes, bench.task, isolation=bench.isolation)
    found = [
        (variant, assessment)
        for variant, assessment in zip(passing, assessments, strict=True)
        if assessment.verdict is Verdict.PASSED
    ]
    if not found:
        return ()
    variant, assessment = _best(found)
    bench.candidates.append(
        Candidate(
            len(bench.candidates),
            variant.code,
            variant.code,
            round=1,
            parent=variant.parent,
            form=FORM,
        )
    )
    bench.assessments.append(assessment)
    return (_remark(bench.candidates[variant.parent].code, variant.code),)


def _pool(bench: Workbench) -> list[_Variant]:
    """Variants of the best failing candidates, none twice."""
    ranked = sorted(
        range(len(bench.candidates)),
        key=lambda place: (
            standing(bench.assessments[place]),
            mean_logprob(bench.candidates[place]),
            -place,
        ),
        reverse=True,
    )
    parents: dict[str, int] = {}
    for place in ranked:
        parents.setdefault(normalise(bench.candidates[place].code, "python"), place)
    pool: dict[str, _Variant] = {}
    for place in islice(parents.values(), MAX_PARENTS):
        for code in variants(bench.candidates[place].code):
            pool.setdefault(code, _Variant(code, place))
    return list(islice(pool.values(), MAX_VARIANTS))


def _passing(bench: Workbench, pool: Sequence[_Variant]) -> list[_Variant]:
    """The variants that pass the examples at a quick look."""
    found: list[_Variant] = []
    cpu_s = 0.0
    for start in range(0, len(pool), _BATCH):
        if bench.cancel is not None and bench.cancel.is_set:
            raise CancelledError("cancelled while changes were tried")
        bench.on_event(Event("change", start, len(pool)))
        batch = pool[start : start + _BATCH]
        passing = find_passing([v.code for v in batch], bench.task, isolation=bench.isolation)
        found += [batch[place] for place in passing.places]
        cpu_s += passing.cpu_s
        if len(found) >= _MAX_PASSING or cpu_s > _MAX_CPU_S:
            break
    bench.on_event(Event("change", len(pool), len(pool)))
    return found[:_MAX_PASSING]


def _best(found: Sequence[tuple[_Variant, Assessment]]) -> tuple[_Variant, Assessment]:
    """Of the behaviour that crashes least, that most parents lead to, and most variants have."""
    groups: dict[str, list[_Variant]] = {}
    for variant, assessment in found:
        groups.setdefault(assessment.behaviour, []).append(variant)

    def worth(place: int) -> tuple[int, int, int, int]:
        assessment = found[place][1]
        group = groups[assessment.behaviour]
        parents = len({variant.parent for variant in group})
        return (-assessment.crashes, parents, len(group), -place)

    return found[max(range(len(found)), key=worth)]


def _remark(before: str, after: str) -> str:
    """What was changed, in words: the lines that went and came."""
    tree = parse_python(before)
    old = ast.unparse(tree) if isinstance(tree, ast.Module) else before
    lines = list(difflib.ndiff(old.splitlines(), after.splitlines()))
    gone = "; ".join(line[2:].strip() for line in lines if line.startswith("- "))
    come = "; ".join(line[2:].strip() for line in lines if line.startswith("+ "))
    return (
        "no draft passed the examples; one does after a change that codekiln tried: "
        f"`{gone or 'nothing'}` became `{come or 'nothing'}`"
    )
