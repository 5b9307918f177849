"""What --context finds, and what it says of what it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from codekiln.cli.context_files import read_context
from codekiln.core.errors import UsageError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "src/b.py",
        "src/a.py",
        "src/deep/c.ts",
        "src/notes.xyz",
        "src/README.md",
        "src/package-lock.json",
        "src/.hidden.py",
        "src/.git/d.py",
        "src/node_modules/e.js",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    return tmp_path


@pytest.mark.usefixtures("project")
def test_a_folder_gives_its_source_files_and_none_of_tools() -> None:
    assert [file.path for file in read_context(["src"]).files] == [
        "src/a.py",
        "src/b.py",
        "src/deep/c.ts",
    ]


def test_patterns_look_into_folders_and_each_file_comes_once(project: Path) -> None:
    found = read_context(["src/b.py", "src/**/*.py", str(project / "src" / "**" / "*.ts")])
    assert [Path(file.path).name for file in found.files] == ["b.py", "a.py", "c.ts"]
    assert found.files[0].text == "# src/b.py\n"


def test_found_files_that_are_no_text_are_left_out_and_named_ones_refused(project: Path) -> None:
    (project / "src" / "b.py").write_bytes(b"\xff\xfe")
    assert read_context(["src"]).skipped == ("src/b.py",)
    with pytest.raises(UsageError, match=r"src/b\.py is not UTF-8"):
        read_context(["src/b.py"])


@pytest.mark.parametrize("name", ["src/*.rs", "empty", "src/none.py"])
def test_a_name_that_finds_nothing_is_an_error(project: Path, name: str) -> None:
    (project / "empty").mkdir()
    with pytest.raises(UsageError, match=name.replace("*", r"\*")):
        read_context([name])


@pytest.mark.usefixtures("project")
def test_a_file_whose_name_looks_like_a_pattern_is_that_file() -> None:
    Path("src/[id].ts").write_text("export {}\n")
    assert [file.path for file in read_context(["src/[id].ts"]).files] == ["src/[id].ts"]
