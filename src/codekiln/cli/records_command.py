"""`codekiln records` and `codekiln replay`: what was answered, and making it once more."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.core import Record
    from codekiln.generation import Replay


def records(
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many.")] = 20,
    show: Annotated[
        str | None,
        typer.Option("--show", metavar="ID", help="Print the code of one record instead."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> int:
    """The answers that were given, newest first."""
    from dataclasses import asdict

    from codekiln.cli.console import write_json, write_stdout
    from codekiln.cli.table import print_table
    from codekiln.generation import find_record, read_records

    if show is not None:
        record = find_record(show)
        if as_json:
            write_json(asdict(record))
        else:
            write_stdout(record.code)
        return 0
    found = list(islice(read_records(), limit))
    if as_json:
        write_json({"records": [asdict(record) for record in found]})
    elif not found:
        write_stdout("there are no records yet\n")
    else:
        headings = ("id", "created", "verdict", "model", "task")
        print_table(headings, [_row(record) for record in found])
    return 0


def replay(
    record_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="A record's id, its beginning, or 'last'."),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
) -> int:
    """Make a recorded answer once more and compare.

    Exit code 0 if code and verdict are the same, else 1. Names what differs: weights, versions,
    processor, threads, isolation, prompt, code.
    """
    from codekiln.backends import Cancel
    from codekiln.cli.console import write_json
    from codekiln.cli.display import show_progress
    from codekiln.generation import find_record
    from codekiln.generation import replay as replay_record

    record = find_record(record_id)
    cancel = Cancel()
    try:
        with show_progress(quiet=quiet) as on_event:
            again = replay_record(record, on_event=on_event, cancel=cancel)
    except BaseException:
        cancel.set()
        raise
    if as_json:
        write_json(_as_json(again))
    else:
        _print(again)
    return 0 if again.reproduced else 1


def _row(record: Record) -> tuple[str, ...]:
    from codekiln.cli.console import one_line

    task = record.request.get("task")
    description = str(task.get("description", "")) if isinstance(task, dict) else ""
    created = record.created.replace("T", " ").removesuffix("Z")
    return (record.id, created, record.verdict.value, record.model, one_line(description, 60))


def _as_json(again: Replay) -> dict[str, object]:
    return {
        "record_id": again.record.id,
        "reproduced": again.reproduced,
        "changes": [
            {"what": change.what, "before": change.before, "after": change.after}
            for change in again.changes
        ],
        "code": again.answer.code,
        "verdict": again.answer.verdict.value,
    }


def _print(again: Replay) -> None:
    from difflib import unified_diff

    from codekiln.cli.console import visible, write_stdout

    lines = [
        f"{again.record.id}: reproduced exactly"
        if again.reproduced
        else f"{again.record.id}: not reproduced"
    ]
    lines += [f"  {c.what}: {c.before or '-'} before, {c.after or '-'} now" for c in again.changes]
    before, after = again.record.code.splitlines(), again.answer.code.splitlines()
    diff = unified_diff(before, after, "recorded", "replayed", lineterm="")
    lines += [visible(line) for line in diff]
    write_stdout("\n".join(lines) + "\n")
