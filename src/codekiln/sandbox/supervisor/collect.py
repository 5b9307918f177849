"""Lay out the files of a program and read results back, given a directory descriptor.

Covered: names that leave the directory, symbolic links at every component, anything but regular
files, and sizes. The program may race with `read_back` only if it is still alive; callers wait.
"""

from __future__ import annotations

import os
import stat

from . import kernel


def lay_out(work_fd: int, files: dict[str, bytes], owner: int | None) -> None:
    """Write `files` below an empty directory; names were checked by `codekiln.sandbox`.

    All are executable: a compiled program of an earlier run may be among them.
    """
    made: set[str] = set()
    for name, content in files.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            if folder not in made:
                os.mkdir(folder, 0o755, dir_fd=work_fd)
                made.add(folder)
                if owner is not None:
                    os.chown(folder, owner, owner, dir_fd=work_fd)
        fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o755, dir_fd=work_fd)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
            if owner is not None:
                os.fchown(fd, owner, owner)
        finally:
            os.close(fd)


def read_back(
    work_fd: int, names: list[str], limit_bytes: int
) -> tuple[dict[str, bytes], list[str]]:
    """The regular files among `names`, and a remark for each that exists but was refused."""
    found: dict[str, bytes] = {}
    refused: list[str] = []
    for name in names:
        try:
            # O_NONBLOCK: a fifo must not hold the supervisor.
            fd = kernel.open_beneath(work_fd, name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except FileNotFoundError:
            continue
        except OSError as error:
            refused.append(f"collect {name}: {error.strerror}")
            continue
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                refused.append(f"collect {name}: not a regular file")
            elif status.st_size > limit_bytes:
                refused.append(f"collect {name}: larger than {limit_bytes} bytes")
            else:
                found[name] = _read(fd, limit_bytes)
        finally:
            os.close(fd)
    return found, refused


def _read(fd: int, limit_bytes: int) -> bytes:
    content = bytearray()
    while len(content) <= limit_bytes:
        chunk = os.read(fd, 1 << 20)
        if not chunk:
            break
        content += chunk
    return bytes(content[:limit_bytes])
