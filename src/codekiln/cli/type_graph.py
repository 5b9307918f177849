"""The type dependency graph as text, as plain data and as an SVG picture."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codekiln.typeflow import WRITTEN, Place, places, written

if TYPE_CHECKING:
    from codekiln.typeflow import TypedModule

# Sizes of the picture in pixels; a letter of 12 px monospace is 7.2 wide.
_LETTER, _LINE, _GAP, _MARGIN, _COLUMN_GAP = 7.2, 34, 12, 24, 90
# Okabe-Ito's colours.
_COLOURS = {"declared": "#0072B2", "documented": "#009E73", "observed": "#E69F00"}
_UNKNOWN_COLOUR = "#888888"


@dataclass(frozen=True, slots=True)
class Edge:
    """What is known of `source` goes into `target` at a line of the file."""

    source: Place
    target: Place
    line: int
    text: str


def edges_of(typed: TypedModule) -> list[Edge]:
    """Flows from place to place, in the file's order, each once."""
    found = {
        Edge(source, flow.target, flow.line, flow.text): None
        for flows in typed.graph.flows.values()
        for flow in flows
        for source in places(flow.term)
    }
    return sorted(found, key=lambda edge: (edge.line, str(edge.target), str(edge.source)))


def places_of(typed: TypedModule) -> list[Place]:
    """Every place that something is known of or flows into or out of, by scope and name."""
    graph = typed.graph
    found = {*graph.facts, *graph.flows, *graph.found}
    found |= {edge.source for edge in edges_of(typed)}
    return sorted(found, key=lambda place: (place.scope, place.kind, place.name))


def as_text(typed: TypedModule) -> list[str]:
    """One block per place: its type, and below it what says so and what flows in."""
    lines = []
    for place in places_of(typed):
        lines.append(_label(typed, place))
        for fact in typed.graph.facts.get(place, ()):
            said = fact.written or WRITTEN[typed.language](fact.type)
            lines.append(f"  = {said}  {fact.strength}, line {fact.line}: {fact.text}")
        arriving: dict[str, None] = {}
        for flow in typed.graph.flows.get(place, ()):
            sources = ", ".join(sorted({str(source) for source in places(flow.term)})) or "value"
            if flow.line:
                arriving[f"  <- {sources}  line {flow.line}: {flow.text}"] = None
            else:
                arriving["  <- unknown: code that is not followed may put anything here"] = None
        lines += arriving
    return lines


def as_data(typed: TypedModule) -> dict[str, object]:
    """Places and edges for JSON."""
    return {
        "places": [
            {"place": str(place), "kind": place.kind, **_known(typed, place)}
            for place in places_of(typed)
        ],
        "edges": [
            {
                "from": str(edge.source),
                "to": str(edge.target),
                "line": edge.line,
                "text": edge.text,
            }
            for edge in edges_of(typed)
        ],
    }


def as_svg(typed: TypedModule, title: str) -> str:
    """The graph from left to right; colours say how strong a type is known."""
    columns = _columns(typed)
    boxes, width, height = _boxes(typed, columns)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="monospace" font-size="12">',
        f"<title>{_shown(title)}</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="#666"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    parts += (_arrow(boxes[edge.source], boxes[edge.target], edge) for edge in edges_of(typed))
    for place, box in boxes.items():
        found = typed.graph.found.get(place)
        colour = _COLOURS[found.strength] if _known(typed, place)["type"] and found else None
        parts.append(
            f'<rect x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.0f}" height="{_LINE - 8}" '
            f'rx="4" fill="white" stroke="{colour or _UNKNOWN_COLOUR}" stroke-width="1.5"/>'
            f'<text x="{box.x + 8:.0f}" y="{box.y + 17:.0f}">'
            f"{_shown(_label(typed, place))}</text>"
        )
    for number, (strength, colour) in enumerate(_COLOURS.items()):
        parts.append(
            f'<text x="{_MARGIN + 110 * number}" y="{height - 8:.0f}" fill="{colour}">'
            f"{strength}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float
    width: float

    @property
    def middle(self) -> float:
        return self.y + (_LINE - 8) / 2


def _known(typed: TypedModule, place: Place) -> dict[str, str | None]:
    found = typed.graph.found.get(place)
    if found is None or found.type.name == "unknown":
        return {"type": None, "strength": None}
    return {"type": written(found, typed.language), "strength": found.strength}


def _label(typed: TypedModule, place: Place) -> str:
    return f"{place}: {_known(typed, place)['type'] or '?'}"


def _columns(typed: TypedModule) -> Mapping[Place, int]:
    """The column of each place: behind all that flow into it; what goes in circles is cut once."""
    sources: dict[Place, list[Place]] = {place: [] for place in places_of(typed)}
    for edge in edges_of(typed):
        if edge.source != edge.target and edge.source not in sources[edge.target]:
            sources[edge.target].append(edge.source)
    found: dict[Place, int] = {}
    for start in sources:
        pending, on_path = [start], set[Place]()
        while pending:
            place = pending[-1]
            left = [s for s in sources[place] if s not in found and s not in on_path]
            on_path.add(place)
            if left and place not in found:
                pending.append(left[0])
                continue
            pending.pop()
            on_path.discard(place)
            before = [found[source] for source in sources[place] if source in found]
            found.setdefault(place, 1 + max(before, default=-1))
    return found


def _boxes(
    typed: TypedModule, columns: Mapping[Place, int]
) -> tuple[dict[Place, _Box], float, float]:
    """Each place's box, and the width and height of the picture."""
    boxes: dict[Place, _Box] = {}
    x, height = float(_MARGIN), 0.0
    for column in range(1 + max(columns.values(), default=-1)):
        members = [place for place in columns if columns[place] == column]
        width = max(len(_label(typed, place)) for place in members) * _LETTER + 16
        for row, place in enumerate(members):
            boxes[place] = _Box(x, _MARGIN + row * (_LINE + _GAP), width)
        x += width + _COLUMN_GAP
        height = max(height, _MARGIN + len(members) * (_LINE + _GAP))
    return boxes, max(x - _COLUMN_GAP, 340.0) + _MARGIN, height + _MARGIN + 16


def _shown(text: str) -> str:
    """Text for XML, which has no control characters."""
    return html.escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def _arrow(source: _Box, target: _Box, edge: Edge) -> str:
    a, b = source.x + source.width, target.x
    bend = 40 if b > a else 70
    said = _shown(f"line {edge.line}: {edge.text}")
    return (
        f'<path d="M{a:.0f} {source.middle:.0f}C{a + bend:.0f} {source.middle:.0f} '
        f'{b - bend:.0f} {target.middle:.0f} {b:.0f} {target.middle:.0f}" fill="none" '
        f'stroke="#666" marker-end="url(#head)"><title>{said}</title></path>'
    )
