"""The same small programs in every language: right answers pass all checks, wrong ones do not.

programs/conformance.toml has the programs and their checks, programs/LANGUAGE.toml the answers:
`right` ones by program; `wrong` ones as what of the right one is replaced, and by what; and an
`echo`, where the language has no fixed types, that gives back what it gets. Languages that compile
or start slowly are tried on few programs, unless CODEKILN_ALL_LANGUAGES is set.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from codekiln.core import Example, Task, Verdict
from codekiln.languages.recipes import Recipe, recipe_languages, recipe_of
from codekiln.sandbox import Isolation
from codekiln.verify import assess
from codekiln.verify.program_check import result_of
from codekiln.verify.programs.comparison import same
from codekiln.verify.programs.neutral import NeutralCall, neutral_value
from codekiln.verify.programs.runner import run_cases
from codekiln.verify.toolchains import missing_tools, toolchain_folder

FOLDER = Path(__file__).parent / "programs"
IS_ALL = bool(os.environ.get("CODEKILN_ALL_LANGUAGES"))
LEAST_WRONG = 8
# What every wire form is, and what languages are apt to mix up.
ECHOED: tuple[object, ...] = (
    *(None, True, False, 0, 1, -7, 2**31, 2**53, -(2**53), 0.1, -2.5, 1e-7, 1.5e300, 4.0),
    *(
        float("inf"),
        float("-inf"),
        float("nan"),
        "",
        "a",
        "0",
        "5",
        "true",
        " a  b ",
        "a\nb\n",
        "\\",
    ),
    *("\"'`$x%s#{y}@z", "éß", "日本", "😀", "a\tb"),
    *([], [1], ["a"], [[]], [1, 2.5], ["a", "b c", ""], [True, False], [None, 1], [[1, 2], [3, 4]]),
    *([["a", 1], ["b", 2]], [[["x"]], []], (1, "a"), {}, {"a": 1}, {"b": [1], "a b": {}}),
    *({1: "x", 2: "y"}, {"a": {"b": {"c": 0}}}, [{"k": "v"}], {"é": None}),
)


@dataclass(frozen=True)
class Answers:
    """What a language's file has."""

    right: dict[str, str]
    wrong: dict[str, list[str]]
    lacks: frozenset[str]
    echo: str
    unechoed: tuple[object, ...]


def read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def read_answers(language: str) -> Answers:
    table = read(language)
    return Answers(
        table["right"],
        table["wrong"],
        frozenset(table.get("lacks", ())),
        table.get("echo", ""),
        tuple(map(neutral_value, table.get("unechoed", ()))),
    )


PROGRAMS: dict[str, dict[str, Any]] = {
    item["name"]: item for item in read("conformance")["program"]
}
ANSWERS = {
    path.stem: read_answers(path.stem)
    for path in sorted(FOLDER.glob("*.toml"))
    if path.stem != "conformance"
}


def asked(kind: str) -> list[tuple[str, str]]:
    return [
        (language, name)
        for language, answers in ANSWERS.items()
        for name in getattr(answers, kind)
        if IS_ALL or not is_slow(recipe_of(language)) or PROGRAMS[name].get("quick")
    ]


def is_slow(recipe: Recipe) -> bool:
    is_compiled = not set(recipe.products) <= set(recipe.files)
    return is_compiled or recipe.load_s >= 3.0


def task_of(language: str, program: dict[str, Any]) -> Task:
    examples = tuple(
        Example("", check["call"], raises="Error")
        if check.get("raises")
        else Example("", check["call"], check["expected"])
        for check in program["checks"]
    )
    return Task(program["description"], language, examples, entry_point=program["name"])


def ready(language: str, sandbox: Isolation) -> Recipe:
    recipe = recipe_of(language)
    if why := missing_tools(recipe, sandbox):
        pytest.skip(why)
    return recipe


def test_every_language_answers_every_program() -> None:
    assert set(ANSWERS) == set(recipe_languages())
    for language, answers in ANSWERS.items():
        wanted = {name for name, item in PROGRAMS.items() if item.get("needs") not in answers.lacks}
        assert wanted <= set(answers.right) <= set(PROGRAMS), language
        assert len(answers.wrong) >= LEAST_WRONG, language
        assert all(old != new for old, new in answers.wrong.values()), language


@pytest.mark.parametrize(("language", "name"), asked("right"))
def test_right_answers_pass(language: str, name: str, sandbox: Isolation) -> None:
    ready(language, sandbox)
    code = ANSWERS[language].right[name]
    assessment = assess(code, task_of(language, PROGRAMS[name]), isolation=sandbox)
    told = [found.message for found in assessment.findings if found.severity == "error"]
    assert (told, assessment.verdict) == ([], Verdict.PASSED)


@pytest.mark.parametrize(("language", "name"), asked("wrong"))
def test_wrong_answers_fail_in_a_check(language: str, name: str, sandbox: Isolation) -> None:
    ready(language, sandbox)
    old, new = ANSWERS[language].wrong[name]
    assert ANSWERS[language].right[name].count(old) == 1
    code = ANSWERS[language].right[name].replace(old, new)
    assessment = assess(code, task_of(language, PROGRAMS[name]), isolation=sandbox)
    assert assessment.verdict in (Verdict.WRONG_OUTPUT, Verdict.RUNTIME_ERROR)
    assert any(run.outcome in ("wrong_output", "runtime_error") for run in assessment.example_runs)


@pytest.mark.parametrize("language", [name for name, item in ANSWERS.items() if item.echo])
def test_what_a_function_gets_and_gives_is_what_was_sent(language: str, sandbox: Isolation) -> None:
    recipe = ready(language, sandbox)
    answers = ANSWERS[language]
    calls = [NeutralCall("echo", (value,)) for value in ECHOED]
    folder = toolchain_folder(recipe)
    done = run_cases(answers.echo, calls, recipe, sandbox, call_s=5.0, folder=folder)
    assert (done.trouble, done.why) == ("", "")
    missed = {repr(value) for value in answers.unechoed}
    lost = [
        (value, case)
        for value, case in zip(ECHOED, done.cases, strict=True)
        if not same(result_of(case, recipe), value, recipe.alike) and repr(value) not in missed
    ]
    assert lost == []
