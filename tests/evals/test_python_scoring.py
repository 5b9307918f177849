"""The verdict of hidden tests cannot be had by anything but right values."""

from __future__ import annotations

import pytest

from codekiln.core import Verdict
from codekiln.evals.datasets import DataError
from codekiln.evals.scoring.conditions import condition_case, equal_in_python
from codekiln.evals.scoring.hidden import Case, PythonTests
from codekiln.evals.scoring.python_tests import Prepared, call_case, literal, prepare, score
from codekiln.evals.scoring.special import comparer
from codekiln.sandbox import Isolation, open_isolation
from codekiln.verify.sandboxed_calls import Step

REFERENCE = "def double(x):\n    return x * 2\n"
CASES = PythonTests(tuple(call_case("double", (x,)) for x in (1, 2.5, "ab", [1], -7)))


@pytest.fixture(scope="module")
def sandbox() -> Isolation:
    return open_isolation()


@pytest.fixture(scope="module")
def prepared(sandbox: Isolation) -> Prepared:
    ready = prepare(CASES, REFERENCE, sandbox)
    assert ready.expected == (2, 5.0, "abab", [1, 1], -14)
    assert not ready.trouble
    return ready


def test_another_right_solution_passes(prepared: Prepared, sandbox: Isolation) -> None:
    assert score("def double(x):\n    return x + x\n", prepared, sandbox).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("", Verdict.NO_CODE),
        ("def double(x:\n", Verdict.SYNTAX_ERROR),
        ("def other(x):\n    return x * 2\n", Verdict.RUNTIME_ERROR),
        ("import nothing_like_this\n" + REFERENCE, Verdict.RUNTIME_ERROR),
        ("def double(x):\n    return x ** 2\n", Verdict.WRONG_OUTPUT),
        ("def double(x):\n    return x.twice\n", Verdict.RUNTIME_ERROR),
        ("def double(x):\n    print(x * 2)\n", Verdict.WRONG_OUTPUT),
        ("def double(x):\n    while True: pass\n", Verdict.TIMEOUT),
        ("def double(x):\n    return [0] * 10**11\n", Verdict.OUT_OF_MEMORY),
    ],
)
def test_verdicts_name_what_went_wrong(
    code: str, verdict: Verdict, prepared: Prepared, sandbox: Isolation
) -> None:
    assert score(code, prepared, sandbox).verdict is verdict


CHEATS = {
    "exits at once": "import os\ndef double(x):\n    os._exit(0)\n",
    "exits on loading": "import sys\nsys.exit(0)\n" + REFERENCE,
    "exits after the first": "import os\nseen = []\ndef double(x):\n    if seen: os._exit(0)\n"
    "    seen.append(x)\n    return x * 2\n",
    "prints what it likes": "def double(x):\n    print('passed'); print('{\"done\":true}')\n",
    "equals everything": "class Any:\n    def __eq__(self, other): return True\n"
    "    def __hash__(self): return 0\ndef double(x):\n    return Any()\n",
    "a list that equals everything": "class Any(list):\n    def __eq__(self, other): return True\n"
    "def double(x):\n    return Any()\n",
    "changes the way of comparing": "import builtins\nbuiltins.all = lambda _: True\n"
    "def double(x):\n    return None\n",
    "kills its parent": "import os\ndef double(x):\n    os.kill(os.getppid(), 9)\n",
    "looks for tests in frames": "import sys\ndef double(x):\n    frame = sys._getframe()\n"
    "    while frame:\n        for v in list(frame.f_locals.values()):\n"
    "            if isinstance(v, dict) and 'expected' in v: return v['expected']\n"
    "        frame = frame.f_back\n",
    "writes to the channel": "import os\ndef double(x):\n    for fd in range(3, 30):\n"
    "        try: os.write(fd, b'x 0 {}\\n')\n        except OSError: pass\n    return x\n",
}


@pytest.mark.parametrize("code", CHEATS.values(), ids=CHEATS.keys())
def test_cheating_never_passes(code: str, prepared: Prepared, sandbox: Isolation) -> None:
    assert score(code, prepared, sandbox).verdict is not Verdict.PASSED


