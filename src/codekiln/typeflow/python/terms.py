"""What the type of a Python expression depends on: syntax in, terms out.

An expression that is not understood, or that code elsewhere decides, gives NOTHING.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.typeflow.facts import RETURN, Place
from codekiln.typeflow.module import Module, Scope, Signature, around, inside
from codekiln.typeflow.python.syntax import constant_type
from codekiln.typeflow.python.types import parse_annotation
from codekiln.typeflow.terms import (
    EMPTY,
    NOTHING,
    Arithmetic,
    Built,
    Called,
    Joined,
    Known,
    Narrowed,
    Of,
    Part,
    Term,
)
from codekiln.typeflow.types import BOOL, INT, STR


@dataclass(frozen=True, slots=True)
class Expressions:
    """Reads expressions of a module whose functions and classes are known."""

    module: Module

    def callee(self, call: ast.Call, scope: Scope) -> Signature | None:
        """The function of this module that is called, where that is certain."""
        found = self._named_by(call.func, scope)
        return found if found is not None and found.is_plain else None

    def _named_by(self, function: ast.expr, scope: Scope) -> Signature | None:
        functions = self.module.functions
        match function:
            case ast.Name(id=name) if name not in scope.own and name not in self.module.unsure:
                for outer in around(scope.name):
                    found = functions.get(inside(outer, name))
                    if found is not None and not found.is_method:
                        return found
                return functions.get(f"{name}.__init__") if name in self.module.classes else None
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                # A method that another class has too may be an override.
                owners = [known for known in functions if known.endswith(f".{name}")]
                found = functions.get(f"{scope.name.rpartition('.')[0]}.{name}")
                return found if len(owners) == 1 else None
            case _:
                return None

    def term(self, node: ast.expr, scope: Scope) -> Term:
        """What the type of an expression depends on."""
        match node:
            case ast.Constant(value=value):
                return Known(constant_type(value))
            case ast.JoinedStr():
                return Known(STR)
            case ast.UnaryOp(op=ast.Not()):
                return Known(BOOL)
            case ast.Compare(left=left, ops=ops, comparators=[right]):
                if isinstance(ops[0], ast.Is | ast.IsNot | ast.In | ast.NotIn):
                    return Known(BOOL)
                return Arithmetic("Compare", self.term(left, scope), self.term(right, scope))
            case ast.List(elts=elts) | ast.Set(elts=elts):
                name = "list" if isinstance(node, ast.List) else "set"
                return Built(name, (self._joined(elts, scope) if elts else EMPTY,))
            case ast.Tuple(elts=elts):
                if any(isinstance(part, ast.Starred) for part in elts):
                    return NOTHING
                return Built("tuple", tuple(self.term(part, scope) for part in elts))
            case ast.Dict(keys=keys, values=values):
                if not keys:
                    return Built("dict", (EMPTY, EMPTY))
                known = [key for key in keys if key is not None]
                if len(known) < len(keys):
                    return Built("dict", (NOTHING, NOTHING))
                return Built("dict", (self._joined(known, scope), self._joined(values, scope)))
            case ast.Name(id=name):
                place = scope.place_of(name)
                if place is None and not scope.is_function:
                    place = Place("variable", scope.name, name)
                if place is None:
                    return NOTHING
                return Narrowed(Of(place)) if name in scope.tested else Of(place)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                attribute = Of(Place("attribute", scope.name.rpartition(".")[0], name))
                return Narrowed(attribute) if f"self.{name}" in scope.tested else attribute
            case ast.IfExp(body=body, orelse=orelse):
                return self._either((body, orelse), scope)
            case ast.BoolOp(values=values):
                return self._either(values, scope)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                # -True is an int.
                return Arithmetic("Add", Known(INT), self.term(operand, scope))
            case ast.BinOp(left=left, op=op, right=right):
                terms = self.term(left, scope), self.term(right, scope)
                return Arithmetic(type(op).__name__, *terms)
            case ast.Subscript(value=value, slice=ast.Slice()):
                return Part(self.term(value, scope), "slice")
            case ast.Subscript(value=value, slice=at):
                return Part(self.term(value, scope), "index", _whole_number(at))
            case ast.NamedExpr(value=value):
                return self.term(value, scope)
            case ast.Call():
                signature = self.callee(node, scope)
                is_async = signature is not None and signature.is_async
                return NOTHING if is_async else self._result(node, scope)
            case ast.Await(value=ast.Call() as call):
                return self._result(call, scope)
            case _:
                return NOTHING

    def _either(self, nodes: Sequence[ast.expr], scope: Scope) -> Term:
        terms = tuple(self.term(node, scope) for node in nodes)
        # One that is unknown may be anything: nothing can be said of all.
        return NOTHING if NOTHING in terms else Joined(terms)

    def _joined(self, nodes: Sequence[ast.expr], scope: Scope) -> Term:
        terms = tuple(
            Part(self.term(node.value, scope), "iteration")
            if isinstance(node, ast.Starred)
            else self.term(node, scope)
            for node in nodes
        )
        return Joined(terms) if terms and NOTHING not in terms else NOTHING

    def _result(self, call: ast.Call, scope: Scope) -> Term:
        signature = self.callee(call, scope)
        if signature is not None and not signature.name.endswith("__init__"):
            return Of(Place("return", signature.name, RETURN))
        first = self.term(call.args[0], scope) if call.args else None
        match call.func:
            case ast.Name(id=name) if name in scope.own or name in self.module.unsure:
                return NOTHING
            case ast.Name(id=name) if name in self.module.classes:
                return Known(parse_annotation(name))
            case ast.Name(id=name) if name not in self.module.bound:
                return Called(name, None, first)
            case ast.Attribute(value=value, attr=name):
                return Called(name, self.term(value, scope), first)
            case _:
                return NOTHING


def _whole_number(node: ast.expr) -> int | None:
    """The value of an int literal, signed or not."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            return -value
        case _:
            return None
