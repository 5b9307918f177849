"""What is inferred from a module: types that flow, that stay unknown, and that contradict."""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core.errors import UsageError
from codekiln.typeflow import accepts, infer_python


def signatures(source: str) -> dict[str, str]:
    return {found.name: str(found) for found in infer_python(source).signatures}


def only(source: str) -> str:
    [found] = signatures(source).values()
    return found


@pytest.mark.parametrize(
    ("source", "signature"),
    [
        ("def f(a: int) -> str: ...", "f(a: int) -> str"),
        ("def f(a, b):\n    return a in b", "f(a, b) -> bool"),
        # A class may compare as it likes.
        ("def f(a, b):\n    return a == b", "f(a, b)"),
        ("def f(a: int):\n    return a == 1", "f(a: int) -> bool"),
        (
            "def f():\n    return -True, (1, 's')[-1], (1, 's')[:1]",
            "f() -> tuple[int, str, tuple[int | str, ...]]",
        ),
        ("def f(n):\n    return n / 2\nassert f(4) == 2.0", "f(n: int) -> float"),
        ("def f(a):\n    return a\nf([1]); f([2.5])", "f(a: list[float]) -> list[float]"),
        ("def f(a=None):\n    print(a)", "f(a) -> None"),
        ("def f(a=None):\n    print(a)\nf('x')", "f(a: str | None) -> None"),
        ("def f(t: str):\n    return t.split()[0]", "f(t: str) -> str"),
        ("def f(t: str):\n    for p in t.split():\n        return p", "f(t: str) -> str | None"),
        (
            "def f(d: dict[str, int]):\n    return [*d], sorted(d.values())",
            "f(d: dict[str, int]) -> tuple[list[str], list[int]]",
        ),
        (
            "def f(n):\n    if n == 0:\n        return 1\n    return n * f(n - 1)\nf(5)",
            "f(n: int) -> int",
        ),
        ("def f(p: tuple[int, str]):\n    a, b = p\n    return b", "f(p: tuple[int, str]) -> str"),
        ("async def f(a: int):\n    return a", "f(a: int) -> int"),
        ("def f():\n    raise ValueError", "f()"),
        ("def f():\n    yield 1", "f()"),
        ("def f(x):\n    return unknown(x)", "f(x)"),
        ("def f(x):\n    if x:\n        return 1\n    return unknown(x)", "f(x)"),
        ('def f(a):\n    """\n    >>> f("x")\n    3\n    """\n    return g(a)', "f(a: str)"),
    ],
)
def test_types_flow_where_values_flow(source: str, signature: str) -> None:
    assert only(source) == signature


def test_methods_attributes_and_constructors() -> None:
    found = signatures(
        "class Stack:\n"
        "    limit: int\n"
        "    def __init__(self, name):\n"
        "        self.name = name\n"
        "    def label(self):\n"
        "        return self.name\n"
        "    def room(self):\n"
        "        return self.limit\n"
        "    @staticmethod\n"
        "    def new(name):\n"
        "        return Stack('b')\n"
        "Stack('a')\n"
    )
    assert found["Stack.label"] == "Stack.label() -> str"
    assert found["Stack.room"] == "Stack.room() -> int"
    assert found["Stack.new"] == "Stack.new(name) -> Stack"


def test_a_call_that_something_unknown_goes_into_leaves_the_parameter_open() -> None:
    assert only("def f(a):\n    return 1\nf(1)\nf(unknown())") == "f(a) -> int"


