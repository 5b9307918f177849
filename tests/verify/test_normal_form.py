"""Two programs have one normal form only when they do the same."""

from __future__ import annotations

import pytest

from codekiln.verify import normalise

BASE = "def f(a, b):\n    total = a\n    for item in b:\n        total += item\n    return total\n"


@pytest.mark.parametrize(
    "same",
    [
        BASE.replace("total", "acc").replace("item", "x"),
        '"""Module."""\n' + BASE,
        BASE.replace("    total = a\n", '    """Doc."""\n    # comment\n\n    total = (a)\n'),
        BASE.replace("\n", "\n\n"),
    ],
)
def test_layout_comments_docstrings_and_local_names_do_not_count(same: str) -> None:
    assert normalise(same) == normalise(BASE)


@pytest.mark.parametrize(
    "other",
    [
        BASE.replace("a, b", "b, a"),
        BASE.replace("f(a", "g(a"),
        BASE.replace("+=", "-="),
        BASE.replace("return total", "return item"),
        BASE.replace("(a, b)", "(a, c)").replace("in b", "in c"),
        BASE.replace("total", "a"),
    ],
)
def test_interface_and_behaviour_count(other: str) -> None:
    assert normalise(other) != normalise(BASE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f():\n    global n\n    n = 1\n", "def f():\n    global m\n    m = 1\n"),
        (
            "def f():\n    x = 1\n    return locals()\n",
            "def f():\n    y = 1\n    return locals()\n",
        ),
        ("def f():\n    return [g for g in g]\n", "def f():\n    return [h for h in h]\n"),
        (
            "def f(v):\n    y = [n for n in v]\n    return n\n",
            "def f(v):\n    y = [m for m in v]\n    return m\n",
        ),
        ("def f():\n    import re\n    return re\n", "def f():\n    import os\n    return os\n"),
        ("def f():\n    return f.__doc__", 'def f():\n    "d"\n    return f.__doc__'),
        ("x = 'a  b'", "x = 'a b'"),
    ],
)
def test_renaming_that_would_not_be_sound_is_not_done(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


def test_text_that_does_not_parse_is_compared_as_text() -> None:
    assert normalise("def f(:\n  1 ") == normalise("def f(:\n\n  1")
    assert normalise("def f(:") != normalise("def g(:")
    assert normalise("(" * 10_000) == "(" * 10_000


def test_other_languages_ignore_only_blank_ends() -> None:
    assert normalise("a {  \n\n}\n", "c") == normalise("a {\n}", "c")
    assert normalise("a { }", "c") != normalise("a {}", "c")
