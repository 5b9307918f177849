"""Measurements of languages on disk, and the page that is written from them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from scripted_backend import ScriptedBackend

from codekiln.backends import Cancel, CompletionRequest, Delta
from codekiln.core.errors import CodekilnError, UsageError
from codekiln.evals.languages import folder as kept
from codekiln.evals.languages.measure import OPTIONS, measure_languages
from codekiln.evals.languages.outcomes import Arm, Outcome
from codekiln.evals.languages.page import languages_chart, languages_page
from codekiln.evals.languages.tasks import language_tasks

ROOT = Path(__file__).parents[2]
GREETING = """```json
{"name": "Ada"}
```"""


class Repeating(ScriptedBackend):
    """Gives every request the same text."""

    def stream(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None, **_: bool
    ) -> Iterator[Delta]:
        self.calls.append(tuple(requests))
        for index, request in enumerate(requests):
            for sample in range(request.n):
                yield Delta(index, sample, "", self._completion(GREETING, request, sample, False))


def outcome(task: str, arm: Arm, *, passes: bool = True, language: str = "lua") -> Outcome:
    return Outcome(task, language, arm, True, passes, passes, passes, "passed", 10, 2.0, 0.1, "x")


def test_both_arms_of_every_task_are_kept_and_not_measured_again(tmp_path: Path) -> None:
    tasks = language_tasks(["json"])[:3]
    told: list[int] = []
    backend = Repeating()
    measure_languages(tasks, backend, tmp_path, lambda done, *_: told.append(done))
    assert told == [1, 2, 3]
    [counts] = kept.finish(tmp_path)
    assert (counts.plain.tasks, counts.codekiln.tasks) == (3, 3)
    assert (counts.plain.parse, counts.plain.run) == (3, 0)
    assert counts.plain.tokens == 30
    asked = len(backend.calls)
    measure_languages(tasks, backend, tmp_path, lambda *_: told.append(0))
    assert (len(backend.calls), told) == (asked, [1, 2, 3])
    assert kept.finish(tmp_path) == (counts,)
    assert kept.read_measured(tmp_path.parent)[0].languages == (counts,)


def test_other_weights_do_not_go_on_with_a_measurement(tmp_path: Path) -> None:
    kept.begin(tmp_path, ScriptedBackend(), OPTIONS)
    kept.begin(tmp_path, ScriptedBackend(), OPTIONS)
    with pytest.raises(UsageError, match="another weights_sha256"):
        kept.begin(tmp_path, ScriptedBackend(weights="cd" * 32), OPTIONS)


def test_a_line_that_a_crash_cut_off_is_measured_again(tmp_path: Path) -> None:
    with kept.writing(tmp_path):
        kept.append(tmp_path, outcome("a.lua", "plain"))
    with (tmp_path / "outcomes.jsonl").open("a") as file:
        file.write('{"task": "b.l')
    assert [one.task for one in kept.read_outcomes(tmp_path)] == ["a.lua"]
    with kept.writing(tmp_path):
        kept.append(tmp_path, outcome("b.lua", "plain"))
    assert [one.task for one in kept.read_outcomes(tmp_path)] == ["a.lua", "b.lua"]


def test_damage_in_the_middle_is_told(tmp_path: Path) -> None:
    (tmp_path / "outcomes.jsonl").write_text("{}\n")
    with pytest.raises(CodekilnError, match="is damaged"):
        list(kept.read_outcomes(tmp_path))


def test_the_page_tells_what_was_measured(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    kept.begin(folder, ScriptedBackend(model="tiny"), OPTIONS)
    for task, passes in (("a.lua", False), ("b.lua", True)):
        kept.append(folder, outcome(task, "plain", passes=passes))
        kept.append(folder, outcome(task, "codekiln"))
    kept.finish(folder)
    measured = kept.read_measured(tmp_path)
    page = languages_page(measured, 25)
    assert "## Measured with tiny" in page
    assert "| lua | 2 | 2 → 2 | 1 → 2 of 2 | 1 → 2 of 2 | 1 → 2 | 20 → 20 |" in page
    assert ElementTree.fromstring(languages_chart(measured[0]).standalone()).tag.endswith("svg")


def test_the_page_in_the_documentation_is_current() -> None:
    suite = tomllib.loads((ROOT / "tests/verify/programs/conformance.toml").read_text("utf-8"))
    measured = kept.read_measured(ROOT / "results" / "languages")
    parsing = kept.read_parsing(ROOT / "results" / "languages")
    page = languages_page(measured, len(suite["program"]), parsing)
    written = (ROOT / "docs" / "languages.md").read_text("utf-8")
    assert page == written, "run: python bench/languages_page.py"
