"""TypeScript's types there and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.typeflow import to_annotation
from codekiln.typeflow.types import (
    BIGINT,
    BOOL,
    FLOAT,
    NONE,
    STR,
    UNDEFINED,
    UNKNOWN,
    Type,
    list_of,
    union,
)
from codekiln.typeflow.typescript.types import parse_typescript, to_typescript


def _grown(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return st.one_of(
        inner.map(list_of),
        st.builds(Type, st.sampled_from(["set", "iterable", "awaitable"]), st.tuples(inner)),
        st.builds(Type, st.sampled_from(["Map", "Record"]), st.tuples(inner, inner)),
        st.builds(Type, st.just("Box"), st.tuples(inner)),
        st.lists(inner, max_size=3).map(lambda args: Type("tuple", tuple(args))),
        st.lists(inner, min_size=1, max_size=3).map(lambda args: Type("callable", tuple(args))),
        st.lists(inner, min_size=1, max_size=3).map(union),
    )


TYPES = st.recursive(
    st.sampled_from([UNKNOWN, NONE, UNDEFINED, BOOL, FLOAT, BIGINT, STR, Type("Node")]),
    _grown,
    max_leaves=6,
)


@settings(deadline=None)
@given(TYPES)
def test_a_type_that_was_written_is_read_back(found: Type) -> None:
    assert parse_typescript(to_typescript(found)) == found


@settings(deadline=None)
@given(st.text(alphabet="ab<>[](){}|,:;?='\" =>.&-1", max_size=30))
def test_any_text_is_a_type_or_unknown(text: str) -> None:
    parse_typescript(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("number", "float"),
        ("string | null", "str | None"),
        ("| 'a' | 'b'", "str"),
        ("number[][]", "list[list[float]]"),
        ("(string | number)[]", "list[float | str]"),
        ("ReadonlyArray<Array<string>>", "list[list[str]]"),
        ("readonly string[]", "list[str]"),
        ("[number, string]", "tuple[float, str]"),
        ("[from: number, to: number]", "tuple[float, float]"),
        ("Record<string, boolean>", "dict[str, bool]"),
        ("{ [key: string]: number }", "dict[str, float]"),
        ("Promise<void>", "Awaitable[None]"),
        ("(a: number, b?: string) => boolean", "Callable[[float, str | None], bool]"),
        ("Generator<number, void, unknown>", "Iterator[float]"),
        ("?string", "str | None"),
        ("NodeJS.Timeout", "NodeJS.Timeout"),
        ("Box<Node>", "Box[Node]"),
        # Names that mean something in the type language only.
        ("list", "Any"),
        ("callable | union", "Any"),
        ("bigint", "int"),
        ("any", "Any"),
        ("{ a: number; b: { c: string } }", "Any"),
        ("A & B", "Any"),
        ("keyof T", "Any"),
        ("T extends U ? X : Y", "Any"),
        ("T['key']", "Any"),
        ("", "Any"),
        ("number[", "Any"),
        ("not a type", "Any"),
        ("(" * 4000, "Any"),
    ],
)
def test_types_mean_what_they_say(text: str, meant: str) -> None:
    assert to_annotation(parse_typescript(text)) == meant


def test_numbers_of_python_are_one_kind_there() -> None:
    assert to_typescript(union((Type("int"), FLOAT, NONE))) == "number | null"
    assert to_typescript(list_of(union((Type("int"), FLOAT)))) == "number[]"
