"""`codekiln generate` as a process against a real HTTP server whose answers are given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

DOUBLE = "Write double(x). double(2) -> 4, double(3) -> 6"
RIGHT = "def double(x):\n    return x * 2\n"
SQUARE = "def double(x):\n    return {2: 4, 3: 9}.get(x)\n"
HOSTILE = "def double(x):\n    return {2: 4, 3: 9}.get(x)  # \x1b[2J\x07\n"


class Reciter(ThreadingHTTPServer):
    """Speaks as much of the OpenAI API as one streamed answer needs."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.text = ""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Reciter

    def do_GET(self) -> None:
        found = self.path == "/v1/models"
        self._send(200 if found else 404, json.dumps({"data": [{"id": "reciter"}]}), "json")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/chat/completions":
            self._send(404, "{}", "json")
            return
        message = {"role": "assistant", "content": f"```python\n{self.server.text}\n```"}
        if not asked.get("stream"):
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            self._send(200, json.dumps({"choices": [choice]}), "json")
            return
        choice = {"index": 0, "delta": message, "finish_reason": "stop"}
        event = json.dumps({"choices": [choice]})
        self._send(200, f"data: {event}\n\ndata: [DONE]\n\n", "event-stream")

    def _send(self, status: int, body: str, kind: str) -> None:
        data = body.encode()
        self.send_response(status)
        prefix = "text" if kind == "event-stream" else "application"
        self.send_header("Content-Type", f"{prefix}/{kind}")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Reciter]:
    with Reciter() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


Generate = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def generate(server: Reciter, tmp_path: Path) -> Generate:
    def run(
        text: str, *arguments: str, task: str = DOUBLE, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        server.text = text
        asked = [task] if task else []
        return subprocess.run(
            [
                *(sys.executable, "-m", "codekiln", "generate", *asked, "-n", "2"),
                *("--api-base", server.base, *arguments),
            ],
            input=stdin,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "CODEKILN_STATE": str(tmp_path / "state"),
                **variables,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run


def test_a_verified_answer_is_exit_code_0_with_code_alone_on_stdout(generate: Generate) -> None:
    done = generate(RIGHT)
    assert (done.returncode, done.stdout) == (0, RIGHT)
    assert done.stderr.startswith("verified: 2 of 2 examples passed\n")
    assert "ok: double(2) -> 4" in done.stderr


def test_a_wrong_answer_is_exit_code_3_and_shows_the_example_that_failed(
    generate: Generate,
) -> None:
    done = generate(SQUARE, "-n", "5")
    assert (done.returncode, done.stdout) == (3, SQUARE)
    assert done.stderr.startswith("not verified, wrong output: 1 of 2 examples passed\n")
    assert "wrong output: double(3) -> 6, got 9" in done.stderr
    assert "4 drawn and 1 repaired" in done.stderr


def test_no_answer_is_exit_code_4_and_writes_no_file(generate: Generate, tmp_path: Path) -> None:
    done = generate("", "--out", "answer.py")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("no answer\n")
    assert not (tmp_path / "answer.py").exists()


def test_json_is_one_object_with_every_documented_field(generate: Generate) -> None:
    done = generate(RIGHT, "--json")
    answer: dict[str, Any] = json.loads(done.stdout)
    documented = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [field for field in answer if f"| `{field}` |" not in documented] == []
    assert answer["code"] == RIGHT
    assert answer["verified"] is True
    assert answer["backend"] == "openai"
    assert answer["examples"][0]["call"] == "double(2)"
    assert [candidate["verdict"] for candidate in answer["candidates"]] == ["passed", "passed"]
    assert done.stderr == ""


def test_out_replaces_a_file_as_a_whole_and_prints_no_code(
    generate: Generate, tmp_path: Path
) -> None:
    (tmp_path / "answer.py").write_text("old\n" * 1000)
    done = generate(RIGHT, "--out", "answer.py")
    assert (done.returncode, done.stdout) == (0, "")
    assert (tmp_path / "answer.py").read_text() == RIGHT
    assert "written to: answer.py" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["answer.py", "state"]


def test_a_failure_leaves_the_old_file_alone(generate: Generate, tmp_path: Path) -> None:
    (tmp_path / "answer.py").write_text("old\n")
    done = generate(RIGHT, "--out", "answer.py", "--max-tokens", "100000")
    assert done.returncode == 1
    assert done.stderr.startswith("error: 100000 new tokens")
    assert (tmp_path / "answer.py").read_text() == "old\n"


def test_a_task_from_stdin_or_a_file_is_the_same_task(generate: Generate, tmp_path: Path) -> None:
    (tmp_path / "task.txt").write_text(DOUBLE)
    from_stdin = generate(RIGHT, "-", "--json", task="", stdin=DOUBLE)
    from_file = generate(RIGHT, "--task", "task.txt", "--json", task="")
    answers = [json.loads(done.stdout) for done in (from_stdin, from_file)]
    assert answers[0]["examples"] == answers[1]["examples"]
    assert answers[0]["verified"]


def test_what_was_cut_from_the_context_is_said(generate: Generate, tmp_path: Path) -> None:
    (tmp_path / "big.py").write_text("value = 1\n" * 20_000)
    done = generate(RIGHT, "--context", "big.py")
    assert done.returncode == 0
    assert "note: context cut: big.py" in done.stderr


def test_control_sequences_in_an_answer_do_not_reach_a_terminal(
    server: Reciter, tmp_path: Path
) -> None:
    server.text = HOSTILE
    command = f"{sys.executable} -m codekiln generate '{DOUBLE}' --api-base {server.base} -n 1"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "TERM": "xterm",
            "NO_COLOR": "1",
            "CODEKILN_STATE": str(tmp_path / "state"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "\\x1b[2J\\x07" in done.stdout
    assert "\x1b[2J" not in done.stdout
    assert "\x07" not in done.stdout
    assert "not verified, wrong output" in done.stdout


def test_an_api_key_stands_in_no_record(generate: Generate, tmp_path: Path) -> None:
    generate(RIGHT, CODEKILN_API_KEY="sk-very-secret")
    records = list((tmp_path / "state" / "records").glob("*.jsonl"))
    assert records
    assert all("sk-very-secret" not in file.read_text() for file in records)
