from __future__ import annotations

import ast

import pytest

from codekiln.generation.mutation import variants
from codekiln.generation.parts import new_part, unshadow

HIDING = "def report(prices):\n    total = total(prices)\n    return f'{total:.2f}'\n"


def run(code: str, name: str, *arguments: object) -> object:
    space: dict[str, object] = {}
    exec(code, space)
    function = space[name]
    assert callable(function)
    return function(*arguments)


def test_a_part_is_the_function_with_its_own_helpers_and_imports() -> None:
    code = (
        "import re\n\n\ndef done(x):\n    return 0\n\n\ndef helper(x):\n    return x\n\n\n"
        "def f(x):\n    return helper(done(x))\n\n\nprint(f(1))\n"
    )
    part = new_part(code, "f", {"done"})
    names = [getattr(node, "name", "") for node in ast.parse(part).body]
    assert names == ["", "helper", "f"]
    assert new_part(code, "g", {"done"}) == ""
    assert new_part("def f(:\n", "f", ()) == ""


def test_a_variable_does_not_hide_the_function_that_it_is_made_with() -> None:
    total = "def total(prices):\n    return sum(prices)\n\n\n"
    with pytest.raises(UnboundLocalError):
        run(total + HIDING, "report", [1.5, 2])
    part = new_part(HIDING, "report", {"total"})
    assert run(total + part, "report", [1.5, 2]) == "3.50"
    assert part in new_part(part, "report", {"total"})


def test_changes_of_a_program_begin_with_variables_that_hide_functions() -> None:
    module = f"def total(prices):\n    return sum(prices)\n\n\n{HIDING}"
    _, mended, *_ = variants(module)
    assert run(mended, "report", [4]) == "4.00"


@pytest.mark.parametrize(
    "body",
    [
        "total = sum(prices)\n    return total",
        "total = lambda items: 7\n    return total(prices)",
        "total = other\n    return total(prices)",
        "global total\n    total = other\n    return total(prices)",
        "items = [total for total in prices]\n    return total(items)",
        "def inner(total):\n        return total\n    return inner(total(prices))",
    ],
)
def test_a_program_that_works_is_left_as_it_is(body: str) -> None:
    tree = ast.parse(f"def report(prices):\n    {body}\n")
    before = ast.unparse(tree)
    assert not unshadow(tree, {"total", "other", "report"})
    assert ast.unparse(tree) == before


def test_uses_in_comprehensions_and_loops_are_renamed_with_the_variable() -> None:
    code = (
        "def value(card):\n    return int(card)\n\n\n"
        "def best(cards):\n    found = []\n    for value in map(str, cards):\n"
        "        found.append(value(value))\n    return [value for _ in found], found\n"
    )
    tree = ast.parse(code)
    assert unshadow(tree, {"value", "best"})
    assert run(ast.unparse(tree), "best", [3, 4]) == (["4", "4"], [3, 4])
