"""Refuse to start what the disk cannot hold."""

from __future__ import annotations

import shutil
from pathlib import Path

from codekiln.core.errors import InsufficientResourceError
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
