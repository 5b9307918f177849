"""Syntax issues are found where they are, and nothing makes the parser raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core.errors import UsageError
from codekiln.languages import parse, syntax_errors

GOOD = {
    "python": "async def f(x: int = 1, /, *, y) -> int:\n    return [z := x, *y][0]\n",
    "javascript": "const f = async (x) => x ?? 1;\n",
    "typescript": "function f<T>(x: T): T { return x; }\n",
    "tsx": "const a = <b>{c}</b>;\n",
    "java": "class A { int f(int x) { return x; } }\n",
    "c": "int f(int x) { return x; }\n",
    "cpp": "template <class T> T f(T x) { return x; }\n",
    "csharp": "class A { int F(int x) => x; }\n",
    "go": "package a\n\nfunc f(x int) int { return x }\n",
    "rust": "fn f<'a>(x: &'a str) -> &'a str { x }\n",
    "ruby": "def f(x) = x\n",
    "php": "<?php function f(int $x): int { return $x; }\n",
    "swift": "func f(_ x: Int) -> Int { return x }\n",
    "kotlin": "fun f(x: Int): Int = x\n",
    "scala": "def f(x: Int): Int = x\n",
    "dart": "int f(int x) => x;\n",
    "r": "f <- function(x) x\n",
    "julia": "f(x::Int) = x\n",
    "lua": "local function f(x) return x end\n",
    "perl": "sub f { my ($x) = @_; return $x; }\n",
    "haskell": "f :: Int -> Int\nf x = x\n",
    "ocaml": "let f x = x\n",
    "elixir": "defmodule A do\n  def f(x), do: x\nend\n",
    "zig": "fn f(x: i32) i32 { return x; }\n",
    "fortran": "program a\nend program a\n",
    "bash": 'f() { echo "$1"; }\n',
    "powershell": "function f($x) { return $x }\n",
    "sql": "SELECT a, COUNT(*) FROM t GROUP BY a;\n",
    "html": "<!doctype html><p>a</p>\n",
    "css": "a { color: red; }\n",
    "json": '{"a": [1, null]}\n',
    "yaml": "a:\n  - 1\n",
    "toml": 'a = "b"\n',
}
BAD = {
    "python": "def f(:\n    return 1\n",
    "javascript": "const f = (x => ;\n",
    "java": "class A { int f( { } }\n",
    "c": "int f(int x { return x; }\n",
    "cpp": "int f( { return }\n",
    "go": "package a\n\nfunc f( { return }\n",
    "rust": "fn f( -> { }\n",
    "typescript": "function f(: T { }\n",
    "json": '{"a": }\n',
    "toml": "a = \n",
}


@pytest.mark.parametrize("name", GOOD)
def test_right_code_has_no_issues(name: str) -> None:
    assert syntax_errors(name, GOOD[name]) == ()


@pytest.mark.parametrize("name", BAD)
def test_wrong_code_has_issues(name: str) -> None:
    assert syntax_errors(name, BAD[name])


def test_columns_count_characters_not_bytes() -> None:
    (issue,) = syntax_errors("python", 'é = 1\nü = "€€" $ 3\n')
    assert (issue.line, issue.column, issue.end_line, issue.end_column) == (2, 4, 2, 10)
    assert "$" in issue.message


def test_a_missing_token_is_named() -> None:
    issues = syntax_errors("javascript", "function f() { return 1;\n")
    assert any("missing '}'" in issue.message for issue in issues)


def test_a_lone_surrogate_is_an_issue_not_a_crash() -> None:
    assert syntax_errors("python", "x = \ud800\n")


def test_deep_nesting_does_not_exhaust_the_stack() -> None:
    assert syntax_errors("python", "(" * 20_000)
    assert syntax_errors("json", "[" * 20_000 + "]" * 20_000) == ()


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(UsageError):
        parse("klingon", "")


@settings(deadline=None)
@given(st.sampled_from(sorted(BAD)), st.text(max_size=60))
def test_issues_lie_inside_any_text(name: str, code: str) -> None:
    lines = code.encode("utf-8", errors="replace").decode().split("\n")
    for issue in syntax_errors(name, code):
        assert 1 <= issue.line <= issue.end_line <= len(lines)
        assert 0 <= issue.column <= len(lines[issue.line - 1])
        assert issue.message
