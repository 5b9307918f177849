"""The tasks of `codekiln eval languages`: whole, solvable, and well described."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from codekiln.core.errors import CodekilnError, UsageError
from codekiln.evals.languages.outcomes import Arm, Outcome
from codekiln.evals.languages.summary import count_languages, total
from codekiln.evals.languages.tasks import LanguageTask, language_tasks, read_tasks
from codekiln.languages import all_languages, get_language, syntax_errors
from codekiln.verify.programs.neutral import neutral_call, neutral_value

ANSWERS = tomllib.loads(
    Path(__file__).with_name("language_answers.toml").read_text(encoding="utf-8")
)


def test_every_language_has_five_tasks_or_more() -> None:
    counts = Counter(one.task.language for one in language_tasks())
    assert {language.name for language in all_languages()} == set(counts)
    assert min(counts.values()) >= 5


def test_examples_are_in_the_neutral_form_and_right() -> None:
    for one in language_tasks(["python"]):
        code = ANSWERS[one.id]["python"]
        names: dict[str, object] = {}
        exec(compile(ast.parse(code), "answer", "exec"), names)
        for example in one.task.examples:
            assert example.call is not None
            assert example.expected is not None
            assert neutral_call(example.call).name == one.task.entry_point
            assert eval(example.call, names) == neutral_value(example.expected)


@pytest.mark.parametrize("language", all_languages(), ids=lambda language: language.name)
def test_every_task_without_examples_can_be_solved(language: object) -> None:
    known = get_language(str(getattr(language, "name", "")))
    for one in language_tasks([known.name]):
        if one.must:
            answer = ANSWERS[one.id][known.name]
            assert one.fits(answer), one.key
            assert not syntax_errors(known, answer), one.key


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[[task]]\nid = 'a'\nlanguages = ['python']\n", "other fields"),
        ("[[task]]\nid = 'a'\nlanguages = ['python']\ndescription = 'x'\n", "neither"),
        (
            "[[task]]\nid = 'a'\nlanguages = ['python']\ndescription = 'x'\nentry_point = 'f'\n",
            "without an entry point",
        ),
        ("[[task]\n", "not valid TOML"),
        (
            2 * "[[task]]\nid = 'a'\nlanguages = ['python']\ndescription = 'x'\nmust = ['x']\n",
            "twice",
        ),
    ],
)
def test_faults_of_the_data_are_told(text: str, match: str) -> None:
    with pytest.raises(CodekilnError, match=match):
        read_tasks(text)


def test_languages_without_tasks_are_told() -> None:
    with pytest.raises(UsageError, match="is not known"):
        language_tasks(["klingon"])


def test_a_group_is_its_languages_and_names_are_filled_in() -> None:
    text = (
        "[groups]\nboth = ['python', 'rust']\n[[task]]\nid = 'a'\nlanguages = ['@both']\n"
        "description = 'In {language}.'\nmust = ['^x']\n"
    )
    found: tuple[LanguageTask, ...] = read_tasks(text)
    assert [one.task.description for one in found] == ["In Python.", "In Rust."]
    assert found[0].fits("a\nXY")
    assert not found[0].fits("ax")


def test_counts_hold_both_arms_side_by_side() -> None:
    def outcome(task: str, arm: Arm, *, parses: bool, compiles: bool | None) -> Outcome:
        return Outcome(
            task,
            "rust",
            arm,
            parses,
            compiles,
            compiles,
            parses,
            "passed",
            10,
            1.0,
            0.002,
            "",
        )

    [counts] = count_languages(
        [
            outcome("a", "plain", parses=False, compiles=False),
            outcome("a", "codekiln", parses=True, compiles=True),
            outcome("b", "plain", parses=True, compiles=None),
            outcome("b", "codekiln", parses=True, compiles=None),
            # Not finished: it does not count.
            outcome("c", "plain", parses=True, compiles=None),
        ]
    )
    assert (counts.plain.tasks, counts.plain.parse, counts.codekiln.parse) == (2, 1, 2)
    assert (counts.plain.run, counts.plain.built, counts.codekiln.built) == (1, 0, 1)
    assert counts.check_ms == pytest.approx(2.0)
    assert total([counts.plain, counts.codekiln]).passed == 3
