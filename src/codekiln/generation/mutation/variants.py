"""All programs that differ from a given one by one small change of a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from codekiln.generation.mutation.expressions import alternatives
from codekiln.generation.mutation.shadowing import unshadow
from codekiln.generation.mutation.statements import block_alternatives
from codekiln.verify import parse_python

# A longer function has more variables than its mistake is likely to be about.
MAX_VARIABLES = 8
_Function = ast.FunctionDef | ast.AsyncFunctionDef
# Not part of what a function does.
_QUIET_FIELDS = frozenset({"decorator_list", "returns", "annotation", "type_params"})


def variants(code: str) -> Iterator[str]:
    """Sources of programs one change away, the program itself first, none twice.

    Each is written anew from the syntax tree, without comments. Empty for text that is no Python.
    """
    tree = parse_python(code)
    if not isinstance(tree, ast.Module):
        return
    texts = [_source(node) for node in tree.body]
    if not all(texts):
        return
    seen: set[str] = set()
    if mended := _unshadowed(code):
        yield "\n".join(texts) + "\n"
        seen |= {"\n".join(texts) + "\n", mended}
        yield mended
    for place, node in enumerate(tree.body):
        for _ in _changes(node):
            # Only what changed is written anew: a long module has many variants.
            changed = _source(node)
            source = "\n".join([*texts[:place], changed, *texts[place + 1 :]]) + "\n"
            if changed and source not in seen:
                seen.add(source)
                yield source


def _unshadowed(code: str) -> str:
    """The program without variables that hide its own functions; empty where there are none."""
    tree = parse_python(code)
    if not isinstance(tree, ast.Module):
        return ""
    names = {node.name for node in tree.body if isinstance(node, _Function)}
    return f"{ast.unparse(tree)}\n" if unshadow(tree, names) else ""


def _changes(top: ast.stmt) -> Iterator[None]:
    """Change a statement of the module in place, once per step; at the end it is as before."""
    yield
    for function in ast.walk(top):
        if isinstance(function, _Function):
            variables = _variables(function)
            for node in _own_nodes(function):
                yield from _changed_blocks(node)
                yield from _changed_expressions(node, variables)


def _changed_blocks(node: ast.AST) -> Iterator[None]:
    for field in ("body", "orelse"):
        block = getattr(node, field, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            for other in block_alternatives(block):
                setattr(node, field, other)
                yield
            setattr(node, field, block)


def _changed_expressions(node: ast.AST, variables: tuple[str, ...]) -> Iterator[None]:
    if isinstance(node, ast.JoinedStr | ast.FormattedValue) or _is_text(node):
        return
    for field, value in ast.iter_fields(node):
        if field in _QUIET_FIELDS:
            continue
        if isinstance(value, ast.expr):
            for other in alternatives(value, node, variables):
                setattr(node, field, other)
                yield
            setattr(node, field, value)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, ast.expr):
                    for other in alternatives(item, node, variables):
                        value[place] = other
                        yield
                    value[place] = item


def _own_nodes(function: _Function) -> list[ast.AST]:
    """Nodes of what the function does, without functions inside: these have their own variables."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = [function]
    while pending:
        node = pending.pop()
        found.append(node)
        for field, value in ast.iter_fields(node):
            children = value if isinstance(value, list) else [value]
            pending += [
                child
                for child in children
                if field not in _QUIET_FIELDS
                and isinstance(child, ast.AST)
                and not isinstance(child, _Function | ast.ClassDef | ast.arguments)
            ]
    return found


def _variables(function: _Function) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.arg):
            names[node.arg] = None
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names[node.id] = None
    return tuple(names)[:MAX_VARIABLES]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _source(node: ast.stmt) -> str:
    try:
        return ast.unparse(ast.fix_missing_locations(node))
    except (ValueError, RecursionError):
        return ""
