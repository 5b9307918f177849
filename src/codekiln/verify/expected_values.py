"""The values that examples expect, obtained without showing them to the run under test.

Takes the source of an expected value; gives the value or the reason why there is none. Literals
are read here. Other expressions are evaluated in a sandbox process of their own: without the
candidate when they need nothing of it (`float("inf")`, `{1} | {2}`), else with it (`Point(1, 2)`);
then they only count when changing a literal in them changes the value, so that a class whose
objects all look alike proves nothing.
"""

from __future__ import annotations

import ast
import builtins
import copy
import threading
from dataclasses import dataclass

from codekiln.sandbox.types import Isolation
from codekiln.verify.harness import KNOWN_MODULES, KNOWN_NAMES
from codekiln.verify.python_source import parse_expression
from codekiln.verify.sandboxed_calls import Step, StepResult, run_calls
from codekiln.verify.values import Named, canonical, contains_opaque

MAX_CHANGES = 6
_KNOWN = frozenset(vars(builtins)) | KNOWN_MODULES | frozenset(KNOWN_NAMES)


@dataclass(frozen=True, slots=True)
class Expected:
    """A value to compare with, or `why_not` when the expression gives none."""

    value: object = None
    why_not: str = ""


class ExpectedValues:
    """Expected values of one task; those that need no candidate are computed once."""

    def __init__(self, isolation: Isolation, load_s: float = 3.0) -> None:
        self._isolation = isolation
        self._load_s = load_s
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Expected] = {}

    def value_of(self, source: str, code: str) -> Expected:
        """The value of `source`, next to the candidate `code` if it needs that."""
        tree = parse_expression(source)
        if tree is None:
            return Expected(why_not=f"the expected value {source!r} is not an expression")
        try:
            return Expected(ast.literal_eval(tree))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            pass
        alone = _is_alone(tree)
        key = (source, "" if alone else code)
        with self._lock:
            known = self._known.get(key)
        if known is None:
            known = (
                self._without_candidate(source)
                if alone
                else self._with_candidate(source, tree, code)
            )
            with self._lock:
                self._known[key] = known
        return known

    def _without_candidate(self, source: str) -> Expected:
        return _as_expected(source, self._evaluate("", [source])[0])

    def _with_candidate(self, source: str, tree: ast.expr, code: str) -> Expected:
        changed = _changed_sources(tree)
        result, *others = self._evaluate(code, [source, *changed])
        expected = _as_expected(source, result)
        if expected.why_not:
            return expected
        if not changed:
            attribute = tree.attr if isinstance(tree, ast.Attribute) else ""
            if isinstance(expected.value, Named) and expected.value.name == attribute:
                return expected
            return Expected(why_not=f"nothing shows that {source} can be told from other values")
        own = canonical(expected.value)
        if any(item.outcome == "value" and canonical(item.value) == own for item in others):
            return Expected(why_not=f"{source} looks the same with other arguments")
        return expected

    def _evaluate(self, code: str, sources: list[str]) -> tuple[StepResult, ...]:
        calls = run_calls(
            code,
            [[Step(source=source)] for source in sources],
            self._isolation,
            load_s=self._load_s,
        )
        return tuple(session[0] for session in calls.steps)


def needs_candidate(source: str) -> bool:
    """True for an expression that only a candidate's own names can give a value."""
    tree = parse_expression(source)
    return tree is not None and not _is_alone(tree)


def _is_alone(tree: ast.expr) -> bool:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} <= _KNOWN


def _as_expected(source: str, result: StepResult) -> Expected:
    if result.outcome != "value":
        return Expected(why_not=f"the expected value {source} cannot be computed: {result.why}")
    if contains_opaque(result.value):
        return Expected(why_not=f"the expected value {source} has no form that can be compared")
    return Expected(result.value)


def _changed_sources(tree: ast.expr) -> list[str]:
    """The expression with one literal changed, once for each of its first few literals."""
    places = [place for place, node in enumerate(ast.walk(tree)) if isinstance(node, ast.Constant)]
    changed = []
    for place in places[:MAX_CHANGES]:
        other = copy.deepcopy(tree)
        for number, node in enumerate(ast.walk(other)):
            if number == place and isinstance(node, ast.Constant):
                node.value = _changed(node.value)
        changed.append(ast.unparse(other))
    return changed


def _changed(value: object) -> int | float | str | bytes | bool:
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, bytes):
        return value + b"x"
    return 1
