"""Notes the functions and classes of a module, so that calls before a definition are understood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    """Put the functions and named classes below `root` into the module.

    Overloads and alternatives are left out: which one is meant is not certain.
    """
    ambiguous = set[str]()
    pending = [(root, "")]
    while pending:
        body, scope = pending.pop()
        for node in own_nodes(body):
            if is_named_class(node):
                owner = inside(scope, text_of(node.child_by_field_name("name")))
                module.classes.add(owner)
                inside_class = node.child_by_field_name("body")
                members = inside_class.named_children if inside_class is not None else []
                ambiguous |= {inside(owner, name) for name in _overloads(members)}
            ambiguous |= {inside(scope, name) for name in _overloads([node])}
            for name, function, is_method in _defined_by(node, scope):
                if name in module.functions:
                    ambiguous.add(name)
                module.functions[name] = signature_of(function, name, is_method)
                inner = function.child_by_field_name("body")
                if inner is not None:
                    pending.append((inner, name))
    for name in ambiguous:
        module.functions.pop(name, None)


def is_named_class(node: Node) -> bool:
    """Whether a statement declares a class by a name of its own."""
    is_declared = node.type in CLASSES and node.type != "class"
    return is_declared and node.child_by_field_name("name") is not None


def _overloads(nodes: Sequence[Node]) -> Iterator[str]:
    for node in nodes:
        if node.type in _SIGNATURES:
            yield text_of(node.child_by_field_name("name"))


def _defined_by(node: Node, scope: str) -> Iterator[tuple[str, Node, bool]]:
    """Functions of a statement, with their qualified name and whether they are methods."""
    for name, function, _ in functions_in(node):
        yield inside(scope, name), function, False
    body = node.child_by_field_name("body") if is_named_class(node) else None
    if body is not None:
        owner = inside(scope, text_of(node.child_by_field_name("name")))
        for method, function in methods_in(body):
            yield inside(owner, method), function, True
