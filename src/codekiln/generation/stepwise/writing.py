"""Stepwise generation: a long task is written function by function, each checked on its own.

The plan comes from the task where it names its functions, else from the model. Of each function
several versions are written and checked with those examples that need nothing unwritten; the next
one is built on the best. The last function is the one that was asked for, and the whole is checked
with all examples. Python only.
"""

from __future__ import annotations

from collections.abc import Sequence

from codekiln.core import Candidate
from codekiln.core.errors import ContextOverflowError
from codekiln.generation.mutation import MAX_SECONDS
from codekiln.generation.stepwise.plans import named_steps, planned_steps
from codekiln.generation.stepwise.versions import FORM, write_versions
from codekiln.generation.workbench import Workbench


def is_worthwhile(bench: Workbench) -> bool:
    """True for a task that names several functions to write and was not written so yet."""
    tried = bench.tried_stepwise
    return bench.task.language == "python" and not tried and len(named_steps(bench.task)) >= 2


def write_stepwise(bench: Workbench) -> tuple[str, ...]:
    """Write the task's functions one by one; the finished modules join the bench's candidates.

    Of each function there are at most as many versions as candidates are left in the budget; those
    of the last count against it. The tokens are told apart. Gives remarks for the user. Raises what
    drawing and checking raise.
    """
    bench.tried_stepwise = True
    if bench.task.language != "python":
        return ()
    try:
        return _write(bench)
    except ContextOverflowError:
        return ("it was not written function by function: that would not fit the context window",)


def _write(bench: Workbench) -> tuple[str, ...]:
    count = bench.budget
    steps = named_steps(bench.task) or planned_steps(bench)
    if not steps or not count:
        return ()
    remarks: list[str] = []
    finished: list[str] = []
    spare: list[str] = []
    done: set[str] = set()
    chance = 1.0
    # Together the functions may take as long to mend as one answer.
    seconds = MAX_SECONDS / len(steps)
    for number, step in enumerate(steps[:-1], 1):
        written = write_versions(bench, step, finished, done, count, number, seconds)
        remarks += written.remarks
        if not written.parts:
            continue
        chance *= written.chance
        finished.append(written.parts[0])
        done.add(step.name)
        # Where one passes, those that do not are wrong.
        spare += written.parts[1 : written.good or None]
    last = write_versions(bench, steps[-1], finished, done, count, len(steps), seconds)
    before = "\n\n".join(finished)
    wholes = [f"{before}\n\n{part}".strip() + "\n" for part in last.parts[:count]]
    bench.spare_parts += spare
    if wholes:
        bench.parts_chance = chance
        # All modules share the functions before the last: equal ones would agree for no reason.
        bench.set_aside = max(0, last.drawn - len(wholes))
        bench.set_aside_passing = max(0, last.passing - last.good)
        # What was mended is judged as a repair is: it was made to fit the examples.
        _offer(bench, wholes, count if remarks else len(last.remarks))
    return (*remarks, *last.remarks)


def shares_parts(bench: Workbench, candidate: Candidate) -> bool:
    """True for a module that was written so, and for what was made of one."""
    while candidate.form != FORM and candidate.parent is not None:
        candidate = bench.candidates[candidate.parent]
    return candidate.form == FORM


def _offer(bench: Workbench, codes: Sequence[str], mended: int) -> None:
    """Check whole modules and keep those that may be the answer; the first `mended` are repairs."""
    first = len(bench.candidates)
    bench.add(
        [
            Candidate(first + place, code, code, sample=place, round=int(place < mended), form=FORM)
            for place, code in enumerate(codes)
        ]
    )
