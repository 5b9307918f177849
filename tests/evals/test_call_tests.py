"""Tests of MultiPL-E's further languages, read as calls: what passes, what fails and why."""

from __future__ import annotations

import pytest

from codekiln.core import Verdict
from codekiln.evals.scoring.call_tests import read_call_tests, score_calls
from codekiln.evals.scoring.hidden import CallTests
from codekiln.languages.recipes import recipe_of
from codekiln.sandbox import open_isolation
from codekiln.verify.toolchains import missing_tools

# Prompt and tests as MultiPL-E writes them; then a right, a wrong, a broken and a leaving answer.
PROBLEMS = {
    "lua": (
        "-- Twice n.\nlocal function twice(n)\n",
        "lu = require('luaunit')\n\nfunction test_humaneval()\nlocal candidate = twice\n"
        '    lu.assertEquals(candidate(2), {4, "a, b"})\n'
        '    lu.assertEquals(candidate(3), {6, "a, b"})\nend\n\nos.exit(lu.LuaUnit.run())',
        'local function twice(n)\n  return {2 * n, "a, b"}\nend',
        'local function twice(n)\n  return {2 + n, "a, b"}\nend',
        "local function twice(n)\n  return {2 *\nend",
        "local function twice(n)\n  os.exit(0)\nend",
    ),
    "php": (
        "<?php\n// Twice n.\nfunction twice($n) {\n",
        "}\n\nfunction candidate(...$args) {\n    return twice(...$args);\n}\n\n"
        "function test(): void {\n"
        '    if (candidate(2) !== array(4)) { throw new Exception("Test failed!"); }\n'
        '    if (candidate(3) !== array(6)) { throw new Exception("Test failed!"); }\n}\n\ntest();',
        "<?php\nfunction twice($n) { return [2 * $n]; }",
        "<?php\nfunction twice($n) { return [2 + $n]; }",
        "<?php\nfunction twice($n) { return [2 * ; }",
        "<?php\nfunction twice($n) { exit(0); }",
    ),
    "perl": (
        "# Twice n.\nsub twice {\n    my($n) = @_;\n",
        "use Test::Deep;\n\n\nsub testhumaneval {\n    my $candidate = \\&twice;\n"
        '        if(eq_deeply($candidate->(2),[4])) {\n        print "ok!" }else{\n'
        "        exit 1;\n        }\n"
        '        if(eq_deeply($candidate->(3),[6])) {\n        print "ok!" }else{\n'
        "        exit 1;\n        }\n}\n\ntesthumaneval();",
        "sub twice {\n    my($n) = @_;\n    return [2 * $n];\n}",
        "sub twice {\n    my($n) = @_;\n    return [2 + $n];\n}",
        "sub twice {\n    my($n) = @_;\n    return [2 * ;\n}",
        "sub twice { exit 0; }",
    ),
    "r": (
        "# Twice n.\ntwice <- function(n) {\n",
        "test_humaneval <- function() {\ncandidate <- twice\n"
        "    if(!identical(candidate(2), c(4, 1))){quit('no', 1)}\n"
        "    if(!identical(candidate(3), c(6, 1))){quit('no', 1)}\n}\ntest_humaneval()",
        "twice <- function(n) {\n  c(2 * n, 1)\n}",
        "twice <- function(n) {\n  c(2 + n, 1)\n}",
        "twice <- function(n) { 2 * * n }",
        "twice <- function(n) quit('no', 0)",
    ),
    "racket": (
        "#lang racket\n\n;; Twice n.\n(define (twice n)\n",
        "(require rackunit)\n\n(define (test-humaneval)\n\n  (let (( candidate twice))\n"
        "    (check-within (candidate 2) (list 4.0) 0.001)\n"
        "    (check-within (candidate 3) (list 6.0) 0.001)\n))\n\n(test-humaneval)",
        "#lang racket\n(define (twice n)\n  (list (+ 0.0002 (* 2 n))))",
        "#lang racket\n(define (twice n)\n  (list (+ 2 n)))",
        "#lang racket\n(define (twice n) (list (* 2 n]))",
        "#lang racket\n(define (twice n) (exit 0))",
    ),
    "go": (
        'package twice_test\n\nimport (\n    "testing"\n    "fmt"\n)\n\n// Twice n.\n'
        "func twice(n int) []int {\n",
        "func TestTwice(t *testing.T) {\n  candidate := twice\n\ttype test struct {\n"
        "\t\tactual   interface{}\n\t\texpected interface{}\n\t}\n   tests := []test{\n"
        "     { actual: candidate(2), expected: []int{4} },\n"
        "     { actual: candidate(3), expected: []int{6} },\n   }\n}\n",
        "func twice(n int) []int {\n\treturn []int{2 * n}\n}",
        "func twice(n int) []int {\n\treturn []int{2 + n}\n}",
        "func twice(n int) []int {\n\treturn []int{2 * }\n}",
        'import "os"\nfunc twice(n int) []int {\n\tos.Exit(0)\n\treturn nil\n}',
    ),
    "d": (
        "import std.math;\n/**\nTwice n.\n*/\nlong[] twice(long n) {\n",
        "unittest\n{\n    alias candidate = twice;\n\n    assert(candidate(2L) == [4L]);\n"
        "    assert(candidate(3L) == [6L]);\n}\nvoid main(){}",
        "long[] twice(long n) {\n    return [2 * n];\n}",
        "long[] twice(long n) {\n    return [2 + n];\n}",
        "long[] twice(long n) {\n    return [2 * ];\n}",
        "import core.stdc.stdlib;\nlong[] twice(long n) {\n    exit(0);\n    return [];\n}",
    ),
    "csharp": (
        "using System;\nclass Problem {\n    // Twice n.\n    public static long Twice(long n) {\n",
        "    }\n    public static void Main(string[] args) {\n"
        "    Debug.Assert(Twice((2L)).Equals((4L)));\n"
        "    Debug.Assert(Twice((3L)).Equals((6L)));\n    }\n\n}\n",
        "class Problem {\n    public static long Twice(long n) {\n        return 2 * n;\n    }\n}",
        "class Problem {\n    public static long Twice(long n) {\n        return 2 + n;\n    }\n}",
        "class Problem {\n    public static long Twice(long n) {\n        return 2 * ;\n    }\n}",
        "class Problem {\n    public static long Twice(long n) {\n"
        "        System.Environment.Exit(0);\n        return 0;\n    }\n}",
    ),
}


