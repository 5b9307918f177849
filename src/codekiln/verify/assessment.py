"""Runs the checks on candidates, cheapest first, and sums up what they say.

Takes code (already extracted), the task and an Isolation; gives an Assessment. The first check
that fails ends a candidate's way. PASSED means that nothing failed and that a behavioural check
passed; otherwise the verdict is UNVERIFIED and the reports' details say why. Nothing of a
candidate runs in this process.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from codekiln.core.task import Task
from codekiln.core.verdict import Assessment, CheckReport, Finding, Verdict
from codekiln.languages import get_language
from codekiln.sandbox.types import Isolation
from codekiln.verify.checks import Check, CheckLimits, Trial
from codekiln.verify.compiler_check import CompilerCheck
from codekiln.verify.crash_check import CrashCheck
from codekiln.verify.example_check import ExampleCheck
from codekiln.verify.expected_values import ExpectedValues
from codekiln.verify.normal_form import normalise
from codekiln.verify.program_check import ProgramCheck
from codekiln.verify.size_check import SizeCheck
from codekiln.verify.syntax_check import SyntaxCheck

DEFAULT_CHECKS: tuple[Check, ...] = (
    SyntaxCheck(),
    CompilerCheck(),
    ExampleCheck(),
    ProgramCheck(),
    CrashCheck(),
    SizeCheck(),
)
# For a function of a larger answer: the sizes that the task names are those of the whole.
PART_CHECKS = DEFAULT_CHECKS[:-1]
WORKERS = 2


def assess(
    code: str,
    task: Task,
    *,
    isolation: Isolation,
    limits: CheckLimits | None = None,
    checks: Sequence[Check] = DEFAULT_CHECKS,
) -> Assessment:
    """All that the checks say about one candidate. Raises SandboxError."""
    limits = limits or CheckLimits()
    expected = ExpectedValues(isolation, limits.load_s)
    return _assess(code, task, isolation, limits, checks, expected)


def assess_many(
    codes: Sequence[str],
    task: Task,
    *,
    isolation: Isolation,
    limits: CheckLimits | None = None,
    checks: Sequence[Check] = DEFAULT_CHECKS,
    workers: int = WORKERS,
) -> tuple[Assessment, ...]:
    """Assessments parallel to `codes`; candidates of one normal form are assessed once.

    Lines in findings refer to the first candidate of that form. Raises SandboxError.
    """
    limits = limits or CheckLimits()
    expected = ExpectedValues(isolation, limits.load_s)
    forms = [normalise(code, task.language) for code in codes]
    first: dict[str, str] = {}
    for form, code in zip(forms, codes, strict=True):
        first.setdefault(form, code)
    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        futures = {
            form: pool.submit(_assess, code, task, isolation, limits, checks, expected)
            for form, code in first.items()
        }
        done = {form: future.result() for form, future in futures.items()}
    return tuple(done[form] for form in forms)


def _assess(
    code: str,
    task: Task,
    isolation: Isolation,
    limits: CheckLimits,
    checks: Sequence[Check],
    expected: ExpectedValues,
) -> Assessment:
    if not code.strip():
        return Assessment(Verdict.NO_CODE, (_no_code(),))
    trial = Trial(code, task, isolation, limits, expected)
    reports: list[CheckReport] = []
    verdict = Verdict.UNVERIFIED
    for check in sorted(checks, key=lambda check: check.cost):
        if not check.applies(task):
            continue
        report = check.run(trial)
        reports.append(report)
        if report.verdict not in (Verdict.PASSED, Verdict.UNVERIFIED):
            verdict = report.verdict
            break
        if report.behavioural and report.verdict is Verdict.PASSED:
            verdict = Verdict.PASSED
    if verdict is Verdict.UNVERIFIED and not any(report.detail for report in reports):
        reports.append(_nothing_ran(task))
    return Assessment(
        verdict,
        tuple(reports),
        trial.behaviour,
        crashes=trial.crashes,
        outputs=trial.outputs,
    )


def _no_code() -> CheckReport:
    message = "the completion contains no code"
    finding = Finding("extract", "error", message, rule="no-code")
    return CheckReport("extract", Verdict.NO_CODE, (finding,), detail=message)


def _nothing_ran(task: Task) -> CheckReport:
    language = get_language(task.language)
    why = (
        "the task gives no examples"
        if language.can_run
        else f"examples in {language.display_name} cannot be run yet"
    )
    return CheckReport("examples", Verdict.UNVERIFIED, detail=why)
