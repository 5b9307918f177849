"""Single functions out of what a model wrote: what is new in it, fit to stand behind finished ones.

Works on Python source; runs nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from codekiln.verify import parse_python

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = _Function | ast.ClassDef
_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def new_part(code: str, name: str, finished: Sequence[str]) -> str:
    """What `code` adds: the function `name`, its own helpers and imports, nothing of `finished`.

    Empty when it does not define the function.
    """
    tree = parse_python(code)
    if not isinstance(tree, ast.Module):
        return ""
    before = [node for part in finished for node in ast.parse(part).body]
    done = {node.name for node in before if isinstance(node, _Definition)}
    said = {ast.unparse(node) for node in before}
    _InnerCopies(done).visit(tree)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            # Behind a finished function of that name the import would hide it.
            node.names = [name for name in node.names if (name.asname or name.name) not in done]
    body: list[ast.stmt] = [
        node
        for node in tree.body
        if not isinstance(node, ast.Expr)
        and getattr(node, "name", "") not in done
        # It has to be at the top of a module, where the part may not come to stand.
        and not (
            isinstance(node, ast.ImportFrom) and (node.module == "__future__" or not node.names)
        )
        and ast.unparse(node) not in said
    ]
    if not any(isinstance(node, _Function) and node.name == name for node in body):
        return ""
    part = ast.Module(body, [])
    unshadow(part, {*done, name})
    return ast.unparse(part)


def unshadow(tree: ast.AST, functions: Collection[str]) -> bool:
    """Rename variables that hide the function they are made with; True when there were any.

    Small models write `total = total(prices)`. Python takes both for the variable, so that the call
    always fails. Left alone is a name that may hold a function: a parameter, a loop's variable, one
    that is assigned anything but such a call or a plain value, or that another scope shares.
    """
    found = False
    for function in ast.walk(tree):
        if isinstance(function, _Function):
            for name in sorted(_hidden(function) & set(functions)):
                _rename(function, name)
                found = True
    return found


def _hidden(function: _Function) -> set[str]:
    """Names of functions that a variable made by calling them hides."""
    own = _own_nodes(function)
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
        elif inner is not function and isinstance(inner, _Definition):
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


def _rename(function: _Function, name: str) -> None:
    taken = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
    fresh = f"{name}_value"
    while fresh in taken:
        fresh += "_"
    callees = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and node.id == name and id(node) not in callees:
            node.id = fresh


def _own_nodes(function: _Function) -> list[ast.AST]:
    """The nodes of its body, without those of scopes inside."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = [*function.body]
    while pending:
        node = pending.pop()
        found.append(node)
        if not isinstance(node, _SCOPES):
            pending += ast.iter_child_nodes(node)
    return found


class _InnerCopies(ast.NodeTransformer):
    """Takes functions that are written already out of those that define them once more inside.

    Small models repeat what they are shown, and the copy would hide the one that was checked. One
    that uses variables of the function around it is no copy.
    """

    def __init__(self, done: Collection[str]) -> None:
        self._done = done

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        around = _bound(node)
        node.body = [
            inner
            for inner in node.body
            if not (
                isinstance(inner, ast.FunctionDef)
                and inner.name in self._done
                and not _used(inner) & (around - _bound(inner) - {inner.name})
            )
        ] or [ast.Pass()]
        self.generic_visit(node)
        return node


def _bound(function: _Function) -> set[str]:
    """Parameters and variables of a function."""
    names = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    for node in _own_nodes(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
    return names


def _used(function: _Function) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
