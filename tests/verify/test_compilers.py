"""Compilers of languages that are not run: what they take, and what only they refuse."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from codekiln.core import Task, Verdict
from codekiln.languages.recipes import compiled_languages, recipe_of
from codekiln.sandbox import Isolation
from codekiln.verify import assess
from codekiln.verify.toolchains import missing_tools

CODE: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("compilers.toml").read_text("utf-8")
)
BUILT = (Verdict.UNVERIFIED, Verdict.PASSED)


def verdict(code: str, language: str, sandbox: Isolation) -> Verdict:
    if missing := missing_tools(recipe_of(language), sandbox):
        pytest.skip(missing)
    return assess(code, Task("", language), isolation=sandbox).verdict


def test_every_compiler_is_held_to_account() -> None:
    assert set(CODE) == set(compiled_languages())
    for language, kinds in CODE.items():
        assert len(kinds["valid"]) >= 2, language
        assert kinds["meant"], language
        assert kinds["broken"], language


@pytest.mark.parametrize("language", CODE)
def test_right_code_is_taken(language: str, sandbox: Isolation) -> None:
    for code in CODE[language]["valid"]:
        assert verdict(code, language, sandbox) is Verdict.UNVERIFIED, code


@pytest.mark.parametrize("language", CODE)
def test_wrong_code_is_refused(language: str, sandbox: Isolation) -> None:
    for code in CODE[language]["meant"]:
        assert verdict(code, language, sandbox) not in BUILT, code
    for code in CODE[language]["broken"]:
        assert verdict(code, language, sandbox) is Verdict.SYNTAX_ERROR, code


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("ruby", "def f(x)\n  x +\nend\n"),
        ("perl", "use strict;\nmy $x = 1;\n$y = 2;\n"),
        ("cpp", "int f() { return missing; }\n"),
        ("bash", "if true; then\nfi\n"),
    ],
)
def test_tasks_without_examples_are_compiled_in_languages_that_are_run(
    language: str, code: str, sandbox: Isolation
) -> None:
    assert verdict(code, language, sandbox) not in BUILT


def test_a_script_that_wants_input_is_not_refused(sandbox: Isolation) -> None:
    code = "my $line = <STDIN>;\ndie 'no input' unless defined $line;\nprint $line;\n"
    assert verdict(code, "perl", sandbox) is Verdict.UNVERIFIED


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("cpp", "#include <nowhere/at_all.hpp>\nint f() { return 1; }\n"),
        ("rust", "use nowhere::Thing;\nfn f(t: Thing) {}\n"),
        ("go", 'import "example.com/nowhere"\n\nfunc f() { nowhere.Go() }\n'),
        ("java", "import nowhere.Thing;\nclass A { Thing thing; }\n"),
        ("proto", 'syntax = "proto3";\nimport "nowhere.proto";\nmessage A { Nowhere n = 1; }\n'),
    ],
)
def test_a_library_that_is_not_here_makes_nothing_wrong(
    language: str, code: str, sandbox: Isolation
) -> None:
    assert verdict(code, language, sandbox) is Verdict.UNVERIFIED


def test_another_dialect_than_the_one_that_is_here_is_not_refused(sandbox: Isolation) -> None:
    # PostgreSQL, which SQLite refuses.
    code = "CREATE TABLE t (id SERIAL PRIMARY KEY, tags TEXT[] NOT NULL);\n"
    assert verdict(code, "sql", sandbox) is Verdict.UNVERIFIED
    assert verdict("SELECT a b c FROM t;\n", "sql", sandbox) is Verdict.SYNTAX_ERROR
