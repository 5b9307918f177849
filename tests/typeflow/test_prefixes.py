"""Every prefix that is called finished is a program, for real code and for awkward code."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path

import pytest

from codekiln.typeflow.guard.braces_prefix import braces_prefix
from codekiln.typeflow.guard.python_prefix import python_prefix

AWKWARD_PYTHON = '''
import os
@decorated(
    1
)
async def f(x: int, y: "str" = """a
b: #""") -> None:
    """doc
    string:"""
    try:
        async with x as y, z as w:
            for y in x:  # note: yes
                if y: continue
                elif (y and
                      x): z = [1,
                         2]
                else:
                    w = "a#:" \\
                        'b'
            else:
                pass
        while True:
            try:
                break
            finally:
                pass
    except* E:
        pass
    match x:
        case {"a": 1}:
            pass
        case _: pass
    class A:
        x: int = 3; y = lambda: 3
        def g(self): return {1:
                             2}
    match = case = 3
    print(match)
if x: pass
else:
\tpass
z = x[1:
      2]
'''
STDLIB = (
    "argparse",
    "asyncio/tasks",
    "contextlib",
    "dataclasses",
    "enum",
    "inspect",
    "json/decoder",
)


def stdlib_sources() -> list[str]:
    root = Path(ast.__file__).parent
    return [(root / f"{name}.py").read_text("utf-8") for name in STDLIB]


@pytest.mark.parametrize("text", [AWKWARD_PYTHON, *stdlib_sources()], ids=["awkward", *STDLIB])
def test_every_prefix_of_python_compiles(text: str) -> None:
    lines = text.splitlines(keepends=True)
    # Of long files the beginning and every third line, which is enough of each kind.
    cuts = [number for number in range(1, len(lines) + 1) if number < 200 or number % 3 == 0]
    finished = set()
    for cut in cuts:
        prefix = python_prefix("".join(lines[:cut]))
        if prefix is None or prefix.finished in finished:
            continue
        finished.add(prefix.finished)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            compile(prefix.program, f"<{cut} lines>", "exec", ast.PyCF_ONLY_AST)
        assert prefix.program.startswith(text[: prefix.finished])
        assert prefix.statement < prefix.finished
    # Most statements of the file came by.
    assert len(finished) > sum(bool(line.strip()) for line in lines[: cuts[-1]]) // 8


@pytest.mark.parametrize(
    ("text", "finished", "loop", "made"),
    [
        ("x = 1\ny = [", "x = 1", None, None),
        ("x = 1\ny = '''\nz = 2\n", "x = 1", None, None),
        ("x = (1,\n  2)\n", "x = (1,\n  2)", None, None),
        ("for x in y:\n    if x:\n        z = 1\n", "z = 1", "for", None),
        ("for x in y:\n    pass\nz = 1\n", "z = 1", "for", None),
        ("class A:\n    def f(self):\n        self.x = 1\n", "self.x = 1", None, "class"),
        ("class A:\n    x = 1\ny = 2\n", "y = 2", None, None),
    ],
)
def test_what_is_open_around_the_last_statement_of_python(
    text: str, finished: str, loop: str | None, made: str | None
) -> None:
    prefix = python_prefix(text)
    assert prefix is not None
    assert text[: prefix.finished].endswith(finished)
    assert loop == (None if not prefix.loops else text[prefix.loops[0][0] :].split()[0])
    assert made == (None if prefix.made is None else text[prefix.made :].split()[0])


@pytest.mark.parametrize("text", ["", "x = 1", "# only\n", "@decorated\n", "x = (\n", '"""\n'])
def test_nothing_of_python_is_finished_yet(text: str) -> None:
    assert python_prefix(text) is None


def test_code_that_may_be_meant_to_fail_is_excused() -> None:
    text = (
        "try:\n    a()\nexcept E:\n    b()\nwith mine(E):\n    c()\nd()\ntry: e()\n"
        "finally: f()\nself.assertRaises(E, lambda: g())\nwith open(h) as i:\n    j()\n"
    )
    prefix = python_prefix(text)
    assert prefix is not None
    assert [text[start:end] for start, end in prefix.excused] == [
        "try:",
        "a()",
        "with mine(E):",
        "c()",
        "try: e()",
        "self.assertRaises(E, lambda: g())",
    ]


AWKWARD_TYPESCRIPT = """
interface Point { x: number; y?: number }
type Pair = { a: string; b: string };
enum Colour { Red, Green }
export abstract class Stack<T> extends Base implements I {
  private items: T[] = [];
  constructor(readonly size: number = 3) { super(); this.items.push(); }
  get top(): T | undefined { return this.items[this.items.length - 1]; }
}
export async function f(a: number[], s: string = "};"): Promise<{ n: number }> {
  const t = `x${a.map(v => { const w = v; return { w }; })}y`;
  let p: { v: number } | null = null;
  for (let i = 0; i < 3; i++) { if (p !== null) { p.v; } else { t; } }
  try { const r = /[{;]/.test(s); a.forEach((q) => { q.toFixed(); }); }
  catch (e) { throw e; }
  do { a.pop(); } while (a.length);
  outer: for (const [k, v] of Object.entries({ a: 1 })) {
    switch (v) { case 1: { break outer; } default: k; }
  }
  const g = function () { return 1; };
  const { n = 2, ...rest } = { n: 1, m: 2 };
  if (n) return { n };
  return { n: rest.m } as { n: number };
}
"""


def typescript_prefixes(text: str) -> list[str]:
    return [text[: at + 1] for at, sign in enumerate(text) if sign in ";}"]


def test_statements_of_typescript_are_told_from_other_braces() -> None:
    told = {
        text[prefix.statement : prefix.finished]
        for text in typescript_prefixes(AWKWARD_TYPESCRIPT)
        if (prefix := braces_prefix(text, "typescript")) is not None
    }
    assert "p.v;" in told
    assert "q.toFixed();" in told
    assert "break outer;" in told
    assert "if (n) return { n };" in told
    assert "return { n: rest.m } as { n: number };" in told
    # What an object, a type or a function as a value ends may go on.
    assert not [end for end in told if end.endswith(("{ v: number }", "return { n: rest.m }"))]
    assert not [end for end in told if end.startswith("const g") and not end.endswith(";")]


@pytest.mark.parametrize(
    ("text", "closers"),
    [
        ("function f() { a;", "return 0 as any;}"),
        ("function f() { if (x) { a;", "}return 0 as any;}"),
        ("g(() => { a;", "return 0 as any;})"),
        ("function f() { try { a;", "} finally {}return 0 as any;}"),
        ("do { a;", "} while (false);"),
        ("class A { x = 1; f() { a;", "return 0 as any;}}"),
    ],
)
def test_what_is_open_in_typescript_is_closed(text: str, closers: str) -> None:
    prefix = braces_prefix(text, "typescript")
    assert prefix is not None
    assert prefix.program == f"{text}\n{closers}"


@pytest.mark.parametrize(
    "text", ["", "a", "for (let i = 0;", "f({ a: 1 }", "const s = 'a;", "x = (;"]
)
def test_nothing_of_typescript_is_finished_yet(text: str) -> None:
    assert braces_prefix(text, "typescript") is None


def test_loops_and_classes_around_a_statement_of_javascript() -> None:
    text = "/* é */ class A { f() { while (x) { for (const y of z) { a;"
    prefix = braces_prefix(text, "javascript")
    assert prefix is not None
    assert prefix.loops == ((text.index("while"), len(text)),)
    assert prefix.made == text.index("class")
    assert "as never" not in prefix.program
