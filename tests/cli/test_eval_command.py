"""`codekiln eval` as a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(folder: Path, **variables: str) -> dict[str, str]:
    return {**os.environ, "CODEKILN_RESULTS": str(folder / "results"), **variables}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run_codekiln(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "codekiln", "eval", *arguments],
            env=environment(tmp_path, **variables),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )

    return run_codekiln


def test_suites_are_listed_with_their_number_of_problems(run: Run) -> None:
    done = run("suites", "--json")
    assert done.returncode == 0, done.stderr
    rows = {(row["name"], row["language"]): row for row in json.loads(done.stdout)["suites"]}
    assert rows["humaneval", "python"]["problems"] == 164
    assert rows["mbpp", "python"]["problems"] == 399
    assert rows["multipl-e", "rust"]["problems"] == 156
    own = rows["kilnlogic", "python"]["problems"] + rows["kilnlogic-dev", "python"]["problems"]
    assert own >= 80
    assert "mbpp-train" in run("suites").stdout


def test_an_empty_folder_has_no_runs_and_no_report(run: Run) -> None:
    assert json.loads(run("list", "--json").stdout) == {"runs": []}
    done = run("report")
    assert done.returncode == 2
    assert "there is no finished run" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "humanevil"), "there is no suite 'humanevil'"),
        (("run", "humaneval", "--mode", "best"), "the mode 'best' is not known"),
        (("run", "humaneval", "--form", "none"), "the prompt form 'none' is not known"),
        (("run", "humaneval", "--data", "/nonexistent"), "there is no folder /nonexistent"),
        (("run", "kilnlogic", "--language", "rust"), "no problems in rust"),
        (("run", "kilnlogic", "--limit", "0"), "limit is 0"),
        (("run", "kilnlogic", "-n", "0"), "n is 0"),
        (("run", "kilnlogic", "--top-p", "0.5"), "draws without top-p"),
        (("run", "kilnlogic", "--mode", "sample", "--temperature", "0"), "above 0"),
        (("calibrate", "kilnlogic", "--limit", "-1"), "limit is -1"),
        (("compare", "a", "b"), "begins with 'a'"),
        (("compare", "a"), "1 runs are no pairs"),
        (("calibrate", "nothing"), "there is no suite 'nothing'"),
        (("run", "kilnlogic", "--mode", "greedy", "-n", "5"), "draws one answer, not 5"),
    ],
)
def test_mistakes_are_one_line_with_a_remedy(
    arguments: tuple[str, ...], message: str, run: Run
) -> None:
    done = run(*arguments)
    assert done.returncode in (1, 2)
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_calibration_is_told_in_numbers(run: Run) -> None:
    done = run("calibrate", "kilnlogic-dev", "--limit", "1", "--json", "--quiet")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["references_passed"], found["wrong_passed"], found["ok"]) == (1, 0, True)
    assert found["wrong"] >= 3


RESULTS = Path(__file__).parents[2] / "results"
VERIFIED_RUN = "humaneval_qwen2.5-coder-0.5b_verified"


def test_a_stored_run_is_shown_problem_by_problem_and_candidate_by_candidate(run: Run) -> None:
    stored = ("--results", str(RESULTS))
    problems = run("show", VERIFIED_RUN, *stored)
    assert problems.returncode == 0, problems.stderr
    assert len(problems.stdout.splitlines()) == 165
    whole = json.loads(run("show", VERIFIED_RUN, "--json", *stored).stdout)
    assert len(whole["outcomes"]) == whole["problems"] == 164
    candidates = run("show", VERIFIED_RUN, "10", *stored).stdout
    assert "def make_palindrome" in candidates
    chosen = next(line for line in candidates.splitlines() if line.startswith("*"))
    assert "passed" in chosen
    number = chosen.split()[1]
    code = run("show", VERIFIED_RUN, "HumanEval/10", "--candidate", number, *stored).stdout
    assert code.rstrip() in candidates
    compile(code, "candidate", "exec")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", VERIFIED_RUN, "1000"), "no problem '1000'"),
        (("show", VERIFIED_RUN, "10", "--candidate", "99"), "no candidate 99"),
        (("show", VERIFIED_RUN, "--candidate", "1"), "belongs to a problem"),
        (("compare", VERIFIED_RUN, VERIFIED_RUN), "compared with itself"),
    ],
)
def test_mistakes_about_stored_runs_are_told(
    arguments: tuple[str, ...], message: str, run: Run
) -> None:
    done = run(*arguments, "--results", str(RESULTS))
    assert done.returncode == 2
    assert message in done.stderr


def test_runs_are_removed_together_or_not_at_all(tmp_path: Path, run: Run) -> None:
    results = tmp_path / "results"
    for name in ("humaneval_qwen2.5-coder-0.5b_greedy", "mbpp_qwen2.5-coder-0.5b_sample"):
        source = next(RESULTS.glob(f"{name}*"))
        shutil.copytree(source, results / source.name)
    assert run("remove", "humaneval", "nothing").returncode == 2
    assert len(list(results.iterdir())) == 2
    done = run("remove", "humaneval", "--json")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in results.iterdir()] == [source.name]


@pytest.mark.real_model
def test_the_real_model_is_measured_listed_and_compared_with_itself(run: Run) -> None:
    measured = ("run", "kilnlogic-dev", "--limit", "2", "--max-tokens", "200", "--quiet")
    greedy = run(*measured, "--mode", "greedy", "--json")
    assert greedy.returncode == 0, greedy.stderr
    again = run(*measured, "--mode", "greedy", "--json")
    first, second = json.loads(greedy.stdout), json.loads(again.stdout)
    assert first["id"] != second["id"] or first["created"] == second["created"]
    assert (first["problems"], first["done"], first["mode"]) == (2, 2, "greedy")
    assert first["tokens"] == second["tokens"] > 0
    runs = json.loads(run("list", "--json").stdout)["runs"]
    assert len(runs) >= 1
    assert runs[0]["pass@1"] == first["pass@1"]
    report = run("report")
    assert "kilnlogic-dev" in report.stdout


@pytest.mark.real_model
def test_a_run_that_is_interrupted_says_so_and_goes_on(tmp_path: Path, run: Run) -> None:
    command = ("run", "kilnlogic-dev", "--limit", "2", "--mode", "greedy", "--max-tokens", "150")
    process = subprocess.Popen(
        [sys.executable, "-m", "codekiln", "eval", *command],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not list((tmp_path / "results").glob("*/run.json")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    if process.returncode != 0:
        assert process.returncode == 130
        assert "error: interrupted" in errors
        assert "Traceback" not in errors
    done = run(*command, "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    runs = json.loads(run("list", "--json").stdout)["runs"]
    assert [entry["done"] for entry in runs] == [2] * len(runs)
