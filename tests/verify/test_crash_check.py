"""Varied inputs tell behaviours apart, warn of crashes, and fail only what is surely wrong."""

from __future__ import annotations

import dataclasses

import pytest

from codekiln.core import Assessment, Example, Task, Verdict
from codekiln.sandbox import Isolation
from codekiln.verify import CheckLimits, assess
from codekiln.verify.crash_check import forbids_changes

TASK = Task(
    "The largest number of a list",
    entry_point="top",
    examples=(Example("", "top([3, 1, 2])", "3"), Example("", "top([-5, -2])", "-2")),
)


def run(code: str, isolation: Isolation, task: Task = TASK) -> Assessment:
    limits = CheckLimits(call_s=0.5, varied_call_s=0.3, varied_inputs=24)
    return assess(code, task, isolation=isolation, limits=limits)


def rules(assessment: Assessment) -> set[str]:
    return {finding.rule for finding in assessment.findings}


def test_equal_behaviour_has_an_equal_fingerprint_and_another_has_not(sandbox: Isolation) -> None:
    builtin = run("def top(xs):\n    return max(xs)\n", sandbox)
    by_hand = run(
        "def top(xs):\n    if not xs:\n        raise ValueError('empty')\n"
        "    best = xs[0]\n    for x in xs:\n        best = x if x > best else best\n"
        "    return best\n",
        sandbox,
    )
    starting_low = run(
        "def top(xs):\n    best = -5\n    for x in xs:\n        best = max(best, x)\n"
        "    return best\n",
        sandbox,
    )
    assert {a.verdict for a in (builtin, by_hand, starting_low)} == {Verdict.PASSED}
    assert builtin.behaviour == by_hand.behaviour != ""
    assert starting_low.behaviour != builtin.behaviour


def test_a_crash_on_a_varied_input_is_a_counted_warning(bare: Isolation) -> None:
    assessment = run("def top(xs):\n    return sorted(xs)[-1]\n", bare)
    assert assessment.verdict is Verdict.PASSED
    assert assessment.crashes > 0
    warning = next(f for f in assessment.findings if f.rule == "IndexError")
    assert warning.severity == "warning"
    assert "top([])" in warning.message
    assert warning.span is not None
    assert warning.span.line == 2


def test_a_deliberate_exception_is_no_crash(bare: Isolation) -> None:
    code = "def top(xs):\n    if not xs:\n        raise IndexError('empty')\n    return max(xs)\n"
    assessment = run(code, bare)
    assert assessment.crashes == 0
    assert not assessment.findings


def test_a_name_defined_nowhere_fails_the_candidate(bare: Isolation) -> None:
    code = "def top(xs):\n    if not xs:\n        return -math.inf\n    return max(xs)\n"
    assessment = run(code, bare)
    assert assessment.verdict is Verdict.RUNTIME_ERROR
    assert "undefined-name" in rules(assessment)


def test_a_global_that_is_set_elsewhere_is_no_error(bare: Isolation) -> None:
    code = (
        "def reset():\n    global floor\n    floor = 0\n"
        "def top(xs):\n    return max(xs) if xs else floor\n"
    )
    assessment = run(code, bare)
    assert assessment.verdict is Verdict.PASSED
    assert "NameError" in rules(assessment)


def test_nothing_is_fingerprinted_when_the_module_does_not_load(bare: Isolation) -> None:
    assessment = run("import surely_not_there\ndef top(xs): return max(xs)\n", bare)
    assert assessment.verdict is Verdict.UNVERIFIED
    assert assessment.behaviour == ""


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("while True: pass", "timeout"),
        ("import os; os.kill(os.getpid(), 11)", "died"),
        ("return top(xs)", "RecursionError"),
        ("return None.real", "AttributeError"),
    ],
)
def test_hangs_and_deaths_on_varied_inputs_are_warnings(
    body: str, rule: str, isolation: Isolation
) -> None:
    code = f"def top(xs):\n    if not xs:\n        {body}\n    return max(xs)\n"
    assessment = run(code, isolation)
    assert assessment.verdict is Verdict.PASSED
    assert rule in rules(assessment)
    assert assessment.crashes >= 1
    assert assessment.behaviour


