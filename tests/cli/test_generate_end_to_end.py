"""`codekiln generate` and `replay` as a user runs them, with the real 0.5B."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real_model

EVEN = "Write is_even(n). is_even(4) -> True, is_even(7) -> False"


def codekiln(state: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "codekiln", *arguments],
        input=stdin,
        env={**os.environ, "CODEKILN_STATE": str(state)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def test_piped_a_verified_answer_is_code_alone_with_the_evidence_on_stderr(
    tmp_path: Path,
) -> None:
    done = codekiln(tmp_path, "generate", "-", "-n", "2", "--seed", "1", stdin=EVEN)
    assert done.returncode == 0, done.stderr
    compile(done.stdout, "answer", "exec")
    assert "def is_even" in done.stdout
    assert "verified: 2 of 2 examples passed" in done.stderr
    assert "ok: is_even(4) -> True" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


def test_json_is_one_object_that_replay_and_records_know(tmp_path: Path) -> None:
    out = tmp_path / "answer.py"
    done = codekiln(
        tmp_path, "generate", EVEN, "-n", "2", "--seed", "1", "--json", "--out", str(out)
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["verified"] is True
    assert answer["verdict"] == "passed"
    assert answer["seed"] == 1
    assert [example["passed"] for example in answer["examples"]] == [True, True]
    assert len(answer["candidates"]) == 2
    assert out.read_text() == answer["code"]
    assert answer["out"] == str(out)
    replayed = codekiln(tmp_path, "replay", answer["record_id"][:4], "--json")
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert json.loads(replayed.stdout)["reproduced"] is True
    assert codekiln(tmp_path, "records", "--show", "last").stdout == answer["code"]


def test_an_answer_that_was_read_sparsely_is_replayed_so(tmp_path: Path) -> None:
    done = codekiln(tmp_path, "generate", EVEN, "--seed", "1", "--attention", "sparse", "--json")
    assert done.returncode == 0, done.stderr
    replayed = codekiln(tmp_path, "replay", "last", "--json")
    assert json.loads(replayed.stdout)["changes"] == []
    [record] = json.loads(codekiln(tmp_path, "records", "--json").stdout)["records"]
    assert record["machine"]["attention"] == "sparse"


def test_a_guarded_answer_is_recorded_and_replayed_so(tmp_path: Path) -> None:
    task = "Write `def double(x: int) -> int` in Python. double(2) -> 4"
    done = codekiln(tmp_path, "generate", task, "-n", "2", "--seed", "1", "--guard", "types")
    assert done.returncode == 0, done.stderr
    [record] = json.loads(codekiln(tmp_path, "records", "--json").stdout)["records"]
    assert record["guard"]["checker"].startswith("ty ")
    assert record["guard"]["drafts"] == 2
    assert record["guard"]["checks"] > 2
    assert record["guard"]["abstained"] == []
    replayed = codekiln(tmp_path, "replay", "last", "--json")
    assert json.loads(replayed.stdout)["changes"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--language", "rust", "--guard", "types"], "rust has no type checker"),
        (["--guard", "grammar"], "guard is 'grammar'"),
    ],
)
def test_a_guard_that_cannot_be_is_refused_before_a_model_is_loaded(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = codekiln(tmp_path, "generate", "Write f. f(1) -> 2", *arguments, "--model", "none")
    assert done.returncode == 2
    assert said in done.stderr


def test_an_answer_without_a_check_is_exit_code_3(tmp_path: Path) -> None:
    done = codekiln(
        tmp_path, "generate", "Write a function add(a, b).", "-n", "1", "--max-tokens", "80"
    )
    assert done.returncode == 3, done.stderr
    assert "def add" in done.stdout
    assert "not verified" in done.stderr
    assert "Add one like add(" in done.stderr


def test_quiet_prints_the_code_and_nothing_else(tmp_path: Path) -> None:
    done = codekiln(tmp_path, "generate", EVEN, "--no-verify", "--quiet", "--max-tokens", "80")
    assert done.returncode == 3
    assert "def is_even" in done.stdout
    assert done.stderr == ""
