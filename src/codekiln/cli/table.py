"""Prints rows of text in aligned columns to stdout; bold headings on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from codekiln.cli.console import stdout_console, visible


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """One line per row, whatever the width of the terminal, so that `grep` and `cut` work."""
    console = stdout_console()
    lines = [list(headings), *([visible(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(line[column]) for line in lines) for column in range(len(headings))]
    for number, line in enumerate(lines):
        padded = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)
        )
        console.print(Text("  ".join(padded).rstrip(), style="bold" if number == 0 else ""))
