"""Tries small changes of failing candidates until some pass: repair without a model.

A small model's wrong program is often one step from a right one, and it seldom finds that step when
it is told of the failure. Trying thousands of steps costs seconds of the sandbox and no token.
Generate-and-validate repair (Weimer et al. 2009; Long and Rinard 2016), with the task's examples as
tests. What passes may fit the examples alone, so that it counts as a repair: free drafts that pass
are preferred to it, and the confidence in it is low. Python only.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

from codekiln.core import Assessment, Candidate, Task, Verdict
from codekiln.core.errors import CancelledError
from codekiln.generation.events import Event
from codekiln.generation.mutation.variants import variants
from codekiln.generation.selection import mean_logprob, standing
from codekiln.generation.workbench import Workbench
from codekiln.verify import DEFAULT_CHECKS, Check, assess_many, find_passing, normalise

# The name under which such a candidate is recorded.
FORM = "changed"
MAX_PARENTS = 8
MAX_VARIANTS = 4000
# Seconds on the clock after which no more is tried: variants that hang, sleep or grow cost most of
# the time, and so do checks that all of them fail.
MAX_SECONDS = 60.0
# Programs that share a process, and between two looks at whether it was cancelled.
_BATCH = 64
# Enough to see which behaviour is the common one.
_MAX_PASSING = 60
# Programs that are checked between two such looks.
_CHECKED_AT_ONCE = 6


@dataclass(frozen=True, slots=True)
class Change:
    """A variant of the program at place `parent` of those given, and what the checks say of it."""

    code: str
    parent: int
    assessment: Assessment


@dataclass(frozen=True, slots=True)
class Variant:
    """A program to try, made from the one at place `parent` of those given."""

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
    return (remark(parent.code, change.code),)


def find_change(
    bench: Workbench,
    codes: Sequence[str],
    *,
    task: Task | None = None,
    before: str = "",
    checks: Sequence[Check] = DEFAULT_CHECKS,
    seconds: float = MAX_SECONDS,
) -> Change | None:
    """A variant of one of `codes`, the most promising first, that passes all checks; None: none.

    `task` is the bench's unless given; `before` is put in front of each program and stays as it is.
    Raises CancelledError and SandboxError.
    """
    pool = _pool(codes)
    return find_passing_variant(
        bench, pool, task=task, before=before, checks=checks, seconds=seconds
    )


def find_passing_variant(
    bench: Workbench,
    pool: Iterable[Variant],
    *,
    task: Task | None = None,
    before: str = "",
    checks: Sequence[Check] = DEFAULT_CHECKS,
    seconds: float = MAX_SECONDS,
) -> Change | None:
    """The best of the programs that pass all checks, among the first MAX_VARIANTS; None: none.

    They are tried in their order, as many as `seconds` allow. Raises as `find_change` does.
    """
    task = task or bench.task
    if task.language != "python" or not task.checks:
        return None
    end = time.monotonic() + seconds
    with bench.clock("change"):
        passing = _passing(bench, task, pool, before, end)
        found: list[Change] = []
        for some in _batches(passing, _CHECKED_AT_ONCE):
            _refuse_when_cancelled(bench)
            if time.monotonic() > end:
                break
            wholes = [f"{before}{variant.code}" for variant in some]
            assessments = assess_many(wholes, task, isolation=bench.isolation, checks=checks)
            found += [
                Change(variant.code, variant.parent, assessment)
                for variant, assessment in zip(some, assessments, strict=True)
                if assessment.verdict is Verdict.PASSED
            ]
    return best_change(found) if found else None


def _pool(codes: Sequence[str]) -> Iterator[Variant]:
    """Variants of the first programs in turn, none twice."""
    parents: dict[str, int] = {}
    for place, code in enumerate(codes):
        parents.setdefault(normalise(code, "python"), place)
    seen: set[str] = set()
    chosen = [*parents.values()][:MAX_PARENTS]
    for turn in zip_longest(*(variants(codes[place]) for place in chosen)):
        for place, code in zip(chosen, turn, strict=True):
            if code is not None and code not in seen:
                seen.add(code)
                yield Variant(code, place)


def _passing(
    bench: Workbench, task: Task, pool: Iterable[Variant], before: str, end: float
) -> list[Variant]:
    """The variants that pass the examples at a quick look."""
    found: list[Variant] = []
    tried = 0
    for batch in _batches(islice(pool, MAX_VARIANTS), _BATCH):
        _refuse_when_cancelled(bench)
        bench.on_event(Event("change", tried))
        wholes = [f"{before}{variant.code}" for variant in batch]
        found += [batch[place] for place in find_passing(wholes, task, isolation=bench.isolation)]
        tried += len(batch)
        if len(found) >= _MAX_PASSING or time.monotonic() > end:
            break
    bench.on_event(Event("change", tried))
    return found[:_MAX_PASSING]


def _batches(variants_: Iterable[Variant], size: int) -> Iterator[list[Variant]]:
    rest = iter(variants_)
    while batch := list(islice(rest, size)):
        yield batch


def _refuse_when_cancelled(bench: Workbench) -> None:
    if bench.cancel is not None and bench.cancel.is_set:
        raise CancelledError("cancelled while changes were tried")


def best_change(found: Sequence[Change]) -> Change:
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


def remark(before: str, after: str) -> str:
    """What was changed, in words: the lines that went and came."""
    # The first variant is the program itself, written in the same way.
    old = next(variants(before), before)
    lines = list(difflib.ndiff(old.splitlines(), after.splitlines()))
    gone = "; ".join(line[2:].strip() for line in lines if line.startswith("- "))
    come = "; ".join(line[2:].strip() for line in lines if line.startswith("+ "))
    return (
        "no draft passed the examples; one does after a change that codekiln tried: "
        f"`{gone or 'nothing'}` became `{come or 'nothing'}`"
    )
