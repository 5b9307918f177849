"""What a task's code begins with, and libraries that are not on this machine."""

from __future__ import annotations

import pytest

from codekiln.core import Example, Task, Verdict
from codekiln.languages import get_language
from codekiln.languages.recipes import recipe_of
from codekiln.sandbox import Isolation
from codekiln.verify import assess, extract_code
from codekiln.verify.given_lines import with_given_lines
from codekiln.verify.toolchains import missing_tools

CPP = """#include <bits/stdc++.h>
#include <map>
union Number_long {
    Number_long(long n) : value(n) {}
    long value;
};
// Counts.
// #include <not/this>
long count(std::map<std::string, long> words) {
"""
RUST = "use std::collections::HashMap;\n\n/// Counts.\nfn count(words: Vec<String>) -> usize {\n"


@pytest.mark.parametrize(
    ("language", "given", "code", "added"),
    [
        ("cpp", CPP, "long count(int n) { return 0; }", 6),
        ("cpp", CPP, "#include <map>\nunion Number_long { long n; };\nlong count();", 1),
        ("cpp", CPP, CPP, 0),
        ("rust", RUST, "fn count() {}", 1),
        ("rust", RUST, "use std::collections::{HashSet, HashMap};\nfn count() {}", 0),
        ("rust", RUST, "use std::collections::HashSet;\nfn count() {}", 1),
        (
            "java",
            "import java.util.*;\nclass Problem {\n    // Adds.\n    static int f() {",
            "class A {}",
            1,
        ),
        ("java", "import java.util.*;\nclass Problem {", "import java.util.List;\nclass A {}", 1),
        ("java", "class Problem {\n  static long add(long a) {\n  }\n}", "class A {}", 0),
        (
            "csharp",
            "using System;\nclass P {\n  void F() {\n  using (var x = y) {",
            "class A {}",
            1,
        ),
        ("kotlin", "import a.b.C\nopen class A {", "fun f() {}", 1),
        ("rust", "use std::{\n    fmt,\n};\nfn f() {", "fn f() {}", 0),
        # Languages in which an import too many is an error, or has its own place.
        ("go", 'package main\nimport (\n  "fmt"\n)\nfunc f() {', "func f() {}", 0),
        ("go", 'import "sort"\nfunc f() {', "func f() {}", 0),
        ("typescript", 'import {\n  a,\n} from "fs";\nfunction f() {', "function f() {}", 0),
        ("ruby", "class Foo\n  def add(a)", "def add(a)\nend", 0),
        ("php", "<?php\nuse Foo\\Bar;\nfunction f() {", "<?php\ndeclare(strict_types=1);", 0),
        ("perl", "use strict;\nsub f {", "sub f { $x = shift; }", 0),
        ("bash", "#!/bin/bash\n# import this\nadd() {", "add() { :; }", 0),
        ("python", "", "x = 1", 0),
    ],
)
def test_imports_and_types_that_are_lacking_are_added(
    language: str, given: str, code: str, added: int
) -> None:
    whole, lines = with_given_lines(code, given, get_language(language))
    assert len(lines) == added
    again, none = with_given_lines(whole, given, get_language(language))
    assert (again, none) == (whole, ())
    assert all(line in whole for line in code.split("\n"))


def test_what_has_to_stay_first_stays_first() -> None:
    code = "#![allow(dead_code)]\n\nfn count() {}"
    whole, _ = with_given_lines(code, RUST, get_language("rust"))
    assert whole.split("\n")[0] == "#![allow(dead_code)]"
    given = "import java.util.*;\nclass A {\n  void f() {"
    whole, _ = with_given_lines("// One.\npackage a.b;\nclass A {}", given, get_language("java"))
    assert whole.split("\n") == ["// One.", "package a.b;", "import java.util.*;", "class A {}"]


def test_an_answer_gets_what_its_task_gave() -> None:
    task = Task("Counts.", "rust", skeleton=RUST, entry_point="count")
    answer = "```rust\nfn count(words: Vec<String>) -> usize {\n    words.len()\n}\n```"
    assert extract_code(answer, "rust", task=task).endswith("\nuse std::collections::HashMap;\n")


JAVA = "import java.util.*;\nimport org.example.*;\nclass Problem {\n"


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("static long add(long a, long b) { return a + b; }", Verdict.PASSED),
        ("static long add(long a, long b) { return a - b; }", Verdict.WRONG_OUTPUT),
        ("static long add(long a, long b) { return Other.sum(a, b); }", Verdict.UNVERIFIED),
        ("static long add(long a, long b) { return a + ; }", Verdict.SYNTAX_ERROR),
        ('static long add(long a, long b) { return "x"; }', Verdict.TYPE_ERROR),
    ],
)
def test_a_library_that_is_not_here_makes_nothing_wrong(
    body: str, verdict: Verdict, sandbox: Isolation
) -> None:
    if missing := missing_tools(recipe_of("java"), sandbox):
        pytest.skip(missing)
    task = Task("Adds.", "java", (Example("add(1, 2)", "add(1, 2)", "3"),), entry_point="add")
    found = assess(f"{JAVA}    {body}\n}}\n", task, isolation=sandbox)
    assert found.verdict is verdict, found.reports
