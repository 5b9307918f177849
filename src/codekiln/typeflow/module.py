"""What was read of one module, in any language: functions, classes, facts and flows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from codekiln.typeflow.facts import Fact, Place
from codekiln.typeflow.terms import Flow


@dataclass(frozen=True, slots=True)
class Signature:
    """A function as it is written: its parameters in order, without `self`, `cls` and `this`.

    The first `positional` of them can be given without their name. It is `plain` when a call gives
    what the function returns: no decorator and no type parameter changes it.
    """

    name: str
    line: int
    parameters: tuple[str, ...]
    positional: int
    is_method: bool = False
    is_async: bool = False
    is_plain: bool = True
    # Parameters that a call may leave out, since they have a value then.
    defaults: frozenset[str] = frozenset()


@dataclass(slots=True)
class Module:
    """What was read of one module."""

    facts: list[Fact] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    functions: dict[str, Signature] = field(default_factory=dict)
    classes: set[str] = field(default_factory=set)
    # Names that the code gives to types, classes included; empty where only classes are types.
    types: frozenset[str] = frozenset()
    # Names that may hide a builtin, and those of which two statements bind each.
    bound: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """Where statements stand: a module, class or function, and the names that are its own.

    `gives`: what is returned is what a call gives, as it is not in a generator. `tested` are names
    that conditions ask about, so that their type may be another one further on.
    """

    name: str
    own: dict[str, Place]
    is_function: bool = False
    gives: bool = False
    tested: frozenset[str] = frozenset()

    def place_of(self, name: str) -> Place | None:
        """That of a name, where it is this scope's own."""
        return self.own.get(name)


def inside(scope: str, name: str) -> str:
    """The qualified name of what `scope` defines as `name`; the module's scope is ""."""
    return f"{scope}.{name}" if scope else name


def around(scope: str) -> Iterator[str]:
    """The scope itself, those around it, and the module."""
    while scope:
        yield scope
        scope = scope.rpartition(".")[0]
    yield ""
