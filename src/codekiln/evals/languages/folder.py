"""A measurement of languages on disk: `run.json`, one line per outcome, `summary.json`.

What was measured with another model or other tasks is not gone on with.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from codekiln.backends import Backend
from codekiln.core.errors import CodekilnError, UsageError
from codekiln.core.files import write_atomic
from codekiln.evals.languages.outcomes import Outcome
from codekiln.evals.languages.summary import LanguageCounts, count_languages, counts_from_json
from codekiln.evals.store import alone
from codekiln.generation import Options, environment
from codekiln.generation.records import timestamp

_RUN, _LINES, _PACKED, _SUMMARY = "run.json", "outcomes.jsonl", "outcomes.jsonl.gz", "summary.json"
# What has to be the same in a measurement that goes on.
_SAME = ("model", "weights_sha256", "tasks_sha256", "options")


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement as it was stored: the manifest of run.json, and the counts of each language."""

    manifest: Mapping[str, Any]
    languages: tuple[LanguageCounts, ...]


def begin(folder: Path, backend: Backend, options: Options) -> None:
    """Write run.json, or check that what is there was measured alike. Raises UsageError."""
    info = backend.info
    manifest = {
        "model": Path(info.model).name,
        "weights_sha256": info.weights_sha256,
        "backend": info.name,
        "created": timestamp(),
        "tasks_sha256": _tasks_hash(),
        "options": asdict(options),
        "codekiln": environment.codekiln_version(),
        "tools": environment.tools(),
        "machine": environment.machine(info),
    }
    path = folder / _RUN
    if not path.exists():
        write_atomic(path, json.dumps(manifest, indent=1) + "\n")
        return
    before = _read_json(path)
    differing = [
        key
        for key in _SAME
        # Tuples are lists once they are stored.
        if before.get(key) != json.loads(json.dumps(manifest[key]))
    ]
    if differing:
        raise UsageError(
            f"{folder} was measured with another {', '.join(differing)}",
            "Name another folder with --out, or move it away",
        )


def writing(folder: Path) -> AbstractContextManager[None]:
    """While this process alone keeps outcomes. Raises UsageError when another one does."""
    return alone(folder / _LINES)


def append(folder: Path, outcome: Outcome) -> None:
    """Keep one outcome."""
    with (folder / _LINES).open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(outcome), ensure_ascii=False) + "\n")


def read_outcomes(folder: Path) -> Iterator[Outcome]:
    """All outcomes of a folder; a last line that a crash cut off is left out."""
    for path in (folder / _PACKED, folder / _LINES):
        if not path.exists():
            continue
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
        for line in text[: text.rfind("\n") + 1].splitlines():
            try:
                yield Outcome(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise CodekilnError(
                    f"{path} is damaged: {error}", "Move the folder away and measure again"
                ) from error


def finish(folder: Path) -> tuple[LanguageCounts, ...]:
    """Pack the outcomes and write the summary of all that the folder has."""
    latest = {(one.task, one.arm): one for one in read_outcomes(folder)}
    lines = "".join(
        json.dumps(asdict(one), ensure_ascii=False) + "\n"
        for one in sorted(latest.values(), key=lambda one: (one.task, one.arm))
    )
    counts = tuple(count_languages(list(latest.values())))
    write_atomic(folder / _PACKED, gzip.compress(lines.encode(), mtime=0))
    (folder / _LINES).unlink(missing_ok=True)
    summary = {"languages": [asdict(one) for one in counts]}
    write_atomic(folder / _SUMMARY, json.dumps(summary, indent=1) + "\n")
    return counts


def read_measured(results: Path) -> Sequence[Measured]:
    """The finished measurements in the folders of `results`, by name."""
    found = []
    for path in sorted(results.glob(f"*/{_SUMMARY}")):
        languages = tuple(counts_from_json(one) for one in _read_json(path)["languages"])
        found.append(Measured(_read_json(path.with_name(_RUN)), languages))
    return found


def read_parsing(results: Path) -> Mapping[str, Any]:
    """What bench/parse_speed.py measured; empty where it did not."""
    path = results / "parse_speed.json"
    return _read_json(path) if path.exists() else {}


def _tasks_hash() -> str:
    file = resources.files("codekiln.evals.languages") / "tasks.toml"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CodekilnError(f"{path} cannot be read: {error}", "Measure again") from error
    return found