def calls_of(language: str) -> CallTests:
    prompt, tests, *_ = PROBLEMS[language]
    found = read_call_tests(language, prompt, tests)
    assert found is not None
    return found


@pytest.mark.parametrize("language", sorted(PROBLEMS))
def test_assertions_are_read_as_calls(language: str) -> None:
    found = calls_of(language)
    assert found.entry_point in ("twice", "Twice")
    assert [call.arguments for call, _ in found.calls] == [(2,), (3,)]
    assert {call.name for call, _ in found.calls} == {found.entry_point}


@pytest.mark.parametrize("language", sorted(PROBLEMS))
def test_answers_get_the_right_verdict(language: str) -> None:
    isolation = open_isolation()
    if missing := missing_tools(recipe_of(language), isolation):
        pytest.skip(missing)
    tests = calls_of(language)
    verdicts = [
        score_calls(code, tests, isolation, speed=4.0).verdict for code in PROBLEMS[language][2:]
    ]
    assert verdicts[:3] == [Verdict.PASSED, Verdict.WRONG_OUTPUT, Verdict.SYNTAX_ERROR]
    assert verdicts[3] in (Verdict.RUNTIME_ERROR, Verdict.WRONG_OUTPUT)


def test_an_assertion_that_cannot_be_read_leaves_the_problem_out() -> None:
    prompt, tests, *_ = PROBLEMS["lua"]
    assert read_call_tests("lua", prompt, tests.replace("candidate(3)", "candidate(x)")) is None
    assert read_call_tests("lua", prompt, "print(1)") is None
    assert read_call_tests("lua", "local x", tests) is None


def test_a_failure_does_not_tell_what_was_expected() -> None:
    isolation = open_isolation()
    if missing := missing_tools(recipe_of("lua"), isolation):
        pytest.skip(missing)
    score = score_calls(PROBLEMS["lua"][3], calls_of("lua"), isolation, speed=4.0)
    # 2 + 2 is 2 * 2.
    assert (score.detail, score.case) == ("assertion 2 fails", 1)
