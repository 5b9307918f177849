"""Turns a task's examples into sessions of steps for the sandbox.

Takes a Task; gives sessions with the example of each step. An example of session 0 is a session
of its own. A bare call such as `put("a", 1)` also gets its form as a method call, for candidates
that define one class with that method; not for a task whose entry point is that very function.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass

from codekiln.core.task import Task
from codekiln.verify.python_source import parse_expression
from codekiln.verify.sandboxed_calls import Step

INSTANCE = "__instance__"
PLAIN = "__plain__"  # see codekiln.verify.harness


@dataclass(frozen=True, slots=True)
class ExampleSession:
    """Examples that share a namespace; `places` (indexes into the task's) and `steps` match."""

    places: tuple[int, ...]
    steps: tuple[Step, ...]


def example_sessions(task: Task) -> tuple[ExampleSession, ...]:
    """The sessions in order of their first example; examples without a call are left out."""
    groups: dict[tuple[int, int], list[int]] = {}
    for place, example in enumerate(task.examples):
        if example.call is not None:
            key = (example.session, 0) if example.session else (0, place)
            groups.setdefault(key, []).append(place)
    methods = in_class_style(task)
    return tuple(
        ExampleSession(
            places=tuple(group),
            steps=tuple(step_for(task.examples[place].call or "", methods) for place in group),
        )
        for group in groups.values()
    )


def step_for(source: str, methods: bool) -> Step:
    """The step that evaluates `source`; `methods` allows its form as a method call."""
    call = bare_call(source)
    if call is None:
        return Step(source=guarded(source))
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    method = ast.Call(
        func=ast.Attribute(value=ast.Name(INSTANCE, ast.Load()), attr=name, ctx=ast.Load()),
        args=call.args,
        keywords=call.keywords,
    )
    return Step(source=guarded(source), callee=name, method=ast.unparse(method) if methods else "")


def bare_call(source: str) -> ast.Call | None:
    """The call when `source` is `name(…)` as a whole."""
    tree = parse_expression(source)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return tree
    return None


def guarded(source: str) -> str:
    """`source` with a look at what calls give, where it is a condition like `f(1) in (2, 3)`.

    Conditions are evaluated beside the candidate, whose objects could agree with anything.

    >>> guarded("abs(f(1) - 2) < 3")
    'abs(__plain__(f(1)) - 2) < 3'
    """
    tree = parse_expression(source)
    is_condition = isinstance(tree, ast.Compare | ast.BoolOp | ast.UnaryOp) or (
        isinstance(tree, ast.Call) and is_builtin_call(tree)
    )
    if tree is None or not is_condition:
        return source
    return ast.unparse(ast.fix_missing_locations(_Guard().visit(tree)))


def is_builtin_call(call: ast.Call) -> bool:
    """True for `bool(…)`, `all(…)` and the like."""
    return isinstance(call.func, ast.Name) and hasattr(builtins, call.func.id)


class _Guard(ast.NodeTransformer):
    """Wraps calls and their attributes, but not what an attribute is looked up on."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if not isinstance(node.value, ast.Call):
            self.generic_visit(node)
            return node
        self.generic_visit(node.value)
        return ast.Call(ast.Name(PLAIN, ast.Load()), [node], [])

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if is_builtin_call(node):
            return node
        return ast.Call(ast.Name(PLAIN, ast.Load()), [node], [])


def in_class_style(task: Task) -> bool:
    """True when bare calls may mean methods of a class that the task asks for."""
    callees = _callees(task)
    return (
        not task.entry_point
        or task.entry_point not in callees
        or len(callees) > 1
        or "class " in _given(task)
    )


def has_functions(task: Task) -> bool:
    """True when the examples call functions: the one that is asked for, and perhaps helpers.

    A class with methods of these names may do as well (see `in_class_style`).
    """
    callees = _callees(task)
    return (
        task.entry_point in callees
        and not any(name[:1].isupper() for name in callees)
        and "class " not in _given(task)
        and not any(example.session for example in task.examples)
    )


def _callees(task: Task) -> set[str]:
    return {
        call.func.id
        for example in task.examples
        if (call := bare_call(example.call or "")) is not None and isinstance(call.func, ast.Name)
    }


def _given(task: Task) -> str:
    return f"{task.signature}\n{task.skeleton}"
