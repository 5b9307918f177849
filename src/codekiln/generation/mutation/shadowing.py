"""Variables that hide the function they are made with: small models write them."""

from __future__ import annotations

import ast
from collections.abc import Collection

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def unshadow(tree: ast.AST, functions: Collection[str]) -> bool:
    """Rename variables that hide the function they are made with; True when there were any.

    Small models write `total = total(prices)`. Python takes both for the variable, so that the call
    always fails. Left alone is a name that may hold a function: a parameter, a loop's variable, one
    that is assigned anything but such a call or a plain value, or that another scope shares.
    """
    found = False
    for function in ast.walk(tree):
        if isinstance(function, Function):
            for name in sorted(_hidden(function) & set(functions)):
                _rename(function, name)
                found = True
    return found


def _hidden(function: Function) -> set[str]:
    """Names of functions that a variable made by calling them hides."""
    own = own_nodes(function)
    made: set[str] = set()
    other = {argument.arg for argument in ast.walk(function) if isinstance(argument, ast.arg)}
    harmless: set[int] = set()
    for node in own:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name):
                    calls = _calls(node.value, target.id)
                    if calls:
                        made.add(target.id)
                    if calls or isinstance(node, ast.AugAssign) or _is_plain(node.value):
                        harmless.add(id(target))
    for inner in ast.walk(function):
        if isinstance(inner, ast.Global | ast.Nonlocal):
            other |= set(inner.names)
        elif isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
            if id(inner) not in harmless:
                other.add(inner.id)
        elif inner is not function and isinstance(inner, Definition):
            other.add(inner.name)
        elif isinstance(inner, ast.alias):
            other.add(inner.asname or inner.name)
    return made - other


def _calls(value: ast.AST | None, name: str) -> bool:
    """True when the value is a result of calling `name`, or made of one; a lambda calls later."""
    if value is None or isinstance(value, ast.Lambda):
        return False
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == name:
        return True
    return any(_calls(part, name) for part in ast.iter_child_nodes(value))


def _is_plain(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant | ast.List | ast.Dict | ast.Set | ast.Tuple)


def _rename(function: Function, name: str) -> None:
    taken = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    fresh = f"{name}_value"
    while fresh in taken:
        fresh += "_"
    callees = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == name and id(node) not in callees:
            node.id = fresh


def own_nodes(function: Function) -> list[ast.AST]:
    """The nodes of its body, without those of scopes inside."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = [*function.body]
    while pending:
        node = pending.pop()
        found.append(node)
        if not isinstance(node, _SCOPES):
            pending += ast.iter_child_nodes(node)
    return found
