"""A normal form of code, equal for programs that differ only in what cannot matter.

Takes source text; gives text to compare, not to run. For Python: comments, layout, docstrings
and type annotations of locals do not count, nor do the names of local variables where renaming
is sound; for other languages only trailing blanks and blank lines do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codekiln.verify.python_source import parse

# With these a program can see the names of its locals.
_INTROSPECTION = frozenset({"locals", "vars", "eval", "exec", "dir", "globals"})
_INNER = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NAMED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


def normalise(code: str, language: str = "python") -> str:
    """The normal form of `code`; text that does not parse is its own normal form."""
    if language == "python":
        tree = parse(code)
        if isinstance(tree, ast.Module):
            try:
                return _python(tree)
            except RecursionError:
                pass
    return "\n".join(line.rstrip() for line in code.splitlines() if line.strip())


def _python(tree: ast.Module) -> str:
    reads_docstrings = any(
        isinstance(node, ast.Attribute) and node.attr == "__doc__" for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, _NAMED) and not reads_docstrings:
            _drop_docstring(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            _rename_locals(node)
    return ast.dump(tree, annotate_fields=False)


def _drop_docstring(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module,
) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]


def _rename_locals(function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Number the plain local variables in order of appearance, if nothing could notice.

    Left alone: parameters (they are part of the interface), functions with inner scopes other
    than comprehensions, with `global`/`nonlocal`/`del`, or that may look at their own locals.
    """
    inside = [node for statement in function.body for node in _walk_in_order(statement)]
    for node in inside:
        if isinstance(node, (*_INNER, ast.Global, ast.Nonlocal, ast.Delete)):
            return
        if isinstance(node, ast.Name) and node.id in _INTROSPECTION:
            return
    fixed = _bound_otherwise(function, inside)
    outer, inner = _stored_names(function)
    loaded = {
        node.id
        for statement in function.body
        for node in _walk_outside_comprehensions(statement)
        if isinstance(node, ast.Name)
    }
    # A comprehension's variable may hide a global of the same name used outside of it.
    if (inner - outer) & loaded:
        return
    names: dict[str, str] = {}
    for node in inside:
        if isinstance(node, ast.Name) and node.id in (outer | inner) - fixed:
            node.id = names.setdefault(node.id, f"·{len(names)}")


def _bound_otherwise(
    function: ast.FunctionDef | ast.AsyncFunctionDef, inside: list[ast.AST]
) -> set[str]:
    """Names of parameters, imports, exception handlers and match patterns: these stay."""
    arguments = function.args
    names = {
        argument.arg
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    }
    names.update(extra.arg for extra in (arguments.vararg, arguments.kwarg) if extra)
    for node in inside:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((a.asname or a.name).partition(".")[0] for a in node.names)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
    return names


def _stored_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[set[str], set[str]]:
    """Names assigned in the function itself, and names bound by its comprehensions."""
    outer: set[str] = set()
    inner: set[str] = set()
    for statement in function.body:
        own = {id(node) for node in _walk_outside_comprehensions(statement)}
        for node in ast.walk(statement):
            if isinstance(node, ast.NamedExpr) and isinstance(node.target, ast.Name):
                outer.add(node.target.id)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                (outer if id(node) in own else inner).add(node.id)
    return outer, inner


def _walk_in_order(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk_in_order(child)


def _walk_outside_comprehensions(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, _COMPREHENSIONS):
        # Only the first iterable belongs to the surrounding scope.
        yield from _walk_outside_comprehensions(node.generators[0].iter)
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk_outside_comprehensions(child)
