"""What a module does with names that no flow shows: what may be something else than it seems.

Pure functions on the syntax tree.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator

from codekiln.typeflow.python.syntax import FUNCTIONS

# Methods that put something into what they are called on, and what that is where it is certain.
CHANGING = {
    "append": "list",
    "add": "set",
    "insert": "other",
    "extend": "other",
    "update": "other",
    "setdefault": "other",
    "appendleft": "other",
}


def bound_more_than_once(tree: ast.Module) -> frozenset[str]:
    """Names of the module that two statements bind, so that a use may mean either."""
    counts = Counter(_bound(tree.body))
    return frozenset(name for name, count in counts.items() if count > 1)


def bound_by_module(tree: ast.Module) -> frozenset[str]:
    """All names that the module itself binds, which may hide a builtin."""
    return frozenset(_bound(tree.body))


def made_global(tree: ast.Module) -> frozenset[str]:
    """Names that functions change in the module's scope."""
    return frozenset(
        name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names
    )


def used_otherwise(tree: ast.Module, names: Collection[str], read: Collection[int]) -> set[str]:
    """Which of the functions' last names occur elsewhere than in calls that were read.

    `read` are ids of the nodes that name the function in those calls. A function that is handed on
    may be called with anything.
    """
    found = set()
    for node in ast.walk(tree):
        name = ""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            name = node.id
        elif isinstance(node, ast.Attribute):
            name = node.attr
        if name in names and id(node) not in read:
            found.add(name)
    return found


def stored_attributes(tree: ast.Module, read: Collection[int]) -> set[str]:
    """Attributes that are set, or whose value is changed, where that was not read."""
    changed: list[ast.AST] = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                changed.append(node)
            case ast.Subscript(value=inner, ctx=ast.Store() | ast.Del()):
                changed.append(inner)
            case ast.Call(func=ast.Attribute(value=inner, attr=method)) if method in CHANGING:
                changed.append(inner)
    return {
        node.attr for node in changed if isinstance(node, ast.Attribute) and id(node) not in read
    }


def _bound(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                yield part.id
            elif isinstance(part, ast.alias):
                yield (part.asname or part.name).partition(".")[0]
            elif isinstance(part, (*FUNCTIONS, ast.ClassDef)):
                yield part.name
