"""What the type of a TypeScript or JavaScript expression depends on: syntax in, terms out.

An expression that is not understood, or that code elsewhere decides, gives NOTHING.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codekiln.typeflow.facts import RETURN, Place
from codekiln.typeflow.module import Module, Scope, Signature, around, inside
from codekiln.typeflow.terms import (
    EMPTY,
    INDEXED,
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
from codekiln.typeflow.types import BIGINT, BOOL, FLOAT, NONE, STR, UNDEFINED, UNKNOWN
from codekiln.typeflow.typescript.syntax import text_of
from codekiln.typeflow.typescript.types import parse_typescript

if TYPE_CHECKING:
    from tree_sitter import Node

CONSTRUCTOR = "constructor"
_GENERIC_CLASSES = frozenset({"Map", "Set", "Array", "Promise", "WeakMap", "WeakSet"})
_GLOBAL_CLASSES = _GENERIC_CLASSES | {
    "Date",
    "Error",
    "RangeError",
    "RegExp",
    "TypeError",
    "URL",
}
_COMPARING = frozenset({"==", "===", "!=", "!==", "<", ">", "<=", ">=", "in", "instanceof"})
_CHOOSING = ("&&", "||", "??")
_UNARY = {"!": BOOL, "typeof": STR, "void": UNDEFINED, "delete": BOOL}
_LITERALS = {
    "string": STR,
    "template_string": STR,
    "true": BOOL,
    "false": BOOL,
    "null": NONE,
    "undefined": UNDEFINED,
}
# What only says something about the expression inside.
_CASTS = ("as_expression", "satisfies_expression")


@dataclass(frozen=True, slots=True)
class Expressions:
    """Reads expressions of a module whose functions and classes are known."""

    module: Module

    def callee(self, call: Node, scope: Scope) -> Signature | None:
        """The function of this module that is called or constructed, where that is certain."""
        function = called_by(call)
        found = self._named_by(function, scope, call.type == "new_expression")
        return found if found is not None and found.is_plain else None

    def _named_by(self, function: Node | None, scope: Scope, is_new: bool) -> Signature | None:
        functions = self.module.functions
        name = text_of(function)
        if function is None:
            return None
        if function.type == "identifier" and name not in scope.own:
            if name in self.module.unsure:
                return None
            if is_new:
                return functions.get(inside(name, CONSTRUCTOR))
            for outer in around(scope.name):
                found = functions.get(inside(outer, name))
                if found is not None and not found.is_method:
                    return found
        if function.type == "member_expression" and not is_new:
            member = text_of(function.child_by_field_name("property"))
            if text_of(function.child_by_field_name("object")) == "this":
                # A method that another class has too may be an override.
                owners = [known for known in functions if known.endswith(f".{member}")]
                found = functions.get(inside(scope.name.rpartition(".")[0], member))
                return found if len(owners) == 1 else None
        return None

    def term(self, node: Node | None, scope: Scope) -> Term:
        """What the type of an expression depends on."""
        if node is None:
            return NOTHING
        if node.type in _LITERALS:
            return Known(_LITERALS[node.type])
        if node.type in _CASTS:
            return self._cast(node, scope)
        match node.type:
            case "number":
                return Known(BIGINT if text_of(node).endswith("n") else FLOAT)
            case "parenthesized_expression":
                return self.term(_only(node), scope)
            case "non_null_expression":
                return Narrowed(self.term(_only(node), scope), drops_none=True)
            case "identifier":
                return self._name(text_of(node), scope)
            case "array":
                parts = [part for part in node.named_children if part.type != "comment"]
                return Built("list", (self._joined(parts, scope) if parts else EMPTY,))
            case "ternary_expression":
                ways = ("consequence", "alternative")
                return self._either([node.child_by_field_name(way) for way in ways], scope)
            case "unary_expression":
                return self._unary(node, scope)
            case "update_expression":
                value = self.term(node.child_by_field_name("argument"), scope)
                return Arithmetic("JS", value, value)
            case "binary_expression":
                return self._binary(node, scope)
            case "member_expression":
                return self._member(node, scope)
            case "subscript_expression":
                return self._subscript(node, scope)
            case "new_expression":
                return self._constructed(node, scope)
            case "call_expression":
                signature = self.callee(node, scope)
                # What an asynchronous function gives is a promise of what it returns.
                if signature is not None:
                    place = Place("return", signature.name, RETURN)
                    return NOTHING if signature.is_async else Of(place)
                return self._builtin(node, scope)
            case _:
                return NOTHING

    def _name(self, name: str, scope: Scope) -> Term:
        place = scope.place_of(name)
        if place is None and not scope.is_function:
            place = Place("variable", scope.name, name)
        if place is None:
            return NOTHING
        return Narrowed(Of(place)) if name in scope.tested else Of(place)

    def _unary(self, node: Node, scope: Scope) -> Term:
        operator = text_of(node.child_by_field_name("operator"))
        if operator in _UNARY:
            return Known(_UNARY[operator])
        value = self.term(node.child_by_field_name("argument"), scope)
        # `+x` makes a number of anything, and fails for a bigint.
        return Known(FLOAT) if operator == "+" else Arithmetic("JS", value, value)

    def _cast(self, node: Node, scope: Scope) -> Term:
        parts = [child for child in node.named_children if child.type != "comment"]
        # `as const` has no type.
        if len(parts) == 1:
            return self.term(parts[0], scope)
        found = parse_typescript(text_of(parts[-1]), self.module.types)
        return Known(found) if found != UNKNOWN else NOTHING

    def _subscript(self, node: Node, scope: Scope) -> Term:
        container = self.term(node.child_by_field_name("object"), scope)
        index = node.child_by_field_name("index")
        if text_of(index).isdigit():
            return Part(container, "index", int(text_of(index)))
        return Called(INDEXED, container, self.term(index, scope), "typescript")

    def _binary(self, node: Node, scope: Scope) -> Term:
        operator = text_of(node.child_by_field_name("operator"))
        sides = [node.child_by_field_name("left"), node.child_by_field_name("right")]
        if operator in _COMPARING:
            return Known(BOOL)
        if operator in _CHOOSING:
            return self._either(sides, scope)
        left, right = (self.term(side, scope) for side in sides)
        return Arithmetic("JS+" if operator == "+" else "JS", left, right)

    def _member(self, node: Node, scope: Scope) -> Term:
        of = node.child_by_field_name("object")
        name = text_of(node.child_by_field_name("property"))
        owner = scope.name.rpartition(".")[0]
        if of is not None and of.type == "this":
            if owner not in self.module.classes:
                return NOTHING
            attribute = Of(Place("attribute", owner, name))
            return Narrowed(attribute) if f"this.{name}" in scope.tested else attribute
        if any(child.type == "optional_chain" for child in node.children):
            return NOTHING
        properties = ("length", "size")
        return self._method(self.term(of, scope), name) if name in properties else NOTHING

    def _method(self, receiver: Term, name: str, first: Term | None = None) -> Term:
        return Called(name, receiver, first, "typescript")

    def _builtin(self, node: Node, scope: Scope) -> Term:
        function = called_by(node)
        arguments = arguments_of(node)
        first = self.term(arguments[0], scope) if arguments else None
        if function is None:
            return NOTHING
        bound = self.module.bound
        name = text_of(function)
        if function.type == "identifier":
            hidden = name in bound or name in scope.own
            return NOTHING if hidden else Called(name, None, first, "typescript")
        if function.type != "member_expression":
            return NOTHING
        of = function.child_by_field_name("object")
        if any(child.type == "optional_chain" for child in function.children):
            return NOTHING
        owner = text_of(of)
        is_global = of is not None and of.type == "identifier" and owner[:1].isupper()
        if is_global and owner not in bound and owner not in scope.own:
            return Called(name, None, first, "typescript")
        method = text_of(function.child_by_field_name("property"))
        return self._method(self.term(of, scope), method, first)

    def _constructed(self, node: Node, scope: Scope) -> Term:
        name = text_of(node.child_by_field_name("constructor"))
        given = text_of(node.child_by_field_name("type_arguments"))
        is_own = name in self.module.classes
        is_global = name in _GLOBAL_CLASSES and name not in self.module.bound
        if name in self.module.unsure or name in scope.own or not (is_own or is_global):
            return NOTHING
        if name == "Set" and not given and arguments_of(node):
            first = self.term(arguments_of(node)[0], scope)
            return Built("set", (Part(first, "iteration"),))
        if name in _GENERIC_CLASSES and not given:
            return NOTHING
        found = parse_typescript(name + given, self.module.types)
        return Known(found) if found != UNKNOWN else NOTHING

    def _either(self, nodes: Sequence[Node | None], scope: Scope) -> Term:
        terms = tuple(self.term(node, scope) for node in nodes)
        # One that is unknown may be anything: nothing can be said of all.
        return NOTHING if NOTHING in terms else Joined(terms)

    def _joined(self, nodes: Sequence[Node], scope: Scope) -> Term:
        terms = tuple(
            Part(self.term(_only(node), scope), "iteration")
            if node.type == "spread_element"
            else self.term(node, scope)
            for node in nodes
        )
        return Joined(terms) if terms and NOTHING not in terms else NOTHING


def called_by(call: Node) -> Node | None:
    """What a call or `new` names."""
    field = "constructor" if call.type == "new_expression" else "function"
    return call.child_by_field_name(field)


def arguments_of(call: Node) -> list[Node]:
    """What a call is given, in order."""
    given = call.child_by_field_name("arguments")
    if given is None or given.type != "arguments":
        return []
    return [node for node in given.named_children if node.type != "comment"]


def _only(node: Node) -> Node | None:
    inner = [child for child in node.named_children if child.type != "comment"]
    return inner[0] if inner else None
