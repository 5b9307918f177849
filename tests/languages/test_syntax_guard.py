"""Errors that are certain while code is being written, in every language; and the guard on them."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core.text_guard import TakeBack
from codekiln.languages import Language, all_languages, get_language
from codekiln.languages.first_error import Refused, certain_error, refused_token
from codekiln.languages.syntax_guard import SyntaxGuard, SyntaxLimits

FOLDER = Path(__file__).parent / "snippets"
CERTAIN = [language for language in all_languages() if language.has_sure_grammar]
# A line that is wrong, the token that cannot stand there, and a line behind it.
WRONG = {
    "javascript": ("let x = = 3;", "= 3", "let y = 1;"),
    "typescript": ("function f(a: number, : string) {", ": string", "  return a;"),
    "java": ("int f(int a) { return a +; }", "; }", "int b;"),
    "c": ("int f(int a) { return a ); }", "); }", "int b;"),
    "go": ("func f(a int) int { return a + }", "}", "var b int"),
    "rust": ("fn f(a: i32) -> i32 { a + ) }", ") }", "fn g() {}"),
    "lua": ("local x = = 1", "= 1", "print(x)"),
    "python": ("x = (1, 2]", "]", "y = 2"),
    "ruby": ("x = [1, 2}", "}", "y = 2"),
    "php": ("<?php $x = (1 + ; ", "; ", "$y = 2;"),
    "sql": ("SELECT a b c FROM t;", "c FROM", "SELECT 1;"),
    "json": ('{"a": 1, , "b": 2}', ', "b"', ""),
}
# What looks wrong until it is closed.
OPEN = {
    "c": ("/* it's ) }\na comment\n",),
    "javascript": ("let s = `it's\n) } ]\n", "/* ) }\n*\n"),
    "python": ('s = """it\'s\n) ] }\n', "x = (1,\n"),
    "lua": ("s = [[ it's\n) ]\n", "--[[ ) }\n x = = 1\n"),
    "bash": ("cat <<TEXT\nit's ) }\n", "echo 'a\n) ;;\n"),
    "ruby": ("=begin\n) } ]\n", "s = <<~SQL\n  it's ) }\n"),
    "html": ("<!-- it's\n</p> <\n",),
}


def snippets(language: Language, kind: str) -> list[str]:
    table = tomllib.loads((FOLDER / f"{language.name}.toml").read_text("utf-8"))
    return list(table.get(kind, ()))


def beginnings(code: str) -> list[str]:
    """The text after each of its lines."""
    lines = code.splitlines(keepends=True)
    return ["".join(lines[:end]) for end in range(1, len(lines) + 1)]


@pytest.mark.parametrize("language", CERTAIN, ids=lambda language: language.name)
def test_no_beginning_of_valid_code_is_wrong_for_certain(language: Language) -> None:
    for code in snippets(language, "valid"):
        for text in beginnings(code):
            assert certain_error(language, text) is None, text


@pytest.mark.parametrize("name", WRONG)
def test_the_first_token_that_fits_nowhere_is_found(name: str) -> None:
    line, wrong, behind = WRONG[name]
    text = f"{line}\n{behind}\n"
    found = certain_error(get_language(name), text)
    assert found is not None
    assert text[found.start :].startswith(wrong)
    # Characters, not bytes, and only whole lines.
    assert certain_error(get_language(name), line) is None


def test_places_count_characters() -> None:
    text = 'local s = "äö😀" = 1\nprint(s)\n'
    found = certain_error(get_language("lua"), text)
    assert found == Refused(text.index("= 1"), text.index("= 1") + 1)


@pytest.mark.parametrize("name", OPEN)
def test_what_is_not_closed_yet_is_not_wrong(name: str) -> None:
    for text in OPEN[name]:
        for beginning in beginnings(text):
            assert certain_error(get_language(name), beginning) is None, beginning


def test_most_broken_snippets_are_certain_once_a_line_follows() -> None:
    broken = [(language, code) for language in CERTAIN for code in snippets(language, "invalid")]
    found = sum(
        certain_error(language, code.rstrip("\n") + "\n\n\n") is not None
        for language, code in broken
    )
    assert found >= 0.4 * len(broken)


def test_where_something_is_missing_the_end_is_told() -> None:
    text = "function f() {\n  return 1;\n"
    assert refused_token(get_language("javascript"), text) == Refused(len(text), len(text))
    assert refused_token(get_language("javascript"), text + "}\n") is None


def test_a_grammar_with_gaps_is_never_sure() -> None:
    [gaps] = [language for language in all_languages() if language.name == "groovy"]
    assert gaps.gaps
    assert certain_error(gaps, "def x = = 1\ndef y = 2\n") is None


@given(st.sampled_from(CERTAIN), st.text(max_size=80))
def test_any_text_is_looked_at_without_failing(language: Language, text: str) -> None:
    found = certain_error(language, text)
    if found is not None:
        assert 0 <= found.start < found.end <= text.rindex("\n")


BEFORE = "```lua\n"


def guard(**limits: int) -> SyntaxGuard:
    return SyntaxGuard(get_language("lua"), BEFORE, limits=SyntaxLimits(**limits))


def test_the_token_then_the_line_then_the_line_before_are_taken_back() -> None:
    text = "local a = 1\nlocal x = = 1\nprint(x)\nprint(a)\nprint(x, a)\nprint(a, x, a)\n"
    watching = guard(spare=1000)
    token, line = text.index("= 1\nprint"), text.index("local x")
    assert [watching.judge(text, ended=False) for _ in range(5)] == [
        TakeBack(token),
        TakeBack(token),
        TakeBack(line, differently=False),
        TakeBack(0, differently=False),
        None,
    ]
    assert watching.report.abstained == "a line stayed wrong"
    assert watching.report.take_backs == 4
    assert not watching.wakes("\n")


def test_only_code_of_the_language_is_looked_at() -> None:
    watching = SyntaxGuard(get_language("lua"))
    assert watching.judge("Here = = it is:\n```text\nx = = 1\n\n```\n", ended=False) is None
    found = watching.judge("Here:\n```lua\nlocal x = = 1\nprint(x)\n", ended=False)
    assert found == TakeBack(len("Here:\n```lua\nlocal x = "))


def test_code_that_ends_too_early_goes_on_elsewhere_than_at_its_end() -> None:
    text = "local function f()\n  return 1\n```"
    found = guard().judge(text, ended=True)
    assert found == TakeBack(text.index("```"))


def test_what_stands_before_the_text_is_not_taken_back() -> None:
    watching = SyntaxGuard(get_language("lua"), "```lua\nlocal x = = 1\n")
    assert watching.judge("print(1)\nprint(2)\n", ended=False) is None


def test_what_is_taken_back_in_all_is_bounded() -> None:
    watching = guard(spare=0)
    text = "x = = 1" + " " * 50 + "\nprint(x)\n"
    assert watching.judge(text, ended=False) == TakeBack(text.index("= 1"))
    assert watching.judge(text, ended=False) is None


def test_a_grammar_that_cannot_be_relied_upon_is_told() -> None:
    watching = SyntaxGuard(get_language("groovy"), "```groovy\n")
    assert watching.judge("def x = = 1\ndef y = 2\n", ended=False) is None
    assert watching.report.abstained == "the grammar of Groovy cannot be relied upon"
