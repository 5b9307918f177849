"""Values reach the parent unchanged, and are compared as Python compares them."""

from __future__ import annotations

import copy
import datetime
import enum
import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.verify.value_encoder import MAX_DEPTH, Encoder
from codekiln.verify.values import (
    DecodeError,
    Instance,
    Iterated,
    Opaque,
    canonical,
    contains_opaque,
    decode_json,
    equal,
    hint,
    show,
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=-(10**40), max_value=10**40)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text(max_size=12)
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.datetimes()
    | st.dates()
    | st.timedeltas()
)
HASHABLE = st.recursive(
    SCALARS,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.sets(HASHABLE, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
        | st.lists(inner, max_size=3).map(deque)
    ),
    max_leaves=15,
)


def sent(value: object) -> object:
    return decode_json(Encoder().encode(value))


@settings(deadline=None)
@given(VALUES)
def test_a_value_arrives_equal_and_of_the_same_type(value: object) -> None:
    arrived = sent(value)
    assert arrived == value
    assert type(arrived) is type(value)
    assert equal(arrived, value)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_equality_follows_python_on_unequal_and_equal_pairs(one: object, other: object) -> None:
    if one == other:
        assert equal(sent(one), other)
    elif not _has_float(one) and not _has_float(other):
        assert not equal(sent(one), other)


@settings(deadline=None)
@given(VALUES)
def test_canonical_text_is_equal_for_equal_values(value: object) -> None:
    assert canonical(sent(value)) == canonical(copy.deepcopy(value))


@settings(deadline=None)
@given(st.recursive(st.none() | st.integers() | st.text() | st.booleans(), st.lists, max_leaves=20))
def test_no_json_breaks_the_reader(data: Any) -> None:
    import json

    try:
        decode_json(json.dumps(data))
    except DecodeError:
        return


def _has_float(value: object) -> bool:
    if isinstance(value, (float, complex)):
        return True
    if isinstance(value, dict):
        return any(_has_float(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple, set, frozenset, deque)):
        return any(map(_has_float, value))
    return False


def test_special_floats_and_tolerance() -> None:
    assert equal(sent(math.nan), math.nan)
    assert equal(sent(-math.inf), -math.inf)
    assert not equal(sent(math.inf), -math.inf)
    assert equal(sent(0.1 + 0.2), 0.3)
    assert equal(sent([{"a": 0.1 + 0.2}]), [{"a": 0.3}])
    assert equal(sent({0.1 + 0.2}), {0.3})
    assert not equal(sent(0.3001), 0.3)
    assert not equal(sent(10**400), 1.0)


def test_python_equality_across_types() -> None:
    assert equal(sent(3), 3.0)
    assert equal(sent(True), 1)
    assert not equal(sent([1]), (1,))
    assert not equal(sent("1"), 1)
    assert not equal(sent(range(2)), [0, 1])
    assert equal(sent(Counter("aab")), {"a": 2, "b": 1})
    assert equal(sent(OrderedDict([("b", 1), ("a", 2)])), {"a": 2, "b": 1})
    assert equal(sent(defaultdict(list, {1: [2]})), {1: [2]})
    assert equal(sent({1: 2}.keys()), {1})
    assert equal(sent(Decimal("1.50")), Decimal("1.5"))
    assert equal(sent(Fraction(1, 2)), 0.5)
    assert equal(sent(datetime.date(2020, 1, 2)), datetime.date(2020, 1, 2))


class LyingInt(int):
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 1

    def __repr__(self) -> str:
        return "42"

    def __int__(self) -> int:
        return 42

    def __index__(self) -> int:
        return 42


class LyingStr(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "right"

    def __len__(self) -> int:
        return 5


class LyingList(list[int]):
    def __iter__(self) -> Iterator[int]:
        return iter([1, 2, 3])

    def __len__(self) -> int:
        return 3


class Impostor:
    __class__ = int  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __reduce__(self) -> tuple[Any, ...]:
        return (int, ("42",))


@pytest.mark.parametrize(
    ("value", "true_value"),
    [(LyingInt(7), 7), (LyingStr("wrong"), "wrong"), (LyingList([9]), [9])],
)
def test_subclasses_are_read_by_their_real_base(value: object, true_value: object) -> None:
    assert sent(value) == true_value


def test_an_object_with_a_lying_class_equals_no_number() -> None:
    assert isinstance(sent(Impostor()), Instance)
    assert not equal(sent(Impostor()), 42)


class Colour(enum.Enum):
    RED = 1


@dataclass
class Point:
    x: int
    y: list[int]


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self) -> None:
        self.a = 1


def test_objects_are_compared_by_class_name_and_fields() -> None:
    assert equal(sent(Point(1, [2])), sent(Point(1, [2])))
    assert not equal(sent(Point(1, [2])), sent(Point(1, [3])))
    assert show(sent(Point(1, [2]))) == "Point(x=1, y=[2])"
    assert show(sent(Slotted())) == "Slotted(a=1)"
    assert equal(sent(Colour.RED), sent(Colour.RED))
    assert equal(sent(ValueError("a")), sent(ValueError("a")))
    assert not equal(sent(ValueError("a")), sent(ValueError("b")))


def test_iterators_are_marked_and_bounded() -> None:
    def count() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    squares = sent(n * n for n in range(3))
    assert squares == Iterated("generator", (0, 1, 4), True)
    assert not equal(squares, [0, 1, 4])
    endless = sent(count())
    assert isinstance(endless, Iterated)
    assert not endless.complete
    assert not equal(endless, endless)


def test_cycles_and_huge_values_stay_bounded_and_equal_nothing() -> None:
    loop: list[object] = [1]
    loop.append(loop)
    deep: list[object] = []
    for _ in range(MAX_DEPTH + 5):
        deep = [deep]
    for value in (loop, deep, list(range(10**5)), "x" * 10**6, 1 << 10**6, {1: b"x" * 10**6}):
        text = Encoder().encode(value)
        assert len(text) < 1_000_000
        arrived = decode_json(text)
        assert contains_opaque(arrived)
        assert not equal(arrived, arrived)
    assert isinstance(sent("x" * 10**6), Opaque)


@pytest.mark.parametrize(
    ("observed", "expected", "words"),
    [
        ((1, 2), [1, 2], "a tuple where a list is wanted"),
        ([2, 1], [1, 2], "another order"),
        ("3", 3, "text, not a number"),
        (None, 3, "returns nothing"),
        (1.41421356, 1.4142, "rounding to 4 decimals"),
        (range(2), [0, 1], "a range, not a list"),
    ],
)
def test_common_differences_are_named(observed: object, expected: object, words: str) -> None:
    assert words in hint(observed, expected)


def test_showing_is_bounded_and_never_raises() -> None:
    assert len(show(["word"] * 10_000)) <= 400
    assert "too large" in show(10**10_000)
    assert show((1,)) == "(1,)"
    assert show(set()) == "set()"
    assert show({"b", "a"}) == "{'a', 'b'}"
