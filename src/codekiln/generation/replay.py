"""Makes a recorded local answer once more and compares. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from codekiln.backends import Backend, Cancel
from codekiln.core import Answer, Record
from codekiln.core.errors import UsageError
from codekiln.generation.door import LOCAL, run_unrecorded
from codekiln.generation.events import OnEvent
from codekiln.generation.records import model_of, options_of, task_of


@dataclass(frozen=True, slots=True)
class Change:
    """Something that is not what it was: `what` in words, then and now."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Replay:
    """The outcome of a replay.

    `reproduced` means the same prompt, code and verdict. `changes` names every difference, in
    the surroundings too, whether or not it did harm.
    """

    record: Record
    answer: Answer
    reproduced: bool
    changes: tuple[Change, ...]


def replay(
    record: Record,
    *,
    backend: Backend | None = None,
    on_event: OnEvent | None = None,
    cancel: Cancel | None = None,
) -> Replay:
    """Ask again what the record says, in the same way.

    Raises UsageError for an answer that a server gave, and what generating raises.
    """
    if record.backend != LOCAL:
        raise UsageError(
            f"the record {record.id} was answered by a server ({record.model})",
            "Only answers of the embedded engine can be replayed",
        )
    again = run_unrecorded(
        task_of(record),
        options_of(record),
        model=model_of(record),
        backend=backend,
        on_event=on_event,
        cancel=cancel,
    )
    changes = compare(record, again.record)
    decisive = {"prompt", "code", "verdict"}
    reproduced = not any(change.what in decisive for change in changes)
    return Replay(record, again.answer, reproduced, changes)


def compare(before: Record, after: Record) -> tuple[Change, ...]:
    """Every difference that may explain another answer, and the answer's own last."""
    facts = [
        ("codekiln", before.codekiln, after.codekiln),
        ("model", before.model, after.model),
        ("weights", before.weights_sha256[:12], after.weights_sha256[:12]),
        ("backend", before.backend, after.backend),
        *_pairs(before.tools, after.tools),
        *_pairs(before.machine, after.machine),
        ("isolation", before.isolation, after.isolation),
        ("prompt", before.prompt_sha256[:12], after.prompt_sha256[:12]),
        ("verdict", before.verdict.value, after.verdict.value),
    ]
    changes = [Change(what, old, new) for what, old, new in facts if old != new]
    if before.code != after.code:
        changes.append(Change("code", _size(before.code), _size(after.code)))
    return tuple(changes)


def _pairs(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = [*before, *(name for name in after if name not in before)]
    return [(name, before.get(name, "-"), after.get(name, "-")) for name in names]


def _size(code: str) -> str:
    return f"{len(code.splitlines())} lines, {len(code)} characters"
