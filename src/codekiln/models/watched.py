"""Run a downloader as a child process and turn the bytes that appear on disk into progress.

A child can be stopped at once, by Ctrl-C or when nothing arrives, which a library call in this
process cannot.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from codekiln.core.errors import DownloadError
from codekiln.models.progress import Progress

_POLL_S = 0.1
_ERROR_TAIL_BYTES = 8192


def run_watched(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    folder: Path,
    progress: Progress,
    stall_s: float,
) -> int:
    """Run `argv` to its end; give how many bytes were reported as progress.

    Counts what grows inside `folder`. Raises DownloadError with the last line that the child
    wrote to stderr when it fails, or when nothing grows for `stall_s` seconds. The child is gone
    when this returns or raises.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=dict(env),
            start_new_session=True,
        )
        before, reported, moved = folder_bytes(folder), 0, time.monotonic()
        try:
            while True:
                try:
                    code = process.wait(_POLL_S)
                except subprocess.TimeoutExpired:
                    code = None
                grown = folder_bytes(folder) - before - reported
                if grown > 0:
                    progress.advance(grown)
                    reported, moved = reported + grown, time.monotonic()
                if code == 0:
                    return reported
                if code is not None:
                    raise DownloadError(_last_line(errors.fileno(), code))
                if time.monotonic() - moved > stall_s:
                    raise DownloadError(f"nothing arrived for {stall_s:.0f} seconds")
        finally:
            _stop(process)


def folder_bytes(folder: Path) -> int:
    """Bytes in all files below `folder`; files and folders that vanish meanwhile do not count."""
    total = 0
    # Not rglob, which raises when a folder vanishes between being listed and being entered.
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(parent, name).lstat().st_size
    return total


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last_line(handle: int, code: int) -> str:
    with open(handle, "rb", closefd=False) as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _ERROR_TAIL_BYTES))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
    errors = [line for line in lines if line.startswith("ERROR:")] or [x for x in lines if x]
    return errors[-1].removeprefix("ERROR:").strip() if errors else f"exit code {code}"
