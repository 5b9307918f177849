"""Reports of finished runs: Markdown for a repository, one self-contained web page for people.

Takes stored runs; figures are computed anew from their outcomes. Pictures stand in the page or in
files of their own; they need matplotlib (the extra `eval`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from codekiln.core.errors import CodekilnError, UsageError
from codekiln.core.files import write_atomic
from codekiln.evals.report.html import html_page
from codekiln.evals.report.measured import Measured, headline, measure
from codekiln.evals.report.plots import all_pictures
from codekiln.evals.report.tables import (
    all_tables,
    as_markdown,
    command_of,
    escape_markdown,
    shared_facts,
)
from codekiln.evals.store import Stored

__all__ = ["html_report", "markdown_report", "write_report"]


def write_report(
    runs: Sequence[Stored],
    markdown: Path | None,
    html: Path | None,
    pictures: Path | None = None,
) -> None:
    """Write the report into the files that are named; each is whole or untouched.

    `pictures` is a folder for the pictures alone, one SVG file each.

    Raises UsageError for an unfinished run, MissingExtraError for a page without matplotlib, and
    CodekilnError where a file cannot be written.
    """
    # Both are made before either is written.
    texts = [
        (path, make(runs))
        for path, make in ((markdown, markdown_report), (html, html_report))
        if path is not None
    ]
    if pictures is not None:
        drawn = all_pictures(measure(_distinct(runs)))
        texts += [(pictures / f"{item.name}.svg", item.standalone()) for item in drawn]
    for path, text in texts:
        try:
            write_atomic(path, text)
        except OSError as error:
            raise CodekilnError(
                f"the report cannot be written to {path}: {error.strerror or error}",
                "Choose another file",
            ) from error


def markdown_report(runs: Sequence[Stored]) -> str:
    """Headline, tables, what was measured and how to measure it again. Raises UsageError."""
    chosen = _distinct(runs)
    measured = measure(chosen)
    parts = [f"# {escape_markdown(_title(measured))}\n"]
    parts.append("".join(f"- {escape_markdown(line)}\n" for line in _headlines(chosen, measured)))
    parts += map(as_markdown, all_tables(measured))
    shared, own = shared_facts([item.run for item in measured])
    parts.append(f"## What was measured\n\n{_facts(shared)}")
    parts += [
        f"### {escape_markdown(item.label)}\n\n{_facts(facts)}"
        for item, facts in zip(measured, own, strict=True)
        if facts
    ]
    commands = "".join(f"    {command_of(item.run)}\n" for item in measured)
    parts.append(f"## How to reproduce\n\n{commands}")
    return "\n".join(parts)


def html_report(runs: Sequence[Stored]) -> str:
    """The same with pictures, as one page. Raises UsageError and MissingExtraError."""
    chosen = _distinct(runs)
    measured = measure(chosen)
    pictures = all_pictures(measured)
    return html_page(_title(measured), _headlines(chosen, measured), measured, pictures)


def _distinct(runs: Sequence[Stored]) -> list[Stored]:
    if not runs:
        raise UsageError("there is no run to report", "See 'codekiln eval list'")
    return list({stored.run.id: stored for stored in runs}.values())


def _headlines(runs: Sequence[Stored], measured: Sequence[Measured]) -> list[str]:
    return [headline(stored, item) for stored, item in zip(runs, measured, strict=True)]


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    return "".join(
        f"- {escape_markdown(name)}: {escape_markdown(value)}\n" for name, value in facts
    )


def _title(measured: Sequence[Measured]) -> str:
    models = list(dict.fromkeys(item.run.model for item in measured))
    places = list(dict.fromkeys(item.place for item in measured))
    return f"{', '.join(models)} on {', '.join(places)}"
