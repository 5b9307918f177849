"""Appends a Record per answer and finds it again: JSON lines, one file per month, never changed.

Writers of several processes take turns by a lock; a line is on the disk when `append` returns.
A line that a crash left half-written is skipped by readers and closed by the next writer.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from codekiln.core import ContextFile, Example, Record, Task, Verdict
from codekiln.core.errors import CodekilnError, UsageError
from codekiln.core.settings import load_settings
from codekiln.generation.options import Options

# Crockford's digits without vowels: nothing to misread, no words.
_ALPHABET = "0123456789bcdfghjkmnpqrstvwxyz"
ID_LENGTH = 8
LAST = "last"
_LOCK_TIMEOUT_S = 30.0


def records_folder() -> Path:
    """Where the records of this user lie."""
    return load_settings().state_dir / "records"


def new_id() -> str:
    """A fresh id of eight characters that are easy to read aloud and to type."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(ID_LENGTH))


def append(record: Record) -> Path:
    """Add a record for good; the file that now holds it. Raises CodekilnError."""
    folder = records_folder()
    file = folder / f"{record.created[:7]}.jsonl"
    line = json.dumps(asdict(record), ensure_ascii=False, default=str) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with filelock.FileLock(folder / ".lock", timeout=_LOCK_TIMEOUT_S):
            _append_line(file, line)
    except (OSError, filelock.Timeout) as error:
        raise CodekilnError(
            f"the record of this answer could not be written to {folder}: {error}",
            "Point CODEKILN_STATE to a folder that you can write to",
        ) from error
    return file


def _append_line(file: Path, line: str) -> None:
    # Tasks may hold private code, so the file is the user's alone.
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "r+b") as stream:
        size = stream.seek(0, os.SEEK_END)
        if size:
            stream.seek(size - 1)
            if stream.read(1) != b"\n":
                line = "\n" + line
        stream.write(line.encode("utf-8", errors="replace"))
        stream.flush()
        os.fsync(stream.fileno())


def read_records() -> Iterator[Record]:
    """All records, newest first; lines that are no record are skipped. Raises CodekilnError."""
    with _reading() as folder:
        for file in sorted(folder.glob("*.jsonl"), reverse=True):
            for line in reversed(file.read_text(encoding="utf-8", errors="replace").split("\n")):
                record = _record(line)
                if record is not None:
                    yield record


def find_record(text: str) -> Record:
    """The record whose id begins with `text`, or the newest for "last".

    Raises UsageError when there is none, or more than one.
    """
    wanted = text.strip().casefold()
    if not wanted:
        raise UsageError("the record's id is empty", "`codekiln records` lists them")
    found: dict[str, Record] = {}
    for record in read_records():
        if wanted in (LAST, record.id):
            return record
        if record.id.startswith(wanted):
            found.setdefault(record.id, record)
    if not found:
        raise UsageError(
            f"there is no record {text!r} in {records_folder()}", "`codekiln records` lists them"
        )
    if len(found) > 1:
        raise UsageError(
            f"{text!r} is the beginning of {len(found)} records: {', '.join(sorted(found)[:5])}",
            "Give more of the id",
        )
    return next(iter(found.values()))


@contextmanager
def _reading() -> Iterator[Path]:
    folder = records_folder()
    try:
        yield folder
    except OSError as error:
        raise CodekilnError(
            f"the records in {folder} cannot be read: {error.strerror or error}",
            "Check the folder's permissions, or CODEKILN_STATE",
        ) from error


def _record(line: str) -> Record | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    names = {field.name for field in fields(Record)}
    if not isinstance(data, dict) or not isinstance(data.get("request"), dict):
        return None
    try:
        verdict = Verdict(data.pop("verdict"))
        # A newer version may know more fields; what is asked for here is still there.
        return Record(**{k: v for k, v in data.items() if k in names}, verdict=verdict)
    except (KeyError, TypeError, ValueError):
        return None


def request_of(task: Task, options: Options, model: str) -> dict[str, object]:
    """The `request` of a record: task, options and model as plain JSON values."""
    request = {"task": asdict(task), "options": asdict(options), "model": model}
    plain: dict[str, object] = json.loads(json.dumps(request))
    return plain


def task_of(record: Record) -> Task:
    """The task that a record answers. Raises CodekilnError when the record is incomplete."""
    with _believing(record):
        data = dict(_table(record.request["task"]))
        for name, kind in (("examples", Example), ("context", ContextFile)):
            data[name] = tuple(kind(**item) for item in data[name])
        for name in ("constraints", "notes"):
            data[name] = tuple(data[name])
        return Task(**data)


def options_of(record: Record) -> Options:
    """The options of a record. Raises CodekilnError when the record is incomplete."""
    with _believing(record):
        # Before there was a choice, every prompt was read densely.
        return Options(**{"attention": "dense", **_table(record.request["options"])})


def model_of(record: Record) -> str:
    """The model as it was asked for."""
    return str(record.request.get("model") or record.model)


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r} is no table")
    return value


@contextmanager
def _believing(record: Record) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError) as error:
        raise CodekilnError(
            f"the record {record.id} does not hold a whole request ({error})",
            "It was written by another version of codekiln; ask again instead",
        ) from error


def timestamp() -> str:
    """Now in UTC, to the second, as ISO 8601."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
