from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import pytest

from codekiln.core.errors import UsageError
from codekiln.evals import calibrate_suite
from codekiln.evals.datasets import DataError, DataFile, find_suite, read_rows, suites
from codekiln.evals.scoring.readers import load

TEXT = b'{"a": 1}\n{"a": 2}\n'
FILE = DataFile(
    "tiny",
    "tiny/rows.jsonl.gz",
    hashlib.sha256(TEXT).hexdigest(),
    "http://127.0.0.1:9/rows.jsonl.gz",
    "MIT",
)


def test_a_compressed_and_a_plain_copy_are_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "rows.jsonl").write_bytes(TEXT)
    assert read_rows(FILE, tmp_path) == [{"a": 1}, {"a": 2}]
    (tmp_path / "tiny" / "rows.jsonl.gz").write_bytes(gzip.compress(TEXT))
    assert read_rows(FILE, tmp_path) == [{"a": 1}, {"a": 2}]


def test_an_altered_file_is_refused_and_says_where_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "rows.jsonl.gz").write_bytes(gzip.compress(TEXT + b"{}\n"))
    with pytest.raises(DataError, match=r"not the published file.*Get it anew from http"):
        read_rows(FILE, tmp_path)


@pytest.mark.parametrize("data", [b"", b"\x1f\x8bnothing", gzip.compress(TEXT)[:-9]])
def test_a_damaged_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "rows.jsonl.gz").write_bytes(data)
    with pytest.raises(DataError, match="Get it anew"):
        read_rows(FILE, tmp_path)


def test_a_missing_file_says_where_to_get_it_and_where_to_put_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no tiny/rows.jsonl.gz.*Get it from http.*put it"):
        read_rows(FILE, tmp_path)


def test_the_folder_of_the_environment_is_the_only_place_when_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEKILN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=str(tmp_path)):
        read_rows(FILE)


def test_without_a_network_the_error_names_the_address_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CODEKILN_DATA", raising=False)
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"cannot be downloaded from http.*--data"):
        read_rows(FILE)
    monkeypatch.setenv("CODEKILN_OFFLINE", "1")
    with pytest.raises(DataError, match="CODEKILN_OFFLINE"):
        read_rows(FILE)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*absent.*CODEKILN_DATA"):
        read_rows(FILE, tmp_path / "absent")


def test_an_unknown_suite_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"humaneval, humaneval\+, mbpp"):
        find_suite("human-eval")


REAL = pytest.mark.skipif(
    "CODEKILN_DATA" not in os.environ, reason="CODEKILN_DATA names no benchmark files"
)


@REAL
@pytest.mark.parametrize("name", [suite.name for suite in suites() if suite.files])
def test_every_suite_holds_the_problems_that_it_says(name: str) -> None:
    wanted = find_suite(name)
    for language in wanted.problems:
        loaded = load(wanted, language)
        assert len(loaded.problems) == wanted.problems[language]
        assert len({problem.id for problem in loaded.problems}) == len(loaded.problems)
        for problem in loaded.problems:
            shown = str(problem.public)
            assert problem.reference.strip() == "" or problem.reference not in shown


@REAL
def test_a_suite_without_solutions_cannot_be_calibrated_with() -> None:
    with pytest.raises(UsageError, match="multipl-e has no solutions of its own"):
        calibrate_suite("multipl-e", limit=1)


LUA = (
    "function test_humaneval()\nlocal candidate = add\n    lu.assertEquals(candidate(1, 2), 3)\nend"
)


def _brought(folder: Path, text: str) -> None:
    (folder / "multipl-e").mkdir()
    (folder / "multipl-e" / "humaneval-lua.jsonl").write_text(text, encoding="utf-8")


def test_a_file_that_users_bring_is_read_in_either_version(tmp_path: Path) -> None:
    rows = [
        {"name": "one", "prompt": "-- Adds.\nlocal function add(a, b)\n", "tests": LUA},
        {"task_id": "two", "prompt": "-- Adds.\nlocal function sum(a, b)\n", "test": LUA},
    ]
    text = "\n".join(map(json.dumps, rows))
    _brought(tmp_path, text)
    loaded = load(find_suite("multipl-e"), "lua", tmp_path)
    assert [problem.public["id"] for problem in loaded.problems] == ["one", "two"]
    assert [problem.public["entry_point"] for problem in loaded.problems] == ["add", "sum"]
    assert loaded.dataset == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1 of .* is no JSON"),
        ('{"prompt": "x"}', "a row lacks 'tests'"),
        ("[1]", "a row lacks"),
        ("\n", "none has tests that can be read"),
        ('{"name": "a", "prompt": "x", "tests": "y"}', "none has tests that can be read"),
    ],
)
def test_a_file_of_another_kind_is_refused(text: str, why: str, tmp_path: Path) -> None:
    _brought(tmp_path, text)
    with pytest.raises(DataError, match=why):
        load(find_suite("multipl-e"), "lua", tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "multipl-e").mkdir()
    path = tmp_path / "multipl-e" / "humaneval-lua.jsonl"
    for data in (b"\xff\xfe", b"\x1f\x8b\x08\0\0\0\0\0\0\3nothing"):
        path.write_bytes(data)
        with pytest.raises(DataError):
            load(find_suite("multipl-e"), "lua", tmp_path)


def test_a_file_that_was_not_brought_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"humaneval-lua.*Get it from https.*put it there"):
        load(find_suite("multipl-e"), "lua", tmp_path)