def test_functions_that_are_defined_twice_are_not_guessed_at() -> None:
    source = "if x:\n    def f(a):\n        return 1\nelse:\n    def f(a):\n        return 'x'\n"
    assert signatures(source) == {}


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    t = '{}'\n    t = loads(t)\n    return t",
        "def f(a):\n    return a or 'x'",
        "def f(a):\n    return 1 if a else a",
        "def f(a):\n    a = open(a)\n    return a",
        "def f():\n    try:\n        x = 1\n    except E as x:\n        pass\n    return x",
        "def f(v):\n    x = 1\n    if (x := g(v)):\n        pass\n    return x",
        "from other import len\ndef f():\n    return len(3)",
        "def f():\n    import helper\n    return helper()\ndef helper():\n    return 1",
        "def f(A):\n    return A()\nclass A:\n    pass",
        "def f():\n    x = [1]\n    x[0] = g()\n    return x",
        "def f():\n    a, *b, c = (1, 's', 2.0)\n    return c",
        "@deco\ndef g():\n    return 1\ndef f():\n    return g()",
        "def g():\n    return 1\ng = deco(g)\ndef f():\n    return g()",
        "async def g():\n    return 1\ndef f():\n    return g()",
        "class C:\n    n = None\n    def f(self):\n        return self.n\nc = C()\nc.n = 's'",
        "class B:\n    def f(self):\n        return self.n()\n    def n(self):\n        return 1\n"
        "class D(B):\n    def n(self):\n        return 's'",
        "x = 1\ndef g():\n    global x\n    x = 's'\ndef f(y):\n    return y\nf(x)",
        "from typing import Any\ndef f(a: Any):\n    return a\nf(1)",
        "class S:\n    pass\ndef f():\n    s = S()\n    s.add(1)\n    return s",
        "class C:\n    def __init__(self):\n        self.n = [1]\n    def f(self):\n"
        "        return self.n\ndef g(c):\n    c.n.append('s')\n    c.n[0] = 's'",
        # Its value is none that is written out.
        "def f(a):\n    # f(1) == ValueError\n    return g(a)",
    ],
)
def test_what_may_be_something_else_is_not_said(source: str) -> None:
    [name] = [name for name in signatures(source) if name.rpartition(".")[2] == "f"]
    assert "->" not in signatures(source)[name]


@pytest.mark.parametrize(
    "use",
    [
        "[f(s) for s in ['a']]",
        "lambda: f('s')",
        "f(*['s'])",
        "f(**{'a': 's'})",
        "list(map(f, ['a']))",
        "class C:\n    x = f('s')",
        "def g(x=f('s')):\n    pass",
    ],
)
def test_a_use_that_is_not_followed_leaves_the_parameter_open(use: str) -> None:
    assert signatures(f"def f(a):\n    print(a)\nf(1)\n{use}\n")["f"] == "f(a) -> None"


def test_lines_are_counted_as_the_parser_counts_them() -> None:
    source = 'x = 1\rdef f(a):\r    """   \r\n    >>> f(1)\r\n    2\r\n    """\r    return a\r'
    [found] = infer_python(source).signatures
    assert str(found) == "f(a: int) -> int"
    assert found.parameters["a"] is not None
    assert found.parameters["a"].because[0].line == 4


def test_what_is_put_into_a_container_counts() -> None:
    assert only("def f():\n    x = [1]\n    x.append('s')\n    return x") == (
        "f() -> list[int | str]"
    )


def test_none_is_kept_where_it_is_returned_and_not_where_it_was_ruled_out() -> None:
    found = signatures(
        "def f(a: int | None):\n    if a is not None:\n        g(a)\n    return a\n"
        "def g(b):\n    return b\n"
    )
    assert found == {"f": "f(a: int | None) -> int | None", "g": "g(b: int) -> int"}


def test_arguments_beyond_the_positional_ones_go_into_the_rest() -> None:
    found = signatures("def f(a, *rest, b=0):\n    print(a)\nf(1, 'x', b=2)\n")
    assert found == {"f": "f(a: int, b: int) -> None"}


def test_a_contradiction_is_told_with_the_way_to_it() -> None:
    typed = infer_python(
        "def f(a: int) -> int:\n    name = 'x'\n    again = name\n    return again\n"
    )
    [conflict] = typed.conflicts
    assert str(conflict.place) == "f()"
    assert [flow.line for flow in conflict.chain] == [2, 3, 4]
    # What is declared stays.
    assert str(typed.signatures[0]) == "f(a: int) -> int"


@pytest.mark.parametrize(
    "source",
    [
        # A test may have narrowed what arrives.
        "def f(a: int | str):\n    if isinstance(a, str):\n        return 1\n    return g(a)\n"
        "def g(a: int) -> int:\n    return a\n",
        "def f(a: list[str] | str) -> None:\n    if isinstance(a, str):\n        a = [a]\n",
        "class C:\n    x: int | None\n    def f(self) -> int:\n"
        "        return self.x if self.x is not None else 0\n",
        # One of several may stand there.
        "def f(a: int | None) -> int:\n    return a\n",
        # What ends a function may be a call.
        "def f() -> int:\n    exit(1)\n",
        "def f(a: 'Shape'):\n    return 1\nf(1)\n",
        'def f(a=None):\n    """F.\n\n    Args:\n        a (str): A.\n    """\n',
        # What stands in a parameter after it was bound anew is not what was given.
        "def f(a: str) -> dict:\n    a = loads(a)\n    return a\n",
        "def f(a: int):\n    a = str(a)\n",
        "def f(a: int = None):\n    print(a)\n",
        "def f(a: int, *rest: str, b: int = 0):\n    print(a)\nf(1, 'x')\n",
        'def f() -> tuple[int, int]:\n    """F.\n\n    Returns:\n        tuple: T.\n    """\n'
        "    return 1, 2\n",
        "def f() -> bool:\n    return g()\nassert f() == 1\n",
        "def f(a: list[int]) -> None:\n    print(a)\ndef g() -> Sequence[int]:\n    return h()\n"
        "f(g())\n",
    ],
)
def test_what_may_be_right_is_no_contradiction(source: str) -> None:
    assert infer_python(source).conflicts == ()


