"""What checks say: findings, verdicts, and the evidence behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """The one-word result for a candidate, worst news first."""

    NO_CODE = "no_code"
    SYNTAX_ERROR = "syntax_error"
    TYPE_ERROR = "type_error"
    RUNTIME_ERROR = "runtime_error"
    WRONG_OUTPUT = "wrong_output"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out_of_memory"
    INSECURE = "insecure"
    UNVERIFIED = "unverified"
    PASSED = "passed"


Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Span:
    """A place in the candidate's code: 1-based lines, 0-based columns, end exclusive."""

    line: int
    column: int = 0
    end_line: int = 0
    end_column: int = 0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a check has to say about a candidate. Only an error can fail it."""

    check: str
    severity: Severity
    message: str
    rule: str = ""
    span: Span | None = None
    suggested_fix: str = ""


@dataclass(frozen=True, slots=True)
class ExampleRun:
    """What happened when one example ran.

    `observed` and `expected` are shown to people and to the repair prompt; they are not
    compared again.
    """

    call: str
    expected: str
    observed: str
    passed: bool
    outcome: Literal[
        "passed", "wrong_output", "runtime_error", "timeout", "out_of_memory", "not_run"
    ]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What one check found. `verdict` is PASSED, UNVERIFIED (not applicable) or the failure."""

    check: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    example_runs: tuple[ExampleRun, ...] = ()
    isolation: str = ""
    behavioural: bool = False
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that is known about one candidate after its checks.

    `behaviour` is a fingerprint of the outputs on varied inputs (empty when none ran); equal
    fingerprints mean equal outputs. `outputs` has one fingerprint per varied input, in the same
    order for every candidate of a task; those that begin with "!" are no values. `deciding` has the
    same for inputs on which candidates that pass were told apart; empty where there was no need.
    """

    verdict: Verdict
    reports: tuple[CheckReport, ...] = ()
    behaviour: str = ""
    crashes: int = field(default=0, kw_only=True)
    outputs: tuple[str, ...] = field(default=(), kw_only=True)
    deciding: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding, in the order of the checks."""
        return tuple(finding for report in self.reports for finding in report.findings)

    @property
    def example_runs(self) -> tuple[ExampleRun, ...]:
        """Every example that was run (or could not be), in the task's order."""
        return tuple(run for report in self.reports for run in report.example_runs)

    @property
    def examples_passed(self) -> int:
        """How many examples gave what they should."""
        return sum(run.passed for run in self.example_runs)
