"""The verdict of hidden tests cannot be had by anything but right values."""

from __future__ import annotations

import pytest

from codekiln.core import Verdict
from codekiln.evals.scoring.hidden import Case, PythonTests
from codekiln.evals.scoring.python_tests import Prepared, call_case, literal, prepare, score
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
