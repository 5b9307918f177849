"""The type dependency graph: facts at places, flows between them, types spread to a fixed point.

What is declared stays what it is; what flows elsewhere is joined. Where a flow contradicts what is
declared or documented, that is a conflict with the chain of flows that led to it, and nothing is
overruled in silence.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from codekiln.typeflow.facts import STRENGTHS, Fact, Place, Strength
from codekiln.typeflow.terms import Flow, Of, evaluate, places
from codekiln.typeflow.types import (
    ABSENT,
    UNKNOWN,
    Type,
    accepts,
    join,
    join_strictly,
    members,
    union,
)

# Types settle after a few changes; one that goes on changing is given up.
MOST_CHANGES = 20
# What is deeper is a type that grows with every round: a list of a list of a list.
_MOST_DEPTH = 6
_LONGEST_CHAIN = 50


@dataclass(frozen=True, slots=True)
class Conflict:
    """`found` flows where `wanted` is declared or documented; the chain begins at its source.

    Where two statements contradict each other the chain is empty, and `other` is the weaker one.
    """

    place: Place
    wanted: Fact
    found: Type
    chain: tuple[Flow, ...]
    other: Fact | None = None


@dataclass(frozen=True, slots=True)
class Inferred:
    """The type of a place, and how sure it is; `because` are the facts or flows it rests on."""

    place: Place
    type: Type
    strength: Strength
    because: tuple[Fact | Flow, ...]


@dataclass(slots=True)
class TypeGraph:
    """Places with what is known of them. `solve` fills `found` and `conflicts`."""

    facts: dict[Place, list[Fact]] = field(default_factory=dict)
    flows: dict[Place, list[Flow]] = field(default_factory=dict)
    found: dict[Place, Inferred] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)
    lists_are_tuples: bool = False

    def type_of(self, place: Place) -> Type:
        """What is known of a place; UNKNOWN where nothing is."""
        inferred = self.found.get(place)
        return inferred.type if inferred is not None else UNKNOWN


def solve(
    facts: Sequence[Fact], flows: Sequence[Flow], *, lists_are_tuples: bool = False
) -> TypeGraph:
    """Spread the facts along the flows until nothing changes.

    `lists_are_tuples`: a literal with brackets may be either, as in TypeScript.
    """
    graph = TypeGraph(lists_are_tuples=lists_are_tuples)
    for fact in facts:
        graph.facts.setdefault(fact.place, []).append(fact)
    for flow in flows:
        graph.flows.setdefault(flow.target, []).append(flow)
    for place, known in graph.facts.items():
        strongest = min(known, key=lambda fact: STRENGTHS.index(fact.strength))
        graph.found[place] = Inferred(place, strongest.type, strongest.strength, (strongest,))
    _settle(graph, strict=False)
    _settle(graph, strict=True)
    graph.conflicts = _conflicts(graph)
    return graph


def _settle(graph: TypeGraph, *, strict: bool) -> None:
    """Evaluate flows until no type changes.

    First as if what is not known yet never came, which lets recursion find its type; then strictly:
    nothing can be said of a place that something unknown flows into, nor of what rests on it.
    """
    dependents: dict[Place, set[Place]] = {}
    for place, flows in graph.flows.items():
        for source in {source for flow in flows for source in places(flow.term)}:
            dependents.setdefault(source, set()).add(place)
    changes: Counter[Place] = Counter()
    waiting = dict.fromkeys(graph.flows)
    while waiting:
        place = next(iter(waiting))
        del waiting[place]
        if place in graph.facts or changes[place] > MOST_CHANGES:
            continue
        arriving = [
            evaluate(flow.term, graph.type_of, strict=strict) for flow in graph.flows[place]
        ]
        found = functools.reduce(join_strictly if strict else join, arriving)
        if found == graph.type_of(place):
            continue
        changes[place] += 1
        if changes[place] > MOST_CHANGES or _depth(found) > _MOST_DEPTH:
            changes[place] = MOST_CHANGES + 1
            found = UNKNOWN
        graph.found[place] = Inferred(place, found, "observed", tuple(graph.flows[place]))
        waiting.update(dict.fromkeys(dependents.get(place, ())))


def _depth(found: Type) -> int:
    return 1 + max(map(_depth, found.args), default=0)


def _conflicts(graph: TypeGraph) -> list[Conflict]:
    found: list[Conflict] = []
    for place, known in graph.facts.items():
        strongest = graph.found[place].because[0]
        assert isinstance(strongest, Fact)
        found += [
            Conflict(place, strongest, fact.type, (), fact)
            for fact in known
            if fact is not strongest and _exclude(strongest.type, fact.type)
        ]
        for flow in graph.flows.get(place, ()):
            arriving = evaluate(flow.term, graph.type_of, certain=True)
            if flow.certain and _contradicts(graph, strongest, arriving):
                chain = (*_chain(graph, flow, {place}), flow)
                found.append(Conflict(place, strongest, arriving, chain))
    return found


def _exclude(a: Type, b: Type) -> bool:
    """Whether neither type may stand for the other; one may only be said less exactly."""
    return accepts(a, b) is False and accepts(b, a) is False


def _contradicts(graph: TypeGraph, known: Fact, arriving: Type) -> bool:
    """Whether no member of what arrives may stand there. Docstrings seldom speak of None."""
    wanted = _without_tuples(known.type) if graph.lists_are_tuples else known.type
    ruled_out = [part for part in members(arriving) if accepts(wanted, part) is False]
    said_nothing = known.strength == "documented" and any(part in ABSENT for part in ruled_out)
    return len(ruled_out) == len(members(arriving)) and not said_nothing


def _without_tuples(found: Type) -> Type:
    """The type with what a list literal may be left open."""
    if found.name == "tuple":
        return UNKNOWN
    parts = tuple(map(_without_tuples, found.args))
    return union(parts) if found.name == "union" else Type(found.name, parts)


def _chain(graph: TypeGraph, flow: Flow, seen: set[Place]) -> tuple[Flow, ...]:
    """The flows before one, where it hands on what a single place holds."""
    if not isinstance(flow.term, Of) or flow.term.place in seen or len(seen) > _LONGEST_CHAIN:
        return ()
    before = graph.flows.get(flow.term.place, ())
    if len(before) != 1 or flow.term.place in graph.facts:
        return ()
    return (*_chain(graph, before[0], seen | {flow.term.place}), before[0])
