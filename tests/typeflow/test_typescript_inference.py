"""What is inferred from TypeScript and JavaScript: types that flow, stay unknown, or contradict."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core.errors import UsageError
from codekiln.typeflow import infer


def signatures(source: str, language: str = "typescript") -> dict[str, str]:
    return {found.name: str(found) for found in infer(source, language).signatures}


@pytest.mark.parametrize("language", ["javascript", "typescript", "tsx"])
@pytest.mark.parametrize(
    ("source", "signature"),
    [
        ("function f(n) { return n / 2; }\nf(4);", "f(n: number): number"),
        ("const f = (n) => n > 2;\nf(4);", "f(n: number): boolean"),
        ("const f = a => [...a];\nf(['x']);", "f(a: string[]): string[]"),
        ("function f(t) { return t.split(' ')[0]; }\nf('a b');", "f(t: string): string"),
        ("function f(a = 1) { console.log(a); }", "f(a: number): void"),
        ("function f() { return [1, 'x']; }", "f(): (number | string)[]"),
        ("function f() { return new Map(); }", "f()"),
        ("function f(a) { return a || 'x'; }", "f(a)"),
        ("function f() { return 10n * 2n; }", "f(): bigint"),
        ("function f(s) { return 'a' + s; }", "f(s): string"),
        ("function f(s) { return `a${s}`; }", "f(s): string"),
        (
            "function f(n) { return n <= 1 ? 1 : n * f(n - 1); }\nf(5);",
            "f(n: number): number",
        ),
        (
            "function f(o) { for (const k in o) { return k; } return ''; }",
            "f(o): string",
        ),
        ("function f(a) { if (a) { return 1; } }", "f(a): number | undefined"),
        ("function f(a) { if (a) { return 1; } else { throw a; } }", "f(a): number"),
        # Whether control comes behind it is not known.
        ("function f(a) { while (true) { if (a) { return 1; } } }", "f(a)"),
        ("async function f(a) { return 1; }\nf('x');", "f(a: string)"),
        ("function* f(a) { yield 1; }\nf('x');", "f(a: string)"),
        ("function f({a, b}, c) { return a; }\nf({a: 1}, 2);", "f({a, b}, c: number)"),
        ("function f() { return null; }", "f(): null"),
        ("function f() { return 1;; }", "f(): number"),
        ("function f(a) { return [a, 1]; }\nf([1], 'x');", "f(a: number[]): (number | number[])[]"),
        ("const add = (a, b) => a + b;", "add(a, b)"),
        ("const add = (a, b) => a * b;\nadd('2', 3);", "add(a: string, b: number): number"),
        ("const neg = (a) => -a;\nneg('5');", "neg(a: string): number"),
        ("const f = (a, b) => b;\nf(1);\nf(1, 2);", "f(a: number, b)"),
        ("const f = (a, b = a) => b;\nf(1);", "f(a: number, b: number): number"),
        ("const f = (s) => { let n = 0; n++; n += 2; return n; };", "f(s): number"),
        ("const f = (a) => a['x'];\nf('abc');", "f(a: string)"),
        ("const f = (a, i) => a[i];\nf(['x'], 0);", "f(a: string[], i: number): string"),
        ("/** @param {list} a */\nfunction f(a) { throw a; }", "f(a)"),
        ("/** @param {int} a */\nfunction f(a) { throw a; }\nf(1);", "f(a: number)"),
        ("function f(a, ...b) { return 1; }\nf('x', 1, 2);", "f(a: string): number"),
        ("function f(a) { return g(a); }\nexport { f };\nf(true);", "f(a: boolean)"),
        ("function f(a) { return 1; }\nmodule.exports = { f };\nf(1);", "f(a: number): number"),
        ("function f(a) { return g(a); }\nassert.deepEqual(f('x'), [1]);", "f(a: string)"),
        (
            "function f(a) { throw a; }\n"
            "describe('f', () => { it('x', () => { expect(f('x')).toEqual([1]); }); });",
            "f(a: string): number[]",
        ),
    ],
)
def test_types_flow_where_values_flow(language: str, source: str, signature: str) -> None:
    assert list(signatures(source, language).values()) == [signature]


@pytest.mark.parametrize(
    ("source", "signature"),
    [
        (
            "function f(a: string[], b?: number): void {}",
            "f(a: string[], b: number | undefined): void",
        ),
        (
            "const f = (m: Record<string, number>) => m['a'];",
            "f(m: Record<string, number>): number",
        ),
        ("function f(a: unknown) { return a as string; }", "f(a): string"),
        ("function f(a: string | null) { return a!; }", "f(a: string | null): string"),
        ("function f(this: Window, a: number): a is 3 { return true; }", "f(a: number): a is 3"),
        ("function f<T>(a: T): T { return a; }\nf(1);", "f(a: T): T"),
    ],
)
def test_what_is_declared_is_told_as_it_is_written(source: str, signature: str) -> None:
    assert signatures(source) == {"f": signature}


@pytest.mark.parametrize(
    ("comment", "signature"),
    [
        (
            "/**\n * @param {string} a who\n * @param {Array.<number>} [b=[]]\n"
            " * @param {object} b.c\n * @returns {Promise<void>}\n */",
            "f(a: string, b: Array<number>): Promise<void>",
        ),
        ("/** @param {number=} a\n *  @return {?string} */", "f(a: number, b): ?string"),
        ("// a[number[]], b (string)\n// 返回：number[]", "f(a: number[], b: string): number[]"),
        ("// a: integer, the first; b: list of strings", "f(a: number, b: string[])"),
        ("// f(2, 'x') === 4", "f(a: number, b: string): number"),
        ("// >>> f(2, 'x')\n// 4", "f(a: number, b: string): number"),
        ("// example: f([2], true) -> [4]", "f(a: number[], b: boolean): number[]"),
        # Nothing that is not wholly understood, nor what is about something else.
        ("// a: number of items, b: see below\n// returns: whatever comes", "f(a, b)"),
        ("// a: string\n", "f(a, b)"),
        ("// n[number]", "f(a, b)"),
        ("let x = 1; // a: string", "f(a, b)"),
        ("// f(2, x) === 4", "f(a: number, b): number"),
    ],
)
def test_comments_are_read(comment: str, signature: str) -> None:
    found = signatures(f"{comment}\nfunction f(a, b) {{ throw a; }}", "javascript")
    assert found["f"] == signature


def test_comments_at_the_beginning_of_a_body_are_read() -> None:
    source = "const merge = (arr1, arr2) => {\n  // arr1[number] arr2[number]\n  throw arr1;\n};"
    assert signatures(source, "javascript") == {"merge": "merge(arr1: number[], arr2: number[])"}


def test_classes_their_fields_and_methods() -> None:
    found = signatures(
        "class Stack {\n"
        "  private size = 0;\n"
        "  constructor(readonly limit: number, public name: string, label) {\n"
        "    this.label = label;\n"
        "  }\n"
        "  get full() { return true; }\n"
        "  room() { return this.size; }\n"
        "  called() { return this.name; }\n"
        "  shown() { return this.label; }\n"
        "  twice(x) { return this.room(); }\n"
        "}\n"
        "new Stack(1, 'a', 'b').twice(1);\n"
    )
    assert found == {
        "Stack.constructor": "Stack.constructor(limit: number, name: string, label: string)",
        "Stack.room": "Stack.room(): number",
        "Stack.called": "Stack.called(): string",
        "Stack.shown": "Stack.shown(): string",
        # Whose method it is that is called there is not seen.
        "Stack.twice": "Stack.twice(x): number",
    }


@pytest.mark.parametrize(
    "source",
    [
        "function f() { let t = '{}'; t = JSON.parse(t); return t; }",
        "function f(a) { return a ?? 1; }",
        "function f(a) { a = open(a); return a; }",
        "function f() { try { g(); } catch (x) { return x; } throw 1; }",
        "const parseInt = g;\nfunction f() { return parseInt('1'); }",
        "function f() { const x = [1]; x[0] = g(); return x; }",
        "function f() { const [a, ...b] = h(); return b; }",
        "let x = 1;\nfunction g() { x = 's'; }\nfunction f() { return x; }",
        "function g() { return 1; }\ng = deco(g);\nfunction f() { return g(); }",
        "function g(a) { return 1; }\nfunction g(a, b) { return 's'; }\n"
        "function f() { return g(1); }",
        "async function g() { return 1; }\nfunction f() { return g(); }",
        "function id<T>(a: T): T { return a; }\nfunction f() { return id(1); }",
        "class C { n = 1; f() { return this.n; } }\nconst c = new C();\nc.n = 's';",
        "class B { f() { return this.n(); } n() { return 1; } }\n"
        "class D extends B { n() { return 's'; } }",
        "function f(x) { if (typeof x === 'string') { return x; } throw x; }\nf(g());",
        # What a function that is not followed may assign or put in.
        "function f() { let n = null; xs.forEach((x) => { n = x; }); return n; }",
        "function f() { let n = 0; (function () { n = 's'; })(); return n; }",
        "function f() { const l = [1]; xs.forEach((x) => l.push(x)); return l; }",
        "function f() { let n = 1; const o = { m(x) { n = x; } }; o.m('s'); return n; }",
        "class C { constructor() { this.l = [0]; } add(xs) { xs.map((x) => this.l.push(x)); }\n"
        "f() { return this.l; } }",
        "class C { l = [0]; f() { return this.l; } }\nfunction g(c) { c.l.push('s'); }",
        "class C { n = 1; f() { return this.n; } }\nObject.assign(new C(), { n: 's' });",
        "class C { get n() { return 's'; } constructor() { this.n = 1; } f() { return this.n; } }",
        "class C { set() { this.n = 1; } f() { return this.n; } }",
        "class A { constructor() { this.v = 1; } f() { return this.v; } }\n"
        "class B extends A { constructor() { super(); this.v = 's'; } }",
        "class C { m() { return 1; } f() { return this.m(); } }\nnew C().m = () => 's';",
        "class C { @log m() { return 1; } f() { return this.m(); } }",
        "class C { m(a: string): string; m(a: any): any { return 1; }\n"
        "f() { return this.m('s'); } }",
        # A parameter that is bound anew, a name of a block, and one that may be undefined.
        "function f(n) { n = Number(n); return n; }",
        "function f(n) { if (typeof n === 'string') n = 1; return n; }",
        "const y = 1;\nfunction f(c) { if (c) { const y = 's'; } return y; }",
        "{ const parseInt = (x) => [1]; }\nfunction f(a) { return parseInt(a); }",
        "function f(xs) { let n; for (const x of xs) n = 1; return n; }",
        "function f(c) { if (c) { var n = 1; } return n; }",
        "function outer(parseInt) { class K { f() { return parseInt('1'); } } }",
        # Types that are not understood, or mean something else here.
        "function f(x: { a: number } | string) { return x; }\nf('s');",
        "function f(x: any) { return x; }\nf(1);",
        "function f(): any { return 1; }",
        "function f(a, b) { return a[b] as const; }",
        "function f() { return new Proxy({}, {}); }",
        "const C = pick();\nfunction f() { return new C(); }",
        "const A = class { f() { return 1; } };\nfunction f() { return this.n; }",
        "function f(m: Map<string, number>) { for (const x of m) { return x.y; } throw m; }",
        "function f() { return [1].concat(['a']); }",
        "function f(a) { return add([1], [2]); }\nfunction add(a, b) { return a + b; }",
    ],
)
def test_what_may_be_something_else_is_not_said(source: str) -> None:
    found = signatures(source)
    [name] = [name for name in found if name.rpartition(".")[2] == "f"]
    assert found[name].endswith(")")


@pytest.mark.parametrize(
    "use",
    [
        "['a'].map((s) => f(s));",
        "['a'].map(f);",
        "f(...['s']);",
        "const g = { f };",
        "const h = f;",
        "f(unknown());",
        "f`s`;",
        "f();",
    ],
)
def test_a_use_that_is_not_followed_leaves_the_parameter_open(use: str) -> None:
    source = f"function f(a) {{ console.log(a); }}\nf(1);\n{use}\n"
    assert signatures(source)["f"] == "f(a): void"


def test_a_contradiction_is_told_with_the_way_to_it() -> None:
    typed = infer(
        "function f(a: number): number {\n  const name = 'x';\n  const again = name;\n"
        "  return again;\n}\n",
        "typescript",
    )
    [conflict] = typed.conflicts
    assert str(conflict.place) == "f()"
    assert [flow.line for flow in conflict.chain] == [2, 3, 4]
    # What is declared stays.
    assert str(typed.signatures[0]) == "f(a: number): number"


@pytest.mark.parametrize(
    "source",
    [
        "const t: [number, string] = [1, 'x'];",
        "function f(p: [number, number]) {}\nf([1, 2]);",
        "function f(): Array<[string, number]> { return [['a', 1]]; }",
        "/** @returns {[string, number]} */\nfunction f() { return ['a', 1]; }",
        "function f(): ReadonlySet<number> { return new Set([1]); }",
        "class C { name: string = null!; }",
        "class C { value: string; f(el) { el.on('x', function () { this.value = 1; }); } }",
        "/** @type {number} */\nconst a = 1, b = 'x';",
        "type Set = string;\nfunction f(a: Set) {}\nf('x');",
        "/** @param {int} n */\nfunction f(n) {}\nf(1);",
        "/** @param {string} n */\nfunction f(n) { n = Number(n); return n; }",
        "// Output: [0, 1]\nfunction f() { return 's'; }",
        "class Stack { push(x) {} }\nfunction f(s: Stack) { s.push(1); }",
        "function f(a?: string) {}\nf();\nf(undefined);",
    ],
)
def test_what_may_be_right_is_no_contradiction(source: str) -> None:
    assert infer(source, "typescript").conflicts == ()


def test_what_is_told_of_undefined_null_maps_and_records_compiles() -> None:
    found = signatures(
        "function f(m: Map<string, number>) { for (const pair of m) { return pair; } throw m; }\n"
        "function g(o: Record<string, number>) { return o; }\n"
        "function h(a?: number) { return a; }\n"
        "class Q { x?: number; f() { return this.x; } }\n"
        "function i(x: string | undefined) { return x!; }\n"
    )
    assert found == {
        "f": "f(m: Map<string, number>): [string, number]",
        "g": "g(o: Record<string, number>): Record<string, number>",
        "h": "h(a: number | undefined): number | undefined",
        "Q.f": "Q.f(): number | undefined",
        "i": "i(x: string | undefined): string",
    }


def test_jsdoc_that_contradicts_an_annotation_is_told() -> None:
    source = "/** @param {string} a */\nfunction f(a: number) {}\n"
    [conflict] = infer(source, "typescript").conflicts
    assert conflict.other is not None
    assert conflict.other.line == 1


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("function f( {\n", r"invalid syntax, line 1"),
        ("const a = 1;\nconst b = = 2;\n", r"invalid syntax, line 2"),
    ],
)
def test_what_does_not_parse_is_refused_with_its_line(source: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        infer(source, "typescript")


def test_code_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(UsageError, match=r"nested too deeply|does not parse"):
        infer("const a = " + "[" * 5000 + "]" * 5000 + ";", "javascript")


PIECES = st.sampled_from(
    [
        "function f(a) { return a; }",
        "function g(a, b = f(1)) { b.push(a); return b; }",
        "let x = f(g(1, [2]));",
        "x = x + 1;",
        "const h = ([a, , b]) => ({ a, ...b });",
        "class A extends B { #p = 1; static m(x) { return this.#p; } }",
        "for (const [k, v] of Object.entries(x)) { f(k); }",
        "/** @param {",
        " * x[number",
        "*/",
        "// f(1) === ",
        "switch (x) { case f(2): break; default: g(x) }",
        "export default async (a) => await f(a);",
        "label: for (;;) { break label; }",
    ]
)


@settings(deadline=None, max_examples=200)
@given(pieces=st.lists(PIECES, max_size=8), language=st.sampled_from(["javascript", "typescript"]))
def test_any_order_of_statements_is_read(pieces: list[str], language: str) -> None:
    with contextlib.suppress(UsageError):
        typed = infer("\n".join(pieces), language)
        assert all(str(signature) for signature in typed.signatures)
