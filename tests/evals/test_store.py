from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from codekiln.core import Verdict
from codekiln.core.errors import CodekilnError, UsageError
from codekiln.evals import store
from codekiln.evals.outcomes import Outcome, Run, Scored

RUN = Run(
    id="humaneval_tiny_verified_20260101T000000",
    created="2026-01-01T00:00:00Z",
    suite="humaneval",
    language="python",
    problems=3,
    dataset="ab" * 32,
    model="tiny",
    weights_sha256="cd" * 32,
    backend="local",
    mode="verified",
    settings={"n": 10, "seed": 0},
    codekiln="0.1.0",
)


def outcome(name: str, right: bool = True) -> Outcome:
    verdict = Verdict.PASSED if right else Verdict.WRONG_OUTPUT
    return Outcome(
        problem=name,
        candidates=(Scored(0, "def f(): ...\n", "def f(): ...", verdict, greedy=True),),
        chosen=0,
        verified=True,
        confidence=0.9,
        prompt={"messages": [], "prefill": "", "stop": []},
    )


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    stored = store.open_run(RUN, tmp_path)
    store.append(stored, outcome("a"))
    store.append(stored, outcome("b", right=False))
    assert stored.outcomes() == (outcome("a"), outcome("b", right=False))
    assert not stored.is_whole


def test_the_same_run_goes_on_and_another_one_begins_anew(tmp_path: Path) -> None:
    first = store.open_run(RUN, tmp_path)
    store.append(first, outcome("a"))
    later = replace(RUN, id="another-id", created="2026-02-02T00:00:00Z", note="again")
    assert store.open_run(later, tmp_path).folder == first.folder
    other = replace(later, settings={"n": 5, "seed": 0})
    assert store.open_run(other, tmp_path).folder != first.folder


def test_a_finished_run_is_not_gone_on_with(tmp_path: Path) -> None:
    first = store.open_run(RUN, tmp_path)
    store.append(first, outcome("b"))
    store.append(first, outcome("a"))
    store.finish(first, ["a", "b"], {"problems": 2})
    assert [item.problem for item in first.outcomes()] == ["a", "b"]
    assert first.summary() == {"problems": 2}
    assert not (first.folder / "outcomes.jsonl").exists()
    assert store.open_run(replace(RUN, id="new"), tmp_path).folder != first.folder


def test_a_torn_last_line_is_dropped_and_its_problem_done_again(tmp_path: Path) -> None:
    stored = store.open_run(RUN, tmp_path)
    store.append(stored, outcome("a"))
    with (stored.folder / "outcomes.jsonl").open("a") as file:
        file.write('{"problem": "b", "candi')
    again = store.open_run(RUN, tmp_path)
    # Whoever only reads leaves the line to its writer.
    assert [item.problem for item in again.outcomes()] == ["a"]
    with store.locked(again):
        store.append(again, outcome("b"))
    assert [item.problem for item in again.outcomes()] == ["a", "b"]


def test_a_damaged_run_says_so(tmp_path: Path) -> None:
    stored = store.open_run(RUN, tmp_path)
    store.append(stored, outcome("a"))
    store.finish(stored, ["a"], {"problems": 1})
    packed = stored.folder / "outcomes.jsonl.gz"
    packed.write_bytes(packed.read_bytes()[:40])
    with pytest.raises(CodekilnError, match="damaged"):
        stored.outcomes()
    packed.write_bytes(gzip.compress(b'{"problem": "a"}\n'))
    with pytest.raises(CodekilnError, match="damaged"):
        stored.outcomes()


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    store.open_run(RUN, tmp_path)
    store.open_run(replace(RUN, id="humaneval_tiny_greedy_1", mode="greedy"), tmp_path)
    assert store.find_run(tmp_path, "humaneval_tiny_g").run.mode == "greedy"
    with pytest.raises(UsageError, match="beginning of 2 runs"):
        store.find_run(tmp_path, "humaneval")
    with pytest.raises(UsageError, match="eval list"):
        store.find_run(tmp_path, "mbpp")


def test_files_that_are_no_runs_are_passed_over(tmp_path: Path) -> None:
    store.open_run(RUN, tmp_path)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "run.json").write_text(json.dumps({"id": 1}))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "run.json").write_text("{")
    assert [stored.run.id for stored in store.stored_runs(tmp_path)] == [RUN.id]


def test_two_processes_cannot_be_at_one_run(tmp_path: Path) -> None:
    stored = store.open_run(RUN, tmp_path)
    with (
        store.locked(stored),
        pytest.raises(UsageError, match="another process"),
        store.locked(stored),
    ):
        pass
    with store.locked(stored):
        store.append(stored, outcome("a"))


def test_a_new_run_is_asked_for_explicitly(tmp_path: Path) -> None:
    first = store.open_run(RUN, tmp_path)
    other = store.open_run(replace(RUN, id="again"), tmp_path, new=True)
    assert other.folder != first.folder
