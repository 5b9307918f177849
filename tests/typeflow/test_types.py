"""The type language: its laws, and Python's annotations there and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.typeflow import UNKNOWN, Type, accepts, join, parse_annotation, to_annotation, union
from codekiln.typeflow.types import BIGINT, CONTAINERS, OBJECT, SCALARS, UNDEFINED

CLASSES = [Type("Shape"), Type("Node")]


def _grown(inner: st.SearchStrategy[Type]) -> st.SearchStrategy[Type]:
    return st.one_of(
        *(
            st.builds(Type, st.just(name), st.tuples(*[inner] * count))
            for name, count in CONTAINERS.items()
        ),
        st.lists(inner, max_size=3).map(lambda args: Type("tuple", tuple(args))),
        st.lists(inner, min_size=1, max_size=3).map(lambda args: Type("callable", tuple(args))),
        inner.map(lambda result: Type("callable*", (result,))),
        st.lists(inner, min_size=1, max_size=4).map(union),
    )


TYPES = st.recursive(
    st.sampled_from([UNKNOWN, OBJECT, *sorted(SCALARS - {BIGINT, UNDEFINED}, key=str), *CLASSES]),
    _grown,
    max_leaves=6,
)


@settings(deadline=None)
@given(TYPES)
def test_an_annotation_that_was_written_is_read_back(found: Type) -> None:
    assert parse_annotation(to_annotation(found)) == found


@settings(deadline=None)
@given(TYPES, TYPES)
def test_joining_does_not_depend_on_the_order(a: Type, b: Type) -> None:
    assert join(a, a) == a
    assert join(a, b) == join(b, a)


@settings(deadline=None)
@given(TYPES, TYPES)
def test_what_was_joined_is_never_refused(a: Type, b: Type) -> None:
    assert accepts(a, a) is not False
    assert accepts(join(a, b), a) is not False
    assert accepts(OBJECT, a) in (True, None)


@settings(deadline=None)
@given(TYPES)
def test_nothing_is_said_of_what_is_unknown(found: Type) -> None:
    assert accepts(UNKNOWN, found) is None
    assert accepts(found, UNKNOWN) is None


@pytest.mark.parametrize(
    ("annotation", "meant"),
    [
        ("int", "int"),
        ("'Node'", "Node"),
        ("typing.Optional[int]", "int | None"),
        ("Union[int, str, None]", "int | str | None"),
        ("t.Dict[str, t.List[int]]", "dict[str, list[int]]"),
        ("Tuple[int, ...]", "tuple[int, ...]"),
        ("tuple[()]", "tuple[()]"),
        ("Literal['a', 'b', 1]", "int | str"),
        ("Annotated[int, 'metres']", "int"),
        ("collections.abc.Sequence[str]", "Iterable[str]"),
        ("Callable[[int, str], bool]", "Callable[[int, str], bool]"),
        ("Callable[..., int]", "Callable[..., int]"),
        ("Generator[int, None, str]", "Iterator[int]"),
        ("Box[int]", "Box[int]"),
        ("list", "list[Any]"),
        ("3 + 4", "Any"),
        ("no python", "Any"),
        ("", "Any"),
        ("dict[int]", "Any"),
    ],
)
def test_annotations_mean_what_they_say(annotation: str, meant: str) -> None:
    assert to_annotation(parse_annotation(annotation)) == meant


@pytest.mark.parametrize(
    ("target", "value", "verdict"),
    [
        ("float", "int", True),
        ("int", "float", False),
        ("int", "bool", True),
        ("int | None", "None", True),
        ("int | None", "str", False),
        ("int", "int | None", False),
        ("Shape", "Circle", None),
        ("Iterable[str]", "str", True),
        ("Iterable[int]", "int", False),
        ("Iterable[int]", "dict[int, str]", True),
        ("list[int]", "list[str]", False),
        ("list[float]", "list[int]", None),
        ("list[int]", "tuple[int, ...]", False),
        ("tuple[int, ...]", "tuple[int, int]", True),
        ("tuple[int, str]", "tuple[int, int]", False),
        ("Callable[[int], str]", "Callable[[str], str]", None),
        ("Callable[..., int]", "int", None),
        ("str", "Shape", None),
    ],
)
def test_only_what_holds_in_every_program_is_said(
    target: str, value: str, verdict: bool | None
) -> None:
    assert accepts(parse_annotation(target), parse_annotation(value)) is verdict


def test_text_that_is_too_deep_is_no_annotation() -> None:
    assert parse_annotation("list[" * 3000 + "int" + "]" * 3000) == UNKNOWN
