"""A report as one web page that asks for nothing else: style and pictures are inside.

Every text is escaped. Light and dark follow the reader's system; wide tables scroll by themselves.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from html import escape

from codekiln.evals.report.measured import Measured
from codekiln.evals.report.svg import Picture
from codekiln.evals.report.tables import Table, all_tables, command_of, shared_facts

_STYLE = "report.css"


def html_page(
    title: str, headlines: Sequence[str], measured: Sequence[Measured], pictures: Sequence[Picture]
) -> str:
    """The whole page."""
    scores, *others = all_tables(measured)
    style = importlib.resources.files(__package__ or "").joinpath(_STYLE).read_text("utf-8")
    commands = "\n".join(command_of(item.run) for item in measured)
    shared, own = shared_facts([item.run for item in measured])
    parts = [
        f"<h1>{escape(title)}</h1>",
        "<ul class=headlines>",
        *(f"<li>{escape(line)}</li>" for line in headlines),
        "</ul>",
        _table(scores, measured),
        *map(_figure, pictures),
        *(_table(table, measured) for table in others),
        "<section><h2>What was measured</h2>",
        _facts(shared),
        *(_own_facts(item, facts) for item, facts in zip(measured, own, strict=True) if facts),
        "</section>",
        "<section><h2>How to reproduce</h2>",
        "<p>The same weights, data and code give the same completions on the same hardware.</p>",
        f"<pre><code>{escape(commands)}</code></pre>",
        "</section>",
    ]
    return (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        '<meta name=color-scheme content="light dark">\n'
        # Nothing may be fetched, whatever a name of a run contains.
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; "
        "style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _table(table: Table, measured: Sequence[Measured]) -> str:
    heads = "".join(
        f"<th scope=col{_side(table, place)}>{escape(head)}</th>"
        for place, head in enumerate(table.heads)
    )
    rows = []
    for number, row in enumerate(table.rows):
        swatch = _swatch(measured[number]) if table.per_run else ""
        first = f"<th scope=row>{swatch}{escape(row[0])}</th>"
        rest = "".join(
            f"<td{_side(table, place)}>{escape(cell)}</td>"
            for place, cell in enumerate(row)
            if place
        )
        rows.append(f"<tr>{first}{rest}</tr>")
    note = f"<p class=note>{escape(table.note)}</p>" if table.note else ""
    return (
        f"<section><h2>{escape(table.title)}</h2>\n<div class=wide tabindex=0><table>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>{chr(10).join(rows)}</tbody>\n"
        f"</table></div>{note}</section>"
    )


def _side(table: Table, place: int) -> str:
    return "" if place < table.words else " class=figure"


def _swatch(item: Measured) -> str:
    return f'<span class=swatch style="background:{item.mark.colour}"></span>'


def _figure(picture: Picture) -> str:
    label = escape(f"{picture.title}. {picture.caption}", quote=True)
    svg = picture.svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    return (
        f"<section><h2>{escape(picture.title)}</h2>\n<figure>"
        f"<div class=wide tabindex=0>{svg}</div>\n"
        f"<figcaption>{escape(picture.caption)}</figcaption></figure></section>"
    )


def _own_facts(item: Measured, facts: Sequence[tuple[str, str]]) -> str:
    return (
        f"<details open><summary>{_swatch(item)}{escape(item.label)}</summary>"
        f"{_facts(facts)}</details>"
    )


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    items = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f"<dl>{items}</dl>"
