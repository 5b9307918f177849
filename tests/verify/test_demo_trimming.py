"""Only what shows definitions off is dropped; in doubt code stays."""

from __future__ import annotations

import pytest

from codekiln.verify.demo_code import trim_demo
from codekiln.verify.normal_form import normalise
from codekiln.verify.python_source import parse

BASE = "import functools\n\n\ndef f(x):\n    return x\n"


@pytest.mark.parametrize(
    "tail",
    [
        "print(f(1))\n",
        "assert f(1) == 1\n",
        "x = input()\n",
        "x = int(input())\nresult = f(x)\nprint(result)\n",
        "a, b = map(int, input().split())\nprint(f(a))\n",
        "box = dict()\nbox.update(a=1)\nprint(box)\n",
        "if True:\n    print(f(1))\nelse:\n    print(f(2))\n",
        "# Example:\nprint(f(1))  # 1\n# done\n",
        'if __name__ == "__main__":\n    f(1)\n',
        "def check():\n    assert f(1) == 2, 'no'\n    print('passed')\n\n\ncheck()\n",
        "def check():\n    assert f(1) == 2\n\n\nif __name__ == '__main__':\n    check()\n",
        "def check():\n    for n in (1, 2):\n        assert f(n) == n\n\n\ncheck()\n",
        "def check():\n    got = f(1)\n    assert got == 1\n    return True\n\n\ncheck()\n",
        "if '__main__' == __name__:\n    import sys\n    sys.exit(f(1))\n",
    ],
)
def test_demo_code_is_dropped(tail: str) -> None:
    trimmed = trim_demo(f"{BASE}\n\n{tail}")
    assert trimmed.code == BASE
    assert trimmed.removed


@pytest.mark.parametrize(
    "tail",
    [
        "TABLE = {n: f(n) for n in range(3)}\n",
        "g = f\n",
        "f = functools.lru_cache(f)\n",
        "f.cache = {}\n",
        "register = []\nregister.append(f)\n",
        "import sys\nsys.setrecursionlimit(10_000)\n",
        "try:\n    import numpy\nexcept ImportError:\n    numpy = None\n",
        "for n in range(3):\n    TABLE[n] = f(n)\n",
        "y = 1; print(y)\n",
        "class C:\n    print('in a body')\n",
        "def check():\n    assert f(1) == 1\n",
        "def check(n):\n    assert f(n) == n\n\n\ncheck(1)\n",
        "def check():\n    assert f(1) == 1\n    return f\n\n\ncheck()\n",
        "def check():\n    assert f(1) == 1\n\n\ncheck()\nhandler = check\n",
        "TABLE = {}\n\n\ndef load():\n    TABLE[1] = f(1)\n    assert TABLE\n\n\nload()\n",
        "seen = []\n\n\ndef load():\n    x = seen.append(1)\n    assert not x\n\n\nload()\n",
        "def load():\n    register(f)\n    assert f\n\n\nload()\n",
        'if __name__ == "__main__":\n    f(1)\nelse:\n    g = f\n',
    ],
)
def test_everything_else_stays(tail: str) -> None:
    code = f"{BASE}\n\n{tail}"
    assert trim_demo(code).code == code


def test_a_name_that_the_task_asks_for_stays() -> None:
    code = f"{BASE}\nanswer = f(3)\nprint(answer)\n"
    assert "answer = f(3)" in trim_demo(code, keep="answer").code
    assert "answer" not in trim_demo(code).code


def test_own_tests_stay_when_they_are_all_there_is_or_what_was_asked_for() -> None:
    tests = "def check():\n    assert sum([1]) == 1\n\n\ncheck()\n"
    assert trim_demo(tests).code == tests
    assert trim_demo(f"{BASE}\n\n{tests}", keep="check").code == f"{BASE}\n\n{tests}"
    assert trim_demo(f"{BASE}\n\n{tests}", named={"check"}).code == f"{BASE}\n\n{tests}"


def test_a_name_that_a_definition_reads_stays() -> None:
    code = "def f(x):\n    return x + step\n\n\nstep = int('2')\nprint(f(step))\n"
    assert trim_demo(code).code == code.replace("print(f(step))\n", "")


def test_a_global_that_a_definition_shares_stays() -> None:
    code = "def f():\n    global x\n    x += 1\n    return x\n\n\nx = int('0')\nprint(x)\n"
    assert "x = int('0')" in trim_demo(code).code


def test_a_script_without_definitions_and_broken_code_stay() -> None:
    assert trim_demo("print(1)\n").code == "print(1)\n"
    assert trim_demo("def f(:\nprint(1)\n").code == "def f(:\nprint(1)\n"


@pytest.mark.parametrize(
    "code", ["x = " + "[" * 500, "-" * 100_000 + "1", "not " * 5_000 + "x", "x" * 300_000, "a\0b"]
)
def test_text_that_could_exhaust_the_parser_is_not_parsed(code: str) -> None:
    assert parse(code) is None


def test_a_number_too_long_to_write_out_is_no_obstacle() -> None:
    number = "0x" + "f" * 4000
    code = f"{BASE}\n\nassert f(1) < {number}\n"
    assert parse(code) is None
    assert trim_demo(code).code == code
    assert normalise(code)
