"""Notes the functions and classes of a module, so that calls before a definition are understood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codekiln.typeflow.module import Module, inside
from codekiln.typeflow.typescript.syntax import (
    CLASSES,
    functions_in,
    methods_in,
    own_nodes,
    signature_of,
    text_of,
)

if TYPE_CHECKING:
    from tree_sitter import Node

_SIGNATURES = ("function_signature", "method_signature")


def note_definitions(module: Module, root: Node) -> None:
    """Put the functions and classes below `root` into the module.

    Overloads and alternatives are left out: which one is meant is not certain.
    """
    ambiguous = set[str]()
    pending = [(root, "")]
    while pending:
        body, scope = pending.pop()
        for node in own_nodes(body):
            if node.type in CLASSES:
                module.classes.add(inside(scope, text_of(node.child_by_field_name("name"))))
            if node.type in _SIGNATURES:
                ambiguous.add(inside(scope, text_of(node.child_by_field_name("name"))))
            for name, function, is_method in _defined_by(node, scope):
                if name in module.functions:
                    ambiguous.add(name)
                module.functions[name] = signature_of(function, name, is_method)
                inner = function.child_by_field_name("body")
                if inner is not None:
                    pending.append((inner, name))
    for name in ambiguous:
        module.functions.pop(name, None)


def _defined_by(node: Node, scope: str) -> Iterator[tuple[str, Node, bool]]:
    """Functions of a statement, with their qualified name and whether they are methods."""
    for name, function, _ in functions_in(node):
        yield inside(scope, name), function, False
    body = node.child_by_field_name("body") if node.type in CLASSES else None
    if body is not None:
        owner = inside(scope, text_of(node.child_by_field_name("name")))
        for method, function in methods_in(body):
            yield inside(owner, method), function, True
