"""What is in the cache: list it, find it, check it, remove it. Never touches the network."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from codekiln.core.errors import WeightsError
from codekiln.core.settings import load_settings
from codekiln.models.catalogue import ModelEntry, catalogue, find_entry
from codekiln.models.disk import disk_errors
from codekiln.models.locks import exclusive
from codekiln.models.progress import Progress, SilentProgress
from codekiln.models.store import (
    forget_hash,
    hash_model,
    model_folder,
    model_target,
    origin_of,
    recorded_hash,
    staging_folder,
)
from codekiln.models.watched import folder_bytes


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A catalogue model and what is here of it. Sizes in bytes, 0 when absent.

    `origin` says which source delivered it, `converted_bytes` what its bf16 copies take,
    `partial_bytes` what an unfinished download has so far.
    """

    entry: ModelEntry
    present: bool
    path: Path
    size_bytes: int
    converted_bytes: int
    partial_bytes: int
    origin: str


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of hashing a model's files again. `expected` is empty when nothing fixes it."""

    name: str
    path: Path
    ok: bool
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Removal:
    """What `remove` deleted; nothing when the model was not there."""

    name: str
    paths: tuple[Path, ...]
    freed_bytes: int


def list_models() -> tuple[ModelStatus, ...]:
    """Every catalogue model with its state; quick, hashes nothing."""
    cache_dir = load_settings().cache_dir
    return tuple(_status(entry, cache_dir) for entry in catalogue())


def model_path(name: str) -> Path:
    """Where a downloaded model lies; WeightsError when it is not here."""
    entry = find_entry(name)
    target = model_target(load_settings().cache_dir, entry)
    if not target.exists():
        raise _absent(entry)
    return target


def verify_files(name: str, progress: Progress | None = None) -> Verification:
    """Hash every byte of a downloaded model again and compare.

    The reference is the catalogue's SHA-256, else the one recorded when it was downloaded.
    """
    entry, cache_dir = find_entry(name), load_settings().cache_dir
    target = model_target(cache_dir, entry)
    if not target.exists():
        raise _absent(entry)
    expected = entry.sha256 or recorded_hash(target, cache_dir) or ""
    actual = hash_model(target, cache_dir, progress or SilentProgress(), fresh=True)
    return Verification(entry.name, target, expected in ("", actual), expected, actual)


def remove(name: str, progress: Progress | None = None) -> Removal:
    """Delete a model's files, its bf16 copies and any unfinished download."""
    entry, cache_dir = find_entry(name), load_settings().cache_dir
    progress = progress or SilentProgress()
    with disk_errors(cache_dir), exclusive(cache_dir, entry.name, progress):
        target = model_target(cache_dir, entry)
        doomed = [model_folder(cache_dir, entry), staging_folder(cache_dir, entry)]
        doomed = [*(path for path in doomed if path.exists()), *_converted(entry, cache_dir)]
        freed = sum(folder_bytes(path) if path.is_dir() else path.stat().st_size for path in doomed)
        for path in doomed:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        forget_hash(target, cache_dir)
    return Removal(entry.name, tuple(doomed), freed)


def _status(entry: ModelEntry, cache_dir: Path) -> ModelStatus:
    target, staging = model_target(cache_dir, entry), staging_folder(cache_dir, entry)
    present = target.exists()
    size = (folder_bytes(target) if target.is_dir() else target.stat().st_size) if present else 0
    return ModelStatus(
        entry=entry,
        present=present,
        path=target,
        size_bytes=size,
        converted_bytes=sum(path.stat().st_size for path in _converted(entry, cache_dir)),
        partial_bytes=folder_bytes(staging) if staging.exists() else 0,
        origin=origin_of(cache_dir, entry) if present else "",
    )


def _converted(entry: ModelEntry, cache_dir: Path) -> list[Path]:
    """The bf16 copies of a GGUF model, of every layout version."""
    if entry.sha256 is None:
        return []
    return sorted((cache_dir / "converted").glob(f"{entry.sha256}-*"))


def _absent(entry: ModelEntry) -> WeightsError:
    return WeightsError(
        f"{entry.name} has not been downloaded", f"Run 'codekiln models pull {entry.name}'"
    )
