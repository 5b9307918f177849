"""Whole-file writes that are either complete or absent, and hashes of files."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

CHUNK_BYTES = 1 << 20


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write `data` beside `path`, flush it to disk and rename it into place.

    A reader sees the old file or the new one, never a part; a failure leaves the old one.
    """
    payload = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; a file the user asked for follows the umask instead.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sha256_file(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file in hex; `on_bytes` is told how many bytes were read since last time."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            if on_bytes is not None:
                on_bytes(len(chunk))
    return digest.hexdigest()


def sha256_text(text: str) -> str:
    """SHA-256 of UTF-8 text in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def drop_torn_line(path: Path) -> None:
    """Cut off what a killed writer left behind the last line end, so that lines can be added."""
    if not path.is_file():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        write_atomic(path, whole)
