"""Checks run in order of cost, stop at the first failure, and never twice for one program."""

from __future__ import annotations

from dataclasses import replace

from codekiln.core import Example, Task, Verdict
from codekiln.sandbox import Isolation, Program, RunResult
from codekiln.verify import CheckLimits, assess, assess_many

TASK = Task(
    "Add one",
    entry_point="f",
    examples=(Example("", "f(1)", "2"), Example("", "f(2)", "Fraction(3, 1)")),
)
RIGHT = "def f(x):\n    y = x + 1\n    return y\n"


class Counting:
    """Passes programs on and counts them."""

    def __init__(self, inner: Isolation) -> None:
        self.level, self.name, self._inner, self.runs = inner.level, inner.name, inner, 0

    def run(self, program: Program) -> RunResult:
        self.runs += 1
        return self._inner.run(program)


def test_no_code_needs_no_sandbox(bare: Isolation) -> None:
    counting = Counting(bare)
    assessment = assess("  \n", TASK, isolation=counting)
    assert assessment.verdict is Verdict.NO_CODE
    assert assessment.findings[0].severity == "error"
    assert counting.runs == 0


def test_broken_syntax_needs_no_sandbox_and_ends_the_way(bare: Isolation) -> None:
    counting = Counting(bare)
    assessment = assess("def f(:\n", TASK, isolation=counting)
    assert assessment.verdict is Verdict.SYNTAX_ERROR
    assert [report.check for report in assessment.reports] == ["syntax"]
    assert assessment.findings[0].span is not None
    assert counting.runs == 0


def test_where_the_grammar_refuses_right_code_a_parse_error_is_only_told(bare: Isolation) -> None:
    # Right Groovy, of which the grammar knows no comparison.
    assessment = assess("def f(a, b) { return a < b }\n", Task("", "groovy"), isolation=bare)
    assert assessment.verdict is Verdict.UNVERIFIED
    assert {finding.severity for finding in assessment.findings} == {"note"}
    assert "may not parse" in assessment.reports[0].detail
    broken = assess("func f( {\n", Task("", "swift"), isolation=bare)
    assert broken.verdict is Verdict.SYNTAX_ERROR


def test_where_a_compiler_is_its_word_counts_and_not_the_grammars(sandbox: Isolation) -> None:
    # Right Perl, of which the grammar knows no format pictures.
    code = "our $x = 1;\nformat STDOUT =\n@<<<\n$x\n.\nsub f { return 1; }\n"
    task = Task("", "perl", (Example("", "f()", "1"),), entry_point="f")
    assert assess(code, task, isolation=sandbox).verdict is Verdict.PASSED
    for examples in (task.examples, (Example("f gives one"),), ()):
        asked = replace(task, examples=examples)
        broken = assess("sub f { return (1; }\n", asked, isolation=sandbox)
        assert broken.verdict is Verdict.SYNTAX_ERROR


def test_a_verified_answer_shows_every_check(sandbox: Isolation) -> None:
    assessment = assess(RIGHT, TASK, isolation=sandbox)
    assert assessment.verdict is Verdict.PASSED
    assert [report.check for report in assessment.reports] == ["syntax", "examples", "crash"]
    assert assessment.examples_passed == 2
    assert [run.call for run in assessment.example_runs] == ["f(1)", "f(2)"]
    assert all(str(int(sandbox.level)) in report.isolation for report in assessment.reports)
    assert assessment.behaviour


def test_a_wrong_answer_costs_one_process_and_a_right_one_two(bare: Isolation) -> None:
    task = Task("Add one", entry_point="f", examples=(Example("", "f(1)", "2"),))
    counting = Counting(bare)
    assess("def f(x): return x\n", task, isolation=counting)
    assert counting.runs == 1
    assess(RIGHT, task, isolation=counting)
    assert counting.runs == 3


def test_many_candidates_keep_their_order_and_duplicates_are_run_once(bare: Isolation) -> None:
    counting = Counting(bare)
    same = RIGHT.replace("y", "total") + "# the same\n"
    codes = [RIGHT, "def f(x): return x\n", same, "", "def f(:", RIGHT]
    assessments = assess_many(codes, TASK, isolation=counting)
    assert [a.verdict.value for a in assessments] == [
        "passed",
        "wrong_output",
        "passed",
        "no_code",
        "syntax_error",
        "passed",
    ]
    assert assessments[0] is assessments[2] is assessments[5]
    # Two for the right one, one for the wrong one, and the expected value (twice at most,
    # when both threads ask for it at once).
    assert counting.runs in (4, 5)


def test_many_and_one_agree(bare: Isolation) -> None:
    one = assess(RIGHT, TASK, isolation=bare)
    (many,) = assess_many([RIGHT], TASK, isolation=bare)
    assert (one.verdict, one.behaviour, one.example_runs) == (
        many.verdict,
        many.behaviour,
        many.example_runs,
    )


def test_nothing_is_asked_of_an_empty_list(bare: Isolation) -> None:
    assert assess_many([], TASK, isolation=bare, limits=CheckLimits()) == ()
