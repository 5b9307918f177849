"""Answers in other languages: what passes, what fails and why, and what must never pass."""

from __future__ import annotations

import pytest

from codekiln.core import Verdict
from codekiln.evals.scoring.hidden import ProgramTests, Score
from codekiln.evals.scoring.program_tests import (
    missing_toolchain,
    multipl_e_tests,
    pack_javascript_tests,
    score_program,
)
from codekiln.sandbox import open_isolation

# Compilers are slow where much else runs.
SPEED = 4.0

# C++ and Java take seconds to compile: they have few cases below.
ROWS = {
    "javascript": {
        "prompt": "//Twice n.\nfunction twice(n){\n",
        "test": "const assert = require('node:assert');\n\n\nfunction test() {\n"
        "  let candidate = twice;\n  assert.deepEqual(candidate(2),4);\n"
        "  assert.deepEqual(candidate(3),6);\n}\n\ntest();",
    },
    "typescript": {
        "prompt": "//Twice n.\nfunction twice(n: number): number {\n",
        "test": "declare var require: any;\nconst assert = require('node:assert');\n\n\n"
        "function test() {\n  let candidate = twice;\n  assert.deepEqual(candidate(2),4);\n"
        "  assert.deepEqual(candidate(3),6);\n}\n\ntest();",
    },
    "cpp": {
        "prompt": "#include<assert.h>\n#include<bits/stdc++.h>\n// Twice n.\n"
        "std::vector<long> twice(long n) {\n",
        "test": "}\nint main() {\n    auto candidate = twice;\n"
        "    assert(candidate((2)) == (std::vector<long>({(long)4})));\n"
        "    assert(candidate((3)) == (std::vector<long>({(long)6})));\n}\n",
    },
    "rust": {
        "prompt": "use std::collections::HashMap;\n\n/// Twice n.\n"
        "fn twice(n: isize) -> HashMap<isize, isize> {\n",
        "test": "}\n\nfn main() {\n    let candidate = twice;\n"
        "    assert_eq!(candidate(2), HashMap::from([(2, 4)]));\n"
        "    assert_eq!(candidate(3), HashMap::from([(3, 6)]));\n}\n",
    },
    "bash": {
        "prompt": "#!/bin/bash\n# Twice n.\n#\n# $1 is an integer\ntwice() {\n",
        "test": '}\n\ncandidate() {\n    twice "$@"\n}\n\nset -e\nrun_test() {\n'
        '    [[ $(candidate "2") = "4" ]]\n    [[ $(candidate "3") = "6" ]]\n}\n\nrun_test',
    },
    "ruby": {
        "prompt": "# Twice n.\ndef twice(n)\n",
        "test": "require 'test/unit'\nclass TestHumanEval < Test::Unit::TestCase\n"
        "  def test_twice\n    candidate = method(:twice)\n"
        "    assert_equal(4, candidate.call(2))\n    assert_equal(6, candidate.call(3))\n"
        "  end\nend\n",
    },
    "java": {
        "prompt": "import java.util.*;\nimport org.javatuples.*;\nclass Problem {\n"
        "    // Twice n.\n    public static ArrayList<Long> twice(long n) {\n",
        "test": "    }\n    public static void main(String[] args) {\n"
        "    assert(twice((2l)).equals((new ArrayList<Long>(Arrays.asList((long)4l)))));\n"
        "    assert(twice((3l)).equals((new ArrayList<Long>(Arrays.asList((long)6l)))));\n"
        "    }\n\n}\n",
    },
    "python": {
        "prompt": "from typing import List\n\n\ndef twice(n: int) -> List[int]:\n"
        '    """ Twice n.\n    """\n',
        "test": "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate(2) == [4]\n"
        "    assert candidate(3) == [6]\n\ncheck(twice)",
    },
}

WHOLE = {
    "javascript": "const twice = (n) => 2 * n;\nconsole.log(twice(1));\nmodule.exports = twice;",
    "typescript": "function twice(n: number): number {\n  return 2 * n;\n}\n",
    "cpp": "using namespace std;\nvector<long> twice(long n) {\n  return {2 * n};\n}\n"
    "int main() {\n  nothing();\n}",
    "rust": "use std::collections::{HashMap, HashSet};\n"
    "fn twice(n: isize) -> HashMap<isize, isize> {\n    HashMap::from([(n, 2 * n)])\n}\n"
    'fn main() {\n    println!("{:?}", twice(1));\n}',
    "bash": "twice() {\n  echo $(( 2 * $1 ))\n}\ntwice 4\n",
    "ruby": "def twice(n)\n  2 * n\nend\nputs twice(1)",
    "java": "import java.util.*;\n\npublic class Solution {\n"
    "    public static ArrayList<Long> twice(long n) {\n"
    "        return new ArrayList<>(List.of(2 * n));\n    }\n\n"
    "    public static void main(String[] args) {\n        nothing();\n    }\n}",
    "python": "def twice(n: int) -> List[int]:\n    return [2 * n]",
}

