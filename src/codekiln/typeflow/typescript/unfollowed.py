"""Flows of something unknown, into whatever code that was not followed may put something.

A function that is handed on may be called with anything; a name that is assigned to in a function
that was not read may hold anything; and so may a member.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from codekiln.typeflow.facts import RETURN, Place
from codekiln.typeflow.module import Module, inside
from codekiln.typeflow.terms import NOTHING, Flow
from codekiln.typeflow.typescript.names import (
    accessor_names,
    changed_nodes,
    extended_classes,
    is_declared_or_exported,
    key_of,
    sets_members_by_name,
    shadowed_names,
)
from codekiln.typeflow.typescript.syntax import all_nodes, text_of
from codekiln.typeflow.typescript.terms import CONSTRUCTOR

if TYPE_CHECKING:
    from tree_sitter import Node

# The line of what stands in no single one.
_NOWHERE = 0
_NAMES = ("identifier", "property_identifier", "shorthand_property_identifier")


def unfollowed(
    root: Node, module: Module, read: Collection[int], initial: Collection[Place]
) -> list[Flow]:
    """The flows; `read` are ids of nodes that were understood.

    `initial` are attributes that a new object has: others are undefined until they are set.
    """
    targets = dict.fromkeys(flow.target for flow in module.flows)
    found = [*_into_functions(root, module, read)]
    unread = [node for node in changed_nodes(root) if node.id not in read]
    names = {text_of(node) for node in unread if node.type != "member_expression"}
    names |= shadowed_names(root)
    stored = _stored(root, unread) | accessor_names(root)
    extended = extended_classes(root)
    is_open = sets_members_by_name(root)
    for place in targets:
        if place.kind in ("variable", "parameter") and place.name in names:
            found.append(place)
        elif place.kind == "attribute":
            is_named = place.name in stored or place.scope in extended
            if is_open or is_named or place not in initial:
                found.append(place)
    for name, signature in module.functions.items():
        if signature.is_method and name.rpartition(".")[2] in stored:
            found.append(Place("return", name, RETURN))
    return [Flow(place, NOTHING, _NOWHERE, "") for place in dict.fromkeys(found)]


def _into_functions(root: Node, module: Module, read: Collection[int]) -> Iterator[Place]:
    """Parameters of functions that are used otherwise than in calls that were read."""
    last_names = {name.rpartition(".")[2] for name in module.functions}
    loose = {
        text_of(node)
        for node in all_nodes(root)
        if node.type in _NAMES
        and text_of(node) in last_names
        and node.id not in read
        and not is_declared_or_exported(node)
    }
    made_by_others = {inside(name, CONSTRUCTOR) for name in extended_classes(root)}
    for name, signature in module.functions.items():
        is_loose = name.rpartition(".")[2] in loose or name in made_by_others
        if is_loose or not signature.is_plain:
            yield from (Place("parameter", name, given) for given in signature.parameters)


def _stored(root: Node, unread: Collection[Node]) -> set[str]:
    """Members that are changed where that was not read."""
    members = {
        text_of(node.child_by_field_name("property"))
        for node in unread
        if node.type == "member_expression"
    }
    return members | {key for node in all_nodes(root) if (key := key_of(node))}
