"""Small changes of a list of statements: one too many, in the wrong order, in the wrong block.

Given the statements of one block, yields lists to put in its place. Nothing given is changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from copy import copy

Block = list[ast.stmt]
_Nested = ast.For | ast.While | ast.If
_UPDATES: tuple[type[ast.operator], ...] = (ast.Add, ast.Sub, ast.Mult)


def block_alternatives(block: Sequence[ast.stmt]) -> Iterator[Block]:
    """Blocks to try in place of `block`; none is empty."""
    for place, statement in enumerate(block):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        before, behind = [*block[:place]], [*block[place + 1 :]]
        for instead in _instead_of(statement):
            yield [*before, *instead, *behind] or [ast.Pass()]
        if behind:
            yield [*before, behind[0], statement, *behind[1:]]
            if isinstance(statement, _Nested):
                yield [*before, _with_body(statement, [*statement.body, behind[0]]), *behind[1:]]


def _instead_of(statement: ast.stmt) -> Iterator[Block]:
    yield []
    if isinstance(statement, ast.If):
        yield statement.body
        yield [ast.While(statement.test, statement.body, [])]
        if statement.orelse:
            yield statement.orelse
            yield [ast.If(statement.test, statement.orelse, statement.body)]
    if isinstance(statement, _Nested) and len(statement.body) > 1:
        yield [_with_body(statement, statement.body[:-1]), statement.body[-1]]
    if isinstance(statement, ast.For | ast.While):
        last = statement.body[-1]
        if isinstance(last, ast.If) and last.orelse:
            alone = ast.If(last.test, last.body, [])
            yield [_with_body(statement, [*statement.body[:-1], alone]), *last.orelse]
    if isinstance(statement, ast.AugAssign):
        for operator in _UPDATES:
            if not isinstance(statement.op, operator):
                yield [ast.AugAssign(statement.target, operator(), statement.value)]
        yield [ast.Assign([statement.target], statement.value)]
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Name):
            yield [ast.AugAssign(target, ast.Add(), statement.value)]


def _with_body(statement: _Nested, body: Block) -> ast.stmt:
    changed = copy(statement)
    changed.body = body
    return changed
