"""Does the candidate do what the task's examples show? The behavioural check.

Passes when every example that could be read as a check gave what it should. An example that
could be read but not be run makes the report UNVERIFIED; one that stayed text counts as not run
and no more.
"""

from __future__ import annotations

import sys
import time

from codekiln.core.task import Task
from codekiln.core.verdict import CheckReport, ExampleRun, Finding, Span, Verdict
from codekiln.verify.checks import Trial
from codekiln.verify.judgement import CHECK, Judgement, Outcome, judge, wanted
from codekiln.verify.sandboxed_calls import CallsResult, Raised, StepResult
from codekiln.verify.steps import example_sessions, in_class_style

_VERDICTS: dict[Outcome, Verdict] = {
    "wrong_output": Verdict.WRONG_OUTPUT,
    "runtime_error": Verdict.RUNTIME_ERROR,
    "timeout": Verdict.TIMEOUT,
    "out_of_memory": Verdict.OUT_OF_MEMORY,
}


class ExampleCheck:
    """Runs the examples in the sandbox and compares in this process."""

    name = CHECK
    cost = 20

    def applies(self, task: Task) -> bool:
        """Python tasks with an example or with a name to define; others cannot be run yet."""
        return task.language == "python" and (bool(task.examples) or bool(task.entry_point))

    def run(self, trial: Trial) -> CheckReport:
        """One run per example, one finding per example that did not pass."""
        started = time.monotonic()
        calls = trial.example_calls
        whole = _trouble_with_all(trial.task, calls)
        if whole is not None:
            judgements = _all_alike(trial.task, whole)
        else:
            judgements = judge_examples(trial, calls)
        in_order = [judgements[place] for place in sorted(judgements)]
        runs = tuple(judgement.run for judgement in in_order)
        findings = [judgement.finding for judgement in in_order if judgement.finding]
        if whole is not None:
            findings = [_whole_finding(whole)]
        failures = [run for run in runs if run.outcome in _VERDICTS]
        verdict, detail = _verdict(trial.task, runs, failures, whole)
        return CheckReport(
            check=self.name,
            verdict=verdict,
            findings=tuple(findings),
            example_runs=_with_unread(trial.task, judgements),
            isolation=calls.isolation,
            behavioural=any(run.outcome != "not_run" for run in runs),
            detail=detail,
            seconds=time.monotonic() - started,
        )


def judge_examples(trial: Trial, calls: CallsResult) -> dict[int, Judgement]:
    """Judgements by the example's place in the task; set-ups only when they fail."""
    judgements = {}
    for session, results in zip(example_sessions(trial.task), calls.steps, strict=False):
        for place, result in zip(session.places, results, strict=True):
            example = trial.task.examples[place]
            if not example.is_check and result.outcome == "value":
                continue
            expected = None
            if example.expected is not None and result.outcome == "value":
                expected = trial.expected.value_of(example.expected, trial.code)
            judgements[place] = judge(example, result, expected, trial.task)
    return judgements


def _trouble_with_all(task: Task, calls: CallsResult) -> StepResult | None:
    """Why no example can pass at all: the module does not load, or lacks what was asked for."""
    error = calls.load_error
    if error is not None:
        if error.kind == "OverTime":
            return StepResult("timeout", raised=error, why="loading the module takes too long")
        if error.kind == "MemoryError":
            return StepResult("out_of_memory", raised=error, why="loading needs too much memory")
        if error.kind == "ModuleNotFoundError" and _is_third_party(error.name):
            return StepResult(
                "not_run", raised=error, why=f"it needs the package {error.name!r}, not there"
            )
        return StepResult("raised", raised=error, why=f"loading the module fails: {error}")
    entry = task.entry_point.partition(".")[0]
    if not entry or entry in calls.defined or not calls.loaded:
        return None
    if in_class_style(task) and any(example.call for example in task.examples):
        return None
    public = [name for name in calls.defined if not name.startswith("_")]
    defines = ", ".join(f"`{name}`" for name in public[:5]) or "nothing"
    why = f"the answer defines {defines}, the task asks for `{entry}`"
    return StepResult("raised", raised=Raised(("NameError",), why, name=entry), why=why)


def _is_third_party(module: str) -> bool:
    top = module.partition(".")[0]
    return bool(top) and top not in sys.stdlib_module_names


def _all_alike(task: Task, trouble: StepResult) -> dict[int, Judgement]:
    outcome = _outcome(trouble)
    return {
        place: Judgement(
            ExampleRun(example.call or "", wanted(example), trouble.why, False, outcome)
        )
        for place, example in enumerate(task.examples)
        if example.is_check
    }


def _outcome(trouble: StepResult) -> Outcome:
    if trouble.outcome in ("timeout", "out_of_memory", "not_run"):
        return trouble.outcome
    return "runtime_error"


def _whole_finding(trouble: StepResult) -> Finding:
    line = trouble.raised.line if trouble.raised is not None else 0
    return Finding(
        check=CHECK,
        severity="note" if trouble.outcome == "not_run" else "error",
        message=trouble.why,
        rule=trouble.raised.kind if trouble.raised is not None else "",
        span=Span(line) if line else None,
    )


def _verdict(
    task: Task,
    runs: tuple[ExampleRun, ...],
    failures: list[ExampleRun],
    whole: StepResult | None,
) -> tuple[Verdict, str]:
    if whole is not None and whole.outcome != "not_run":
        return _VERDICTS[_outcome(whole)], whole.why
    if failures:
        return _VERDICTS[failures[0].outcome], f"{failures[0].call} did not pass"
    if whole is not None:
        return Verdict.UNVERIFIED, whole.why
    missing = [run for run in runs if run.outcome == "not_run"]
    if missing:
        return Verdict.UNVERIFIED, f"{missing[0].call} could not be checked: {missing[0].observed}"
    if not runs:
        return Verdict.UNVERIFIED, _why_no_runs(task)
    return Verdict.PASSED, ""


def _why_no_runs(task: Task) -> str:
    if not task.examples:
        return "the task gives no examples"
    return "no example could be read as a call with a result"


def _with_unread(task: Task, judgements: dict[int, Judgement]) -> tuple[ExampleRun, ...]:
    """All runs in the task's order, with the examples that stayed text as not run."""
    runs = {place: judgement.run for place, judgement in judgements.items()}
    for place, example in enumerate(task.examples):
        if example.call is None:
            why = example.why_not or "not a call"
            runs[place] = ExampleRun(example.text, "", why, False, "not_run")
    return tuple(runs[place] for place in sorted(runs))
