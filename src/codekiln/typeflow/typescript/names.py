"""What a module does with names: bound, tested, assigned, handed out.

Pure functions on the syntax tree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from codekiln.typeflow.typescript.syntax import (
    CLASSES,
    FUNCTIONS,
    OWN_SCOPES,
    all_nodes,
    names_in,
    own_nodes,
    text_of,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_CONDITIONS = {
    "if_statement": "condition",
    "while_statement": "condition",
    "do_statement": "condition",
    "ternary_expression": "condition",
    "switch_statement": "value",
}
_TESTS = ("&&", "||", "??")
_ASSIGNMENTS = ("assignment_expression", "augmented_assignment_expression")
_AROUND_TARGETS = ("parenthesized_expression", "non_null_expression", "pair_pattern")
_SHORTHAND = ("shorthand_property_identifier_pattern",)
_LOOPS = ("for_statement", "for_in_statement")
_BLOCKS = (*_LOOPS, "statement_block", "switch_body", "catch_clause")
_IMPORTS = ("import_clause", "import_specifier", "namespace_import")
_TYPES = (*CLASSES, "interface_declaration", "type_alias_declaration", "enum_declaration")
_NAMED = (
    *CLASSES,
    "function_declaration",
    "generator_function_declaration",
    "function_signature",
    "enum_declaration",
    "internal_module",
)
_REFLECTION = frozenset(
    {"Object.assign", "Object.defineProperty", "Object.defineProperties", "Reflect.set"}
)
# Methods that put something into what they are called on, and what that is where it is certain.
CHANGING = {
    "push": "list",
    "unshift": "list",
    "add": "set",
    "set": "other",
    "fill": "other",
    "splice": "other",
    "copyWithin": "other",
}


def bound_names(body: Node) -> Iterator[str]:
    """Names that statements of a scope bind, once per binding."""
    for node in own_nodes(body):
        yield from _bound_by(node)


def _bound_by(node: Node) -> Iterator[str]:
    if node.type == "variable_declarator":
        yield from names_in(node.child_by_field_name("name"))
    elif node.type == "for_in_statement" and node.child_by_field_name("kind") is not None:
        yield from names_in(node.child_by_field_name("left"))
    elif node.type == "catch_clause":
        yield from names_in(node.child_by_field_name("parameter"))
    elif node.type in _IMPORTS:
        name = node.child_by_field_name("alias") or node.child_by_field_name("name")
        yield from names_in(name if name is not None else node)
    elif node.type in _NAMED:
        yield text_of(node.child_by_field_name("name"))


def bound_twice(body: Node) -> frozenset[str]:
    """Names that a scope binds more than once, so that a use may mean either."""
    return frozenset(name for name, count in Counter(bound_names(body)).items() if count > 1)


def changed_nodes(root: Node) -> Iterator[Node]:
    """Names and members that are assigned to, counted up, or put into by a method, anywhere."""
    for node in all_nodes(root):
        if node.type in _ASSIGNMENTS:
            yield from _targets(node.child_by_field_name("left"))
        elif node.type == "update_expression":
            yield from _targets(node.child_by_field_name("argument"))
        elif node.type == "for_in_statement" and node.child_by_field_name("kind") is None:
            yield from _targets(node.child_by_field_name("left"))
        elif node.type == "call_expression":
            called = node.child_by_field_name("function")
            method = called.child_by_field_name("property") if called is not None else None
            if called is not None and text_of(method) in CHANGING:
                yield from _targets(called.child_by_field_name("object"))


def _targets(target: Node | None) -> Iterator[Node]:
    if target is None:
        return
    if target.type in ("identifier", "member_expression", "shorthand_property_identifier_pattern"):
        yield target
    elif target.type == "subscript_expression":
        yield from _targets(target.child_by_field_name("object"))
    elif target.type.endswith("_pattern") or target.type in _AROUND_TARGETS:
        for child in target.named_children:
            yield from _targets(child)


def changed_names(root: Node) -> frozenset[str]:
    """Names that are assigned to anywhere."""
    return frozenset(
        text_of(node) for node in changed_nodes(root) if node.type != "member_expression"
    )


def key_of(node: Node) -> str:
    """The member that `a["member"]` names; "" for other nodes."""
    index = node.child_by_field_name("index") if node.type == "subscript_expression" else None
    return text_of(index).strip("'\"") if index is not None and index.type == "string" else ""


def shadowed_names(body: Node) -> frozenset[str]:
    """Names that a block binds and code outside of it uses too, which then means another thing.

    A `var` in a block is undefined where control did not come there.
    """
    used: dict[str, list[int]] = {}
    for node in all_nodes(body):
        if node.type in ("identifier", "shorthand_property_identifier", *_SHORTHAND):
            used.setdefault(text_of(node), []).append(node.start_byte)
    found = set[str]()
    for node, block, is_var in _in_blocks(body):
        for name in _bound_by(node):
            outside = any(not block.start_byte <= at < block.end_byte for at in used.get(name, ()))
            if outside or (is_var and block.type not in _LOOPS):
                found.add(name)
    return frozenset(found)


def _in_blocks(body: Node) -> Iterator[tuple[Node, Node, bool]]:
    """Nodes of a scope in a block of their own, with the innermost, and whether `var` is around.

    Goes down, since a node's parent is looked for from the root.
    """
    pending: list[tuple[Node, Node | None, bool]] = [(node, None, False) for node in body.children]
    while pending:
        node, block, is_var = pending.pop()
        if block is not None:
            yield node, block, is_var
        if node.type in FUNCTIONS or node.type in OWN_SCOPES:
            continue
        inner = node if node.type in _BLOCKS else block
        is_inside = node.type == "variable_declaration"
        pending += [(child, inner, is_inside) for child in node.named_children]


def extended_classes(root: Node) -> frozenset[str]:
    """Names of classes that another class extends."""
    return frozenset(
        text_of(node)
        for heritage in all_nodes(root)
        if heritage.type == "class_heritage"
        for node in all_nodes(heritage)
        if node.type == "identifier"
    )


def accessor_names(root: Node) -> frozenset[str]:
    """Members of classes that are read or set by a function."""
    return frozenset(
        text_of(node.child_by_field_name("name"))
        for node in all_nodes(root)
        if node.type == "method_definition"
        and any(child.type in ("get", "set") for child in node.children)
    )


def type_names(root: Node) -> frozenset[str]:
    """Names that the module gives to types, or imports."""
    declared = {
        text_of(node.child_by_field_name("name")) for node in all_nodes(root) if node.type in _TYPES
    }
    imported = {
        name for node in all_nodes(root) if node.type in _IMPORTS for name in _bound_by(node)
    }
    return frozenset(declared | imported)


def sets_members_by_name(root: Node) -> bool:
    """Whether the code sets members of which the names are not seen."""
    return any(
        node.type == "member_expression" and text_of(node) in _REFLECTION
        for node in all_nodes(root)
    )


def tested_names(function: Node) -> frozenset[str]:
    """Names, and members of `this`, that a condition in the function asks about."""
    conditions: list[Node | None] = []
    for node in all_nodes(function):
        if node.type in _CONDITIONS:
            conditions.append(node.child_by_field_name(_CONDITIONS[node.type]))
        elif node.type == "binary_expression":
            if text_of(node.child_by_field_name("operator")) in _TESTS:
                conditions += node.named_children
        elif node.type == "for_statement":
            conditions.append(node.child_by_field_name("condition"))
    return frozenset(
        text_of(node)
        for condition in conditions
        if condition is not None
        for node in all_nodes(condition)
        if node.type in ("identifier", "member_expression")
    )


def is_declared_or_exported(node: Node) -> bool:
    """Whether a name is that of the declaration itself, or goes out to other files."""
    above = node.parent
    if above is None:
        return False
    is_name = above.child_by_field_name("name") == node
    if is_name and above.type != "member_expression":
        return True
    while above is not None and above.type in ("object", "export_specifier", "export_clause"):
        above = above.parent
    if above is not None and above.type == "assignment_expression":
        return text_of(above.child_by_field_name("left")).startswith(("module.exports", "exports."))
    return above is not None and above.type == "export_statement"


def opaque_names(body: Node) -> list[str]:
    """Names that a function binds in ways whose values are not followed."""
    found: list[str] = []
    for node in own_nodes(body):
        if node.type == "catch_clause":
            found += names_in(node.child_by_field_name("parameter"))
        elif node.type in (*CLASSES, "function_declaration", "generator_function_declaration"):
            found.append(text_of(node.child_by_field_name("name")))
        elif node.type == "variable_declarator":
            value = node.child_by_field_name("value")
            if value is not None and value.type in FUNCTIONS:
                found += names_in(node.child_by_field_name("name"))
    return found
