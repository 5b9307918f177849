"""Parts of the supervisor that can be held against a slower, plainer way to do the same."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core.errors import UsageError
from codekiln.sandbox import IsolationLevel, Program
from codekiln.sandbox.supervised import SupervisedIsolation
from codekiln.sandbox.supervisor import process_tree
from codekiln.sandbox.supervisor.main import failed
from codekiln.sandbox.supervisor.wire import decode_reply, encode


@given(st.text(), st.binary(), st.dictionaries(st.text(), st.binary()), st.data())
def test_reply_survives_the_wire_and_no_part_of_it_passes_for_the_whole(
    text: str, output: bytes, collected: dict[str, bytes], data: st.DataObject
) -> None:
    reply = failed(text)
    reply["stdout"] = output
    reply["collected"] = collected
    encoded = encode(reply)
    assert decode_reply(encoded) == reply
    cut = data.draw(st.integers(0, len(encoded) - 1))
    assert decode_reply(encoded[:cut]) is None


@given(st.lists(st.sampled_from(["a", "..", ".", "", "b"]), max_size=6).map("/".join))
def test_accepted_file_names_stay_in_the_directory(name: str) -> None:
    isolation = SupervisedIsolation(IsolationLevel.L2, "not started", 1)
    accepted = True
    try:
        # A missing path to show is refused after the names are checked: nothing runs.
        isolation.run(Program(("x",), files={name: b""}, read_only=("/does/not/exist",)))
    except UsageError as error:
        accepted = "does not stay" not in str(error)
    inside = os.path.normpath(os.path.join("/top", name)).startswith("/top/")  # noqa: PTH118
    plain = os.path.normpath(name) == name
    assert accepted == (inside and plain and name not in ("", "."))


def test_scan_of_all_processes_finds_the_same_descendants(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell = subprocess.Popen(
        ["sh", "-c", "sh -c 'echo; sleep 60; echo' & sleep 60; echo"], stdout=subprocess.PIPE
    )
    try:
        assert shell.stdout is not None
        shell.stdout.readline()
        quick = process_tree.descendants(shell.pid)
        monkeypatch.setattr(process_tree, "_HAS_CHILDREN_FILE", False)
        assert sorted(process_tree.descendants(shell.pid)) == sorted(quick)
        assert len(quick) >= 2
    finally:
        for pid in process_tree.descendants(shell.pid):
            os.kill(pid, 9)
        shell.kill()
        shell.communicate()


def test_meter_agrees_with_the_kernel_on_a_burst() -> None:
    proc_fd = os.open("/proc", os.O_RDONLY)
    meter = process_tree.TreeMeter(proc_fd)
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as burst:
        assert burst.stdout is not None
        burst.stdout.readline()
        usage = meter.sample([burst.pid])
        burst.communicate(b"\n")
    gone = meter.sample([burst.pid])
    os.close(proc_fd)
    assert 0.28 <= usage.cpu_s < 0.5
    assert usage.processes == 1
    # What was seen of a process still counts when it is gone.
    assert (gone.processes, gone.tasks, gone.memory_bytes) == (0, 0, 0)
    assert gone.cpu_s == usage.cpu_s
