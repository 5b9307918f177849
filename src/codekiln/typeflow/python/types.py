"""Between Python's annotations and the type language; what has no counterpart becomes UNKNOWN.

Aliases of typing and collections.abc are known by their last name, whatever they were imported as.
Strings (forward references) are read as annotations too. An abstract collection becomes what the
type language has for it: a Mapping is a dict, a Sequence an iterable.
"""

from __future__ import annotations

import ast

from codekiln.typeflow.types import (
    BIGINT,
    NONE,
    OBJECT,
    SCALARS,
    UNDEFINED,
    UNKNOWN,
    Type,
    optional,
    union,
)

# Names that annotations use for a type of the language with as many arguments as given.
_CONTAINERS = {
    "list": "list",
    "List": "list",
    "MutableSequence": "list",
    "set": "set",
    "Set": "set",
    "frozenset": "frozenset",
    "FrozenSet": "frozenset",
    "dict": "dict",
    "Dict": "dict",
    "Mapping": "dict",
    "MutableMapping": "dict",
    "Iterable": "iterable",
    "Collection": "iterable",
    "Container": "iterable",
    "Sequence": "iterable",
    "Reversible": "iterable",
    "Iterator": "iterator",
    "Awaitable": "awaitable",
    "Coroutine": "awaitable",
}
# Names of the type language that mean nothing in Python.
_RESERVED = (
    "iterable",
    "iterator",
    "awaitable",
    "union",
    "unknown",
    "never",
    "callable*",
    "tuple*",
)
_SCALARS = {found.name: found for found in SCALARS - {UNDEFINED, BIGINT}}
# Wrappers that say something about a name, not about its values.
_TRANSPARENT = ("Annotated", "Final", "ClassVar", "Required", "NotRequired", "ReadOnly")
_UNKNOWN = ("Any", "Self", "Never", "NoReturn", "LiteralString", "TypeAlias")
_GENERATORS = {"Generator": "iterator"}
_PRINTED = {
    "iterable": "Iterable",
    "iterator": "Iterator",
    "awaitable": "Awaitable",
    "undefined": "None",
    "bigint": "int",
    "Map": "dict",
    "Record": "dict",
}


def parse_annotation(annotation: str | ast.expr) -> Type:
    """The type that an annotation means; UNKNOWN where it is no annotation.

    >>> str(parse_annotation("Optional[Dict[str, list[int]]]"))
    'union[None, dict[str, list[int]]]'
    """
    if isinstance(annotation, str):
        try:
            annotation = ast.parse(annotation.strip(), mode="eval").body
        # Of text that is no Python; RecursionError and MemoryError of text that is too deep.
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return UNKNOWN
    try:
        return _parsed(annotation)
    except RecursionError:
        return UNKNOWN


def _parsed(node: ast.expr) -> Type:
    match node:
        case ast.Constant(value=None):
            return NONE
        case ast.Constant(value=str(text)):
            return parse_annotation(text)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _named(name)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union((_parsed(left), _parsed(right)))
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inside):
            return _subscripted(name, inside)
        case _:
            return UNKNOWN


def _named(name: str) -> Type:
    if name in _SCALARS:
        return _SCALARS[name]
    if name == "NoneType":
        return NONE
    if name == "object":
        return OBJECT
    if name in ("tuple", "Tuple"):
        return Type("tuple*", (UNKNOWN,))
    if name in ("Callable", "callable"):
        return Type("callable*", (UNKNOWN,))
    if name in _CONTAINERS:
        kind = _CONTAINERS[name]
        return Type(kind, (UNKNOWN,) * (2 if kind == "dict" else 1))
    if name in _GENERATORS:
        return Type("iterator", (UNKNOWN,))
    return UNKNOWN if name in _UNKNOWN or name in _RESERVED else Type(name)


def _subscripted(name: str, inside: ast.expr) -> Type:
    parts = list(inside.elts) if isinstance(inside, ast.Tuple) else [inside]
    if name == "Optional":
        return optional(_parsed(inside))
    if name == "Union":
        return union(map(_parsed, parts))
    if name == "Literal":
        return union(_of_value(part) for part in parts)
    if name in _TRANSPARENT:
        return _parsed(parts[0])
    if name in ("tuple", "Tuple"):
        return _tuple(parts)
    if name == "Callable":
        return _callable(parts)
    if name in _GENERATORS:
        return Type("iterator", (_parsed(parts[0]),))
    if name == "Coroutine":
        return Type("awaitable", (_parsed(parts[-1]),))
    if name in _CONTAINERS:
        wanted = _named(name)
        if len(parts) != len(wanted.args):
            return UNKNOWN
        return Type(wanted.name, tuple(map(_parsed, parts)))
    return UNKNOWN if name in _RESERVED else Type(name, tuple(map(_parsed, parts)))


def _tuple(parts: list[ast.expr]) -> Type:
    match parts:
        case [first, ast.Constant(value=value)] if value is ...:
            return Type("tuple*", (_parsed(first),))
        case [ast.Tuple(elts=[])]:
            return Type("tuple")
        case _:
            return Type("tuple", tuple(map(_parsed, parts)))


def _callable(parts: list[ast.expr]) -> Type:
    match parts:
        case [ast.List(elts=parameters), result]:
            return Type("callable", (*map(_parsed, parameters), _parsed(result)))
        case [_, result]:
            return Type("callable*", (_parsed(result),))
        case _:
            return UNKNOWN


def _of_value(node: ast.expr) -> Type:
    """The type of a literal value."""
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    if isinstance(node, ast.Constant):
        return NONE if node.value is None else _SCALARS.get(type(node.value).__name__, UNKNOWN)
    return UNKNOWN


def to_annotation(found: Type) -> str:
    """The annotation in Python 3.10 and newer; `Any` for what is unknown.

    >>> to_annotation(parse_annotation("Optional[Tuple[int, ...]]"))
    'tuple[int, ...] | None'
    """
    args = [to_annotation(arg) for arg in found.args]
    match found.name:
        case "unknown" | "never":
            return "Any"
        case "union":
            # None last, as people write it.
            return " | ".join(sorted(set(args), key=lambda text: (text == "None", text)))
        case "tuple":
            return f"tuple[{', '.join(args)}]" if args else "tuple[()]"
        case "tuple*":
            return f"tuple[{args[0]}, ...]"
        case "callable":
            return f"Callable[[{', '.join(args[:-1])}], {args[-1]}]"
        case "callable*":
            return f"Callable[..., {args[0]}]"
        case name:
            printed = _PRINTED.get(name, name)
            return f"{printed}[{', '.join(args)}]" if args else printed
