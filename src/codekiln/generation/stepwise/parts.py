"""Single functions out of what a model wrote: what is new in it, fit to stand behind finished ones.

Works on Python source; runs nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence

from codekiln.generation.mutation.shadowing import Definition, Function, own_nodes, unshadow
from codekiln.verify import parse_python


def new_part(code: str, name: str, finished: Sequence[str]) -> str:
    """What `code` adds: the function `name`, its own helpers and imports, nothing of `finished`.

    Empty when it does not define the function.
    """
    tree = parse_python(code)
    if not isinstance(tree, ast.Module):
        return ""
    before = [node for part in finished for node in ast.parse(part).body]
    done = {node.name for node in before if isinstance(node, Definition)}
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
    if not any(isinstance(node, Function) and node.name == name for node in body):
        return ""
    part = ast.Module(body, [])
    unshadow(part, {*done, name})
    return ast.unparse(part)


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


def _bound(function: Function) -> set[str]:
    """Parameters and variables of a function."""
    names = {argument.arg for argument in ast.walk(function.args) if isinstance(argument, ast.arg)}
    for node in own_nodes(function):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
    return names


def _used(function: Function) -> set[str]:
    return {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
