"""The type dependency graph: facts at places, flows between them, types spread to a fixed point.

What is declared stays what it is; what flows elsewhere is joined. Where a flow contradicts what is
declared or documented, that is a conflict with the chain of flows that led to it, and nothing is
overruled in silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from codekiln.typeflow.facts import STRENGTHS, Fact, Place, Strength
from codekiln.typeflow.terms import Flow, Of, evaluate, places
from codekiln.typeflow.types import NONE, UNKNOWN, Type, accepts, join, members

# Types settle in a few rounds.
MOST_ROUNDS = 8
# What is deeper is a type that grows with every round: a list of a list of a list.
_MOST_DEPTH = 6


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
    # Places whose type grew with every round: nothing is said of them.
    endless: set[Place] = field(default_factory=set)
    conflicts: list[Conflict] = field(default_factory=list)

    def type_of(self, place: Place) -> Type:
        """What is known of a place; UNKNOWN where nothing is."""
        inferred = self.found.get(place)
        return inferred.type if inferred is not None else UNKNOWN


def solve(facts: Sequence[Fact], flows: Sequence[Flow]) -> TypeGraph:
    """Spread the facts along the flows, at most MOST_ROUNDS times around."""
    graph = TypeGraph()
    for fact in facts:
        graph.facts.setdefault(fact.place, []).append(fact)
    for flow in flows:
        graph.flows.setdefault(flow.target, []).append(flow)
    for place, known in graph.facts.items():
        strongest = min(known, key=lambda fact: STRENGTHS.index(fact.strength))
        graph.found[place] = Inferred(place, strongest.type, strongest.strength, (strongest,))
    for _ in range(MOST_ROUNDS):
        if not _spread(graph):
            break
    while _open_up(graph):
        pass
    graph.conflicts = _conflicts(graph)
    return graph


def _spread(graph: TypeGraph) -> bool:
    """One round, as if what is not known yet never came; whether any type changed."""
    changed = False
    for place, flows in graph.flows.items():
        if place in graph.facts or place in graph.endless:
            continue
        joined = UNKNOWN
        for flow in flows:
            joined = join(joined, evaluate(flow.term, graph.type_of))
        if _depth(joined) > _MOST_DEPTH:
            graph.endless.add(place)
            joined = UNKNOWN
        if joined != graph.type_of(place):
            graph.found[place] = Inferred(place, joined, "observed", tuple(flows))
            changed = True
    return changed


def _open_up(graph: TypeGraph) -> bool:
    """Nothing can be said of a place that something unknown still flows into; whether there is one.

    What rests on such a place falls with it, in the next round.
    """
    opened = [
        place
        for place, flows in graph.flows.items()
        if place not in graph.facts
        and graph.type_of(place) != UNKNOWN
        and any(
            evaluate(flow.term, graph.type_of) == UNKNOWN and not _is_about(flow, place)
            for flow in flows
        )
    ]
    for place in opened:
        graph.found[place] = Inferred(place, UNKNOWN, "observed", tuple(graph.flows[place]))
    return bool(opened)


def _is_about(flow: Flow, place: Place) -> bool:
    return set(places(flow.term)) == {place}


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
            if fact is not strongest and accepts(strongest.type, fact.type) is False
        ]
        for flow in graph.flows.get(place, ()):
            arriving = evaluate(flow.term, graph.type_of, certain=True)
            if flow.certain and _contradicts(strongest, arriving):
                chain = (*_chain(graph, flow, {place}), flow)
                found.append(Conflict(place, strongest, arriving, chain))
    return found


def _contradicts(known: Fact, arriving: Type) -> bool:
    """Whether no member of what arrives may stand there. Docstrings seldom speak of None."""
    ruled_out = [part for part in members(arriving) if accepts(known.type, part) is False]
    said_nothing = known.strength == "documented" and NONE in ruled_out
    return len(ruled_out) == len(members(arriving)) and not said_nothing


def _chain(graph: TypeGraph, flow: Flow, seen: set[Place]) -> tuple[Flow, ...]:
    """The flows before one, where it hands on what a single place holds."""
    if not isinstance(flow.term, Of) or flow.term.place in seen:
        return ()
    before = graph.flows.get(flow.term.place, ())
    if len(before) != 1 or flow.term.place in graph.facts:
        return ()
    return (*_chain(graph, before[0], seen | {flow.term.place}), before[0])
