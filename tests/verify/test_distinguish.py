from __future__ import annotations

import pytest

from codekiln.core import Task
from codekiln.generation import read_task
from codekiln.sandbox import Isolation, open_isolation
from codekiln.verify import Difference, distinguish

TASK = read_task("Write half(n). half(4) -> 2, half(8) -> 4")


@pytest.fixture(scope="module")
def sandbox() -> Isolation:
    return open_isolation()


def difference(first: str, second: str, sandbox: Isolation, task: Task = TASK) -> Difference | None:
    return distinguish(first, second, task, isolation=sandbox)


def test_the_shortest_call_with_different_values_is_found(sandbox: Isolation) -> None:
    found = difference(
        "def half(n):\n    return n // 2\n", "def half(n):\n    return n / 2\n", sandbox
    )
    assert found is not None
    assert found.call.startswith("half(")
    assert int(found.call[5:-1]) % 2 == 1
    assert (float(found.first), float(found.second)) == (
        int(found.call[5:-1]) // 2,
        int(found.call[5:-1]) / 2,
    )


def test_of_several_differences_the_shortest_call_is_shown(sandbox: Isolation) -> None:
    task = read_task('Write same(text). same("ab") -> "ab"')
    # The doubled text is tried before the single letter.
    other = "def same(text):\n    return text if len(text) in (2, 3) else '?'\n"
    found = difference("def same(text):\n    return text\n", other, sandbox, task)
    assert found is not None
    assert found.call == "same('')"


def test_programs_that_behave_alike_have_none(sandbox: Isolation) -> None:
    assert (
        difference(
            "def half(n):\n    return n // 2\n", "def half(n):\n    return n >> 1\n", sandbox
        )
        is None
    )


def test_an_error_is_no_value_to_judge(sandbox: Isolation) -> None:
    only_even = "def half(n):\n    if n % 2: raise ValueError\n    return n // 2\n"
    assert difference("def half(n):\n    return n // 2\n", only_even, sandbox) is None


def test_without_inputs_to_vary_there_is_none(sandbox: Isolation) -> None:
    code = "def half(n):\n    return n // 2\n"
    assert difference(code, code, sandbox, Task("Halve.", entry_point="half")) is None
