"""What examples mean: sessions, classes, exceptions, printed text, names, limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from codekiln.core import Assessment, Example, Task, Verdict
from codekiln.sandbox import Isolation
from codekiln.verify import CheckLimits, assess

QUICK = CheckLimits(call_s=0.5, load_s=1.0, varied_inputs=0)


def ex(call: str, expected: str | None = None, session: int = 0, **more: str) -> Example:
    return Example("", call, expected, session=session, **more)


def task(*examples: Example, **fields: str) -> Task:
    return replace(Task("Do it", examples=examples), **fields)  # type: ignore[arg-type]


def run(code: str, asked: Task, isolation: Isolation) -> Assessment:
    return assess(code, asked, isolation=isolation, limits=QUICK)


def outcomes(assessment: Assessment) -> list[str]:
    return [item.outcome for item in assessment.example_runs]


def test_each_example_of_session_0_meets_fresh_state(bare: Isolation) -> None:
    code = "n = 0\ndef step():\n    global n\n    n += 1\n    return n\n"
    assert run(code, task(ex("step()", "1"), ex("step()", "1")), bare).verdict is Verdict.PASSED
    shared = task(ex("step()", "1", 1), ex("step()", "2", 1), ex("step()", "1", 2))
    assert run(code, shared, bare).verdict is Verdict.PASSED


STORE = (
    "class Store:\n    def __init__(self): self.d = {}\n    def __len__(self): return len(self.d)\n"
    "    def put(self, k, v): self.d[k] = v\n    def get(self, k): return self.d.get(k, -1)\n"
)
CALLS = (ex('put("a", 1)', "None", 1), ex('get("a")', "1", 1), ex('get("b")', "-1", 1))


def test_bare_method_calls_of_a_session_run_on_one_instance(bare: Isolation) -> None:
    assert run(STORE, task(*CALLS), bare).verdict is Verdict.PASSED
    assert run(STORE.replace("-1", "0"), task(*CALLS), bare).verdict is Verdict.WRONG_OUTPUT


def test_a_constructor_call_opens_the_session(bare: Isolation) -> None:
    code = STORE.replace("__init__(self)", "__init__(self, size)")
    with_size = task(ex("Store(2)", None, 1), *CALLS, entry_point="Store")
    assert run(code, with_size, bare).verdict is Verdict.PASSED
    named = task(
        ex("s = Store(2)", None, 1), ex("s.put('a', 1)", "None", 1), ex("s.d", "{'a': 1}", 1)
    )
    assert run(code, named, bare).verdict is Verdict.PASSED


def test_missing_constructor_arguments_leave_the_answer_unverified(bare: Isolation) -> None:
    assessment = run(STORE.replace("__init__(self)", "__init__(self, size)"), task(*CALLS), bare)
    assert assessment.verdict is Verdict.UNVERIFIED
    assert outcomes(assessment) == ["not_run"] * 3
    assert "needs arguments" in assessment.reports[1].detail


def test_a_method_is_no_substitute_for_the_function_that_was_asked_for(bare: Isolation) -> None:
    code = "class Solution:\n    def f(self, x): return x\n"
    assessment = run(code, task(ex("f(1)", "1"), entry_point="f"), bare)
    assert assessment.verdict is Verdict.RUNTIME_ERROR


def test_a_missing_entry_point_is_named_with_what_is_there(bare: Isolation) -> None:
    assessment = run("def foo(x): return x\n", task(ex("bar(1)", "1"), entry_point="bar"), bare)
    assert assessment.verdict is Verdict.RUNTIME_ERROR
    assert [f.message for f in assessment.findings] == [
        "the answer defines `foo`, the task asks for `bar`"
    ]
    assert outcomes(assessment) == ["runtime_error"]


def test_exceptions_match_by_name_and_base(bare: Isolation) -> None:
    code = "def f(x):\n    if x < 0:\n        raise KeyError('no')\n    return x\n"
    assert run(code, task(ex("f(-1)", raises="LookupError")), bare).verdict is Verdict.PASSED
    other = run(code, task(ex("f(-1)", raises="ValueError")), bare)
    assert other.verdict is Verdict.RUNTIME_ERROR
    assert other.findings[0].span is not None
    assert other.findings[0].span.line == 3
    none = run(code, task(ex("f(1)", raises="ValueError")), bare)
    assert none.verdict is Verdict.WRONG_OUTPUT


def test_printed_text_is_compared_without_trailing_blanks(bare: Isolation) -> None:
    code = "import sys\ndef f():\n    print('a ')\n    sys.stdout.write('b')\n    print()\n"
    assert run(code, task(ex("f()", stdout="a\nb\n")), bare).verdict is Verdict.PASSED
    wrong = run(code, task(ex("f()", stdout="a\nc")), bare)
    assert wrong.verdict is Verdict.WRONG_OUTPUT
    silent = run("def f(): return 'a'\n", task(ex("f()", stdout="a")), bare)
    assert "prints nothing" in silent.findings[0].message


def test_coroutines_are_awaited(bare: Isolation) -> None:
    code = "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x\n"
    assert run(code, task(ex("f(3)", "3")), bare).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "description", ["Write f(n). f(3) yields [0, 1, 2]", "Write a number generator f(n)"]
)
def test_words_that_only_sound_like_a_generator_ask_for_none(
    bare: Isolation, description: str
) -> None:
    asked = task(ex("f(3)", "[0, 1, 2]"), description=description)
    assert (
        run("def f(n):\n    return iter(range(n))\n", asked, bare).verdict is Verdict.WRONG_OUTPUT
    )


def test_a_generator_is_no_list_unless_one_was_asked_for(bare: Isolation) -> None:
    code = "def f(n):\n    for i in range(n):\n        yield i\n"
    plain = run(code, task(ex("f(3)", "[0, 1, 2]")), bare)
    assert plain.verdict is Verdict.WRONG_OUTPUT
    assert "iterator" in plain.findings[0].message
    asked = task(ex("f(3)", "[0, 1, 2]"), description="Write a generator of numbers below n")
    assert run(code, asked, bare).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("float('inf')", "float('inf')"),
        ("{3, 1}", "{1, 2} ^ {2, 3}"),
        ("__import__('datetime').date(2020, 1, 2)", "date(2020, 1, 2)"),
        ("__import__('collections').Counter('aab')", "Counter('aab')"),
        ("set()", "set()"),
        ("(1, 2)", "1, 2"),
        ("3", "3.0"),
        ("0.1 + 0.2", "0.3"),
        ("Point(1, [2])", "Point(1, [2])"),
        ("Colour.RED", "Colour.RED"),
    ],
)
def test_expected_expressions_are_evaluated(result: str, expected: str, bare: Isolation) -> None:
    code = (
        "import enum\nclass Colour(enum.Enum):\n    RED = 1\n    BLUE = 2\n"
        "class Point:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n"
        f"def f():\n    return {result}\n"
    )
    assert run(code, task(ex("f()", expected)), bare).verdict is Verdict.PASSED
    wrong = code + "_f = f\ndef f():\n    return [_f()]\n"
    assert run(wrong, task(ex("f()", expected)), bare).verdict is Verdict.WRONG_OUTPUT


def test_only_the_call_that_hangs_is_a_timeout(isolation: Isolation) -> None:
    code = "def f(x):\n    while x == 1:\n        pass\n    return x\n"
    assessment = run(code, task(ex("f(0)", "0"), ex("f(1)", "1"), ex("f(2)", "2")), isolation)
    assert assessment.verdict is Verdict.TIMEOUT
    assert outcomes(assessment) == ["passed", "timeout", "passed"]


def test_a_call_that_kills_the_process_does_not_hide_the_others(isolation: Isolation) -> None:
    code = "import os\ndef f(x):\n    if x == 1:\n        os._exit(0)\n    return x\n"
    assessment = run(code, task(ex("f(0)", "0"), ex("f(1)", "1"), ex("f(2)", "2")), isolation)
    assert assessment.verdict is Verdict.RUNTIME_ERROR
    assert outcomes(assessment) == ["passed", "runtime_error", "passed"]
    assert "ended itself" in assessment.findings[0].message


def test_memory_beyond_the_limit_is_said(isolation: Isolation) -> None:
    code = "def f(x):\n    data = [bytearray(1 << 26) for _ in range(1 << 10)]\n    return x\n"
    # Time enough to fill the memory on a busy machine, or the call ends as a time-out.
    patient = CheckLimits(call_s=10.0, varied_inputs=0)
    assessment = assess(code, task(ex("f(0)", "0")), isolation=isolation, limits=patient)
    assert assessment.verdict is Verdict.OUT_OF_MEMORY


def test_a_timer_that_fires_again_while_a_timeout_is_handled_changes_nothing(
    bare: Isolation,
) -> None:
    # As when freeing what the call held takes longer than the timer's next tick.
    code = """
