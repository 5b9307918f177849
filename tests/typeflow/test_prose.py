"""Types and examples in the words of comments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.typeflow import infer_python
from codekiln.typeflow.prose import prose_types, stated_examples, type_in_words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("number[]", "list[float]"),
        ("`string` - who it is", "str"),
        ("list of strings, sorted", "list[str]"),
        ("array of numbers", "list[float]"),
        ("Map<string, number[]>, by name", "Map[str, list[float]]"),
        ("dict[str, int] with counts", "unknown"),
        ("{number} how many", "float"),
        ("{number}", "float"),
        ("int or None", "union[None, int]"),
        ("number of items", "unknown"),
        ("the result", "unknown"),
        ("Shape", "unknown"),
        # Values are no types.
        ("[0, 1]", "unknown"),
        ("-1, when it is not there", "unknown"),
        ("3.", "unknown"),
        ('"text"', "unknown"),
        ("None", "unknown"),
        ("null, if there is none", "unknown"),
        # What goes on with an alternative is not known.
        ("list, tuple or set", "unknown"),
        ("list of int, or None if missing", "unknown"),
        ("str, bytes", "unknown"),
        ("list[str], tuple[str, ...]", "unknown"),
        ("int，若没有则 None", "unknown"),
        ("", "unknown"),
        ("[", "unknown"),
    ],
)
def test_only_whole_types_are_read(text: str, found: str) -> None:
    assert str(type_in_words(text)) == found


def test_forms_of_what_is_said_about_parameters() -> None:
    text = (
        "参数：arr1[number]，matrix[number[]]\n"
        " * - n: integer, how many\n"
        "k (string) is a key; count[number] says nothing\n"
        "返回值: number[]\n"
    )
    names = ["arr1", "matrix", "n", "k", "count"]
    assert {said.name: str(said.type) for said in prose_types(text, names)} == {
        "arr1": "list[float]",
        "matrix": "list[float]",
        "n": "int",
        "k": "str",
        "return": "list[float]",
    }


def test_what_is_said_twice_is_not_taken() -> None:
    assert prose_types("a: int\na: string", ["a"]) == ()


@pytest.mark.parametrize(
    ("line", "call", "value"),
    [
        ("# merge([1, 3], [2]) == [1, 2, 3]", "merge([1, 3], [2])", "[1, 2, 3]"),
        ("// f('a') === \"b\";", "f('a')", '"b"'),
        ("* For example: f(3) -> 1", "f(3)", "1"),
        ("`f(3)` ➞ 1", "f(3)", "1"),
        ("例如：f(3) => 1", "f(3)", "1"),
        ("f(3); // => 1", "f(3)", "1"),
    ],
)
def test_examples_in_their_forms(line: str, call: str, value: str) -> None:
    [found] = stated_examples(line)
    assert (found.call.strip("`;"), found.value) == (call, value)


@pytest.mark.parametrize(
    "text",
    [
        "Return items[0], or None if it is empty.",
        'Looks up items["name"].',
        "Input: items = [1, 2], (n: 5)",
        "options: { n: boolean, items: string }",
        "items: see n",
    ],
)
def test_what_is_said_of_values_is_no_type(text: str) -> None:
    assert prose_types(text, ["items", "n"]) == ()


def test_long_lines_are_read_in_time() -> None:
    for count in (40, 4000):
        prose_types("a: x y, " * count, ["a"])
        list(stated_examples("f(" + "-" * count))


@pytest.mark.parametrize(
    "line", ["if f(3): return 4", "f(1) // 2", "f(x) returns 4", "f(3) = 4", "see f(3)"]
)
def test_sentences_are_no_examples(line: str) -> None:
    assert not list(stated_examples(line))


def test_python_comments_are_read() -> None:
    source = (
        "import x\n\n\n# words[string], n: int\n# 返回：string\n@cache\n"
        "def f(words, n, m):  # m: float\n    # f(['a'], 1, 2.5) == 'a'\n    return x.y(words)\n"
    )
    [found] = infer_python(source).signatures
    assert str(found) == "f(words: list[str], n: int, m: float) -> str"
    assert found.result is not None
    assert found.result.because[0].line == 5


@given(st.text(alphabet="a1[](){}<>,:：*/#=->. \n`返回returns", max_size=60))
def test_any_text_is_read(text: str) -> None:
    prose_types(text, ["a"])
    list(stated_examples(text))
