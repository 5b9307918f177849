"""Values on the wire, their neutral form, and what of them a language may mix up."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.verify.programs.comparison import same
from codekiln.verify.programs.neutral import NeutralCall, neutral_call, neutral_value
from codekiln.verify.programs.wire import NotNeutralError, Other, Single, decode, encode

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.integers(), st.text(max_size=4)), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_comes_back_as_it_was_sent(value: object) -> None:
    lines = iter(list(encode(value)))
    assert repr(decode(lines)) == repr(value)
    assert next(lines, None) is None


@given(st.text(alphabet="nbidsltmo 0123456789abc.-\n", max_size=60))
def test_any_text_is_a_value_or_none(text: str) -> None:
    try:
        decode(iter(text.split("\n")))
    except NotNeutralError:
        return


@given(VALUES)
def test_a_value_is_the_same_as_itself_and_as_its_json(value: object) -> None:
    assert same(value, value)
    assert same(neutral_value(repr(value)), value)


@pytest.mark.parametrize(
    ("got", "wanted", "is_same"),
    [
        (2, 2.0, True),
        (0.1 + 0.2, 0.3, True),
        (0.3001, 0.3, False),
        (True, 1, False),
        (None, False, False),
        ((1, 2), [1, 2], True),
        ("1", 1, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (10**30, 10**30 + 1, False),
        (math.nan, math.nan, True),
        (math.inf, -math.inf, False),
    ],
)
def test_what_counts_as_the_same(got: object, wanted: object, is_same: bool) -> None:
    assert same(got, wanted) is is_same


@pytest.mark.parametrize(
    ("word", "got", "wanted", "other"),
    [
        ("bits", 1, True, False),
        ("bits", False, 0, 1),
        ("keys", {"1": True}, {1: True}, {2: True}),
        ("texts", "5", 5, 6),
        ("texts", "0.30000000000000004", 0.3, 0.31),
        ("texts", "true", True, False),
        ("texts", 5, "5", "05"),
        ("texts", ["1", "x"], [1, "x"], [1, "y"]),
        ("lines", "a b\nc", ["a b", "c"], ["a", "b c"]),
        ("lines", "a b c", ["a", "b", "c"], ["a", "b"]),
        ("lines", "a b\nc d", [["a", "b"], ["c", "d"]], [["a", "b"], ["c"]]),
        ("lines", "b=x\na=y z", {"a": "y z", "b": "x"}, {"a": "y", "b": "x"}),
        ("lines", "a: x", {"a": "x"}, {"a": "y"}),
        ("lines", "{a b} {} c", ["a b", "", "c"], ["a b", "c"]),
        ("lines", "a {x y} b {}", {"a": ["x", "y"], "b": ""}, {"a": ["x"], "b": ""}),
        ("lines", "[1, [2]]", ["1", ["2"]], [1]),
        ("vectors", 5, [5], [6]),
        ("vectors", ["a"], "a", "b"),
        ("vectors", [5, 6], [[5], [6]], [[5, 6]]),
        ("flat", 5, [5], [[5, 6]]),
        ("flat", [1, 2], [[1, 2]], [[[1, 2]]]),
        ("values", (5, True), 5, [5]),
        ("pairs", [("b", 2), ("a", 1)], {"a": 1, "b": 2}, {"a": 1}),
        ("pairs", [["a", 1, 2], ["b"]], {"a": [1, 2], "b": []}, {"a": 1, "b": []}),
        ("pairs", ["a", 1, "b", 2], {"a": 1, "b": 2}, {"a": 1, "b": 1}),
        ("names", {"a": 1, "b": 2}, [1, 2], [2, 1]),
        ("indices", ["x", "y"], {1: "x", 2: "y"}, {2: "x", 3: "y"}),
        ("codes", [233, 97], "éa", "é"),
        ("codes", 97, "a", "ab"),
        ("found", (5, True), 5, None),
        ("found", (0, False), None, 0),
        ("json", "[1, [null]]", [1, [None]], [1, []]),
        ("letters", "éa", ["é", "a"], ["éa"]),
        ("null=list", None, [], {}),
        ("false=text", "", False, None),
        ("null=map", None, {}, False),
    ],
)
def test_a_language_is_only_forgiven_what_it_cannot_tell(
    word: str, got: object, wanted: object, other: object
) -> None:
    words = (word, "texts") if word == "lines" else (word,)
    assert same(got, wanted, words)
    assert not same(got, wanted)
    assert not same(got, other, words)


def test_words_may_come_together() -> None:
    assert same([[[97], 1]], {"a": 1}, ("codes", "pairs"))
    assert same("", {}, ("texts", "lines", "text=map"))
    assert same(None, {"a": 1}, ("flat", "pairs", "null=map")) is False


@given(VALUES, VALUES)
def test_what_is_the_same_stays_so_whatever_is_forgiven(one: object, other: object) -> None:
    if same(one, other):
        assert same(one, other, ("bits", "keys", "texts", "lines", "vectors", "pairs", "names"))


def test_single_precision_is_compared_to_its_digits() -> None:
    got = decode(iter(["f 1.4142135"]))
    assert isinstance(got, Single)
    assert same(got, 2**0.5)
    assert not same(got, 1.4143)


def test_other_values_are_nothing_else() -> None:
    assert not same(Other("f"), "f", ("texts", "lines"))


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("f(1, -2.5, 'a')", NeutralCall("f", (1, -2.5, "a"))),
        ('f(null, [true, NaN], {"a": nil});', None),
        ("a.b(())", NeutralCall("a.b", ((),))),
    ],
)
def test_calls_are_read(text: str, call: NeutralCall | None) -> None:
    found = neutral_call(text)
    assert call is None or found == call
    assert found.name in ("f", "a.b")


@pytest.mark.parametrize("text", ["f(x)", "f(a=1)", "f(1 + 1)", "f(*[1])", "f", "f(", "g()(1)"])
def test_what_is_more_than_a_call_with_values_is_refused(text: str) -> None:
    with pytest.raises(NotNeutralError):
        neutral_call(text)
