"""Small changes of one expression: what a programmer gets wrong by one step.

Given an expression of a function, its parent and the function's variables, yields expressions to
put in its place. Nothing given is changed: the new nodes share the unchanged parts. Operators are
those of mutation testing (DeMillo, Lipton, Sayward 1978) and of generate-and-validate repair
(Qi et al. 2014), read backwards: from the mistake to the right program.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt, ast.GtE),
    ast.LtE: (ast.Lt, ast.GtE, ast.Gt),
    ast.Gt: (ast.GtE, ast.Lt, ast.LtE),
    ast.GtE: (ast.Gt, ast.LtE, ast.Lt),
    ast.Eq: (ast.NotEq, ast.LtE, ast.GtE),
    ast.NotEq: (ast.Eq, ast.Lt, ast.Gt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_OPERATORS: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Pow, ast.FloorDiv),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div, ast.Mod, ast.Mult),
    ast.Mod: (ast.FloorDiv,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr, ast.BitXor),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.BitXor: (ast.BitAnd, ast.BitOr),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
_FUNCTIONS = {
    "min": ("max",),
    "max": ("min",),
    "any": ("all",),
    "all": ("any",),
    "sum": ("len", "max"),
    "len": ("sum",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "int": ("round", "float", "str"),
    "list": ("tuple", "set"),
    "tuple": ("list",),
    "set": ("list",),
    "sorted": ("list",),
    "str": ("repr",),
}
_METHODS = {
    "upper": ("lower",),
    "lower": ("upper",),
    "isupper": ("islower",),
    "islower": ("isupper",),
    "isalpha": ("isalnum",),
    "isdigit": ("isalnum",),
    "find": ("rfind",),
    "rfind": ("find",),
    "startswith": ("endswith",),
    "endswith": ("startswith",),
    "strip": ("lstrip", "rstrip"),
    "append": ("extend",),
    "extend": ("append",),
    "floor": ("ceil",),
    "ceil": ("floor",),
    "match": ("search", "fullmatch"),
    "search": ("match", "fullmatch"),
    "keys": ("values", "items"),
    "values": ("keys", "items"),
    "items": ("keys", "values"),
    "union": ("intersection", "difference"),
    "intersection": ("union", "difference"),
}
# Calls that may be left out: their argument stands in their place.
_CONVERSIONS = frozenset(
    {"abs", "bool", "float", "int", "len", "list", "reversed", "round", "set", "sorted", "str"}
    | {"sum", "tuple"}
)
_SHORT_TEXTS = ("", " ", ",", ", ", "-", "_")
_RANGES = tuple(
    ast.parse(text, mode="eval").body
    for text in (
        *("range(1, X)", "range(1, X + 1)", "range(X + 1)", "range(X - 1)", "range(2, X)"),
        *("range(2, X + 1)", "range(1, X - 1)", "range(X - 1, -1, -1)", "range(0, X, 2)"),
        "range(1, X, 2)",
    )
)
# The right value in another form: as another type, one part of it, the opposite.
_RESULTS = tuple(
    ast.parse(text, mode="eval").body
    for text in (
        *("tuple(X)", "list(X)", "sorted(X)", "set(X)", "str(X)", "int(X)", "float(X)", "bool(X)"),
        *("len(X)", "sum(X)", "max(X)", "min(X)", "not X", "-X", "abs(X)", "X[0]", "X[-1]", "[X]"),
        *("(X,)", "X[::-1]", "''.join(X)", "' '.join(X)", "dict(X)", "round(X)", "round(X, 2)"),
        *("round(X, 1)", "X + 1", "X - 1", "''.join(map(str, X))", "list(map(list, X))"),
        *("list(map(tuple, X))", "X.strip()", "sorted(X, reverse=True)", "list(set(X))"),
        "'Yes' if X else 'No'",
    )
)
_ASSIGNED = tuple(
    ast.parse(text, mode="eval").body
    for text in ("sorted(X)", "set(X)", "list(X)", "X[::-1]", "int(X)", "str(X)")
)

_LOAD = ast.Load()


def alternatives(node: ast.expr, parent: ast.AST, variables: Sequence[str]) -> Iterator[ast.expr]:
    """Expressions to try in place of `node`, the child of `parent`."""
    if not isinstance(getattr(node, "ctx", _LOAD), ast.Load):
        return
    if isinstance(node, ast.Constant):
        yield from _constants(node, parent)
    elif isinstance(node, ast.Compare):
        yield from _comparisons(node)
    elif isinstance(node, ast.BinOp):
        yield from _operations(node)
    elif isinstance(node, ast.BoolOp):
        yield from _conditions(node)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
        if isinstance(node.op, ast.USub) and isinstance(parent, ast.Return):
            yield ast.Constant(None)
    elif isinstance(node, ast.IfExp):
        yield ast.IfExp(node.test, node.orelse, node.body)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Subscript):
        yield from _parts(node)
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        yield from _comprehensions(node)
    elif isinstance(node, ast.Name) and node.id in variables:
        yield from (_name(other) for other in variables if other != node.id)
        if isinstance(parent, ast.Compare):
            yield from (_plus(node, 1), _plus(node, -1))
    elif isinstance(node, ast.List) and not node.elts and isinstance(parent, ast.Return):
        yield ast.Constant(None)
    if isinstance(parent, ast.Return):
        yield from (_filled(form, node) for form in _RESULTS)
    elif isinstance(parent, ast.Assign) and not isinstance(node, ast.Constant):
        yield from (_filled(form, node) for form in _ASSIGNED)
    elif isinstance(parent, ast.If | ast.While):
        yield ast.UnaryOp(ast.Not(), node)


def _constants(node: ast.Constant, parent: ast.AST) -> Iterator[ast.expr]:
    value = node.value
    returned = isinstance(parent, ast.Return)
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        for other in dict.fromkeys((value + 1, value - 1, 0, 1, -1, 2, -value)):
            if other != value:
                yield _number(other)
    elif isinstance(value, str) and value in _SHORT_TEXTS:
        yield from (ast.Constant(other) for other in _SHORT_TEXTS[:4] if other != value)
    elif value is None and returned:
        yield from (ast.Constant(other) for other in (0, False, ""))
        yield from (_number(-1), ast.List([], ast.Load()), ast.Tuple([], ast.Load()))
    if returned and value in (0, "") and value is not None:
        yield ast.Constant(None)


def _comparisons(node: ast.Compare) -> Iterator[ast.expr]:
    for place, operator in enumerate(node.ops):
        for other in _COMPARISONS[type(operator)]:
            operators = [*node.ops[:place], other(), *node.ops[place + 1 :]]
            yield ast.Compare(node.left, operators, node.comparators)


def _operations(node: ast.BinOp) -> Iterator[ast.expr]:
    for other in _OPERATORS.get(type(node.op), ()):
        yield ast.BinOp(node.left, other(), node.right)
    if not isinstance(node.op, ast.Mult):
        yield ast.BinOp(node.right, node.op, node.left)
    yield from (node.left, node.right, _plus(node, 1), _plus(node, -1))
    if isinstance(node.op, ast.Sub):
        yield ast.Call(_name("abs"), [node], [])


def _conditions(node: ast.BoolOp) -> Iterator[ast.expr]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for place in range(len(node.values)):
        rest = [*node.values[:place], *node.values[place + 1 :]]
        yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    function, arguments, keywords = node.func, node.args, node.keywords
    if isinstance(function, ast.Name):
        for other in _FUNCTIONS.get(function.id, ()):
            yield ast.Call(_name(other), arguments, keywords)
        if function.id in _CONVERSIONS and len(arguments) == 1:
            yield arguments[0]
        if function.id == "sorted":
            rest = [keyword for keyword in keywords if keyword.arg != "reverse"]
            turned = [] if len(rest) < len(keywords) else [_keyword("reverse", True)]
            yield ast.Call(function, arguments, [*rest, *turned])
        if function.id in ("sorted", "max", "min"):
            rest = [keyword for keyword in keywords if keyword.arg != "key"]
            if len(rest) < len(keywords):
                yield ast.Call(function, arguments, rest)
        if function.id == "range":
            yield from _ranges(node)
    elif isinstance(function, ast.Attribute):
        for other in _METHODS.get(function.attr, ()):
            method = ast.Attribute(function.value, other, ast.Load())
            yield ast.Call(method, arguments, keywords)
        if function.attr in ("strip", "lstrip", "rstrip", "lower", "upper"):
            yield function.value
        if function.attr == "split":
            yield ast.Call(_name("list"), [function.value], [])
    if len(arguments) == 2:
        yield ast.Call(function, [arguments[1], arguments[0]], keywords)


def _ranges(node: ast.Call) -> Iterator[ast.expr]:
    if len(node.args) == 1:
        yield from (_filled(form, node.args[0]) for form in _RANGES)
    elif len(node.args) > 1:
        start, stop, *rest = node.args
        for step in (1, -1):
            yield ast.Call(node.func, [_plus(start, step), stop, *rest], [])
            yield ast.Call(node.func, [start, _plus(stop, step), *rest], [])
            yield ast.Call(node.func, [_plus(start, step), _plus(stop, step), *rest], [])


def _parts(node: ast.Subscript) -> Iterator[ast.expr]:
    yield node.value
    part = node.slice
    if not isinstance(part, ast.Slice):
        yield part
        for step in (1, -1):
            yield ast.Subscript(node.value, _plus(part, step), node.ctx)
        return
    for lower in _moved(part.lower):
        yield ast.Subscript(node.value, ast.Slice(lower, part.upper, part.step), node.ctx)
    for upper in _moved(part.upper):
        yield ast.Subscript(node.value, ast.Slice(part.lower, upper, part.step), node.ctx)


def _moved(bound: ast.expr | None) -> tuple[ast.expr | None, ...]:
    return (_plus(bound, 1), _plus(bound, -1), None) if bound is not None else ()


def _comprehensions(node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Iterator[ast.expr]:
    if isinstance(node, ast.ListComp):
        yield ast.SetComp(node.elt, node.generators)
    for place, loop in enumerate(node.generators):
        for number, condition in enumerate(loop.ifs):
            for instead in ([], [ast.UnaryOp(ast.Not(), condition)]):
                ifs = [*loop.ifs[:number], *instead, *loop.ifs[number + 1 :]]
                changed = ast.comprehension(loop.target, loop.iter, ifs, loop.is_async)
                loops = [*node.generators[:place], changed, *node.generators[place + 1 :]]
                yield type(node)(node.elt, loops)


def _plus(node: ast.expr, step: int) -> ast.expr:
    """`node + step`, added up where it is a number."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return _number(node.value + step)
    operator = ast.Add() if step > 0 else ast.Sub()
    return ast.BinOp(node, operator, ast.Constant(abs(step)))


def _number(value: int) -> ast.expr:
    if value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def _name(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def _keyword(name: str, value: object) -> ast.keyword:
    return ast.keyword(name, ast.Constant(value))  # type: ignore[arg-type]


def _filled(form: ast.expr, inner: ast.expr) -> ast.expr:
    """A copy of the form with `inner` in the place of `X`."""
    filled = ast.parse(ast.unparse(form), mode="eval").body
    return _Fill(inner).visit(filled)  # type: ignore[no-any-return]


class _Fill(ast.NodeTransformer):
    def __init__(self, inner: ast.expr) -> None:
        self._inner = inner

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._inner if node.id == "X" else node
