from __future__ import annotations

import pytest

from codekiln.generation import read_task
from codekiln.sandbox import Isolation, open_isolation
from codekiln.verify import assess, observe_failure
from codekiln.verify.sandboxed_calls import Step, Watched, run_calls


@pytest.fixture(scope="module")
def sandbox() -> Isolation:
    return open_isolation()


def watched(code: str, call: str, sandbox: Isolation) -> Watched | None:
    return run_calls(code, [[Step(source=call)]], sandbox, watch=True).steps[0][0].watched


def test_a_call_that_returns_shows_the_variables_of_the_outermost_function(
    sandbox: Isolation,
) -> None:
    code = (
        "def h(x):\n    return x * 2\n\ndef f(a):\n    total = 0\n"
        "    for i in a:\n        total += h(i)\n    return total\n"
    )
    seen = watched(code, "f([1, 2])", sandbox)
    assert seen == Watched(8, "f", (("a", "[1, 2]"), ("total", "6"), ("i", "2")))


def test_a_call_that_raises_shows_where_it_failed(sandbox: Isolation) -> None:
    code = "def h(x):\n    y = x - 1\n    return 1 // y\n\ndef f(a):\n    b = a\n    return h(b)\n"
    assert watched(code, "f(1)", sandbox) == Watched(3, "h", (("x", "1"), ("y", "0")))


def test_objects_of_the_candidate_are_not_shown_nor_asked(sandbox: Isolation) -> None:
    code = (
        "class Loud:\n    def __repr__(self): raise SystemExit\n"
        "def f(a):\n    loud, text = Loud(), 'x' * 500\n    return len(text)\n"
    )
    seen = watched(code, "f(1)", sandbox)
    assert seen is not None
    assert [name for name, _ in seen.variables] == ["a", "text"]
    assert len(seen.variables[1][1]) < 100


def test_without_watching_nothing_is_told(sandbox: Isolation) -> None:
    calls = run_calls("def f(a):\n    return a\n", [[Step(source="f(1)")]], sandbox)
    assert calls.steps[0][0].watched is None


def test_a_failing_example_is_put_into_a_sentence(sandbox: Isolation) -> None:
    task = read_task("Write total(items). total([1, 2]) -> 3, total([]) -> 0")
    code = (
        "def total(items):\n    result = 1\n"
        "    for item in items:\n        result += item\n    return result\n"
    )
    assessment = assess(code, task, isolation=sandbox)
    seen = observe_failure(code, task, assessment, isolation=sandbox)
    assert seen == ("At line 5 (`return result`) of `total`: items = [1, 2], result = 4, item = 2.")


def test_a_passing_candidate_has_nothing_to_observe(sandbox: Isolation) -> None:
    task = read_task("Write total(items). total([1, 2]) -> 3")
    code = "def total(items):\n    return sum(items)\n"
    assessment = assess(code, task, isolation=sandbox)
    assert observe_failure(code, task, assessment, isolation=sandbox) == ""