def test_none_is_a_value_like_others(sandbox: Isolation) -> None:
    tests = PythonTests((call_case("find", ([1],)), call_case("find", ([],))))
    ready = prepare(tests, "def find(x):\n    return x[0] if x else None\n", sandbox)
    assert ready.expected == (1, None)
    changing = "def find(x):\n    if x: return x[0]\n    x.append(1)\n"
    assert score(changing, ready, sandbox).verdict is Verdict.PASSED
    wrong = "def find(x):\n    return x[0] if x else ('in place', ([],))\n"
    assert score(wrong, ready, sandbox).verdict is Verdict.WRONG_OUTPUT


def test_exceptions_are_expected_by_name(sandbox: Isolation) -> None:
    tests = PythonTests(
        (
            Case((Step(source="root(-1)"),), raises="ValueError"),
            Case((Step(source="root(4)"),), expected="2.0"),
        ),
        together=False,
    )
    reference = "def root(x):\n    if x < 0: raise ValueError\n    return x ** 0.5\n"
    ready = prepare(tests, reference, sandbox)
    assert score(reference, ready, sandbox).verdict is Verdict.PASSED
    silent = score("def root(x):\n    return abs(x) ** 0.5\n", ready, sandbox)
    assert (silent.verdict, silent.case) == (Verdict.WRONG_OUTPUT, 0)
    other = score("def root(x):\n    raise TypeError\n", ready, sandbox)
    assert other.verdict is Verdict.RUNTIME_ERROR


def test_a_case_whose_reference_fails_is_told(sandbox: Isolation) -> None:
    ready = prepare(CASES, "def double(x):\n    return 1 / 0\n", sandbox)
    assert len(ready.trouble) == 5
    assert "ZeroDivisionError" in ready.trouble[0]


@pytest.mark.parametrize(
    "value",
    [1, -2.5, float("inf"), "a'b\"\n", None, True, [], [1, [2.0]], (1,), (), {}, {"a": (1, 2)}],
)
def test_literals_give_the_value_again(value: object) -> None:
    assert eval(literal(value)) == value


def test_literals_of_values_without_a_literal() -> None:
    assert eval(literal([float("-inf"), set(), {2, 1}, 1 + 2j])) == [
        float("-inf"),
        set(),
        {1, 2},
        1 + 2j,
    ]
    assert repr(eval(literal(float("nan")))) == "nan"


def test_answers_of_any_size_and_type_are_verdicts_and_no_errors(sandbox: Isolation) -> None:
    root = PythonTests(
        (call_case("find_zero", ([1, 2],)),), tolerance=1e-4, compare=comparer("find_zero", 1e-4)
    )
    ready = prepare(root, "def find_zero(xs):\n    return -0.5\n", sandbox)
    for value in ("10**400", "1e200", "float('nan')", "'x'", "[1]", "None"):
        wrong = score(f"def find_zero(xs):\n    return {value}\n", ready, sandbox)
        assert wrong.verdict is Verdict.WRONG_OUTPUT, value
    sets = PythonTests((call_case("Diff", ([1],)),), compare=comparer("Diff", 0))
    ready = prepare(sets, "def Diff(x):\n    return [1]\n", sandbox)
    assert score("def Diff(x):\n    return [[1]]\n", ready, sandbox).verdict is Verdict.WRONG_OUTPUT


def test_large_answers_are_compared_as_a_whole(sandbox: Isolation) -> None:
    tests = PythonTests((call_case("f", (30_000,)),))
    ready = prepare(tests, "def f(n):\n    return list(range(n))\n", sandbox)
    assert not ready.trouble
    right = "def f(n):\n    return [i for i in range(n)]\n"
    assert score(right, ready, sandbox).verdict is Verdict.PASSED
    off = "def f(n):\n    return [*range(n - 1), 0]\n"
    assert score(off, ready, sandbox).verdict is Verdict.WRONG_OUTPUT


def test_values_without_a_form_to_compare_equal_nothing(sandbox: Isolation) -> None:
    nested = "def f(n):\n    x = []\n    for _ in range(200): x = [x]\n    return x\n"
    ready = prepare(PythonTests((call_case("f", (1,)),)), nested, sandbox)
    assert "no form to compare" in ready.trouble[0]
    with pytest.raises(DataError, match="cannot be scored"):
        score(nested, ready, sandbox)
    ready = prepare(PythonTests((call_case("f", (1,)),)), "def f(n):\n    return []\n", sandbox)
    assert score(nested, ready, sandbox).verdict is Verdict.WRONG_OUTPUT


