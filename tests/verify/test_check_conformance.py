"""What every check must keep to; a new check is added to DEFAULT_CHECKS and to no test."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest

from codekiln.core import Example, Task, Verdict
from codekiln.sandbox import Isolation
from codekiln.verify import DEFAULT_CHECKS, Check, CheckLimits, Trial
from codekiln.verify.expected_values import ExpectedValues

TASK = Task(
    "One more than there are. Must work for lists of 2,000 numbers.",
    entry_point="f",
    examples=(Example("", "f([1])", "2"), Example("f of two")),
)
CODES = {
    "right": "def f(x):\n    return len(x) + 1\n",
    "wrong": "def f(x):\n    return len(x)\n",
    "broken": "def f(x:\n",
    "crashing": "1 / 0\n",
    "hanging": "while True: pass\n",
    "leaving": "import os\nos._exit(0)\n",
    "undefined": "def f(x):\n    if x == [1]:\n        return 2\n    return y\n",
    "odd": "\udc80\0",
}
# A check of other languages than Python is held to one that every Debian has.
PERL = dataclasses.replace(TASK, language="perl")
PERL_ALONE = dataclasses.replace(PERL, examples=())
PERL_CODES = {
    "right": "sub f { my ($x) = @_; return scalar(@$x) + 1; }\n",
    "wrong": "sub f { my ($x) = @_; return scalar(@$x); }\n",
    "broken": "sub f { my ($x = @_;\n",
    "crashing": "die 'no';\n",
    "hanging": "while (1) {}\n",
    "leaving": "exit 0;\n",
    "undefined": "sub f { return g(1); }\n",
    "odd": "\udc80\0",
}


def case_of(check: Check, kind: str) -> tuple[str, Task]:
    """The code of a kind, and the task, in a language that the check is for."""
    other = {"programs": PERL, "compiler": PERL_ALONE}.get(check.name)
    return (PERL_CODES[kind], other) if other is not None else (CODES[kind], TASK)


def trial(code: str, isolation: Isolation, task: Task = TASK) -> Trial:
    limits = CheckLimits(call_s=0.3, load_s=0.3, varied_call_s=0.2, varied_inputs=8)
    return Trial(code, task, isolation, limits, ExpectedValues(isolation))


def test_names_are_unique_and_costs_ascend() -> None:
    assert len({check.name for check in DEFAULT_CHECKS}) == len(DEFAULT_CHECKS)
    assert all(one.cost < other.cost for one, other in pairwise(DEFAULT_CHECKS))


@pytest.mark.parametrize("check", DEFAULT_CHECKS, ids=lambda check: check.name)
@pytest.mark.parametrize("kind", CODES)
def test_a_report_is_consistent(
    check: Check, kind: str, bare: Isolation, sandbox: Isolation
) -> None:
    code, task = case_of(check, kind)
    # Programs have files, which only the real one lays out.
    report = check.run(trial(code, sandbox if task.language == "perl" else bare, task))
    failed = report.verdict not in (Verdict.PASSED, Verdict.UNVERIFIED)
    assert report.check == check.name
    assert any(finding.severity == "error" for finding in report.findings) == failed
    assert all(finding.check == check.name for finding in report.findings)
    assert report.verdict is not Verdict.UNVERIFIED or report.detail
    assert not report.behavioural or report.example_runs
    assert report.seconds >= 0
    for finding in report.findings:
        assert finding.message
        assert "\n" not in finding.message
        assert finding.span is None or finding.span.line >= 1
    if kind == "right":
        assert not failed


@pytest.mark.parametrize("check", DEFAULT_CHECKS, ids=lambda check: check.name)
def test_a_check_says_the_same_twice_and_leaves_the_task_alone(
    check: Check, bare: Isolation, sandbox: Isolation
) -> None:
    code, task = case_of(check, "wrong")
    isolation = sandbox if task.language == "perl" else bare
    reports = [
        dataclasses.replace(check.run(trial(code, isolation, task)), seconds=0.0) for _ in range(2)
    ]
    assert reports[0] == reports[1]


@pytest.mark.parametrize("check", DEFAULT_CHECKS, ids=lambda check: check.name)
def test_a_check_decides_by_the_task_whether_it_applies(check: Check) -> None:
    assert check.applies(case_of(check, "right")[1])
    empty = Task("Nothing to go by", language="rust")
    assert check.applies(empty) == (check.name in ("syntax", "compiler"))
