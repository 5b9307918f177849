"""Syntax that is mended without a model, and what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.languages import all_languages, get_language, syntax_errors
from codekiln.verify.syntax_repair import repair_syntax


@pytest.mark.parametrize(
    ("language", "code", "mended"),
    [
        ("rust", "fn f() -> i32 { g(1", "fn f() -> i32 { g(1)}"),
        ("java", "class A {\n  int f() { return 1; }", "class A {\n  int f() { return 1; }}"),
        ("json", '{"a": [1, {"b": 2', '{"a": [1, {"b": 2}]}'),
        ("c", 'int f(void) {\n  return g("a', 'int f(void) {\n  return g("a");\n}\n'),
        ("sql", "SELECT a FROM (SELECT b FROM c", "SELECT a FROM (SELECT b FROM c)"),
        (
            "lua",
            "function f(a)\n  if a then\n    g()\n",
            "function f(a)\n  if a then\n    g()\nend\nend\n",
        ),
        (
            "javascript",
            "Here is the code you asked for:\nconst f = 1;\n\nThis defines a constant.\n",
            "const f = 1;\n",
        ),
        (
            "go",
            "package main\n\nfunc f() {}\n```\nNote that it does nothing.",
            "package main\n\nfunc f() {}\n",
        ),
        (
            "go",
            "Here is the code that you want:\npackage main\n\nfunc f() { g(1",
            "package main\n\nfunc f() { g(1)}",
        ),
    ],
)
def test_what_is_nearly_right_is_mended(language: str, code: str, mended: str) -> None:
    found = repair_syntax(code, get_language(language))
    assert found is not None
    assert found[0] == mended
    assert found[1]


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("rust", "fn f() {}"),
        ("rust", "fn f( -> {"),
        ("rust", "fn f() }"),
        ("rust", ""),
        ("java", "This is no code at all, but a sentence."),
    ],
)
def test_what_is_right_or_too_wrong_is_left_alone(language: str, code: str) -> None:
    assert repair_syntax(code, get_language(language)) is None


LANGUAGES = st.sampled_from([language for language in all_languages() if not language.gaps])


@settings(deadline=None, max_examples=60)
@given(language=LANGUAGES, code=st.text(alphabet="ab1 (){}[]\"';:\n=<>.", max_size=40))
def test_what_is_mended_parses(language: object, code: str) -> None:
    known = get_language(str(getattr(language, "name", language)))
    found = repair_syntax(code, known)
    if found is not None:
        assert syntax_errors(known, code)
        assert not syntax_errors(known, found[0])
