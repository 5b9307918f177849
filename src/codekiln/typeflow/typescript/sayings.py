"""What comments say about types: JSDoc's tags, and plain words where no tag does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from codekiln.typeflow.facts import RETURN, Fact, Place
from codekiln.typeflow.module import Signature
from codekiln.typeflow.prose import prose_types
from codekiln.typeflow.types import UNKNOWN
from codekiln.typeflow.typescript.jsdoc import ITSELF, jsdoc_tags
from codekiln.typeflow.typescript.syntax import comments_at
from codekiln.typeflow.typescript.types import in_script

if TYPE_CHECKING:
    from tree_sitter import Node


def said_of_function(
    declared: Node, signature: Signature, classes: Collection[str], lines: Sequence[str]
) -> Iterator[Fact]:
    """What is said beside a declaration about a function's parameters and return."""
    places = {name: Place("parameter", signature.name, name) for name in signature.parameters}
    places[RETURN] = Place("return", signature.name, RETURN)
    for first, text in comments_at(declared):
        tags = [tag for tag in jsdoc_tags(text, classes) if tag.name in places]
        for tag in tags:
            line = first + tag.line
            shown = lines[line - 1].strip()
            yield Fact(places[tag.name], tag.type, "documented", line, shown, tag.written)
        for stated in prose_types(text, signature.parameters):
            found, line = in_script(stated.type), first + stated.line
            if found != UNKNOWN and stated.name not in {tag.name for tag in tags}:
                shown = lines[line - 1].strip()
                yield Fact(places[stated.name], found, "documented", line, shown)


def said_of(
    place: Place, declared: Node, classes: Collection[str], lines: Sequence[str]
) -> Iterator[Fact]:
    """What JSDoc's `@type` beside a declaration says about what it declares."""
    for first, text in comments_at(declared):
        for tag in jsdoc_tags(text, classes):
            if tag.name == ITSELF:
                line = first + tag.line
                shown = lines[line - 1].strip()
                yield Fact(place, tag.type, "documented", line, shown, tag.written)