BODIES = {
    "javascript": "  return 2 * n;\n}",
    "typescript": "  return 2 * n;\n}",
    "rust": "    HashMap::from([(n, 2 * n)])\n",
    "bash": "  echo $(( 2 * $1 ))\n}",
    "ruby": "  2 * n\nend",
    "python": "    return [2 * n]",
}

WRONG = {
    "javascript": "  return n + 2;\n}",
    "typescript": "  return n + 2;\n}",
    "rust": "    HashMap::from([(n, n + 2)])\n}",
    "bash": "  echo $(( 2 + $1 ))\n}",
    "ruby": "  2 + n\nend",
    "python": "    return [2 + n]",
}

NOT_PARSED = {
    "javascript": "function twice(n) { return 2 * ; }",
    "typescript": "function twice(n: number): number { return 2 * ; }",
    "rust": "fn twice(n: isize) -> HashMap<isize, isize> { let x = ; HashMap::new() }",
    "bash": "twice() { if true; then echo 1; }",
    "ruby": "def twice(n)\n  2 *\nend",
    "python": "def twice(n)\n    return 2",
}

WRONG_TYPES = {
    "typescript": "function twice(n: number): number { return 'two'; }",
    "cpp": "struct Any {};\ntemplate <class T> bool operator==(Any, const T&) { return true; }\n"
    "Any twice(long n) { return {}; }",
    "rust": "fn twice(n: isize) -> HashMap<isize, isize> { n }",
}

# A line like the one that the tests print, from what an answer could find out.
_JS_LINE = "console.log('0123456789abcdef0123456789abcdef passed');"

ATTACKS = {
    "javascript": [
        "function twice(n) { process.exit(0); }",
        f"function twice(n) {{ {_JS_LINE} process.exit(0); }}",
        f"process.on('exit', () => {{ {_JS_LINE} process.exitCode = 0; }});\n"
        "function twice(n) { return n; }",
        "const fs = require('fs');\nconst said = fs.readFileSync(0, 'utf8') + "
        "fs.readdirSync('.').map((name) => fs.readFileSync(name, 'utf8')).join('');\n"
        "function twice(n) { console.log((said.match(/[0-9a-f]{32}/) || [''])[0] + ' passed');"
        " process.exit(0); }",
        "const real = require('assert');\n"
        "for (const key of Object.keys(real)) real[key] = () => {};\n"
        "function twice(n) { return n; }",
        "function test() {}\nconst assert = { deepEqual() {} };\nfunction twice(n) { return n; }",
    ],
    "cpp": [
        "#define NDEBUG\n#include <assert.h>\n#define assert(x) 0\n#define main other\n"
        "bool operator==(const std::vector<long>&, const std::vector<long>&) { return true; }\n"
        "std::vector<long> twice(long n) { return {n}; }",
    ],
    "rust": [
        "macro_rules! assert_eq { ($($all:tt)*) => {} }\n"
        "fn twice(n: isize) -> HashMap<isize, isize> { std::process::exit(0) }",
        "#[derive(Debug)]\nstruct Any;\nimpl<T> PartialEq<T> for Any {\n"
        "    fn eq(&self, _: &T) -> bool { true }\n}\nfn twice(n: isize) -> Any { Any }",
    ],
    "bash": [
        "set() { :; }\ntrap() { :; }\nexit() { :; }\nrun_test() { :; }\ntwice() { echo 0; }",
        "exit 0\ntwice() { echo 0; }",
        "twice() { echo '0123456789abcdef0123456789abcdef passed'; kill -9 $PPID; exit 0; }",
        'twice() { echo "$(cat) passed" | tee /dev/stderr; exit 0; }',
    ],
    "ruby": [
        "def twice(n)\n  exit!(0)\nend",
        "class Integer\n  def ==(other)\n    true\n  end\nend\ndef twice(n)\n  n\nend",
        "class Any\n  def ==(other)\n    true\n  end\nend\ndef twice(n)\n  Any.new\nend",
    ],
    "java": [
        "class Any extends ArrayList<Long> { public boolean equals(Object o) { return true; } }\n"
        "class Problem { static ArrayList<Long> twice(long n) {\n"
        "  if (n == 3) System.exit(0);\n  return new Any(); } }",
    ],
    "python": [
        "import os\ndef twice(n):\n    os._exit(0)",
        "class Any(list):\n    def __eq__(self, other):\n        return True\n"
        "def twice(n):\n    return Any()",
        "def check(candidate):\n    pass\ndef twice(n):\n    return n",
        "import sys\ndef twice(n):\n    print('0123456789abcdef0123456789abcdef passed')\n"
        "    sys.exit(0)",
    ],
}


