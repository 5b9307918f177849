"""What lies in the cache and where; hashes of model files, remembered beside them.

Takes names, paths and the cache folder. Never touches the network.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from codekiln.core.errors import WeightsError
from codekiln.core.files import sha256_file, sha256_text, write_atomic
from codekiln.models.catalogue import ModelEntry
from codekiln.models.progress import Progress

Format = Literal["gguf", "safetensors"]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk: a GGUF file or a folder of safetensors.

    `sha256` is that of the file; for a folder, of the list of its files' hashes. `entry` is
    None for a local path.
    """

    name: str
    path: Path
    format: Format
    sha256: str
    entry: ModelEntry | None = None


def model_folder(cache_dir: Path, entry: ModelEntry) -> Path:
    """Where a catalogue model's files lie once they are complete."""
    return cache_dir / "models" / entry.name


def model_target(cache_dir: Path, entry: ModelEntry) -> Path:
    """The GGUF file, or the folder of safetensors, of a catalogue model."""
    folder = model_folder(cache_dir, entry)
    return folder / entry.file if entry.file else folder / "checkpoint"


def staging_folder(cache_dir: Path, entry: ModelEntry) -> Path:
    """Where the resumable parts of a download lie."""
    return cache_dir / "partial" / entry.name


def remember_origin(cache_dir: Path, entry: ModelEntry, origin: str) -> None:
    """Note beside the model which source delivered it."""
    write_atomic(model_folder(cache_dir, entry) / "origin.json", json.dumps({"origin": origin}))


def origin_of(cache_dir: Path, entry: ModelEntry) -> str:
    """Which source delivered a model; empty when that was not noted."""
    try:
        text = (model_folder(cache_dir, entry) / "origin.json").read_text(encoding="utf-8")
        return str(json.loads(text)["origin"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def hash_model(path: Path, cache_dir: Path, progress: Progress, *, fresh: bool = False) -> str:
    """SHA-256 of a model file or folder, from memory when nothing changed since last time.

    Remembered in the cache folder under the path; sizes and modification times must match.
    `fresh` reads every byte again and leaves the memory as it is.
    """
    files = hashed_files(path)
    known = None if fresh else _recall(path, cache_dir)
    if known is not None and known.get("files") == _stamp(files):
        return str(known["sha256"])
    progress.start(f"Checking {path.name}", sum(file.stat().st_size for file in files))
    try:
        hashes = [sha256_file(file, progress.advance) for file in files]
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error})", "Check the permissions") from error
    finally:
        progress.finish()
    digest = hashes[0]
    if path.is_dir():
        lines = (f"{one}  {file.name}\n" for one, file in zip(hashes, files, strict=True))
        digest = sha256_text("".join(lines))
    if not fresh:
        # A cache that cannot be written only costs the time to hash again.
        with suppress(OSError):
            remember_hash(path, cache_dir, digest)
    return digest


def remember_hash(path: Path, cache_dir: Path, sha256: str) -> None:
    """Note the hash of a model together with the state of its files."""
    record = {"path": str(path), "files": _stamp(hashed_files(path)), "sha256": sha256}
    write_atomic(_memory(path, cache_dir), json.dumps(record))


def recorded_hash(path: Path, cache_dir: Path) -> str | None:
    """The hash noted for a path, whether or not the files changed since."""
    known = _recall(path, cache_dir)
    return None if known is None else str(known["sha256"])


def forget_hash(path: Path, cache_dir: Path) -> None:
    """Drop what was noted for a path."""
    _memory(path, cache_dir).unlink(missing_ok=True)


def _memory(path: Path, cache_dir: Path) -> Path:
    return cache_dir / "hashes" / f"{sha256_text(str(path.resolve()))}.json"


def _recall(path: Path, cache_dir: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(_memory(path, cache_dir).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and "sha256" in known else None


def _stamp(files: list[Path]) -> list[list[str | int]]:
    """What must be unchanged for a remembered hash to hold."""
    states = [(file.name, file.stat()) for file in files]
    return [[name, state.st_size, state.st_mtime_ns] for name, state in states]


def hashed_files(path: Path) -> list[Path]:
    """The files whose contents make up a model, in name order."""
    if not path.is_dir():
        return [path]
    kinds = ("*.safetensors", "*.json", "*.jinja")
    files = sorted(f for kind in kinds for f in path.glob(kind) if f.is_file())
    if not any(f.suffix == ".safetensors" for f in files):
        raise WeightsError(
            f"{path} holds no safetensors files",
            "Give the folder of a complete checkpoint, or a .gguf file",
        )
    return files
