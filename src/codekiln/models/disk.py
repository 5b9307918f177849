"""Refuse to start what the disk cannot hold, and say plainly what the file system refuses."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from codekiln.core.errors import InsufficientResourceError, ModelError
from codekiln.models.progress import format_bytes

# Left free for everybody else, and for the small files beside the big one.
RESERVE_BYTES = 64 << 20


def require_free(folder: Path, needed_bytes: int, purpose: str) -> None:
    """Raise InsufficientResourceError, with both figures, unless `folder` has the room."""
    free = shutil.disk_usage(folder).free
    if needed_bytes + RESERVE_BYTES > free:
        raise InsufficientResourceError(
            f"{purpose} needs {format_bytes(needed_bytes + RESERVE_BYTES)} in {folder}, "
            f"{format_bytes(free)} are free",
            "Free some space or point CODEKILN_CACHE to a larger disk",
        )


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn an OSError from work inside `folder` into one that says where and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InsufficientResourceError(
                f"The disk of {folder} is full",
                "Free some space or point CODEKILN_CACHE to a larger disk; "
                "a download resumes where it stopped",
            ) from error
        raise ModelError(
            f"{folder} cannot be used ({error.strerror or error})",
            "Point CODEKILN_CACHE to a folder that you can write to",
        ) from error
