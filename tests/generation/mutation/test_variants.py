"""Every variant is a program, and none is the original or comes twice."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.generation.mutation import variants

BASE = '''def f(items, limit):
    """Sum up to a limit."""
    total = 0
    for i in range(len(items)):
        if items[i] < limit and i > 0:
            total += items[i]
        else:
            return total
    return sorted(items[1:]) if total - limit else None
'''


def one_line(body: str) -> set[str]:
    found = variants(f"def f(a, b):\n    {body}\n")
    return {"; ".join(code.strip().splitlines()[1:]).strip() for code in found}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("return a < b", "return a <= b"),
        ("return a == b", "return a != b"),
        ("return range(a)", "return range(1, a + 1)"),
        ("return range(1, a)", "return range(1, a + 1)"),
        ("return range(1, a)", "return range(2, a + 1)"),
        ("return a / b", "return a // b"),
        ("return a - b", "return abs(a - b)"),
        ("return a - b", "return b - a"),
        ("return a and b", "return a or b"),
        ("return a and b", "return a"),
        ("return a[1:b]", "return a[1:b + 1]"),
        ("return a[b]", "return a[b - 1]"),
        ("return a[0]", "return a[1]"),
        ("return a[0]", "return a[-1]"),
        ("return a", "return tuple(a)"),
        ("return a", "return b"),
        ("return None", "return []"),
        ("return -1", "return None"),
        ("return a.lower()", "return a.upper()"),
        ("return a.split()", "return list(a)"),
        ("return sorted(a)", "return sorted(a, reverse=True)"),
        ("return sorted(a, reverse=True)", "return sorted(a)"),
        ("return max(a, key=len)", "return max(a)"),
        ("return min(a)", "return max(a)"),
        ("return int(a)", "return a"),
        ("return not a", "return a"),
        ("return [x for x in a if x]", "return [x for x in a]"),
        ("return [x for x in a if x]", "return [x for x in a if not x]"),
        ("return a if b else 0", "return 0 if b else a"),
        ("return ' '.join(a)", "return ''.join(a)"),
        ("return True", "return False"),
        ("a = b.split()", "a = sorted(b.split())"),
        ("a += b", "a -= b"),
    ],
)
def test_a_wrong_line_becomes_the_right_one(wrong: str, right: str) -> None:
    assert right in one_line(wrong)


def block(*lines: str) -> str:
    return "def f(a, b):\n" + "".join(f"    {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (
            block("for x in a:", "    b += x", "    return b"),
            block("for x in a:", "    b += x", "return b"),
        ),
        (
            block("for x in a:", "    b += x", "return b"),
            block("for x in a:", "    b += x", "    return b"),
        ),
        (
            block(
                "for x in a:", "    if x == b:", "        return 1", "    else:", "        return 0"
            ),
            block("for x in a:", "    if x == b:", "        return 1", "return 0"),
        ),
        (block("if a:", "    a -= b", "return a"), block("while a:", "    a -= b", "return a")),
        (block("if a:", "    return 1", "return 2"), block("return 1", "return 2")),
        (block("a.sort()", "b = a[0]"), block("b = a[0]", "a.sort()")),
        (block("a = a[1:]", "return a"), block("return a")),
        (
            block("if a:", "    return 1", "else:", "    return 2"),
            block("if a:", "    return 2", "else:", "    return 1"),
        ),
    ],
)
def test_a_statement_in_the_wrong_place_comes_into_the_right_one(wrong: str, right: str) -> None:
    assert right in set(variants(wrong))


def test_variants_are_programs_and_differ() -> None:
    found = list(variants(BASE))
    assert found[0] == ast.unparse(ast.parse(BASE)) + "\n"
    assert len(set(found)) == len(found) > 100
    for code in found:
        compile(code, "<variant>", "exec")
        assert '"""Sum up to a limit."""' in code


@pytest.mark.parametrize("code", ["", "def f(:\n", "x = 1\n", "x = " + "[" * 500])
def test_without_a_function_there_is_nothing_to_change(code: str) -> None:
    assert len(list(variants(code))) <= 1


def test_signatures_annotations_decorators_and_texts_stay() -> None:
    head = "@retry(3)\ndef f(a: int=0, *, b: Literal[1]=1) -> Literal[5]:\n"
    code = f"{head}    x: Literal[7] = 8\n    print(f'{{a}} and 1')\n    return 5\n"
    found = list(variants(code))
    assert any("x: Literal[7] = 9" in other for other in found)
    for other in found:
        assert other.startswith(head)
        assert "f'{a} and 1'" in other or "print" not in other
        assert "x: Literal[7] =" in other or "Literal[7]" not in other


_EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "0", "1", "''", "None", "True", "a[0]", "a[1:b]", "len(a)"]),
    lambda inner: st.one_of(
        st.builds("({} + {})".format, inner, inner),
        st.builds("({} < {})".format, inner, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("range({})".format, inner),
        st.builds("[x for x in {} if {}]".format, inner, inner),
        st.builds("sorted({})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=50, deadline=None)
@given(_EXPRESSIONS, _EXPRESSIONS)
def test_any_function_has_variants_that_parse(first: str, second: str) -> None:
    code = f"def f(a, b):\n    if {first}:\n        a = {second}\n    return a\n"
    found = list(variants(code))
    assert found[0] == ast.unparse(ast.parse(code)) + "\n"
    assert len(set(found)) == len(found)
    for other in found:
        ast.parse(other)