def test_a_result_that_depends_on_the_order_of_a_set_fails(bare: Isolation) -> None:
    words = [f"w{number}" for number in range(20)]
    code = f"def pick():\n    return next(iter(set({words!r})))\ndef size(n):\n    return n\n"
    import os
    import subprocess
    import sys

    lucky = subprocess.run(
        [sys.executable, "-c", f"print(next(iter(set({words!r}))))"],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    task = Task(
        "Pick",
        examples=(Example("", "pick()", repr(lucky)), Example("", "size(1)", "1", session=0)),
    )
    assessment = run(code, bare, task)
    assert assessment.verdict is Verdict.WRONG_OUTPUT
    assert "unstable" in rules(assessment)


def test_state_kept_between_calls_is_a_warning(bare: Isolation) -> None:
    code = "def top(xs, seen=[]):\n    seen.extend(xs)\n    return max(seen)\n"
    assessment = run(code, bare)
    assert "kept-state" in rules(assessment)
    assert assessment.verdict is Verdict.PASSED


def test_in_place_functions_are_fingerprinted_by_their_arguments(bare: Isolation) -> None:
    task = Task("Sort in place", examples=(Example("", "order([2, 1])", "None"),))
    up = run("def order(xs):\n    xs.sort()\n", bare, task)
    same = run("def order(xs):\n    xs[:] = sorted(xs)\n", bare, task)
    down = run("def order(xs):\n    xs.sort(reverse=True)\n", bare, task)
    assert up.behaviour == same.behaviour
    assert up.behaviour != down.behaviour


def test_printed_text_counts_where_the_examples_print(bare: Isolation) -> None:
    task = Task("Show", examples=(Example("", "say(1)", stdout="1"),))
    one = run("def say(n):\n    print(n)\n", bare, task)
    other = run("def say(n):\n    print(abs(n))\n", bare, task)
    assert one.verdict is other.verdict is Verdict.PASSED
    assert one.behaviour != other.behaviour


def test_classes_are_varied_by_session(bare: Isolation) -> None:
    calls = (("push(1)", "None"), ("push(2)", "None"), ("pop()", "2"))
    task = Task("A stack", examples=tuple(Example("", c, e, session=1) for c, e in calls))
    stack = (
        "class S:\n    def __init__(self): self.d = []\n    def push(self, x): self.d.append(x)\n"
    )
    last = run(stack + "    def pop(self): return self.d.pop()\n", bare, task)
    same = run(stack + "    def pop(self):\n        return self.d.pop(-1)\n", bare, task)
    most = run(
        stack + "    def pop(self):\n        self.d.sort()\n        return self.d.pop()\n",
        bare,
        task,
    )
    assert {a.verdict for a in (last, same, most)} == {Verdict.PASSED}
    assert last.behaviour == same.behaviour != most.behaviour


SORTS_ITS_ARGUMENT = "def top(xs):\n    xs.sort()\n    return xs[-1]\n"
SORTS_A_COPY = "def top(xs):\n    xs = sorted(xs)\n    return xs[-1] if xs else None\n"


@pytest.mark.parametrize(
    "words",
    [
        "The list that is passed in must not be changed.",
        "Don't modify the input",
        "Leave the argument unchanged",
        "不要修改输入列表",
    ],
)
def test_a_changed_argument_fails_where_the_task_forbids_it(words: str, sandbox: Isolation) -> None:
    task = dataclasses.replace(TASK, constraints=(words,))
    guilty = run(SORTS_ITS_ARGUMENT, sandbox, task)
    assert guilty.verdict is Verdict.WRONG_OUTPUT
    assert "which the task forbids" in " ".join(f.message for f in guilty.findings)
    assert run(SORTS_A_COPY, sandbox, task).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "words", ["", "Do not change the order of equal elements", "The input is not empty"]
)
def test_a_changed_argument_is_a_warning_where_nothing_is_said(
    words: str, sandbox: Isolation
) -> None:
    task = dataclasses.replace(TASK, constraints=(words,))
    result = run(SORTS_ITS_ARGUMENT, sandbox, task)
    assert result.verdict is Verdict.PASSED
    assert "changed-argument" in rules(result)


def test_a_function_that_works_in_place_does_what_it_is_for(sandbox: Isolation) -> None:
    task = Task("Sort in place", examples=(Example("", "tidy([2, 1])", "None"),))
    result = run("def tidy(xs):\n    xs.sort()\n", sandbox, task)
    assert result.verdict is Verdict.PASSED
    assert "changed-argument" not in rules(result)


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("The list that is passed in must not be changed.", True),
        ("Do not modify the input.", True),
        ("Return a new list without changing the original list.", True),
        ("Leave the argument unchanged.", True),
        ("不要修改输入的列表。", True),
        ("Do not modify the given list in place.", True),
        ("Be careful not to change the input.", True),
        (
            "Given coins, return the fewest needed to make change, or -1 if it is not possible.",
            False,
        ),
        (
            "Given a list, move all zeros to its end without changing the order of the others.",
            False,
        ),
        ("Sort the given list in place. Do not change the input's length.", False),
    ],
)
def test_only_a_task_that_says_so_forbids_changing_arguments(text: str, forbidden: bool) -> None:
    assert forbids_changes(Task(text)) is forbidden


def test_classes_with_methods_of_several_functions_are_told_apart(sandbox: Isolation) -> None:
    task = Task(
        "Write area and perimeter as methods of one class",
        entry_point="area",
        examples=(Example("", "area(2, 3)", "6"), Example("", "perimeter(2, 3)", "10")),
    )
    bodies = [("w * h", "2 * (w + h)"), ("6", "10")]
    classes = [
        f"class Shape:\n    def area(self, w, h):\n        return {area}\n"
        f"    def perimeter(self, w, h):\n        return {perimeter}\n"
        for area, perimeter in bodies
    ]
    functions = (
        "def area(w, h):\n    return w * h\n\ndef perimeter(w, h):\n    return 2 * (w + h)\n"
    )
    right, constant, plain = (run(code, sandbox, task) for code in (*classes, functions))
    assert right.verdict is constant.verdict is Verdict.PASSED
    assert right.behaviour != constant.behaviour
    assert right.behaviour == plain.behaviour
