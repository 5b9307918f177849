"""One process at a time for work that others would repeat; the others wait and say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from codekiln.models.progress import Progress


def lock_path(cache_dir: Path, name: str) -> Path:
    """The lock file for `name`, a model or a hash; it stays behind, empty."""
    return cache_dir / "locks" / f"{name}.lock"


@contextmanager
def exclusive(cache_dir: Path, name: str, progress: Progress) -> Iterator[None]:
    """Hold the lock `name`. It is freed by the system when its process dies."""
    path = lock_path(cache_dir, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        progress.note(f"Another process is working on {name}; waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
