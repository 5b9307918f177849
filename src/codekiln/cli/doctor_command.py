"""`codekiln doctor`: prints what this machine offers, and the remedy for what it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.cli.diagnosis import Diagnosis

_MARKS = {"ok": "ok", "absent": "--", "problem": "!!"}
_STYLES = {"ok": "green", "absent": "dim", "problem": "red"}


def doctor(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> int:
    """Show what this machine offers and lacks.

    Exit code 0 if code can be generated and checked here, else 1.
    """
    from dataclasses import asdict

    from codekiln.cli.console import write_json
    from codekiln.cli.diagnosis import can_run, diagnose

    found = diagnose()
    ready = can_run(found)
    if as_json:
        write_json({"ready": ready, "checks": [asdict(item) for item in found]})
    else:
        _print(found, ready)
    return 0 if ready else 1


def _print(found: tuple[Diagnosis, ...], ready: bool) -> None:
    from rich.text import Text

    from codekiln.cli.console import stdout_console, visible

    console = stdout_console()
    width = max(len(item.name) for item in found)
    for item in found:
        line = Text(f"{_MARKS[item.state]} ", style=_STYLES[item.state])
        line.append(f"{item.name:<{width}}  ", style="bold")
        line.append(visible(item.detail), style="")
        console.print(line)
        if item.remedy and item.state != "ok":
            console.print(Text(f"   {'':<{width}}  -> {visible(item.remedy)}", style="yellow"))
    problems = [item.name for item in found if item.state == "problem"]
    verdict = "Ready to generate and check code." if ready else f"Not ready: {', '.join(problems)}."
    console.print(Text(verdict, style="bold green" if ready else "bold red"))
