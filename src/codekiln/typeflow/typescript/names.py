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


def bound_names(body: Node) -> Iterator[str]:
    """Names that statements of a scope bind, once per binding."""
    for node in own_nodes(body):
        if node.type == "variable_declarator":
            yield from names_in(node.child_by_field_name("name"))
        elif node.type == "for_in_statement" and node.child_by_field_name("kind") is not None:
            yield from names_in(node.child_by_field_name("left"))
        elif node.type == "catch_clause":
            yield from names_in(node.child_by_field_name("parameter"))
        elif node.type in ("function_declaration", "generator_function_declaration", *CLASSES):
            yield text_of(node.child_by_field_name("name"))
        elif node.type in ("import_clause", "import_specifier", "namespace_import"):
            name = node.child_by_field_name("alias") or node.child_by_field_name("name")
            yield from names_in(name if name is not None else node)
        elif node.type in ("function_signature", "enum_declaration", "internal_module"):
            yield text_of(node.child_by_field_name("name"))


def bound_twice(body: Node) -> frozenset[str]:
    """Names that a scope binds more than once, so that a use may mean either."""
    return frozenset(name for name, count in Counter(bound_names(body)).items() if count > 1)


def rebound(root: Node) -> frozenset[str]:
    """Names that are assigned to anywhere."""
    return frozenset(text_of(node) for node in assigned(root) if node.type == "identifier")


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


def assigned(root: Node) -> list[Node]:
    """What is assigned to, anywhere."""
    kinds = ("assignment_expression", "augmented_assignment_expression")
    targets = [n.child_by_field_name("left") for n in all_nodes(root) if n.type in kinds]
    return [target for target in targets if target is not None]


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
