"""Finds an input on which two candidates give different values.

Takes two programs and the task; gives the call and both values as text, for a person or a model to
say which is right. Runs both in the sandbox on the task's varied inputs, the plainest first.
"""

from __future__ import annotations

from dataclasses import dataclass

from codekiln.core.task import Task
from codekiln.sandbox.types import Isolation
from codekiln.verify.sandboxed_calls import StepResult, run_calls
from codekiln.verify.values import canonical, one_line, show
from codekiln.verify.varied_inputs import varied_sessions

CALL_S = 0.5
INPUTS = 32
MAX_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Difference:
    """`call` gives `first` in the one program and `second` in the other."""

    call: str
    first: str
    second: str


def distinguish(first: str, second: str, task: Task, *, isolation: Isolation) -> Difference | None:
    """The shortest varied call on which both programs give values that differ; None for none.

    Only calls that stand alone are considered, since a person has to be able to judge them.
    Raises SandboxError.
    """
    sessions = [
        session for session in varied_sessions(task, INPUTS) if all(s.function for s in session)
    ]
    if not sessions:
        return None
    results = [
        run_calls(code, sessions, isolation, call_s=CALL_S, hash_seed=1).steps
        for code in (first, second)
    ]
    found = [
        Difference(one_line(step.text), _shown(mine), _shown(theirs))
        for session, *both in zip(sessions, *results, strict=True)
        for step, mine, theirs in zip(session, *both, strict=True)
        if mine.outcome == theirs.outcome == "value"
        and canonical(mine.value) != canonical(theirs.value)
    ]
    return min(found, key=lambda item: len(item.call), default=None)


def _shown(result: StepResult) -> str:
    return show(result.value, MAX_SHOWN)
