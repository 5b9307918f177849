"""Does an answer in another language than Python do what the examples show?

The examples are read in their neutral form, a driver calls the answer's functions in the sandbox,
and what comes back is compared here, structurally. Passes when every example that could be read as
a check gave what it should. In the same run it is called with inputs near the examples; what they
give makes the behaviour fingerprint.
"""

from __future__ import annotations

import contextlib
import time

from codekiln.core.files import sha256_text
from codekiln.core.task import Example, Task
from codekiln.core.verdict import CheckReport, ExampleRun, Finding, Severity, Verdict
from codekiln.languages.recipes import Recipe, recipe_languages, recipe_of
from codekiln.verify.absent_parts import absent_part
from codekiln.verify.checks import Trial
from codekiln.verify.judgement import Outcome, wanted
from codekiln.verify.programs.comparison import same
from codekiln.verify.programs.neutral import NeutralCall, neutral_call, neutral_value
from codekiln.verify.programs.runner import CaseResult, ProgramRun, build, run_cases
from codekiln.verify.programs.wire import NotNeutralError, Other
from codekiln.verify.toolchains import missing_tools, toolchain_folder
from codekiln.verify.values import canonical, one_line, show
from codekiln.verify.varied_inputs import varied_sessions

NAME = "programs"
TROUBLES = {
    "syntax": Verdict.SYNTAX_ERROR,
    "compile": Verdict.TYPE_ERROR,
    "load": Verdict.RUNTIME_ERROR,
    "limit": Verdict.TIMEOUT,
}
_KINDS: dict[str, Outcome] = {
    "timeout": "timeout",
    "out_of_memory": "out_of_memory",
    "died": "runtime_error",
    "raised": "runtime_error",
}
_VERDICTS: dict[Outcome, Verdict] = {
    "wrong_output": Verdict.WRONG_OUTPUT,
    "runtime_error": Verdict.RUNTIME_ERROR,
    "timeout": Verdict.TIMEOUT,
    "out_of_memory": Verdict.OUT_OF_MEMORY,
}


class ProgramCheck:
    """Builds the answer with its language's driver and runs the examples."""

    name = NAME
    cost = 21

    def applies(self, task: Task) -> bool:
        """Tasks in a language with a recipe; Python has a check of its own."""
        return task.language in recipe_languages() and bool(task.examples)

    def run(self, trial: Trial) -> CheckReport:
        """One run per example, one finding per example that did not pass. Raises SandboxError."""
        started = time.monotonic()
        recipe = recipe_of(trial.task.language)
        missing = missing_tools(recipe, trial.isolation)
        runs, ready = _readable(trial.task)
        program = ProgramRun(())
        varied: list[NeutralCall] = []
        if not missing and not ready and (trial.task.checks or not recipe.dialect):
            built = build(trial.code, recipe, trial.isolation, folder=toolchain_folder(recipe))
            # What fails as it is loaded may want input.
            program = built if built.trouble in ("syntax", "compile") else program
        elif not missing and ready:
            varied = _varied(trial.task, trial.limits.varied_inputs)
            program = run_cases(
                trial.code,
                [*(call for call, _, _ in ready.values()), *varied],
                recipe,
                trial.isolation,
                call_s=trial.limits.call_s,
                folder=toolchain_folder(recipe),
                needed=len(ready),
            )
        if absent := absent_part(program, recipe, trial.code):
            missing, program = absent, ProgramRun((), isolation=program.isolation)
        for place, case in zip(ready, program.cases, strict=False):
            _, expected, example = ready[place]
            runs[place] = _judged(example, case, expected, recipe)
        for place in ready if missing or program.trouble else ():
            example = ready[place][2]
            why = missing or program.why
            outcome: Outcome = "not_run" if missing else "runtime_error"
            runs[place] = ExampleRun(example.call or "", wanted(example), why, False, outcome)
        in_order = tuple(runs[place] for place in sorted(runs))
        # One that stayed text counts as not run and no more.
        asked = tuple(runs[place] for place in sorted(runs) if trial.task.examples[place].call)
        verdict, detail = _verdict(asked, program, missing)
        if verdict is Verdict.PASSED and all(
            one.raises is not None for _, _, one in ready.values()
        ):
            # A function that is not there, or takes other arguments, fails too.
            verdict, detail = Verdict.UNVERIFIED, "no example shows what it gives, only errors"
        if verdict is Verdict.PASSED and varied:
            trial.outputs = tuple(_look(case, recipe) for case in program.cases[len(ready) :])
            trial.behaviour = _short_hash("\0".join(trial.outputs))
        return CheckReport(
            check=self.name,
            verdict=verdict,
            findings=_findings(in_order, program),
            example_runs=in_order,
            isolation=program.isolation,
            behavioural=bool(program.cases),
            detail=detail,
            seconds=time.monotonic() - started,
        )


