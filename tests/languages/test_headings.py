"""Comments and headings of functions, in many languages."""

from __future__ import annotations

import pytest

from codekiln.languages import all_languages, get_language
from codekiln.languages.headings import commented_lines, open_heading, words_of_comments


@pytest.mark.parametrize(
    ("language", "code", "name"),
    [
        ("rust", "pub fn f<T: Ord>(v: Vec<T>) -> T {", "f"),
        ("go", "func (s *Stack) push(v int) {", "push"),
        ("javascript", "export const f = async (x) => {", "f"),
        ("javascript", "function f() {\n}\nfunction g(y) {", "g"),
        ("typescript", "function f(x: number): string {", "f"),
        ("cpp", "std::vector<long> f(std::vector<long> v, long n) {", "f"),
        ("java", "class A {\n    public static List<Long> f(long n) throws E {", "f"),
        ("r", "f <- function(x, y) {", "f"),
        ("ruby", "def empty?(x)", "empty?"),
        ("bash", "f() {", "f"),
        ("bash", "f() {\n  if true; then", ""),
        ("racket", "(define (f-g x)", "f-g"),
        ("clojure", "(defn f [x]", "f"),
        ("perl", "sub f {", "f"),
        ("php", "<?php\nfunction f($x): int {", "f"),
        ("lua", "-- function g(x)\nlocal function f(x)", "f"),
        ("c", "int main(void) {\n    while (y) {", ""),
        ("python", "x = f(1)", ""),
    ],
)
def test_the_heading_that_ends_the_code_is_found(language: str, code: str, name: str) -> None:
    assert open_heading(code, get_language(language)) == name


@pytest.mark.parametrize(
    ("language", "code", "words"),
    [
        ("rust", "/// One.\n//! Two.\nfn f() {} // three", "One.\nTwo."),
        ("java", "/**\n * One.\n *\n * Two. */\nint x;", "\nOne.\n\nTwo."),
        ("c", "/* One. */\nint x;", "One."),
        ("bash", "#!/bin/bash\n# One.\necho '# two'", "One."),
        ("julia", '"""\nOne.\n"""\nf(x)', "\nOne.\n"),
        ("commonlisp", ";;; One.\n(f)", "One."),
        ("json", '{"a": 1}', ""),
    ],
)
def test_words_of_comments_are_found(language: str, code: str, words: str) -> None:
    assert words_of_comments(code, get_language(language)) == words


def test_every_line_comes_back_in_every_language() -> None:
    text = '# a\n// b\n/* c\nd */\n-- e\n\n% f\n;; g\n"""\nh\n"""\nx'
    for language in all_languages():
        assert "\n".join(line for line, _ in commented_lines(text, language)) == text


def test_long_texts_come_to_an_end() -> None:
    # Patterns that try every way to read such a text would take days.
    for text in (
        "function " * 20_000,
        "a(" * 50_000,
        "f" * 100_000,
        "x = (" * 20_000,
        "\n" * 100_000,
    ):
        assert open_heading(text + "{", get_language("cpp")) == ""
