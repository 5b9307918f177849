"""What the context says about types: facts about places, each with its source and its strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from codekiln.typeflow.types import Type

# From the strongest on: written as an annotation; said in a docstring or comment; seen in a value.
Strength = Literal["declared", "documented", "observed"]
STRENGTHS: tuple[Strength, ...] = ("declared", "documented", "observed")
# The name of what a function gives.
RETURN = "return"
PlaceKind = Literal["parameter", "return", "variable", "attribute"]


@dataclass(frozen=True, slots=True)
class Place:
    """Something that has a type: `name` in the function or class `scope` ("" for a module).

    A return has the name RETURN; scopes are qualified names such as `Stack.push`.
    """

    kind: PlaceKind
    scope: str
    name: str

    def __str__(self) -> str:
        inside = f"{self.scope}." if self.scope else ""
        return f"{inside}{self.name}" if self.kind != RETURN else f"{self.scope}()"


@dataclass(frozen=True, slots=True)
class Fact:
    """`line` (1-based) and `text` say where it comes from.

    `written` is the type's own text there, where it says more than the type language can.
    """

    place: Place
    type: Type
    strength: Strength
    line: int
    text: str
    written: str = ""
