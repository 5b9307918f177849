from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core import Task
from codekiln.verify.typed_inputs import signature_of, typed_calls, values_of
from codekiln.verify.varied_inputs import varied_sessions


def values(annotation: str) -> list[object]:
    return list(values_of(ast.parse(annotation, mode="eval").body))


def calls(signature: str) -> list[tuple[object, ...]]:
    function = ast.parse(f"{signature}\n    ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    return list(typed_calls(function))


@pytest.mark.parametrize(
    ("annotation", "wanted"),
    [
        ("int", 0),
        ("str", ""),
        ("bool", False),
        ("list[int]", []),
        ("List[str]", [""]),
        ("dict[str, int]", {}),
        ("Optional[int]", None),
        ("int | None", None),
        ("'list[int]'", []),
        ("tuple[int, str]", (0, "")),
        ("typing.List[int]", []),
        ("Literal['a', 'b']", "b"),
    ],
)
def test_boundary_values_of_a_type_are_among_its_values(annotation: str, wanted: object) -> None:
    found = values(annotation)
    assert any(type(value) is type(wanted) for value in found)
    if annotation != "List[str]":
        assert wanted in found


@pytest.mark.parametrize(
    "annotation",
    [
        "tuple[()]",
        "list[()]",
        "Optional[()]",
        "Node",
        "Callable[[int], int]",
        "T",
        "np.ndarray",
        "3",
    ],
)
def test_a_type_that_is_not_known_gives_nothing(annotation: str) -> None:
    assert values(annotation) == []


def test_each_argument_varies_alone_before_they_vary_together() -> None:
    found = calls("def f(a: int, b: str):")
    assert found[0] == (5, "abcab")
    assert (0, "abcab") in found
    assert (5, "") in found
    assert any(a != 5 and b != "abcab" for a, b in found)


def test_arguments_with_a_default_are_left_out_and_unknown_types_give_no_calls() -> None:
    assert all(len(call) == 1 for call in calls("def f(a: int, b: Node = None):"))
    assert calls("def f(a: int, b):") == []
    assert calls("def f(*, key: int):") == []


def test_the_signature_is_found_in_a_skeleton_and_in_a_bare_line() -> None:
    stub = (
        'from typing import List\n\ndef g(): ...\n\ndef f(x: List[int]) -> int:\n    """Sum."""\n'
    )
    for task in (
        Task("d", entry_point="f", skeleton=stub),
        Task("d", entry_point="f", signature="def f(x: list[int]) -> int"),
    ):
        found = signature_of(task)
        assert found is not None
        assert found.name == "f"
    assert signature_of(Task("d", entry_point="h", skeleton=stub)) is None


def test_a_task_without_examples_gets_inputs_from_its_types() -> None:
    task = Task("d", entry_point="f", signature="def f(x: list[int], k: int) -> int")
    ((*steps,),) = varied_sessions(task, 20)
    assert 10 < len(steps) <= 21
    assert all(len(ast.literal_eval(step.args)) == 2 for step in steps)


@given(
    st.recursive(
        st.sampled_from(["int", "str", "float", "bool", "Any", "Foo"]),
        lambda inner: (
            st.builds("list[{}]".format, inner)
            | st.builds("dict[str, {}]".format, inner)
            | st.builds("{} | None".format, inner)
        ),
        max_leaves=6,
    )
)
def test_any_annotation_gives_literals_or_nothing(annotation: str) -> None:
    for value in values(annotation):
        assert ast.literal_eval(repr(value)) == value or isinstance(value, set)