def test_statements_that_contradict_each_other_are_told() -> None:
    source = 'def f(a: int):\n    """F.\n\n    Args:\n        a (str): A.\n    """\n'
    [conflict] = infer_python(source).conflicts
    assert conflict.other is not None
    assert (conflict.wanted.line, conflict.other.line) == (1, 5)


@pytest.mark.parametrize("source", ["def f(:\n", "x = (\n", "\0", "(" * 5000])
def test_what_does_not_parse_is_an_error_with_a_name(source: str) -> None:
    with pytest.raises(UsageError, match=r"broken\.py is no Python"):
        infer_python(source, "broken.py")


def test_a_long_chain_of_calls_is_followed_to_its_end() -> None:
    chain = "".join(f"def f{n}(c):\n    return f{n + 1}(c) if c else 1\n" for n in range(30))
    found = signatures(f"{chain}def f30(c):\n    return 's'\n")
    assert all(found[f"f{n}"] == f"f{n}(c) -> int | str" for n in range(30))


def test_deep_and_strange_code_is_read_or_refused() -> None:
    for source in (
        "x = " + " + ".join(["'a'"] * 3000),
        "if a:\n    pass\n" + "elif a:\n    pass\n" * 600,
        "a0 = 1\n" + "".join(f"a{n + 1} = a{n}\n" for n in range(2000)),
        "def f(xs: iterable, y: union):\n    for x in xs:\n        return x\nf(3, 3)\n",
        'def f(x):\n    """F.\n\n    Args:\n        x (' + "((((a)" * 40 + " no\n    " + '"""\n',
        'def f(x):\n    """F.\n\n    :type x: ' + "list of " * 3000 + 'int\n    """\n',
        "\ufeffdef f():\n    return 1\n",
    ):
        # Refused by name, or read; any other exception fails this test.
        with contextlib.suppress(UsageError):
            infer_python(source)


def test_evidence_of_a_docstring_names_its_line() -> None:
    lines = ("X = 0", "", "def f(a):", '    """', "    F.", "", "    Args:", "        a (str): A.")
    source = "\n".join((*lines, "", '    >>> f("s")', '    """', ""))
    [signature] = infer_python(source).signatures
    found = signature.parameters["a"]
    assert found is not None
    assert [item.line for item in found.because] == [8]
    assert source.split("\n")[7].strip() == found.because[0].text


def test_loops_of_flows_end() -> None:
    infer_python("def f(a):\n    return f([a])\nf(1)\n")
    infer_python("x = [1]\nx = [x]\nx = {'a': x}\n")


SNIPPETS = st.lists(
    st.sampled_from(
        [
            "x = 1",
            "y = [x]",
            "x = y[0]",
            "def f(a, b=2):\n    return a",
            "x = f(y)",
            "class C:\n    def m(self, k=0):\n        return self.m(k)",
            "y = {x: f(x)}",
            "for x in y:\n    z = x + 1",
        ]
    ),
    max_size=8,
)


@settings(deadline=None)
@given(SNIPPETS)
def test_any_order_of_statements_is_read(lines: list[str]) -> None:
    infer_python("\n".join(lines))


class _Bare(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        node.returns = None
        for part in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]:
            part.annotation = None
        return node


def test_what_is_inferred_for_the_own_code_does_not_contradict_its_annotations() -> None:
    """Annotations of this package are taken away, inferred again, and held against themselves."""
    inferred = wrong = 0
    for path in (Path(__file__).parents[2] / "src/codekiln").rglob("*.py"):
        source = path.read_text("utf-8")
        declared = {
            fact.place: fact.type
            for fact in infer_python(source).module.facts
            if fact.strength == "declared"
        }
        bare = ast.unparse(_Bare().visit(ast.parse(source)))
        for signature in infer_python(bare).signatures:
            for found in (*signature.parameters.values(), signature.result):
                if found is not None and found.place in declared:
                    inferred += 1
                    wrong += accepts(declared[found.place], found.type) is False
    assert inferred > 800
    assert wrong <= 0.02 * inferred
