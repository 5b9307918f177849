"""Asserts of a suite as cases whose values are compared outside of the program under test.

`call == value` becomes the call with that value. Other conditions (`abs(call - x) < e`, `all(...)`)
can only be evaluated beside the program, which could then cheat: it might shadow a builtin or look
into its caller's frame. Such cases are marked by expecting `True`; docs/evaluation.md says so.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codekiln.evals.scoring.comparison import plain
from codekiln.evals.scoring.hidden import Case
from codekiln.verify.sandboxed_calls import Step
from codekiln.verify.steps import guarded


def condition_case(condition: str, before: Sequence[Step] = ()) -> Case:
    """The case of one condition, after the steps of its set-up.

    >>> condition_case("f(1) == [2]").expected
    '[2]'
    """
    tree = ast.parse(condition, mode="eval").body
    if isinstance(tree, ast.Compare) and len(tree.ops) == 1 and isinstance(tree.ops[0], ast.Eq):
        left, right = tree.left, tree.comparators[0]
        for call, value in ((left, right), (right, left)):
            if _is_literal(value) and not _is_literal(call):
                step = Step(source=ast.unparse(call))
                return Case((*before, step), expected=ast.unparse(value))
    # `not not` gives a real bool, which `bool`, that the program may shadow, need not.
    return Case((*before, Step(source=guarded(f"not not ({condition})"))), expected="True")


def equal_in_python(observed: object, expected: object, _: tuple[object, ...]) -> bool:
    """Python's own `==` on plain data, without a tolerance."""
    return bool(plain(observed) == plain(expected))


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
