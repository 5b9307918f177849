"""Watching a folder that a child process is busy in."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from codekiln.models.watched import folder_bytes


def test_folders_that_vanish_while_they_are_counted_do_no_harm(tmp_path: Path) -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            deep = tmp_path / "a" / "b" / "c"
            deep.mkdir(parents=True)
            (deep / "part").write_bytes(b"x" * 10)
            shutil.rmtree(tmp_path / "a")

    (tmp_path / "kept").write_bytes(b"y" * 7)
    thread = threading.Thread(target=churn)
    thread.start()
    try:
        counts = {folder_bytes(tmp_path) for _ in range(3000)}
    finally:
        stop.set()
        thread.join()
    assert counts <= {7, 17}
    assert 7 in counts
