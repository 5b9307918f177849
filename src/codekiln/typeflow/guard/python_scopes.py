"""Whether the type of an expression in a Python function hangs on that function alone.

What stands outside, a global or a variable of an enclosing function, may be assigned anything
further down, before the function is called; so may the attributes of a class.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_BUILTINS = frozenset(dir(builtins))


def names_are_local(program: str, start: int, end: int) -> bool:
    """Whether text[start:end] speaks of local variables and builtins only.

    True for code that is in no function: it runs as it stands. False where it cannot be told.
    """
    try:
        tree = ast.parse(program)
    # Hostile nesting; the checker has read the program, and may know more than ast.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    places = _Places(program)
    span = places.of_offsets(start, end)
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, _Function | ast.ClassDef) and _holds(places.of(node), span)
    ]
    if not around:
        return True
    inner = max(around, key=lambda node: places.of(node)[0])
    if isinstance(inner, ast.ClassDef):
        return False
    known = _locals(inner)
    expression = [
        node
        for node in ast.walk(inner)
        if isinstance(node, ast.expr) and _holds(span, places.of(node))
    ]
    called = {id(node.func) for node in expression if isinstance(node, ast.Call)}
    largest = expression[0] if expression else None
    for node in expression:
        if isinstance(node, ast.Name) and not (node.id in known or node.id in _BUILTINS):
            return False
        is_member = isinstance(node, ast.Attribute)
        if is_member and node is not largest and id(node) not in called:
            return False
    return largest is not None


def is_bound_once(program: str, name: str) -> bool:
    """Whether a name of the module means one thing only. False where it cannot be told."""
    try:
        tree = ast.parse(program)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    bindings = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bindings += node.name == name
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bindings += node.id == name
        elif isinstance(node, ast.arg):
            bindings += node.arg == name
        elif isinstance(node, ast.alias):
            bindings += (node.asname or node.name) == name
    return bindings == 1 or (bindings == 0 and name in _BUILTINS)


def _locals(function: _Function) -> set[str]:
    """What only the function itself binds; a name that an inner one binds anew is none."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [found for found in (arguments.vararg, arguments.kwarg) if found is not None]
    names = {argument.arg for argument in every}
    shared: set[str] = set()
    for node in _own(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            shared.update(node.names)
    for node in ast.walk(function):
        if isinstance(node, ast.Nonlocal):
            shared.update(node.names)
    return names - shared


def _own(function: _Function) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions and classes inside."""
    left: list[ast.AST] = (
        [function.body] if isinstance(function, ast.Lambda) else list(function.body)
    )
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, _Function | ast.ClassDef):
            left += ast.iter_child_nodes(node)


class _Places:
    """Positions of nodes as (line, column in bytes) pairs, and of offsets in characters."""

    def __init__(self, program: str) -> None:
        self._program = program

    def of_offsets(self, start: int, end: int) -> tuple[tuple[int, int], tuple[int, int]]:
        return self._place(start), self._place(end)

    def of(self, node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]]:
        assert isinstance(node, ast.expr | ast.stmt)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)

    def _place(self, offset: int) -> tuple[int, int]:
        before = self._program[:offset]
        line = before.rfind("\n") + 1
        return before.count("\n") + 1, len(before[line:].encode())


def _holds(
    outer: tuple[tuple[int, int], tuple[int, int]], inner: tuple[tuple[int, int], tuple[int, int]]
) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]