def failure_of(case: CaseResult) -> Verdict:
    """What a call that gave no value is called."""
    return _VERDICTS[_KINDS[case.kind]]


def result_of(case: CaseResult, recipe: Recipe) -> object:
    """What a call gave: what it printed, in a language where that is a result."""
    has_printed = recipe.prints and bool(case.printed.strip())
    if has_printed and (case.value is None or isinstance(case.value, bool)):
        return case.printed.removesuffix("\n")
    return case.value


def _readable(
    task: Task,
) -> tuple[dict[int, ExampleRun], dict[int, tuple[NeutralCall, object, Example]]]:
    """By the example's place: those that cannot be run with the reason, and the others' parts."""
    runs: dict[int, ExampleRun] = {}
    ready: dict[int, tuple[NeutralCall, object, Example]] = {}
    for place, example in enumerate(task.examples):
        if not example.is_check or example.call is None:
            why = example.why_not or "not a call"
            runs[place] = ExampleRun(example.text, "", why, False, "not_run")
            continue
        try:
            expected = None if example.expected is None else neutral_value(example.expected)
            ready[place] = (neutral_call(example.call), expected, example)
        except NotNeutralError as error:
            runs[place] = ExampleRun(example.call, wanted(example), str(error), False, "not_run")
    return runs, ready


def _varied(task: Task, count: int) -> list[NeutralCall]:
    """Calls near the examples: what they give tells candidates apart that pass them."""
    found = []
    for step in (step for session in varied_sessions(task, count) for step in session):
        if step.function and step.kwargs == "{}":
            with contextlib.suppress(NotNeutralError):
                found.append(neutral_call(step.text))
    return found


def _look(case: CaseResult, recipe: Recipe) -> str:
    """Equal for cases that did the same; what is no value stands behind a "!"."""
    if case.kind != "value":
        return f"!{case.kind}"
    value = result_of(case, recipe)
    return _short_hash(value.text if isinstance(value, Other) else canonical(value))


def _short_hash(text: str) -> str:
    return sha256_text(text)[:16]


def _judged(example: Example, case: CaseResult, expected: object, recipe: Recipe) -> ExampleRun:
    def told(outcome: Outcome, observed: str) -> ExampleRun:
        passed = outcome == "passed"
        return ExampleRun(example.call or "", wanted(example), observed, passed, outcome)

    value = result_of(case, recipe)
    has_raised = case.kind == "raised" or (recipe.failure and case.value is False)
    if has_raised and example.raises is not None:
        # What errors are called differs between languages.
        return told("passed", f"{case.name}: {case.why}")
    if case.kind != "value":
        said = f"{case.name}: {case.why}" if case.name else case.why
        return told(_KINDS[case.kind], said)
    observed = value.text if isinstance(value, Other) else show(value)
    if example.raises is not None:
        return told("wrong_output", f"{observed}, no error")
    if example.expected is not None and not same(value, expected, recipe.alike):
        return told("wrong_output", observed)
    if example.stdout is not None and _plain(case.printed) != _plain(example.stdout):
        return told("wrong_output", f"printed {show(case.printed)}")
    return told("passed", observed)


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n")).rstrip()


def _findings(runs: tuple[ExampleRun, ...], program: ProgramRun) -> tuple[Finding, ...]:
    if program.trouble:
        return (Finding(NAME, "error", one_line(program.why), rule=program.trouble),)
    found = []
    for run in runs:
        if run.outcome == "passed":
            continue
        told = f"gives {run.observed}, expected {run.expected}"
        if run.outcome == "not_run":
            told = f"could not be checked: {run.observed}"
        elif run.outcome != "wrong_output":
            told = f"fails: {run.observed}"
        severity: Severity = "note" if run.outcome == "not_run" else "error"
        found.append(Finding(NAME, severity, one_line(f"{run.call} {told}"), rule=run.outcome))
    return tuple(found)


def _verdict(
    runs: tuple[ExampleRun, ...], program: ProgramRun, missing: str
) -> tuple[Verdict, str]:
    if missing:
        return Verdict.UNVERIFIED, missing
    if program.trouble:
        return TROUBLES[program.trouble], program.why
    failures = [run for run in runs if run.outcome in _VERDICTS]
    if failures:
        return _VERDICTS[failures[0].outcome], f"{failures[0].call} did not pass"
    left = [run for run in runs if run.outcome == "not_run"]
    if left:
        return Verdict.UNVERIFIED, f"{left[0].call} could not be checked: {left[0].observed}"
    return (Verdict.PASSED, "") if runs else (Verdict.UNVERIFIED, "the task gives no examples")
