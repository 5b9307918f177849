"""What lies in the cache and where; hashes of model files, remembered beside them.

Takes names, paths and the cache folder. Never touches the network.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

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


def hash_model(path: Path, cache_dir: Path, progress: Progress, *, fresh: bool = False) -> str:
    """SHA-256 of a model file or folder, from memory when nothing changed since last time.

    Remembered in the cache folder under the path; size and modification time must match.
    `fresh` reads every byte again.
    """
    files = hashed_files(path)
    stamp = [
        [str(f.relative_to(path.parent)), f.stat().st_size, f.stat().st_mtime_ns] for f in files
    ]
    memory = cache_dir / "hashes" / f"{sha256_text(str(path.resolve()))}.json"
    if not fresh:
        try:
            known = json.loads(memory.read_text(encoding="utf-8"))
            if known["files"] == stamp:
                return str(known["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
    progress.start(f"Checking {path.name}", sum(f.stat().st_size for f in files))
    try:
        hashes = [sha256_file(f, progress.advance) for f in files]
    finally:
        progress.finish()
    if path.is_dir():
        lines = (f"{digest}  {f.name}\n" for digest, f in zip(hashes, files, strict=True))
        digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    else:
        digest = hashes[0]
    write_atomic(memory, json.dumps({"path": str(path), "files": stamp, "sha256": digest}))
    return digest


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
