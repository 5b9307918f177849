"""What the shape of Python code says: scopes, parameters, blocks, calls, names, ends of functions.

Pure functions on syntax trees; nothing here knows types but those of constants.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from codekiln.typeflow.module import Signature
from codekiln.typeflow.python.types import parse_annotation
from codekiln.typeflow.types import NONE, UNKNOWN, Type

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
# Decorators after which a call still gives what the function returns.
_HARMLESS = {
    "abstractmethod",
    "cache",
    "classmethod",
    "final",
    "lru_cache",
    "override",
    "staticmethod",
}


def arguments(node: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Parameters with their defaults, in order; not those that take the rest."""
    positional = [*node.args.posonlyargs, *node.args.args]
    missing = [None] * (len(positional) - len(node.args.defaults))
    yield from zip(positional, [*missing, *node.args.defaults], strict=True)
    yield from zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)


def signature_of(node: Function, name: str, is_method: bool) -> Signature:
    """Parameters by name; a method's first, unless it is static, is not one that callers give."""
    decorators = {ast.unparse(part).partition("(")[0] for part in node.decorator_list}
    short = {decorator.rpartition(".")[2] for decorator in decorators}
    positional = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    if is_method and "staticmethod" not in short:
        positional = positional[1:]
    names = (*positional, *(argument.arg for argument in node.args.kwonlyargs))
    return Signature(
        name,
        node.lineno,
        names,
        len(positional),
        is_method,
        isinstance(node, ast.AsyncFunctionDef),
        short <= _HARMLESS,
    )


def blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The statements inside a statement that has no scope of its own."""
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return
    for part in ("body", "orelse", "finalbody"):
        yield getattr(node, part, [])
    for handler in getattr(node, "handlers", ()):
        yield handler.body
    for case in getattr(node, "cases", ()):
        yield case.body


def calls(node: ast.AST) -> Iterator[ast.Call]:
    """Calls in a statement's own expressions; not those in its blocks nor in inner functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.Lambda | ast.excepthandler | ast.match_case):
            continue
        # The names of a comprehension are its own, and not known here.
        if isinstance(child, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        yield from calls(child)
    if isinstance(node, ast.Call):
        yield node


def comment_at(node: Function, lines: Sequence[str]) -> tuple[int, str]:
    """The comments right above a function and between its header and body, with the first's line.

    Lines of code between them are left empty, so that each line of the text keeps its number.
    """
    first = min([node.lineno, *(part.lineno for part in node.decorator_list)])
    top = first
    while top > 1 and lines[top - 2].lstrip().startswith("#"):
        top -= 1
    found = ["" for _ in range(top, node.body[0].lineno)]
    for number in range(top, node.body[0].lineno):
        line = lines[number - 1].strip()
        if line.startswith("#"):
            found[number - top] = line
    return top, "\n".join(found)


def local_names(node: Function) -> Iterator[str]:
    """Names that the function binds itself."""
    outside = {
        name
        for part in ast.walk(node)
        if isinstance(part, ast.Global | ast.Nonlocal)
        for name in part.names
    }
    pending: list[ast.AST] = list(node.body)
    while pending:
        part = pending.pop()
        if isinstance(part, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        if (
            isinstance(part, ast.Name)
            and isinstance(part.ctx, ast.Store)
            and part.id not in outside
        ):
            yield part.id
        pending += ast.iter_child_nodes(part)


def opaque_names(node: Function) -> Iterator[str]:
    """Names that the function binds in ways whose values are not followed."""
    pending: list[ast.AST] = list(node.body)
    while pending:
        part = pending.pop()
        match part:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield part.name
                continue
            case ast.Lambda():
                continue
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name).partition(".")[0] for alias in aliases)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.NamedExpr(target=ast.Name(id=name)) | ast.Name(id=name, ctx=ast.Del()):
                yield name
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names
            case _:
                pass
        pending += ast.iter_child_nodes(part)


def is_generator(node: Function) -> bool:
    """Whether the function yields."""
    pending: list[ast.AST] = list(node.body)
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(part, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            pending += ast.iter_child_nodes(part)
    return False


def tested_names(node: Function) -> frozenset[str]:
    """Names, and attributes of self, that a condition in the function asks about."""
    found: set[str] = set()
    for part in ast.walk(node):
        conditions: list[ast.expr] = []
        if isinstance(part, ast.If | ast.While | ast.IfExp | ast.Assert):
            conditions = [part.test]
        elif isinstance(part, ast.BoolOp):
            conditions = part.values
        elif isinstance(part, ast.comprehension):
            conditions = part.ifs
        elif isinstance(part, ast.Match):
            conditions = [part.subject]
        for condition in conditions:
            for inside in ast.walk(condition):
                if isinstance(inside, ast.Name):
                    found.add(inside.id)
                elif isinstance(inside, ast.Attribute):
                    found.add(ast.unparse(inside))
    return frozenset(found)


def is_stub(node: Function) -> bool:
    """Whether the body says nothing: a docstring, `...` or `pass` at most, or it is abstract."""
    decorators = {ast.unparse(part).rpartition(".")[2] for part in node.decorator_list}
    return "abstractmethod" in decorators or all(
        isinstance(part, ast.Pass)
        or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        for part in node.body
    )


def ends(body: Sequence[ast.stmt]) -> bool:
    """Whether control never comes to the end of the statements; False where that is not certain."""
    if not body:
        return False
    match body[-1]:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return True
        case ast.If(body=inner, orelse=orelse):
            return ends(inner) and ends(orelse)
        case ast.With(body=inner):
            return ends(inner)
        case ast.Try(body=inner, handlers=handlers, orelse=orelse, finalbody=final):
            whole = ends(orelse) if orelse else ends(inner)
            return ends(final) or (whole and all(ends(h.body) for h in handlers))
        case ast.While(test=ast.Constant(value=True)) as loop:
            return not any(isinstance(part, ast.Break) for part in ast.walk(loop))
        case ast.Match(cases=cases):
            last = cases[-1].pattern
            is_total = isinstance(last, ast.MatchAs) and last.pattern is None
            is_total = is_total and cases[-1].guard is None
            return is_total and all(ends(case.body) for case in cases)
        case _:
            return False


def constant_type(value: object) -> Type:
    """The type of a literal's value; `...` stands for something else."""
    if value is ...:
        return UNKNOWN
    return NONE if value is None else parse_annotation(type(value).__name__)
