"""What is built once for all answers of a language."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from codekiln.core.errors import SandboxError
from codekiln.languages.recipes import recipe_of
from codekiln.languages.recipes.reading import Recipe
from codekiln.sandbox import open_isolation
from codekiln.verify.programs.neutral import neutral_call
from codekiln.verify.programs.runner import run_cases
from codekiln.verify.programs.warm import warm_folder
from codekiln.verify.toolchains import missing_tools

RECIPE = replace(
    recipe_of("bash"),
    warm=("sh", "-c", "mkdir -p in && cat given.txt > in/made.txt && echo @FOLDER@ >> in/made.txt"),
    warm_files={"given.txt": "given\n"},
    warm_products=("in/made.txt",),
)
VALUES = {"FOLDER": "/somewhere"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def made(recipe: Recipe = RECIPE) -> Path:
    return Path(warm_folder(recipe, open_isolation(), VALUES, ()))


def test_it_is_made_once_and_kept() -> None:
    first = made()
    path = first / "in" / "made.txt"
    assert path.read_text() == "given\n/somewhere\n"
    stamp = path.stat().st_mtime_ns
    assert made() == first
    assert path.stat().st_mtime_ns == stamp


def test_other_texts_make_another_and_what_nobody_used_for_long_goes() -> None:
    first = made()
    second = made(replace(RECIPE, warm_files={"given.txt": "other\n"}))
    assert first != second
    assert first.exists()
    os.utime(first, (0, 0))
    third = made(replace(RECIPE, warm_files={"given.txt": "third\n"}))
    assert sorted(third.parent.iterdir()) == sorted([second, third])


def test_a_linked_cache_and_one_with_blanks_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real one")
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "link"))
    recipe, sandbox = recipe_of("java"), open_isolation()
    if missing := missing_tools(recipe, sandbox):
        pytest.skip(missing)
    code = "class A {\n  static int twice(int n) { return 2 * n; }\n}\n"
    found = run_cases(code, [neutral_call("twice(4)")], recipe, sandbox, call_s=5.0)
    assert [case.value for case in found.cases] == [8], found


def test_a_cache_that_compilers_cannot_be_told_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "a:b"))
    with pytest.raises(SandboxError, match="signs in its name"):
        made()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "file"))
    with pytest.raises(SandboxError, match="cannot be written"):
        made()


def test_many_at_once_are_made_once() -> None:
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: made(), range(4)))
    assert len(found) == 1


def test_a_step_that_fails_says_so_and_leaves_nothing(cache: Path) -> None:
    broken = replace(RECIPE, warm=("sh", "-c", "echo no compiler; exit 3"))
    with pytest.raises(SandboxError, match="no compiler"):
        made(broken)
    lacking = replace(RECIPE, warm=("true",))
    with pytest.raises(SandboxError, match="cannot be made"):
        made(lacking)
    assert not list(cache.glob("warm/*"))


def test_a_recipe_without_the_step_has_no_folder() -> None:
    assert warm_folder(recipe_of("bash"), open_isolation(), VALUES, ()) == ""
