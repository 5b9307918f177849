"""Inputs made of a signature's annotations, boundary values first, for tasks that show few calls.

Takes annotation syntax trees; gives literal values. Knows builtin and `typing` names; whatever
else is annotated gives nothing. Which values the task means to be valid is not known here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product

from codekiln.core.task import Task
from codekiln.verify.python_source import parse

MAX_DEPTH = 3
_INTS: tuple[object, ...] = (5, 0, 1, 2, 12, -3, 100, 7)
_FLOATS: tuple[object, ...] = (2.5, 0.0, -1.25, 3.0, 100.5)
_STRINGS: tuple[object, ...] = ("abcab", "", "a", "Hello World", "level", "a1 B2, c3", "zyx")
_BOOLS: tuple[object, ...] = (True, False)
_PLAIN: dict[str, tuple[object, ...]] = {
    "int": _INTS,
    "float": _FLOATS,
    "complex": (1 + 2j, 0j),
    "str": _STRINGS,
    "bool": _BOOLS,
    "bytes": (b"ab", b""),
    "None": (None,),
    "Any": (5, "abcab", [1, 2, 2]),
    "object": (5, "abcab", [1, 2, 2]),
    "list": ([3, 1, 2], [], [1]),
    "List": ([3, 1, 2], [], [1]),
    "dict": ({"a": 1, "b": 2}, {}),
    "Dict": ({"a": 1, "b": 2}, {}),
    "tuple": ((1, 2, 3), ()),
    "Tuple": ((1, 2, 3), ()),
    "set": ({1, 2, 3}, set()),
    "Set": ({1, 2, 3}, set()),
    "number": (5, 2.5, 0),
}
_SEQUENCES = {"list", "List", "Sequence", "Iterable", "Collection", "MutableSequence"}
_SETS = {"set", "Set", "frozenset", "FrozenSet"}
_MAPPINGS = {"dict", "Dict", "Mapping", "MutableMapping"}


def signature_of(task: Task) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """The function that the task names, as its skeleton or signature declares it."""
    for text in (task.skeleton, task.signature, f"{task.signature.rstrip().rstrip(':')}:\n    ..."):
        tree = parse(text)
        if not isinstance(tree, ast.Module):
            continue
        for node in tree.body:
            if (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
                and node.name == task.entry_point
            ):
                return node
    return None


def typed_calls(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[object, ...]]:
    """Positional arguments for all parameters without a default; nothing if one has no type.

    First every parameter has its plainest value, then one after the other varies, then they vary
    together.
    """
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    needed = positional[: len(positional) - len(arguments.defaults)]
    if any(default is None for default in arguments.kw_defaults) or not needed:
        return
    columns = [values_of(argument.annotation) for argument in needed]
    if not all(columns):
        return
    plain = tuple(column[0] for column in columns)
    yield plain
    for row in range(1, max(map(len, columns))):
        for place, column in enumerate(columns):
            if row < len(column):
                yield (*plain[:place], column[row], *plain[place + 1 :])
    if len(columns) > 1:
        yield from islice(product(*(column[1:4] for column in columns)), 12)


def values_of(annotation: ast.expr | None, depth: int = 0) -> Sequence[object]:
    """Values of this type, the plainest first; empty for a type that is not known.

    >>> values_of(ast.parse("list[int]", mode="eval").body)[:3]
    [[5, 0, 1], [], [5]]
    """
    if annotation is None or depth > MAX_DEPTH:
        return ()
    if isinstance(annotation, ast.Constant):
        if annotation.value is None:
            return (None,)
        if isinstance(annotation.value, str):
            tree = parse(annotation.value)
            if isinstance(tree, ast.Module) and len(tree.body) == 1:
                statement = tree.body[0]
                if isinstance(statement, ast.Expr):
                    return values_of(statement.value, depth + 1)
        return ()
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _merged([values_of(side, depth) for side in (annotation.left, annotation.right)])
    if isinstance(annotation, ast.Subscript):
        return _subscripted(annotation, depth)
    return _PLAIN.get(_name(annotation), ())


def _subscripted(annotation: ast.Subscript, depth: int) -> Sequence[object]:
    name = _name(annotation.value)
    inner = annotation.slice
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if not parts:
        return ()
    if name == "Optional":
        return _merged([values_of(parts[0], depth), (None,)])
    if name == "Union":
        return _merged([values_of(part, depth) for part in parts])
    if name == "Literal":
        return tuple(part.value for part in parts if isinstance(part, ast.Constant))
    if name in ("tuple", "Tuple") and not _is_ellipsis(parts[-1]):
        columns = [values_of(part, depth + 1) for part in parts]
        if not all(columns):
            return ()
        rows = max(map(len, columns))
        return [tuple(column[row % len(column)] for column in columns) for row in range(rows)][:5]
    items = values_of(parts[0], depth + 1)
    if not items:
        return ()
    if name in _MAPPINGS and len(parts) == 2:
        return _mappings(items, values_of(parts[1], depth + 1))
    builders: dict[str, Callable[[list[object]], object]] = {
        **dict.fromkeys(_SEQUENCES, list),
        "tuple": tuple,
        "Tuple": tuple,
    }
    if name in builders:
        return [builders[name](row) for row in _rows(items)]
    if name in _SETS:
        try:
            return [set(row) for row in _rows(items)][:4]
        except TypeError:
            return ()
    return ()


def _rows(items: Sequence[object]) -> list[list[object]]:
    """Lists of these items: several, none, one, repeated, reversed, all."""
    head = list(items[:3])
    return [head, [], head[:1], [*head, *head[:2]], list(items)[::-1], head[:1] * 3, list(items)]


def _mappings(keys: Sequence[object], values: Sequence[object]) -> Sequence[object]:
    if not values:
        return ()
    try:
        whole = {key: values[place % len(values)] for place, key in enumerate(keys)}
        return [dict(list(whole.items())[:3]), {}, dict(list(whole.items())[:1]), whole]
    except TypeError:
        return ()


def _merged(columns: Sequence[Sequence[object]]) -> Sequence[object]:
    """Values of several types in turn."""
    longest = max(map(len, columns), default=0)
    return [column[row] for row in range(longest) for column in columns if row < len(column)]


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is Ellipsis
