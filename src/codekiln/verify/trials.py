"""Which of many programs pass the examples? A quick look at thousands, before any is checked.

Programs are loaded one after the other by the same sandboxed process, a hundred times as fast as
a process for each. They could disturb one another there, so that what passes is only worth a
check (see assessment), and what a disturbed neighbour hides is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from codekiln.core.task import Task
from codekiln.sandbox.types import Isolation
from codekiln.verify.checks import CheckLimits, Trial
from codekiln.verify.example_check import judge_examples
from codekiln.verify.expected_values import ExpectedValues, needs_candidate
from codekiln.verify.sandboxed_calls import Step, run_calls
from codekiln.verify.steps import example_sessions

# A process that a program kills is replaced so often; then the rest is passed over.
_MAX_PROCESSES = 4
# Processor seconds of one call, and of one process. A program that needs longer is passed over.
_CALL_S = 0.05
_PROCESS_S = 8.0
# As a name in the space of the programs; none that a model writes.
_SOURCES = "__codekiln_sources__"


def find_passing(codes: Sequence[str], task: Task, *, isolation: Isolation) -> tuple[int, ...]:
    """Places of the programs that give what the task's examples show.

    An expected value that only the program itself can make (`Point(1, 2)`) is not looked at. None
    when no example can be run. Python only. Raises SandboxError.
    """
    quick = replace(
        task,
        examples=tuple(
            replace(example, expected=None)
            if example.expected is not None and needs_candidate(example.expected)
            else example
            for example in task.examples
        ),
    )
    sessions = len(example_sessions(quick))
    if not quick.checks:
        return ()
    # Most programs fail the first example, and those that hang do so there.
    left = list(range(len(codes)))
    for first, last in ((0, 1), (1, sessions)):
        if left and first < last:
            kept = _passing([codes[place] for place in left], quick, first, last, isolation)
            left = [left[place] for place in kept]
    return tuple(left)


def _passing(
    codes: Sequence[str], task: Task, first: int, last: int, isolation: Isolation
) -> list[int]:
    """Places of the programs that pass the examples of the sessions from `first` to `last`."""
    sessions = example_sessions(task)[first:last]
    shown = {place for session in sessions for place in session.places}
    part = replace(task, examples=tuple(task.examples[place] for place in sorted(shown)))
    steps = [session.steps for session in example_sessions(part)]
    loads = [Step(source=f"exec({_SOURCES}[{place}], globals())") for place in range(len(codes))]
    calls = run_calls(
        f"{_SOURCES} = {list(codes)!r}\n",
        [[load, *session] for load in loads for session in steps],
        isolation,
        call_s=_CALL_S,
        cpu_s=_PROCESS_S,
        max_processes=_MAX_PROCESSES,
    )
    expected = ExpectedValues(isolation, CheckLimits().load_s)
    found = []
    for place, code in enumerate(codes):
        own = calls.steps[place * len(steps) : (place + 1) * len(steps)]
        if any(loading.outcome != "value" for loading, *_ in own):
            continue
        trial = Trial(code, part, isolation, CheckLimits(), expected)
        without_loading = replace(calls, steps=tuple(results[1:] for results in own))
        judgements = judge_examples(trial, without_loading).values()
        if all(judgement.run.passed for judgement in judgements):
            found.append(place)
    return found
