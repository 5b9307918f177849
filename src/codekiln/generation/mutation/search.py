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

from codekiln.core import Assessment, Candidate, Task, Verdict
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
class Change:
    """A variant of the program at place `parent` of those given, and what the checks say of it."""

    code: str
    parent: int
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class _Variant:
    code: str
    parent: int


def try_changes(bench: Workbench) -> tuple[str, ...]:
    """Add the best variant of the candidates that passes all checks, if any; remarks for the user.

    Raises CancelledError and SandboxError.
    """
    ranked = sorted(
        range(len(bench.candidates)),
        key=lambda place: (
            standing(bench.assessments[place]),
            mean_logprob(bench.candidates[place]),
            -place,
        ),
        reverse=True,
    )
    change = find_change(bench, [bench.candidates[place].code for place in ranked])
    if change is None:
        return ()
    parent = bench.candidates[ranked[change.parent]]
    place = len(bench.candidates)
    bench.candidates.append(
        Candidate(place, change.code, change.code, round=1, parent=parent.index, form=FORM)
    )
    bench.assessments.append(change.assessment)
    return (_remark(parent.code, change.code),)


def find_change(
    bench: Workbench, codes: Sequence[str], *, task: Task | None = None, before: str = ""
) -> Change | None:
    """A variant of one of `codes`, the most promising first, that passes all checks; None: none.

    `task` is the bench's unless given; `before` is put in front of each program and stays as it is.
    Raises CancelledError and SandboxError.
    """
    task = task or bench.task
    if task.language != "python" or not task.checks:
        return None
    pool = _pool(codes)
    with bench.clock("change"):
        passing = _passing(bench, task, pool, before)
        wholes = [f"{before}{variant.code}" for variant in passing]
        assessments = assess_many(wholes, task, isolation=bench.isolation)
    found = [
        Change(variant.code, variant.parent, assessment)
        for variant, assessment in zip(passing, assessments, strict=True)
        if assessment.verdict is Verdict.PASSED
    ]
    return _best(found) if found else None


def _pool(codes: Sequence[str]) -> list[_Variant]:
    """Variants of the first programs, none twice."""
    parents: dict[str, int] = {}
    for place, code in enumerate(codes):
        parents.setdefault(normalise(code, "python"), place)
    pool: dict[str, _Variant] = {}
    for place in islice(parents.values(), MAX_PARENTS):
        for code in variants(codes[place]):
            pool.setdefault(code, _Variant(code, place))
    return list(islice(pool.values(), MAX_VARIANTS))


def _passing(bench: Workbench, task: Task, pool: Sequence[_Variant], before: str) -> list[_Variant]:
    """The variants that pass the examples at a quick look."""
    found: list[_Variant] = []
    cpu_s = 0.0
    for start in range(0, len(pool), _BATCH):
        if bench.cancel is not None and bench.cancel.is_set:
            raise CancelledError("cancelled while changes were tried")
        bench.on_event(Event("change", start, len(pool)))
        batch = pool[start : start + _BATCH]
        wholes = [f"{before}{variant.code}" for variant in batch]
        passing = find_passing(wholes, task, isolation=bench.isolation)
        found += [batch[place] for place in passing.places]
        cpu_s += passing.cpu_s
        if len(found) >= _MAX_PASSING or cpu_s > _MAX_CPU_S:
            break
    bench.on_event(Event("change", len(pool), len(pool)))
    return found[:_MAX_PASSING]


def _best(found: Sequence[Change]) -> Change:
    """Of the behaviour that crashes least, depends on its input, and that most parents lead to."""
    groups: dict[str, list[Change]] = {}
    for change in found:
        groups.setdefault(change.assessment.behaviour, []).append(change)

    def worth(place: int) -> tuple[int, bool, int, int, int]:
        assessment = found[place].assessment
        group = groups[assessment.behaviour]
        parents = len({change.parent for change in group})
        varies = len({text for text in assessment.outputs if not text.startswith("!")}) > 1
        return (-assessment.crashes, varies, parents, len(group), -place)

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