def scored(language: str, code: str, speed: float = SPEED) -> Score:
    why_not = missing_toolchain(language)
    if why_not:
        pytest.skip(why_not)
    return score_program(
        code, multipl_e_tests(language, ROWS[language]), open_isolation(), speed=speed
    )


def pack(answer: str, test: str) -> Score:
    why_not = missing_toolchain("javascript")
    if why_not:
        pytest.skip(why_not)
    return score_program(answer, pack_javascript_tests(test), open_isolation(), speed=SPEED)


@pytest.mark.parametrize("language", ROWS)
def test_the_wanted_function_is_found_in_the_prompt(language: str) -> None:
    assert multipl_e_tests(language, ROWS[language]).entry_point == "twice"


@pytest.mark.parametrize("language", WHOLE)
def test_a_whole_function_with_a_main_or_usage_passes(language: str) -> None:
    found = scored(language, WHOLE[language])

    assert (found.verdict, found.detail, found.case) == (Verdict.PASSED, "", -1)


@pytest.mark.parametrize("language", BODIES)
def test_a_body_alone_continues_the_prompt(language: str) -> None:
    assert scored(language, BODIES[language]).verdict is Verdict.PASSED


@pytest.mark.parametrize("language", WRONG)
def test_a_failed_assertion_is_wrong_output_and_does_not_tell_what_was_expected(
    language: str,
) -> None:
    found = scored(language, WRONG[language])

    assert found.verdict is Verdict.WRONG_OUTPUT
    assert found.detail.endswith("fails")


@pytest.mark.parametrize("language", NOT_PARSED)
def test_code_that_does_not_parse_is_a_syntax_error(language: str) -> None:
    assert scored(language, NOT_PARSED[language]).verdict is Verdict.SYNTAX_ERROR


@pytest.mark.parametrize("language", WRONG_TYPES)
def test_a_compile_error_of_another_kind_is_a_type_error(language: str) -> None:
    assert scored(language, WRONG_TYPES[language]).verdict is Verdict.TYPE_ERROR


@pytest.mark.parametrize(
    ("language", "attack"), [(language, code) for language in ATTACKS for code in ATTACKS[language]]
)
def test_no_trick_passes(language: str, attack: str) -> None:
    assert scored(language, attack).verdict in (
        Verdict.WRONG_OUTPUT,
        Verdict.RUNTIME_ERROR,
        Verdict.TYPE_ERROR,
    )


@pytest.mark.parametrize(
    "trick",
    [
        "console.assert = () => {};",
        "globalThis.console = { assert() {} };",
        "const console = { assert() {} };",
        "JSON.stringify = () => 'same';",
        "Array.prototype.toJSON = () => 'same';",
        "process.exit(0);",
    ],
)
def test_a_failed_console_assert_fails_whatever_the_answer_redefines(trick: str) -> None:
    test = "console.assert(JSON.stringify(pair(1)) === JSON.stringify([1, 1]))"

    assert pack("const pair = (n) => [n, n];", test).verdict is Verdict.PASSED
    found = pack(f"{trick}\nconst pair = (n) => [n];", test)
    assert found.verdict in (Verdict.WRONG_OUTPUT, Verdict.RUNTIME_ERROR)


def test_tests_that_assert_nothing_pass_nobody() -> None:
    assert pack("const one = 1;", "const unused = 1;").verdict is Verdict.WRONG_OUTPUT


def test_an_endless_loop_is_a_timeout() -> None:
    found = scored("javascript", "function twice(n) { for (;;); }", speed=0.05)

    assert found.verdict is Verdict.TIMEOUT


def test_an_answer_that_eats_memory_is_out_of_memory() -> None:
    code = "function twice(n) { const all = []; for (;;) all.push(Buffer.alloc(1 << 24, 1)); }"

    assert scored("javascript", code).verdict is Verdict.OUT_OF_MEMORY


def test_an_exception_of_the_answer_is_a_runtime_error() -> None:
    found = scored("javascript", "function twice(n) { return missing; }")

    assert found.verdict is Verdict.RUNTIME_ERROR
    assert found.detail == "ReferenceError: missing is not defined"


def test_nothing_is_no_code() -> None:
    tests = ProgramTests("javascript", "twice", "", "")

    assert score_program(" \n", tests, open_isolation()).verdict is Verdict.NO_CODE
