from __future__ import annotations

import json
import stat
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core import ContextFile, Example, Record, Task, Verdict
from codekiln.core.errors import CodekilnError, UsageError
from codekiln.generation import Options, find_record, read_records
from codekiln.generation.records import (
    append,
    new_id,
    options_of,
    records_folder,
    request_of,
    task_of,
)

TASK = Task("Write f.", examples=(Example("f(1) -> 2", "f(1)", "2"),))


def record(identity: str, created: str = "2026-11-24T10:00:00Z") -> Record:
    return Record(
        id=identity,
        created=created,
        codekiln="0.1.0",
        model="a model",
        weights_sha256="ab",
        backend="local",
        prompt_sha256="cd",
        request=request_of(TASK, Options(seed=1), "a model"),
        code="def f(x):\n    return x + 1  # 加一\n",
        verdict=Verdict.PASSED,
        isolation="L3",
        tokens={"prompt": 1},
        seconds={"total": 0.5},
    )


def append_many(identities: list[str]) -> None:
    for identity in identities:
        append(record(identity))


def test_a_record_comes_back_as_it_was_written() -> None:
    append(record("abcd1234"))
    assert find_record("abcd1234") == record("abcd1234")


def test_the_newest_record_comes_first_across_months() -> None:
    for identity, created in (("b1", "2026-10"), ("b2", "2026-11"), ("b3", "2026-11")):
        append(record(identity, f"{created}-01T00:00:00Z"))
    assert [found.id for found in read_records()] == ["b3", "b2", "b1"]
    assert find_record("last").id == "b3"
    assert len(list(records_folder().glob("*.jsonl"))) == 2


def test_an_id_may_be_abbreviated_as_long_as_it_is_clear() -> None:
    append_many(["abcd1234", "abzz9999"])
    assert find_record("abc").id == "abcd1234"
    assert find_record("ABZ").id == "abzz9999"
    with pytest.raises(UsageError, match="beginning of 2 records"):
        find_record("ab")


@pytest.mark.parametrize("text", ["nothing", "", "  ", "last"])
def test_an_unknown_id_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        find_record(text)


def test_a_line_torn_by_a_crash_is_skipped_and_closed_by_the_next_writer() -> None:
    file = append(record("first111"))
    with file.open("a") as stream:
        stream.write('{"id": "torn')
    append(record("second22"))
    assert [found.id for found in read_records()] == ["second22", "first111"]


@pytest.mark.parametrize(
    "line",
    ["", "[]", "7", "{}", '{"verdict": "passed"}', '{"request": {}, "verdict": "?"}', "[" * 99999],
)
def test_lines_that_are_no_record_are_skipped(line: str) -> None:
    file = append(record("first111"))
    with file.open("a") as stream:
        stream.write(f"{line}\n")
    assert [found.id for found in read_records()] == ["first111"]


def test_a_record_of_a_newer_version_with_more_fields_is_still_read() -> None:
    file = append(record("first111"))
    data = {**json.loads(file.read_text()), "id": "newer222", "invented_later": 1}
    with file.open("a") as stream:
        stream.write(json.dumps(data) + "\n")
    assert find_record("newer").id == "newer222"


def test_records_are_for_the_users_eyes_only() -> None:
    file = append(record("first111"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_processes_that_append_at_once_lose_nothing() -> None:
    batches = [[f"p{worker}n{number:05}" for number in range(20)] for worker in range(4)]
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        list(pool.map(append_many, batches))
    found = [item.id for item in read_records()]
    assert sorted(found) == sorted(identity for batch in batches for identity in batch)


def test_a_folder_that_cannot_be_used_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CODEKILN_STATE", str(tmp_path / "file"))
    with pytest.raises(CodekilnError, match="CODEKILN_STATE"):
        append(record("first111"))


def test_ids_are_short_and_differ() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(identity) == 8 for identity in ids)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
tasks = st.builds(
    Task,
    description=texts,
    examples=st.lists(
        st.builds(
            Example,
            text=texts,
            call=st.none() | texts,
            expected=st.none() | texts,
            raises=st.none() | texts,
            stdout=st.none() | texts,
            session=st.integers(0, 3),
            why_not=texts,
        ),
        max_size=3,
    ).map(tuple),
    constraints=st.lists(texts, max_size=2).map(tuple),
    entry_point=texts,
    signature=texts,
    skeleton=texts,
    context=st.lists(st.builds(ContextFile, texts, texts), max_size=2).map(tuple),
    notes=st.lists(texts, max_size=2).map(tuple),
)


@given(tasks)
def test_every_task_survives_its_record(task: Task) -> None:
    options = Options(n=3, seed=9, verify=False)
    request = json.loads(json.dumps(request_of(task, options, "m")))
    kept = replace(record("first111"), request=request)
    assert task_of(kept) == task
    assert options_of(kept) == options


def test_records_from_before_there_was_a_choice_were_read_densely() -> None:
    request = json.loads(json.dumps(request_of(TASK, Options(seed=1), "m")))
    del request["options"]["attention"]
    assert options_of(replace(record("first111"), request=request)).attention == "dense"


def test_an_incomplete_request_is_an_error_that_names_the_record() -> None:
    kept = replace(record("first111"), request={"task": {"examples": 3}})
    with pytest.raises(CodekilnError, match="first111"):
        task_of(kept)
    with pytest.raises(CodekilnError, match="first111"):
        options_of(kept)
