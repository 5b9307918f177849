"""Single functions out of what a model wrote: what is new in it, fit to stand behind finished ones.

Works on Python source; runs nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

from codekiln.verify import parse_python

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def new_part(code: str, name: str, done: Collection[str]) -> str:
    """What `code` adds: the function `name`, its own helpers and imports, nothing of `done`.

    Empty when it does not define the function.
    """
    tree = parse_python(code)
    if not isinstance(tree, ast.Module):
        return ""
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
    ]
    if not any(getattr(node, "name", "") == name for node in body):
        return ""
    part = ast.Module(body, [])
    unshadow(part, {*done, name})
    return ast.unparse(part)


def unshadow(tree: ast.AST, functions: Collection[str]) -> bool:
    """Rename variables that hide a function which the same scope calls; True when there were any.

    Small models write `total = total(prices)`. Python takes both for the variable and raises
    UnboundLocalError, so that only a program that fails is changed.
    """
    found = False
    for function in ast.walk(tree):
        if not isinstance(function, _Function):
            continue
        own = _own_nodes(function)
        callees = {id(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)}
        names = [node for node in own if isinstance(node, ast.Name)]
        stored = {name.id for name in names if isinstance(name.ctx, ast.Store)}
        called = {name.id for name in names if id(name) in callees}
        hidden = (stored & called & set(functions)) - _meant(own, functions)
        for node in ast.walk(function) if hidden else ():
            if isinstance(node, ast.Name) and node.id in hidden and id(node) not in callees:
                node.id += "_value"
        found = found or bool(hidden)
    return found


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


def _meant(nodes: list[ast.AST], functions: Collection[str]) -> set[str]:
    """Names of functions, or of variables of the module: with these nothing is hidden."""
    found = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    for node in nodes:
        if isinstance(node, ast.Assign):
            value = node.value
            if isinstance(value, ast.Lambda) or (
                isinstance(value, ast.Name) and value.id in functions
            ):
                found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


class _InnerCopies(ast.NodeTransformer):
    """Takes functions that are written already out of those that define them once more inside.

    Small models repeat what they are shown, and the copy would hide the one that was checked.
    """

    def __init__(self, done: Collection[str]) -> None:
        self._done = done

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = [
            inner
            for inner in node.body
            if not (isinstance(inner, ast.FunctionDef) and inner.name in self._done)
        ] or [ast.Pass()]
        self.generic_visit(node)
        return node