import signal, sys
def f(x):
    def fire(frame, event, arg):
        if frame.f_code.co_name == "_timer":
            sys.setprofile(None)
            signal.raise_signal(signal.SIGPROF)
    sys.setprofile(fire)
    while True:
        pass
"""
    assessment = run(code, task(ex("f(0)", "0")), bare)
    assert assessment.verdict is Verdict.TIMEOUT


def test_endless_recursion_is_a_runtime_error(bare: Isolation) -> None:
    assessment = run("def f(x):\n    return f(x)\n", task(ex("f(0)", "0")), bare)
    assert assessment.verdict is Verdict.RUNTIME_ERROR
    assert "RecursionError" in assessment.findings[0].message


def test_messages_are_one_line_without_control_characters(bare: Isolation) -> None:
    code = "def f():\n    raise ValueError('a\\nb\\x1b[31m')\n"
    assessment = run(code, task(ex("f()", "1")), bare)
    texts = [finding.message for finding in assessment.findings]
    texts += [item.observed for item in assessment.example_runs]
    assert all(text.isprintable() for text in texts)
    assert "ValueError: a b" in texts[0]


def test_a_missing_package_leaves_the_answer_unverified(bare: Isolation) -> None:
    asked = task(ex("f()", "1"))
    absent = run("import surely_not_there\ndef f(): return 1\n", asked, bare)
    assert absent.verdict is Verdict.UNVERIFIED
    assert "surely_not_there" in absent.reports[1].detail
    assert run("import os.nothing\ndef f(): return 1\n", asked, bare).verdict is (
        Verdict.RUNTIME_ERROR
    )


@pytest.mark.parametrize(
    "code",
    [
        "def f(:\n",
        "return 1\n",
        "def f():\n    x = 1\n    nonlocal x\n",
        "x = 1\n  y = 2\n",
        "f(\0)",
    ],
)
def test_what_does_not_compile_is_a_syntax_error(code: str, bare: Isolation) -> None:
    assessment = run(code, task(ex("f()", "1")), bare)
    assert assessment.verdict is Verdict.SYNTAX_ERROR
    assert [report.check for report in assessment.reports] == ["syntax"]


@pytest.mark.parametrize(
    "code", ["x = " + "(" * 300 + ")" * 300, "x = " + "-" * 200_000 + "1", "a = 1\n" * 60_000]
)
def test_sources_beyond_the_guards_are_left_to_the_sandbox(code: str, bare: Isolation) -> None:
    verdict = run(code, task(ex("x", "1")), bare).verdict
    assert verdict in (Verdict.SYNTAX_ERROR, Verdict.RUNTIME_ERROR)


def test_examples_that_stayed_text_do_not_fail_and_do_not_verify(bare: Isolation) -> None:
    text = Example("a picture of it", why_not="not a call")
    code = "def f(x): return x\n"
    only_text = run(code, task(text), bare)
    assert only_text.verdict is Verdict.UNVERIFIED
    assert outcomes(only_text) == ["not_run"]
    both = run(code, task(text, ex("f(1)", "1")), bare)
    assert both.verdict is Verdict.PASSED
    assert outcomes(both) == ["not_run", "passed"]


def test_no_examples_means_unverified_with_the_reason(bare: Isolation) -> None:
    assessment = run("def f(x): return x\n", task(), bare)
    assert assessment.verdict is Verdict.UNVERIFIED
    assert "no examples" in assessment.reports[-1].detail


def test_without_examples_the_entry_point_must_still_be_there(bare: Isolation) -> None:
    code = "def f(x): return x\n"
    assert run(code, task(entry_point="f"), bare).verdict is Verdict.UNVERIFIED
    assert run(code, task(entry_point="g"), bare).verdict is Verdict.RUNTIME_ERROR
    assert run("1 / 0\n" + code, task(entry_point="f"), bare).verdict is Verdict.RUNTIME_ERROR
    leaves = run("import os\nos._exit(0)\n" + code, task(entry_point="f"), bare)
    assert leaves.verdict is Verdict.RUNTIME_ERROR


def test_a_script_without_examples_is_compiled_but_not_run(bare: Isolation) -> None:
    assert run("while True:\n    pass\n", task(), bare).verdict is Verdict.UNVERIFIED
    assert run("return 1\n", task(), bare).verdict is Verdict.SYNTAX_ERROR


def test_other_languages_are_parsed_and_stay_unverified(bare: Isolation) -> None:
    solidity = task(ex("f(1)", "1"), language="solidity")
    fine = run(
        "contract C { function f(int x) public pure returns (int) { return x; } }\n", solidity, bare
    )
    assert fine.verdict is Verdict.UNVERIFIED
    assert "Solidity" in fine.reports[-1].detail
    assert run("contract C { function f(int x }\n", solidity, bare).verdict is Verdict.SYNTAX_ERROR


def test_a_method_may_have_the_name_of_a_builtin(bare: Isolation) -> None:
    code = (
        "class Cache:\n    def __init__(self): self.d = {}\n"
        "    def set(self, k, v): self.d[k] = v\n"
        "    def get(self, k): return self.d.get(k)\n"
    )
    asked = task(ex('set("a", 1)', "None", 1), ex('get("a")', "1", 1))
    assert run(code, asked, bare).verdict is Verdict.PASSED
