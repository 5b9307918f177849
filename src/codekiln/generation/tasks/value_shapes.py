"""Tells expressions that are values from those that only look like values, by their syntax.

`[1] * 3` and `Point(1, 2)` are values; `list[int]`, `3 ^ 2`, `f(2)`, `[1] [2]` and `O(1)` are not.
"""

from __future__ import annotations

import ast

from codekiln.generation.tasks.source import PROVIDED_MODULES, PROVIDED_NAMES, is_builtin

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
# Besides the constructors, what people use to write a long value shortly.
_PURE = frozenset(
    {"set", "frozenset", "dict", "list", "tuple", "range", "bytes", "bytearray", "complex"}
    | {"int", "float", "str", "bool", "sum", "len", "max", "min", "abs", "round", "sorted"}
    | {"pow", "ord", "chr", "reversed", "zip", "map", "enumerate"}
)
_NEVER = (
    *(ast.Compare, ast.BoolOp, ast.Lambda, ast.IfExp, ast.NamedExpr, ast.Await, ast.Yield),
    *(ast.YieldFrom, ast.Subscript),
)
# Builtin names by which people mean "some list", not the builtin itself.
_PLACEHOLDERS = frozenset(
    {"list", "dict", "set", "tuple", "object", "input", "iter", "id", "type", "bytes", "range"}
    | {"next", "hash", "format", "dir", "vars", "file", "slice", "filter", "map", "all", "any"}
)


def is_plain_value(node: ast.expr) -> bool:
    """True when all of `node` is what people write as a value."""
    used = {id(child.func) for child in ast.walk(node) if isinstance(child, ast.Call)}
    used |= {id(child.value) for child in ast.walk(node) if isinstance(child, ast.Attribute)}
    return all(_is_plain(child, used) for child in ast.walk(node))


def has_placeholder(node: ast.expr) -> bool:
    """True for a call like `f(list)` or `f(int, str)`, where builtins stand for any value.

    `apply(len, [1, 2])` is none: a function beside a value is meant as itself.
    """
    if not isinstance(node, ast.Call):
        return False
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    bare = [arg.id for arg in given if isinstance(arg, ast.Name) and is_builtin(arg.id)]
    return bool(bare) and (len(bare) == len(given) or not _PLACEHOLDERS.isdisjoint(bare))


def _is_plain(node: ast.AST, used: set[int]) -> bool:
    if isinstance(node, _NEVER):
        return False
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.USub | ast.UAdd)
    if isinstance(node, ast.BinOp):
        sides = [side for side in (node.left, node.right) if isinstance(side, ast.Constant)]
        # "True/False" and "'a' - 'b'" are alternatives and ranges.
        if any(isinstance(side.value, bool | str | bytes) or side.value is None for side in sides):
            return isinstance(node.op, ast.Add | ast.Mult | ast.Mod) and all(
                side.value is not None and not isinstance(side.value, bool) for side in sides
            )
        return isinstance(node.op, _ARITHMETIC) or not (sides or isinstance(node.left, ast.BinOp))
    if isinstance(node, ast.Name):
        # A builtin that is neither called nor looked into is a type: `dict[str, int]`, `[int]`.
        return id(node) in used or not is_builtin(node.id)
    return not isinstance(node, ast.Call) or _is_constructor(node.func)


def _is_constructor(function: ast.expr) -> bool:
    if isinstance(function, ast.Attribute):
        base = function.value
        while isinstance(base, ast.Attribute | ast.Call):
            base = base.value if isinstance(base, ast.Attribute) else base.func
        return not isinstance(base, ast.Name) or (
            base.id in PROVIDED_MODULES or _is_class_name(base.id) or base.id in _PURE
        )
    if not isinstance(function, ast.Name):
        return False
    name = function.id
    return name in _PURE or name in PROVIDED_NAMES or _is_class_name(name)


def _is_class_name(name: str) -> bool:
    # "O(1)" and "TODO(2)" are remarks.
    return name[:1].isupper() and not name.isupper()
