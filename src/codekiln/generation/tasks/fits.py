"""Tells whether an example can be meant for a signature: its arguments and the kind of its value.

Knows only what the signature's text says; a signature it does not understand fits everything.
"""

from __future__ import annotations

import ast
import inspect
from dataclasses import dataclass
from functools import lru_cache

from codekiln.generation.tasks.source import parse_expression, parse_statements

_KINDS = {
    **dict.fromkeys(("int", "float", "complex", "bool", "Number", "Real", "Integral"), "number"),
    **dict.fromkeys(("str", "Text", "AnyStr"), "str"),
    **dict.fromkeys(("list", "List"), "list"),
    **dict.fromkeys(("tuple", "Tuple"), "tuple"),
    **dict.fromkeys(("dict", "Dict"), "dict"),
    **dict.fromkeys(("set", "Set"), "set"),
    **dict.fromkeys(("Iterator", "Generator", "AsyncIterator", "AsyncGenerator"), "iterator"),
    "bytes": "bytes",
    "None": "None",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a function's heading says: its parameters, and annotations as kinds of values."""

    parameters: inspect.Signature
    kinds: dict[str, frozenset[str]]  # by parameter; the key "return" is the result; absent: any


@lru_cache(maxsize=64)
def shape_of(signature: str) -> Shape | None:
    """The shape of a `def` heading; None when it is none or is decorated, thus may be changed."""
    node = _definition(signature.strip())
    if node is None or node.decorator_list:
        return None
    kinds = {}
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    annotations = [*((arg.arg, arg.annotation) for arg in every), ("return", node.returns)]
    for name, annotation in annotations:
        if annotation is not None and (found := _kinds(annotation)):
            kinds[name] = found
    try:
        return Shape(_parameters(node.args), kinds)
    except ValueError:  # the same name twice
        return None


def _definition(signature: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    bare = signature.rstrip(": ")
    for heading in (signature, f"{bare}:", f"def {bare}:"):
        statements = parse_statements(f"{heading}\n    ...")
        node = statements[0] if statements and len(statements) == 1 else None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return node
    return None


def misfit(call: str, expected: str | None, name: str, signature: str) -> str:
    """Why the call cannot be one of `name` with this signature and value; "" when it can."""
    shape, node = shape_of(signature), parse_expression(call)
    if shape is None or not isinstance(node, ast.Call) or not _is_name(node.func, name):
        return ""
    if any(isinstance(arg, ast.Starred) for arg in node.args) or any(
        keyword.arg is None for keyword in node.keywords
    ):
        return ""
    if _bound(shape, node) is None:
        return f"its arguments are not those of `{name}`"
    kind = _kind_of(parse_expression(expected)) if expected is not None else ""
    allowed = shape.kinds.get("return")
    if allowed and kind not in ("", "None") and kind not in allowed:
        return f"its value is of another type than the signature of `{name}` says"
    return ""


def is_just_right(call: str, signature: str) -> bool:
    """True when a call gives every parameter without a default, of the kind it is annotated with,
    and nothing that could be meant otherwise: by position all parameters, or all by name."""
    shape, node = shape_of(signature), parse_expression(call)
    if shape is None or not isinstance(node, ast.Call):
        return False
    parameters = shape.parameters.parameters
    bound = _bound(shape, node)
    if bound is None or not bound or not set(bound) <= set(parameters):
        return False
    if node.args and (node.keywords or len(node.args) != len(parameters)):
        return False
    return all(
        _kind_of(value) in ("", *shape.kinds.get(name, (_kind_of(value),)))
        for name, value in bound.items()
    )


def returns_text(signature: str) -> bool | None:
    """Whether the signature says that a text is returned; None when it does not say."""
    shape = shape_of(signature)
    kinds = shape.kinds.get("return") if shape else None
    return None if kinds is None else "str" in kinds


def _bound(shape: Shape, node: ast.Call) -> dict[str, ast.expr] | None:
    """The arguments by parameter, or None when Python would refuse the call."""
    try:
        bound = shape.parameters.bind(
            *node.args, **{keyword.arg or "": keyword.value for keyword in node.keywords}
        )
    except TypeError:
        return None
    return {name: value for name, value in bound.arguments.items() if isinstance(value, ast.expr)}


def _parameters(arguments: ast.arguments) -> inspect.Signature:
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    found = []
    for index, arg in enumerate(positional):
        kind: inspect._ParameterKind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        if index < len(arguments.posonlyargs):
            kind = inspect.Parameter.POSITIONAL_ONLY
        found.append(_parameter(arg, kind, has_default=index >= first_default))
    if arguments.vararg:
        found.append(_parameter(arguments.vararg, inspect.Parameter.VAR_POSITIONAL))
    for arg, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found.append(
            _parameter(arg, inspect.Parameter.KEYWORD_ONLY, has_default=default is not None)
        )
    if arguments.kwarg:
        found.append(_parameter(arguments.kwarg, inspect.Parameter.VAR_KEYWORD))
    # An example calls a method without the object.
    bound = bool(found) and found[0].name in ("self", "cls")
    return inspect.Signature(found[1:] if bound else found)


def _parameter(
    arg: ast.arg, kind: inspect._ParameterKind, *, has_default: bool = False
) -> inspect.Parameter:
    return inspect.Parameter(
        arg.arg, kind, default=None if has_default else inspect.Parameter.empty
    )


def _kinds(annotation: ast.expr) -> frozenset[str]:
    """The kinds of values an annotation allows; empty: it may be any."""
    if isinstance(annotation, ast.Constant):
        if isinstance(annotation.value, str):
            inner = parse_expression(annotation.value)
            return _kinds(inner) if inner is not None else frozenset()
        return frozenset({"None"} if annotation.value is None else ())
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return _any_of([annotation.left, annotation.right])
    name = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    plain = name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "")
    if isinstance(annotation, ast.Subscript) and plain in ("Optional", "Union"):
        inner = annotation.slice
        return _any_of(inner.elts if isinstance(inner, ast.Tuple) else [inner])
    return frozenset({_KINDS[plain]} if plain in _KINDS else ())


def _any_of(annotations: list[ast.expr]) -> frozenset[str]:
    kinds = [_kinds(annotation) for annotation in annotations]
    return frozenset().union(*kinds) if all(kinds) else frozenset()


def _kind_of(node: ast.expr | None) -> str:
    """The kind of a literal; "" when it is none or can be more than one."""
    if isinstance(node, ast.UnaryOp):
        return _kind_of(node.operand)
    if isinstance(node, ast.Constant):
        if node.value is None:
            return "None"
        if isinstance(node.value, str | bytes):
            return type(node.value).__name__
        return "number"
    for kind, name in ((ast.List, "list"), (ast.Tuple, "tuple"), (ast.Dict, "dict")):
        if isinstance(node, kind):
            return name
    return "set" if isinstance(node, ast.Set) else ""


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
