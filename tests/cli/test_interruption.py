"""Ctrl-C and SIGTERM, as a user and a service manager send them: nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

# Candidates that never end, checked for real: the interruption hits the sandbox at work.
_CHECKING = """
import sys
sys.path.insert(0, {tests!r})
from scripted_backend import ScriptedBackend
from codekiln.cli import entry
from codekiln.generation import Event, generate

ENDLESS = "def double(x):\\n    while True:\\n        x += {number}\\n"

def tell(event: Event) -> None:
    if event.stage == "check":
        print("checking", flush=True)

def work(argv: list[str]) -> int:
    texts = [ENDLESS.replace("{{number}}", str(i)) for i in range(4)]
    generate("Write double(x). double(2) -> 4", backend=ScriptedBackend(texts), n=4, on_event=tell)
    return 0

entry.run = work
entry.main()
"""


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_programs_in_the_sandbox_die_with_an_interrupted_command(
    tmp_path: Path, number: signal.Signals
) -> None:
    tests = str(Path(__file__).parents[1] / "generation")
    program = _CHECKING.replace("{tests!r}", repr(tests)).replace("{{number}}", "{number}")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "CODEKILN_STATE": str(tmp_path / "state"), "TMPDIR": str(scratch)}
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "checking\n"
        wait_until(lambda: len(descendants(process.pid)) >= 3)
        children = descendants(process.pid)
        process.send_signal(number)
        assert process.wait(20) == 128 + number
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: all(map(is_gone, children)))
    wait_until(lambda: not list(scratch.iterdir()))
    assert not (tmp_path / "state").exists()


@pytest.mark.real_model
def test_ctrl_c_while_the_model_writes_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    out = tmp_path / "answer.py"
    command = ["generate", "Write a long module of 40 functions.", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "codekiln", *command, "--max-tokens", "4000"],
        env={**os.environ, "CODEKILN_STATE": str(tmp_path / "state")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("Writing"):
                break
        children = descendants(process.pid)
        # A terminal tells every process of the group.
        os.killpg(process.pid, signal.SIGINT)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert output == ""
    assert errors.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in errors
    assert list(tmp_path.iterdir()) in ([], [tmp_path / "state"])
    wait_until(lambda: all(map(is_gone, children)))
