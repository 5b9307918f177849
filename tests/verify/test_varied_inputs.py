"""Varied inputs keep the shape of the examples and are the same every time."""

from __future__ import annotations

import ast
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core import Example, Task
from codekiln.verify.varied_inputs import variants, varied_sessions

FUNCTIONS = ("main", "words", "count")


def task(*calls: str, session: int = 0, **fields: str) -> Task:
    examples = tuple(Example("", call, "None", session=session) for call in calls)
    return Task("Do it", examples=examples, **fields)  # type: ignore[arg-type]


def test_a_function_task_gives_one_session_of_independent_calls() -> None:
    (session,) = varied_sessions(task("f([3, 1], 'ab')", "f([], '')"), 20)
    assert len(session) == 21
    assert session[0].args == "([3, 1], 'ab')"
    assert session[-1] == session[0]
    assert len(set(session[:-1])) == 20
    for step in session:
        numbers, text = ast.literal_eval(step.args)
        assert isinstance(numbers, list)
        assert all(isinstance(number, int) for number in numbers)
        assert isinstance(text, str)


def test_functions_of_one_task_are_each_varied() -> None:
    asked = task("main('a b')", "words('a b')", "count([1, 2])", entry_point="main")
    (session,) = varied_sessions(asked, 20)
    assert 25 < len(session) <= 41
    by_name = {name: {s.source for s in session if s.callee == name} for name in FUNCTIONS}
    assert all(len(calls) > 5 for calls in by_name.values())
    assert "main('')" in by_name["main"]
    # A class with methods of these names would do as well.
    assert all(step.method for step in session)


@pytest.mark.parametrize(
    "fields",
    [{"entry_point": "Box"}, {"entry_point": "main", "skeleton": "class Box:\n    ..."}, {}],
)
def test_names_that_may_be_methods_are_called_in_sessions(fields: dict[str, Any]) -> None:
    sessions = varied_sessions(replace(task("main('a b')", "words('a b')"), **fields), 20)
    assert len(sessions) > 1
    assert all(step.method for session in sessions for step in session)


def test_variation_is_deterministic_and_bounded() -> None:
    asked = task("f({'a': [1, (2, 'x')]}, k=3.5)")
    assert varied_sessions(asked, 20) == varied_sessions(asked, 20)
    assert sum(map(len, varied_sessions(asked, 20))) <= 21
    assert varied_sessions(asked, 0) == ()


def test_calls_without_literal_arguments_are_not_varied() -> None:
    assert varied_sessions(task("f(g(1))", "x = 3", "a.b(1)"), 20) == ()
    assert varied_sessions(Task("Do it", examples=(Example("text"),)), 20) == ()


def test_a_session_of_method_calls_keeps_its_constructor_first() -> None:
    sessions = varied_sessions(task("Box(2)", "put(1)", "put(2)", "get()", session=1), 20)
    assert len(sessions) > 3
    assert all(session[0].source == "Box(2)" for session in sessions)
    assert any(
        [s.source for s in session[1:]] == ["get()", "put(2)", "put(1)"] for session in sessions
    )


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        | st.sets(st.integers(), max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(VALUES)
def test_variants_keep_the_type_and_a_tuples_length(value: object) -> None:
    for other in variants(value, random.Random(0)):
        assert type(other) is type(value)
        if isinstance(value, tuple) and isinstance(other, tuple):
            assert len(other) == len(value)


@pytest.mark.parametrize("value", [5, "abc", [1, 2], 2.5, {"a": 1}, (1, 2), {1, 2}])
def test_there_are_variants_other_than_the_value_itself(value: object) -> None:
    assert any(other != value for other in variants(value, random.Random(0)))
