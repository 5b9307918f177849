"""Types that docstrings state, in the three forms that Python uses; prose states none."""

from __future__ import annotations

import pytest

from codekiln.typeflow import to_annotation
from codekiln.typeflow.python.docstrings import stated_types, words_as_type

GOOGLE = """Merge two lists.

    Args:
        first (list[int]): The first one.
            It goes on (str): here.
        second (list of int, optional): The other one.
        key (Callable[[int], str]): Sorts.
        limit: No type here.
        *rest (str): More.

    Returns:
        dict[str, int]: Counts by name.

    Raises:
        ValueError: If (int): it fails.
    """
NUMPY = """Merge two lists.

    Parameters
    ----------
    first, second : list of int
        What is merged.
    scale : float, optional
        Default is 1.0.
    mode : {'a', 'b'}
        One of them.

    Returns
    -------
    merged : ndarray
        The result.

    Notes
    -----
    other : int
    """
SPHINX = """Merge.

    :param list first: the first
    :param second: the other
    :type second: Optional[int]
    :param str name: its name
    :returns: something
    :rtype: :class:`Merged`
    """


def stated(docstring: str) -> dict[str, str]:
    return {item.name: to_annotation(item.type) for item in stated_types(docstring)}


def test_google_form() -> None:
    assert stated(GOOGLE) == {
        "first": "list[int]",
        "second": "list[int]",
        "key": "Callable[[int], str]",
        "rest": "str",
        "return": "dict[str, int]",
    }


def test_numpy_form() -> None:
    # `ndarray` might be prose: a class is believed in capitals only.
    assert stated(NUMPY) == {"first": "list[int]", "second": "list[int]", "scale": "float"}


def test_several_returns_are_not_one_type() -> None:
    assert stated("F.\n\nReturns\n-------\na : int\nb : str\n") == {}


def test_sphinx_form() -> None:
    assert stated(SPHINX) == {
        "first": "list[Any]",
        "second": "int | None",
        "name": "str",
        "return": "Merged",
    }


def test_each_statement_knows_its_line() -> None:
    lines = GOOGLE.splitlines()
    for item in stated_types(GOOGLE):
        assert lines[item.line].strip() == item.text


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("int", "int"),
        ("string", "str"),
        ("str or None", "str | None"),
        ("int or float, optional, default 3", "float | int"),
        ("tuple of strings", "tuple[str, ...]"),
        ("list of list of int", "list[list[int]]"),
        ("`Node`", "Node"),
        ("Dict[str, List[int]]", "dict[str, list[int]]"),
        ("the number of rows", "Any"),
        ("result", "Any"),
        ("array-like", "Any"),
        ("int, float", "Any"),
        ("a list", "Any"),
        ("", "Any"),
    ],
)
def test_words_are_understood_whole_or_not_at_all(words: str, meant: str) -> None:
    assert to_annotation(words_as_type(words)) == meant
