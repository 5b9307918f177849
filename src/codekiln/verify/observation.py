"""Looks at one failing example once more: with which variables does the call end?

Takes a candidate and its assessment; gives a line of text for the repair prompt, empty when there
is nothing to see. Runs the candidate in the sandbox, watched.
"""

from __future__ import annotations

from codekiln.core.task import Task
from codekiln.core.verdict import Assessment
from codekiln.sandbox.types import Isolation
from codekiln.verify.sandboxed_calls import Watched, run_calls
from codekiln.verify.steps import example_sessions

CALL_S = 2.0


def observe_failure(code: str, task: Task, assessment: Assessment, *, isolation: Isolation) -> str:
    """Where the first failing example of `assessment` ends and with what. Raises SandboxError."""
    failing = next(
        (run.call for run in assessment.example_runs if run.outcome in _OBSERVABLE), None
    )
    if failing is None or task.language != "python":
        return ""
    for session in example_sessions(task):
        for place, number in enumerate(session.places):
            if task.examples[number].call == failing:
                steps = session.steps[: place + 1]
                calls = run_calls(code, [steps], isolation, call_s=CALL_S, watch=True)
                watched = calls.steps[0][-1].watched
                return _sentence(watched, code) if watched is not None else ""
    return ""


_OBSERVABLE = ("wrong_output", "runtime_error")


def _sentence(watched: Watched, code: str) -> str:
    if not watched.variables or not watched.function:
        return ""
    lines = code.splitlines()
    text = lines[watched.line - 1].strip() if 0 < watched.line <= len(lines) else ""
    values = ", ".join(f"{name} = {value}" for name, value in watched.variables)
    where = f"line {watched.line} (`{text}`)" if text else f"line {watched.line}"
    return f"At {where} of `{watched.function}`: {values}."
