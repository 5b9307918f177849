"""Keeps runs in a folder: `ID/run.json`, one line per problem, a summary when it is whole.

A line is written when a problem is done, so a killed run loses only what was under way; a torn
last line is dropped when the run goes on. Finished runs are compressed.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from codekiln.core.errors import CodekilnError, UsageError
from codekiln.core.files import drop_torn_line, write_atomic
from codekiln.core.settings import load_settings
from codekiln.evals.outcomes import (
    Outcome,
    Run,
    outcome_as_json,
    outcome_from_json,
    run_as_json,
    run_from_json,
)

RESULTS_VARIABLE = "CODEKILN_RESULTS"
_RUN, _LINES, _PACKED, _SUMMARY = "run.json", "outcomes.jsonl", "outcomes.jsonl.gz", "summary.json"
# What may differ between a run and the one that goes on with it.
_OWN = ("id", "created", "note")


@dataclass(frozen=True, slots=True)
class Stored:
    """A run on disk; `is_whole` once every problem is done."""

    run: Run
    folder: Path

    @property
    def is_whole(self) -> bool:
        """True when the summary is there, which is written last."""
        return (self.folder / _SUMMARY).is_file()

    def outcomes(self) -> tuple[Outcome, ...]:
        """What became of the problems done so far. Raises CodekilnError for a damaged file."""
        return tuple(_read_outcomes(self.folder))

    def summary(self) -> dict[str, Any]:
        """The stored summary; empty for a run under way."""
        if not self.is_whole:
            return {}
        summary: dict[str, Any] = json.loads((self.folder / _SUMMARY).read_text("utf-8"))
        return summary


def results_folder(given: Path | None = None) -> Path:
    """Where runs are kept: `given`, CODEKILN_RESULTS, or the state folder."""
    if given is not None:
        return given
    value = os.environ.get(RESULTS_VARIABLE, "")
    return Path(value).expanduser() if value else load_settings().state_dir / "evals"


def stored_runs(results: Path) -> list[Stored]:
    """All runs of a folder, the oldest first; what is no run is passed over."""
    found = []
    for path in results.glob(f"*/{_RUN}") if results.is_dir() else ():
        try:
            found.append(Stored(run_from_json(json.loads(path.read_text("utf-8"))), path.parent))
        except (OSError, ValueError, TypeError, AttributeError):
            continue
    return sorted(found, key=lambda stored: (stored.run.created, stored.run.id))


def find_run(results: Path, name: str) -> Stored:
    """The run whose id is, or begins with, `name`. Raises UsageError."""
    runs = stored_runs(results)
    exact = [stored for stored in runs if stored.run.id == name]
    hits = exact or [stored for stored in runs if stored.run.id.startswith(name)]
    if len(hits) == 1:
        return hits[0]
    if not hits:
        raise UsageError(
            f"no run in {results} begins with {name!r}",
            "See 'codekiln eval list', or name their folder with --results",
        )
    listed = ", ".join(stored.run.id for stored in hits[:6]) + ", ..." * (len(hits) > 6)
    raise UsageError(
        f"{name!r} is the beginning of {len(hits)} runs in {results}: {listed}",
        "Give more of the id",
    )


def open_run(run: Run, results: Path, *, new: bool = False) -> Stored:
    """The unfinished run that is the same as `run`, to go on with; else, or if `new`, another."""
    wanted = _identity(run)
    for stored in stored_runs(results):
        if not new and not stored.is_whole and _identity(stored.run) == wanted:
            return stored
    folder = results / run.id
    try:
        folder.mkdir(parents=True)
        write_atomic(folder / _RUN, json.dumps(run_as_json(run), indent=1) + "\n")
    except OSError as error:
        raise CodekilnError(
            f"the run cannot be stored in {folder}: {error.strerror or error}",
            "Choose another folder with --results",
        ) from error
    return Stored(run, folder)


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """While this process alone adds to the file. Raises UsageError when another one does."""
    out.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out.with_name(f".{out.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"another process measures into {out}", "Wait for it, or name another place with --out"
        ) from None
    try:
        drop_torn_line(out)
        yield
    finally:
        lock.release()


@contextmanager
def locked(stored: Stored) -> Iterator[None]:
    """While this process alone works on the run. Raises UsageError when another one does."""
    lock = FileLock(stored.folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise UsageError(
            f"another process is at the run {stored.run.id}", "Wait for it, or use --fresh"
        ) from None
    try:
        drop_torn_line(stored.folder / _LINES)
        yield
    finally:
        # The file stays: another process may hold what a new file of this name would not be.
        lock.release()


def append(stored: Stored, outcome: Outcome) -> None:
    """Add one line."""
    line = json.dumps(outcome_as_json(outcome), separators=(",", ":")) + "\n"
    with (stored.folder / _LINES).open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def finish(stored: Stored, order: Sequence[str], summary: dict[str, Any]) -> None:
    """Compress the lines, in the suite's order, and write the summary."""
    done = {outcome.problem: outcome for outcome in stored.outcomes()}
    outcomes = [done[problem] for problem in order]
    lines = "".join(
        json.dumps(outcome_as_json(outcome), separators=(",", ":")) + "\n" for outcome in outcomes
    )
    write_atomic(stored.folder / _PACKED, gzip.compress(lines.encode(), mtime=0))
    write_atomic(stored.folder / _SUMMARY, json.dumps(summary, indent=1) + "\n")
    (stored.folder / _LINES).unlink(missing_ok=True)


def _identity(run: Run) -> dict[str, Any]:
    return {key: value for key, value in run_as_json(run).items() if key not in _OWN}


def _read_outcomes(folder: Path) -> Iterator[Outcome]:
    packed = folder / _PACKED
    path = packed if packed.is_file() else folder / _LINES
    if not path.is_file():
        return
    try:
        raw = path.read_bytes()
        # Behind the last line end stands what a writer is just writing, or a killed one left.
        whole = gzip.decompress(raw) if path == packed else raw[: raw.rfind(b"\n") + 1]
        for line in whole.decode().split("\n")[:-1]:
            yield outcome_from_json(json.loads(line))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise CodekilnError(
            f"{path} is damaged: {error}", "Remove this run's folder and measure again"
        ) from error
