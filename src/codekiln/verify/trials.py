"""Which of many programs pass the examples? A quick look at thousands, before any is checked.

Programs are loaded one after the other by the same sandboxed process, a hundred times as fast as
a process for each. They could disturb one another there, so that what passes is only worth a
check (see assessment), and what a disturbed neighbour hides is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from codekiln.core.task import Task
from codekiln.sandbox.types import Isolation
from codekiln.verify.checks import CheckLimits, Trial
from codekiln.verify.example_check import judge_examples
from codekiln.verify.expected_values import ExpectedValues
from codekiln.verify.sandboxed_calls import CallsResult, Step, StepResult, run_calls
from codekiln.verify.steps import example_sessions

# A process that a program kills is replaced so often; then the rest is passed over.
_MAX_PROCESSES = 12
# Processor seconds of one call, and of all. A program that needs longer is passed over.
_CALL_S = 0.05
_PROCESS_S = 20.0
# As a name in the space of the programs; none that a model writes.
_SOURCES = "__codekiln_sources__"


@dataclass(frozen=True, slots=True)
class Passing:
    """Places of the programs that pass, in order, and the processor seconds it took."""

    places: tuple[int, ...]
    cpu_s: float = 0.0


def find_passing(codes: Sequence[str], task: Task, *, isolation: Isolation) -> Passing:
    """The programs that give what all examples of the task show; best with a hundred at a time.

    None when no example can be run. Python only. Raises SandboxError.
    """
    sessions = [session.steps for session in example_sessions(task)]
    if not sessions or not codes:
        return Passing(())
    loads = [Step(source=f"exec({_SOURCES}[{place}], globals())") for place in range(len(codes))]
    calls = run_calls(
        f"{_SOURCES} = {list(codes)!r}\n",
        [[load, *session] for load in loads for session in sessions],
        isolation,
        call_s=_CALL_S,
        cpu_s=_PROCESS_S,
        max_processes=_MAX_PROCESSES,
    )
    expected = ExpectedValues(isolation, CheckLimits().load_s)
    found = []
    for place, code in enumerate(codes):
        own = calls.steps[place * len(sessions) : (place + 1) * len(sessions)]
        if _passes(Trial(code, task, isolation, CheckLimits(), expected), calls, own):
            found.append(place)
    return Passing(tuple(found), calls.cpu_s)


def _passes(trial: Trial, calls: CallsResult, sessions: Sequence[tuple[StepResult, ...]]) -> bool:
    if any(loading.outcome != "value" for loading, *_ in sessions):
        return False
    without_loading = replace(calls, steps=tuple(steps[1:] for steps in sessions))
    judgements = judge_examples(trial, without_loading).values()
    return bool(judgements) and all(judgement.run.passed for judgement in judgements)
