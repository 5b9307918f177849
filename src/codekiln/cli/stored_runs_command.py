"""`codekiln eval list | show | remove`: the runs that are stored, and what became of a problem."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.evals import Outcome, Scored, Stored, Summary

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Results = Annotated[
    str | None,
    typer.Option("--results", metavar="DIR", help="Folder of stored runs (or CODEKILN_RESULTS)."),
]


def list_command(results: Results = None, as_json: AsJson = False) -> int:
    """Every stored run with its figures."""
    from codekiln.cli.console import write_json, write_stdout
    from codekiln.cli.table import print_table
    from codekiln.evals import stored_runs

    folder = _folder(results)
    lines = [run_line(stored, None) for stored in stored_runs(folder)]
    if as_json:
        write_json({"runs": lines})
        return 0
    if not lines:
        write_stdout(f"no runs in {folder}\n")
        return 0
    heads = (
        "RUN",
        "N",
        "DONE",
        "ASKED",
        "PASS@1",
        "SELECTED",
        "ORACLE",
        "VERIFIED",
        "WRONG",
        "TOKENS",
    )
    rows = [
        (
            str(line["id"]),
            _count(line["n"]),
            f"{line['done']}/{line['problems']}",
            str(line["size"]),
            _percent(line["pass@1"]),
            _percent(line["selected@1"]),
            _percent(line["oracle@n"]),
            _count(line["verified"]) if line["selected@1"] is not None else "-",
            _count(line["verified_wrong"]) if line["selected@1"] is not None else "-",
            _count(line["tokens"]),
        )
        for line in lines
    ]
    print_table(heads, rows)
    return 0


def show_command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a run, or its beginning.")],
    problem: Annotated[
        str | None,
        typer.Argument(metavar="PROBLEM", help="One of its problems, as '7' or 'quicksort'."),
    ] = None,
    candidate: Annotated[
        int | None,
        typer.Option("--candidate", metavar="N", help="Print the code of this candidate alone."),
    ] = None,
    results: Results = None,
    as_json: AsJson = False,
) -> int:
    """What became of every problem of a run, or of every candidate of one problem."""
    from codekiln.cli.console import write_json, write_stdout
    from codekiln.core.errors import UsageError
    from codekiln.evals import find_run
    from codekiln.evals.outcomes import outcome_as_json

    stored = find_run(_folder(results), run)
    if problem is None:
        if candidate is not None:
            raise UsageError("--candidate belongs to a problem", "Name the problem behind the run")
        if as_json:
            outcomes = [outcome_as_json(outcome) for outcome in stored.outcomes()]
            write_json({**run_line(stored, None), "outcomes": outcomes})
        else:
            _print_problems(stored)
        return 0
    outcome = _outcome(stored, problem)
    if candidate is not None:
        write_stdout(_candidate(outcome, candidate).code.rstrip() + "\n")
    elif as_json:
        write_json(outcome_as_json(outcome))
    else:
        _print_candidates(outcome)
    return 0


def remove_command(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Ids of runs, or their beginnings.")
    ],
    results: Results = None,
    as_json: AsJson = False,
) -> int:
    """Delete stored runs. Nothing is deleted unless all of them are found and none is under way."""
    from contextlib import ExitStack

    from codekiln.cli.console import write_json, write_stdout
    from codekiln.core.errors import CodekilnError
    from codekiln.evals import find_run
    from codekiln.evals.store import locked

    found = {(stored := find_run(_folder(results), name)).run.id: stored for name in runs}
    with ExitStack() as held:
        for stored in found.values():
            held.enter_context(locked(stored))
        for stored in found.values():
            try:
                shutil.rmtree(stored.folder)
            except OSError as error:
                raise CodekilnError(
                    f"{stored.folder} cannot be removed: {error.strerror or error}",
                    "Check the folder's permissions",
                ) from error
    if as_json:
        write_json({"removed": list(found)})
    else:
        write_stdout("".join(f"removed {name}\n" for name in found))
    return 0


def run_line(stored: Stored, summary: Summary | None) -> dict[str, object]:
    """A run in one line: the fields that docs/evaluation.md describes."""
    from codekiln.evals import summary_as_json

    run = stored.run
    known = summary_as_json(summary) if summary is not None else stored.summary()
    return {
        "id": run.id,
        "created": run.created,
        "suite": run.suite,
        "language": run.language,
        "problems": run.problems,
        "size": run.size,
        "done": known.get("problems", len(stored.outcomes()) if not known else 0),
        "model": run.model,
        "mode": run.mode,
        "n": run.settings.get("n"),
        "pass@1": known.get("greedy") if run.mode != "sample" else known.get("mean"),
        "greedy": known.get("greedy"),
        "mean": known.get("mean"),
        "gate": known.get("gate"),
        "selected@1": known.get("selected"),
        "oracle@n": known.get("oracle"),
        "recovered": known.get("recovered"),
        "verified": known.get("verified"),
        "verified_wrong": known.get("verified_wrong"),
        "overturned": known.get("overturned"),
        "tokens": known.get("tokens"),
        "executions": known.get("executions"),
        "seconds": known.get("wall_s"),
        "dataset": run.dataset,
        "settings": run.settings,
        "note": run.note,
    }


def _folder(results: str | None) -> Path:
    from codekiln.evals import results_folder

    return results_folder(Path(results).expanduser() if results else None)


def _outcome(stored: Stored, name: str) -> Outcome:
    """The outcome of the problem with this id, or with this last part of it. Raises UsageError."""
    from codekiln.core.errors import UsageError

    outcomes = stored.outcomes()
    for outcome in outcomes:
        if name in (outcome.problem, outcome.problem.rpartition("/")[2]):
            return outcome
    raise UsageError(
        f"no problem {name!r} among the {len(outcomes)} of {stored.run.id}",
        f"'codekiln eval show {stored.run.id}' lists them",
    )


def _candidate(outcome: Outcome, number: int) -> Scored:
    from codekiln.core.errors import UsageError

    for item in outcome.candidates:
        if item.index == number:
            return item
    raise UsageError(
        f"{outcome.problem} has no candidate {number}",
        f"There are {', '.join(str(item.index) for item in outcome.candidates)}",
    )


def _print_problems(stored: Stored) -> None:
    from codekiln.cli.table import print_table
    from codekiln.evals.outcomes import CHOOSING

    chooses = stored.run.mode in CHOOSING
    heads = ("PROBLEM", "HIDDEN TESTS", "RIGHT", "TOLD", "TOKENS")
    rows = []
    for outcome in stored.outcomes():
        answer = outcome.selected if chooses else (outcome.greedy or outcome.candidates[0])
        told = _percent(outcome.confidence)
        rows.append(
            (
                outcome.problem,
                answer.verdict.value if answer is not None else "no_code",
                f"{sum(item.right for item in outcome.candidates)}/{len(outcome.candidates)}",
                f"{told} verified" if outcome.verified else told,
                str(outcome.tokens),
            )
        )
    print_table(heads, rows)


def _print_candidates(outcome: Outcome) -> None:
    from codekiln.cli.console import visible, write_stdout
    from codekiln.cli.table import print_table

    heads = ("", "CANDIDATE", "HIDDEN TESTS", "ITS CHECKS", "FORM", "TEMPERATURE", "TOKENS", "")
    rows = [
        (
            "*" if item.index == outcome.chosen else "",
            str(item.index),
            item.verdict.value,
            item.visible or "-",
            item.form or "-",
            f"{item.temperature:g}",
            str(item.completion_tokens),
            " ".join(item.detail.split())[:60],
        )
        for item in outcome.candidates
    ]
    print_table(heads, rows)
    lines = [f"note: {note}" for note in outcome.notes]
    answer = outcome.selected or next(iter(outcome.candidates), None)
    if answer is not None:
        lines += ["", answer.code.rstrip()]
    write_stdout("\n".join(visible(line) for line in lines) + "\n")


def _count(value: object) -> str:
    return str(value) if value is not None else "-"


def _percent(value: object) -> str:
    return f"{value:.1%}" if isinstance(value, float) else "-"
