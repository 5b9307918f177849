from __future__ import annotations

import ast

import pytest

from codekiln.generation.mutation import variants
from codekiln.generation.mutation.shadowing import unshadow
from codekiln.generation.stepwise.parts import new_part

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
    part = new_part(code, "f", ["def done(x):\n    return 0"])
    names = [getattr(node, "name", "") for node in ast.parse(part).body]
    assert names == ["", "helper", "f"]
    assert new_part(code, "g", []) == ""
    assert new_part("def f(:\n", "f", []) == ""
    assert new_part("f = 1\n", "f", []) == ""


def test_what_a_finished_part_brought_along_is_not_new() -> None:
    finished = ["import re\n\nLIMIT = 3\n\ndef _own(x):\n    return x\n\ndef a(x):\n    return x"]
    part = new_part(f"{finished[0]}\n\ndef f(x):\n    return _own(a(x))\n", "f", finished)
    assert [type(node) for node in ast.parse(part).body] == [ast.FunctionDef]


def test_a_closure_with_the_name_of_a_finished_function_is_no_copy() -> None:
    finished = ["def visit(k):\n    return k"]
    code = (
        "def f(n):\n    seen = []\n    def visit(k):\n        seen.append(k)\n"
        "    visit(n)\n    return seen\n"
    )
    assert run(new_part(code, "f", finished), "f", 1) == [1]
    copy = "def f(n):\n    def visit(k):\n        return 0\n    return visit(n)\n"
    assert "return 0" not in new_part(copy, "f", finished)


def test_a_variable_does_not_hide_the_function_that_it_is_made_with() -> None:
    total = "def total(prices):\n    return sum(prices)\n\n\n"
    finished = [total]
    with pytest.raises(UnboundLocalError):
        run(total + HIDING, "report", [1.5, 2])
    part = new_part(HIDING, "report", finished)
    assert run(total + part, "report", [1.5, 2]) == "3.50"
    assert part in new_part(part, "report", finished)


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
        "total = partial(sum, start=1)\n    return total(prices)",
        "total = {}.get(1, sum)\n    return total(prices)",
        "total = sum if prices else len\n    return total(prices)",
        "total: Callable = lambda items: 7\n    return total(prices)",
        "total, rest = sum, len\n    return total(prices)",
        "for total in (sum, len):\n        prices.append(total(prices))",
        "total = memo(lambda k: total(k - 1))\n    return total(2)",
        "total = total(prices)\n    return [total for total in prices]",
        "total = total(prices)\n    return (lambda total: total)(1)",
        "nonlocal total\n    total = total(prices)",
        "def inner(total):\n        return total\n    return inner(total(prices))",
    ],
)
def test_a_program_that_works_is_left_as_it_is(body: str) -> None:
    around = "    def report(prices):\n" + "".join(
        f"    {line}\n" for line in f"    {body}".split("\n")
    )
    tree = ast.parse(
        f"def outer(total):\n{around}"
        if "nonlocal" in body
        else f"def report(prices):\n    {body}\n"
    )
    before = ast.unparse(tree)
    assert not unshadow(tree, {"total", "other", "report"})
    assert ast.unparse(tree) == before


def test_a_parameter_may_hold_a_function() -> None:
    tree = ast.parse("def report(prices, total):\n    total = total(prices)\n    return total\n")
    assert not unshadow(tree, {"total", "report"})


def test_all_uses_are_renamed_with_the_variable_and_no_name_is_taken_twice() -> None:
    code = (
        "def value(card):\n    return int(card)\n\n\n"
        "def best(cards):\n    value_value = 1\n    value = 0\n    for card in cards:\n"
        "        value = value(card) + value_value\n"
        "    return [value for _ in cards], lambda: value\n"
    )
    tree = ast.parse(code)
    assert unshadow(tree, {"value", "best"})
    both = "def both(cards):\n    found, later = best(cards)\n    return found, later()\n"
    assert run(f"{ast.unparse(tree)}\n\n{both}", "both", ["3", "4"]) == ([5, 5], 5)
