"""The guard, with real type checkers: errors are taken back, and nothing that may become valid."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codekiln.core.text_guard import TakeBack
from codekiln.typeflow.guard import GuardLimits, TypeGuard
from codekiln.typeflow.oracles import Diagnostic, find_oracle, open_oracle
from codekiln.typeflow.oracles.oracle import LspOracle

needs_typescript = pytest.mark.skipif(
    find_oracle("typescript").path is None, reason="codekiln setup typescript"
)


@pytest.fixture(scope="module")
def python() -> Iterator[LspOracle]:
    with open_oracle("python") as oracle:
        yield oracle


@pytest.fixture(scope="module")
def typescript() -> Iterator[LspOracle]:
    with open_oracle("typescript") as oracle:
        yield oracle


def write(guard: TypeGuard, text: str) -> tuple[TakeBack, str] | None:
    """Write a text in small pieces; the first take-back, and what had been written then."""
    for end in range(3, len(text) + 3, 3):
        if guard.wakes(text[end - 3 : end]):
            found = guard.judge(text[:end], ended=False)
            if found is not None:
                return found, text[:end]
    found = guard.judge(text, ended=True)
    return None if found is None else (found, text)


PYTHON_ERRORS = {
    "missing attribute": ("def f(a: int):\n    a.push(1)\n    return a\n", "push"),
    "wrong argument": ("def f(a: int):\n    x = len(a)\n    return x\n", "a)"),
    "wrong operand": ("def f(a: int, b: list[str]):\n    return a + b\n", "a + b"),
    "wrong return": ("def f(a: int) -> str:\n    if a:\n        return a\n", "a\n"),
    "too many arguments": ("def f(a: int):\n    return f(a, 2)\n", "2)"),
}


@pytest.mark.parametrize("name", PYTHON_ERRORS)
def test_an_error_of_python_is_taken_back_from_its_expression_on(
    python: LspOracle, name: str
) -> None:
    code, wrong = PYTHON_ERRORS[name]
    found = write(TypeGuard(python, "python", is_code=True), code)
    assert found is not None
    assert code[found[0].to :].startswith(wrong)
    assert found[0].differently


def test_a_statement_that_is_wrong_as_a_whole_is_drawn_again(python: LspOracle) -> None:
    code = "def f(a: int, b: str):\n    a + b\n"
    found = write(TypeGuard(python, "python", is_code=True), code)
    assert found is not None
    assert found[0] == TakeBack(code.index("a + b"), differently=False)


# Valid programs, of which some prefix has an error that what follows takes away.
PYTHON_VALID = {
    "a name that is bound in the loop later": (
        "def f(xs: list[int]) -> int:\n    last = None\n    total = 0\n    for x in xs:\n"
        "        if total > 0:\n            total += last + x\n        total += 1\n"
        "        last = x\n    return total\n"
    ),
    "an attribute that a later method makes": (
        "class A:\n    def show(self) -> int:\n        return self.count + 1\n\n"
        "    def __init__(self) -> None:\n        self.count = 0\n"
    ),
    "a function that is defined further down": (
        "def f() -> int:\n    return g(1)\n\n\ndef g(x: int) -> int:\n    return x\n"
    ),
    "a return that comes at the end": (
        "def f(x: int) -> int:\n    if x:\n        return 1\n    return 2\n"
    ),
    "asked whether it works": (
        "def f(x: int) -> str:\n    try:\n        return x.decode()\n"
        "    except AttributeError:\n        return str(x)\n"
    ),
    "a decorated function": (
        "import functools\n\n\n@functools.cache\ndef f(x: int) -> int:\n"
        "    return x if x < 2 else f(x - 1) + f(x - 2)\n"
    ),
    "a module that is not here": (
        "from nowhere import thing\n\n\ndef f() -> int:\n    return thing.some(1).other + 2\n"
    ),
    "a result that the loop surely finds": (
        "def f(xs: list[int]) -> int:\n    best = None\n    for x in xs:\n"
        "        if best is None or x > best:\n            best = x\n    return best\n"
    ),
    "a global that another function sets": (
        "state = 0\ndef show() -> str:\n    return state.upper()\ndef setup() -> None:\n"
        "    global state\n    state = 'abc'\nsetup()\nshow()\n"
    ),
    "a variable of the function around that is set later": (
        "def make():\n    buf = 3\n    def size():\n        return len(buf)\n    buf = [1]\n"
        "    return size()\nmake()\n"
    ),
    "a global that is assigned below": (
        "data = 0\ndef at(i: int):\n    return data[i]\ndata = [1, 2]\nat(0)\n"
    ),
    "a function that is defined anew": (
        "def solve(n: int) -> int:\n    return helper(n, 0)\n"
        "def helper(n: int) -> int:\n    return n\n"
        "def helper(n: int, d: int = 0) -> int:\n    return n + d\n"
    ),
    "an attribute that a method below sets": (
        "def use(c: 'Cfg') -> str:\n    return c.level.upper()\nclass Cfg:\n    level = 0\n"
        "    def set(self) -> None:\n        self.level = 'a'\n"
    ),
    "syntax of a newer Python": (
        "type Pair = tuple[int, str]\ndef first[T](xs: list[T]) -> T:\n    return xs[0]\n"
    ),
    "meant to fail": (
        "from contextlib import suppress\ntry: (3).foo\nexcept AttributeError: pass\n"
        "with suppress(TypeError): len(3)\nwith suppress(TypeError):\n    len(3)"
    ),
    "a header on its own": "match = 3\nfor x in [1]:\n    match += x\n",
}


TYPESCRIPT_ERRORS = {
    "missing property": ("function f(a: number) {\n  return a.push(1);\n}\n", "push"),
    "wrong argument": ("function f(a: number) {\n  return parseInt(a);\n}\n", "a)"),
    "wrong return": ("function f(a: number): string {\n  return a;\n}\n", "return"),
    "only at the end": ("function f(a: number): string {\n  if (a) { return ''; }\n}\n", "string"),
    "unknown name": ("function f(): number {\n  return helper(1);\n}\n", "helper"),
}


@needs_typescript
@pytest.mark.parametrize("name", TYPESCRIPT_ERRORS)
def test_an_error_of_typescript_is_taken_back_from_its_expression_on(
    typescript: LspOracle, name: str
) -> None:
    code, wrong = TYPESCRIPT_ERRORS[name]
    found = write(TypeGuard(typescript, "typescript", is_code=True), code)
    assert found is not None
    assert code[found[0].to :].startswith(wrong)


TYPESCRIPT_VALID = {
    "narrowed to never until the loop assigns": (
        "function f(xs: number[]): number {\n"
        "  let best: { v: number } | null = null;\n"
        "  for (const x of xs) {\n    if (best !== null && x > best.v) { best.v = x; }\n"
        "    if (best === null) { best = { v: x }; }\n  }\n"
        "  return best === null ? 0 : (best as { v: number }).v;\n}\n"
    ),
    "a flag that the loop turns": (
        "function f(xs: number[]): boolean {\n  let done = false;\n"
        "  while (done === false) {\n    if (xs.length > 3) { done = true; }\n    xs.push(1);\n"
        "    if (done === true) { break; }\n  }\n  return done;\n}\n"
    ),
    "an array that grows": (
        "function f(): number[] {\n  const out = [];\n  for (let i = 0; i < 3; i++) {\n"
        "    out.push(i);\n  }\n  return out;\n}\n"
    ),
    "a property that is declared below": (
        "class A {\n  show(): number { return this.count + 1; }\n  count: number = 0;\n}\n"
    ),
    "a function that is defined further down": (
        "function f(): number {\n  return g(1);\n}\nfunction g(x: number): number {\n"
        "  return x;\n}\n"
    ),
    "a parameter that the argument behind the function types": (
        "function f(xs: string[]): number[] {\n"
        "  return xs.reduce((acc, x) => {\n    acc.push(x.length);\n    return acc;\n"
        "  }, [] as number[]);\n}\n"
    ),
    "a helper that is being written, used above": (
        "function main() { const r = build(3); console.log(r.total); }\n"
        "function build(n: number) { const total = n; return { total }; }\nmain();\n"
    ),
    "a class that is being written, used above": (
        "class Game { player = new Player(); step() { return this.player.move(2); } }\n"
        "class Player { x = 0; constructor(public a = 1) { this.x = 1; }\n"
        "  move(d: number) { return d; } }\n"
    ),
    "an object that is being written, used above": (
        "function g() { return api.later(); }\n"
        "const api = { a() { return 1; }, later() { return 2; } };\n"
    ),
    "a function that uses itself": (
        "function useThing(n: number): any {\n"
        "  function retry(): number { return useThing(n - 1).value; }\n"
        "  return { value: n, retry };\n}\n"
    ),
    "an interface that is declared in two parts": (
        "interface A { x: number }\nfunction f(a: A) { return a.y; }\ninterface A { y: number }\n"
    ),
    "a function with a property": ("function counter() { return counter.n++; }\ncounter.n = 0;\n"),
    "narrowed by a member": (
        "type A = { k: string; n: number };\ntype B = { s: string };\n"
        "function f(ts: (A | B)[], len: (s: string) => number) {\n"
        "  let last: A | B = { k: 'a', n: 1 };\n"
        "  while (ts.length > 0) {\n    if ('s' in last) { len(last.s); }\n"
        "    last = ts.pop()!;\n  }\n}\n"
    ),
    "a function inside the head of a loop": (
        "const words = ['a'];\ndo { words.pop(); } while (words.reduce((acc, x) => {\n"
        "  acc.n += x.length; return acc; }, { n: 0 }).n > 0);\n"
    ),
    "what a newer library has": "const a: number[] = [3, 1].toSorted();\na.at(-1);\n",
    "what Node brings": (
        "const fs = require('fs');\nfunction f(): string {\n  return process.argv[0];\n}\n"
    ),
    "overloads that are declared one by one": (
        "function main(): number { const n: number = f(3); return n; }\n"
        "declare function f(a: string): string;\ndeclare function f(a: number): number;\n"
    ),
    "an object with a cast behind it": ("type P = { a: number };\nconst p: P = {\n} as P;\np.a;\n"),
    "a recursive function without a declared return": (
        "function f(n: number) {\n  if (n === 0) { return 1; }\n"
        "  const rest: number = g(n - 1);\n  return n * rest;\n}\n"
        "function g(n: number): number { return f(n) as number; }\n"
    ),
}


JAVASCRIPT_VALID = {
    "what is converted": (
        "var x = '3'; isNaN(x); Math.floor('3.5'); parseInt(3.5);\nconst out = [1]; out.push('a');"
        "\n['a'].includes(1); 'a'.repeat('3');\n"
    ),
    "fewer and more arguments": (
        "function f() { return arguments.length; }\nf(1, 2, 3);\n"
        "function h(a) { return a; } function use() { return h(1, 2); } function h(a, b) {}\n"
    ),
    "modules of Node": "const { a } = require('./util');\nmodule.exports = { a };\n",
    "a method that is added to all": (
        "Array.prototype.last = function () { return this[this.length - 1]; };\n[1].last();\n"
    ),
}


VALID = [
    pytest.param(language, code, id=f"{language}: {name}", marks=marks)
    for language, programs, marks in (
        ("python", PYTHON_VALID, ()),
        ("typescript", TYPESCRIPT_VALID, needs_typescript),
        ("javascript", JAVASCRIPT_VALID, needs_typescript),
    )
    for name, code in programs.items()
]


@pytest.mark.parametrize(("language", "code"), VALID)
def test_a_valid_program_is_never_taken_back(language: str, code: str) -> None:
    with open_oracle(language) as oracle:
        for is_standalone in (False, True):
            guard = TypeGuard(oracle, language, is_code=True, is_standalone=is_standalone)
            assert write(guard, code) is None
            assert guard.report.checks > 1
            assert not guard.report.abstained


@needs_typescript
def test_what_throws_in_javascript_is_taken_back() -> None:
    code = "const n = 3;\nn = 4;\n"
    with open_oracle("javascript") as oracle:
        found = write(TypeGuard(oracle, "javascript", is_code=True), code)
    assert found is not None
    assert code[found[0].to :].startswith("n = 4")


@pytest.mark.parametrize(
    "text",
    [
        "```bash\npip install requests\n```\n\n```python\nx = 1\n```\n",
        "```\n1 2 3\n```\n```python\nx = 1\n```\n",
        '```python title="a.py"\nx = 1\n```\nThat is all you need.\n',
        '```python\ndef f():\n    """\n```\nan example\n```\n    """\n```\n',
        "```text\nno code\n",
    ],
)
def test_other_fences_are_left_alone(python: LspOracle, text: str) -> None:
    assert write(TypeGuard(python, "python"), text) is None


def test_hostile_text_ends_in_time_and_without_an_error(python: LspOracle) -> None:
    members = ", ".join(["a"] * 26)
    text = (
        "class Foo: pass\ndef f(c: bool, a: list[int] | list[str]):\n"
        f"    x = ({members})\n    x + Foo()\n    y = '\ud800'\n    z = {'(' * 500}\n"
    )
    guard = TypeGuard(python, "python", is_code=True, limits=GuardLimits(seconds=5.0))
    write(guard, text)
    assert guard.report.seconds < 20


def test_only_the_code_in_a_fence_is_judged(python: LspOracle) -> None:
    prose = "Use len(3)\nlike so:\n"
    fenced = "```python\nx = 1\n```\n"
    guard = TypeGuard(python, "python")
    assert write(guard, f"{prose}{fenced}len(3)\n") is None
    assert guard.report.checks == 2
    found = write(TypeGuard(python, "python"), f"{prose}```python\nx = 1\nlen(3)\n```\n")
    assert found is not None
    assert found[1].startswith(f"{prose}```python\nx = 1\nlen(3)\n")


def test_what_stands_in_front_counts_and_is_not_taken_back(python: LspOracle) -> None:
    before = "```python\ndef f(a: int):\n    a.wrong\n"
    guard = TypeGuard(python, "python", before)
    text = "    b = a\n    b.push(1)\n"
    found = write(guard, text)
    assert found is not None
    assert text[found[0].to :].startswith("push")


def test_the_same_place_is_tried_again_from_further_back_then_all_anew_and_then_let_be(
    python: LspOracle,
) -> None:
    text = "x = 3\ny = [1, len(x)]\nz = 2\n"
    guard = TypeGuard(python, "python", is_code=True)
    found = [item[0] for _ in range(9) if (item := write(guard, text)) is not None]
    expression, statement = text.index("x)"), text.index("y =")
    once = [expression, expression, statement, statement]
    assert [item.to for item in found] == [*once, 0, *once]
    assert found[4] == TakeBack(0, differently=False)
    assert write(guard, text) is None
    assert (guard.report.take_backs, guard.report.restarts) == (9, 1)
    assert guard.report.rules == {"invalid-argument-type": 9}


def test_an_error_that_is_let_be_does_not_hide_another(python: LspOracle) -> None:
    before = "x = len(3)\n"
    guard = TypeGuard(python, "python", before, is_code=True)
    text = "y = 1\nz = len(4)\n"
    # What stands before cannot be taken back.
    assert guard.judge(text, ended=True) == TakeBack(text.index("4"))


def test_a_new_draft_has_a_budget_of_its_own(python: LspOracle) -> None:
    guard = TypeGuard(python, "python", is_code=True, limits=GuardLimits(spare=40))
    # Found at the end: the first costs all there is, the second the restart.
    text = "x = len(3)\n" + "y = 1\n" * 20
    found = [guard.judge(text, ended=True) for _ in range(3)]
    assert [item.to for item in found if item is not None] == [8, 0, 8]


def test_a_text_that_begins_before_its_code_is_written_anew_from_the_code_on(
    python: LspOracle,
) -> None:
    text = "So:\n```python\nx = len(3)\n"
    guard = TypeGuard(python, "python", limits=GuardLimits(at_one_place=0))
    found = write(guard, text)
    assert found is not None
    assert found[0] == TakeBack(text.index("x = "), differently=False)


def test_a_greedy_writer_is_always_made_to_write_something_else(python: LspOracle) -> None:
    text = "x = 3\ny = [1, len(x)]\n"
    guard = TypeGuard(python, "python", is_code=True, greedy=True)
    found = [write(guard, text) for _ in range(4)]
    assert all(item is not None and item[0].differently for item in found)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (GuardLimits(take_backs=2), "2 errors were taken back"),
        (GuardLimits(checks=1), "1 checks were made"),
        (GuardLimits(seconds=0.0), "checking took 0 s"),
    ],
)
def test_behind_its_budget_it_abstains_and_says_why(
    python: LspOracle, limits: GuardLimits, reason: str
) -> None:
    guard = TypeGuard(python, "python", is_code=True, limits=limits)
    for _ in range(4):
        write(guard, "x = 3\nlen(x)\n")
    assert guard.report.abstained == reason
    assert not guard.wakes("\n")


def test_what_is_taken_back_is_no_longer_than_what_was_written(python: LspOracle) -> None:
    limits = GuardLimits(spare=0)
    guard = TypeGuard(python, "python", is_code=True, limits=limits)
    text = "x = len(3)\n" + "y = 1\n" * 20
    # Found at the end only: what stands behind it is lost with it. Then all is written anew, once.
    found = [guard.judge(text, ended=True) for _ in range(4)]
    assert [item.to for item in found if item is not None] == [8, 0, 8]
    assert guard.report.characters <= len(text)
    assert not guard.report.abstained


def test_without_its_checker_it_abstains_and_says_why() -> None:
    with open_oracle("python") as oracle:
        guard = TypeGuard(oracle, "python", is_code=True)
    assert write(guard, "x = 3\nlen(x)\n") is None
    assert "was closed" in guard.report.abstained


@needs_typescript
def test_where_a_module_is_not_found_nothing_is_said(typescript: LspOracle) -> None:
    text = "import { a } from './nowhere';\nconst b: number = 'x';\n"
    assert write(TypeGuard(typescript, "typescript", is_code=True), text) is None


@needs_typescript
@pytest.mark.parametrize("end", ["", "\n"])
def test_code_that_breaks_off_is_gone_on_with(typescript: LspOracle, end: str) -> None:
    text = f"function f(): number {{\n  return 1;{end}"
    guard = TypeGuard(typescript, "typescript", is_code=True)
    found = guard.judge(text, ended=True)
    assert found == TakeBack(len(text))


@needs_typescript
def test_a_standalone_answer_has_no_modules_that_are_not_found(typescript: LspOracle) -> None:
    text = "import { a } from 'lodash';\nconst b: number = 1;\n"
    found = write(TypeGuard(typescript, "typescript", is_code=True, is_standalone=True), text)
    assert found is not None
    assert text[found[0].to :].startswith("import")
    assert found[0].differently


def test_diagnostics_read_as_one_line() -> None:
    assert str(Diagnostic(4, 5, "code", "what")) == "code at 4: what"