def test_not_even_a_comparer_that_takes_anything_takes_a_value_without_a_form(
    sandbox: Isolation,
) -> None:
    tests = PythonTests((call_case("f", (1,)),), compare=lambda *_: True)
    ready = prepare(tests, "def f(n):\n    return 1\n", sandbox)
    assert score("def f(n):\n    return 2\n", ready, sandbox).verdict is Verdict.PASSED
    hidden = "def f(n):\n    return [iter(int, 1)]\n"
    assert score(hidden, ready, sandbox).verdict is Verdict.WRONG_OUTPUT


def test_many_slow_calls_are_not_one_slow_call(sandbox: Isolation) -> None:
    tests = PythonTests(tuple(call_case("f", (i,)) for i in range(6)))
    ready = prepare(tests, "def f(n):\n    return n\n", sandbox)
    slow = (
        "import time\ndef f(n):\n    end = time.process_time() + 0.6\n"
        "    while time.process_time() < end: pass\n    return n\n"
    )
    assert score(slow, ready, sandbox).verdict is Verdict.PASSED


def test_what_is_told_of_a_failure_does_not_echo_the_input(sandbox: Isolation) -> None:
    tests = PythonTests((call_case("f", ("secret input",)),))
    ready = prepare(tests, "def f(x):\n    return 1\n", sandbox)
    for code in (
        "def f(x):\n    raise ValueError(x)\n",
        "def f(x):\n    return x\n",
        "def f(x):\n    return {}[x]\n",
    ):
        assert "secret" not in score(code, ready, sandbox).detail


CONDITIONS = ["f(1) == 2", "2 == f(1)", "f(1) == [1, {'a': 2}]", "abs(f(1) - 2) < 0.1", "f(1)"]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_asserts_with_a_literal_are_compared_outside(condition: str) -> None:
    case = condition_case(condition)
    outside = "==" in condition
    assert (case.expected != "True") == outside
    assert case.steps[-1].source.startswith("f(1)" if outside else "not not")


@pytest.mark.parametrize(
    "cheat",
    [
        "import weakref\nclass A:\n    def __eq__(self, o): return True\nkeep = A()\n"
        "def f(x):\n    return weakref.proxy(keep)\n",
        "import fractions\nfractions.Fraction.__eq__ = lambda a, b: True\n"
        "def f(x):\n    return fractions.Fraction(1, 3)\n",
        "import sys\ndef f(x):\n    return sys._getframe(1).f_code.co_consts[-1]\n",
    ],
)
def test_cheats_on_asserts_do_not_pass(cheat: str, sandbox: Isolation) -> None:
    tests = PythonTests(
        (condition_case("f(1) == [7, 8]"),), together=False, compare=equal_in_python
    )
    ready = prepare(tests, "def f(x):\n    return [7, 8]\n", sandbox)
    assert score("def f(x):\n    return [7, 8]\n", ready, sandbox).verdict is Verdict.PASSED
    assert score(cheat, ready, sandbox).verdict is not Verdict.PASSED


def test_inputs_whose_right_value_is_too_large_are_left_out_where_the_tests_say_so(
    sandbox: Isolation,
) -> None:
    power = "def power(n):\n    return 2 ** n\n"
    tests = PythonTests(tuple(call_case("power", (n,)) for n in (3, 10_000_000)), leaves_out=True)
    ready = prepare(tests, power, sandbox)
    assert (ready.left_out, ready.trouble, len(ready.tests.cases)) == (1, (), 1)
    assert score(power, ready, sandbox).verdict is Verdict.PASSED
    assert score("def power(n):\n    return n\n", ready, sandbox).verdict is Verdict.WRONG_OUTPUT
    assert prepare(PythonTests(tests.cases), power, sandbox).trouble
    spread = "def spread(n):\n    return len('x' * n)\n"
    hungry = PythonTests(tuple(call_case("spread", (n,)) for n in (3, 3 << 30)), leaves_out=True)
    assert prepare(hungry, spread, sandbox).left_out == 1
    only = PythonTests((call_case("power", (10_000_000,)),), leaves_out=True)
    assert prepare(only, power, sandbox).trouble
