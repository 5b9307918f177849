"""Spellings that users choose and that were once misread."""

from __future__ import annotations

import pytest

from codekiln.generation import read_task


def checks(text: str) -> list[tuple[str | None, str | None]]:
    return [(e.call, e.raises or e.expected) for e in read_task(text).checks]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write f(n). f(1) == 2, f(2) == 3", [("f(1)", "2"), ("f(2)", "3")]),
        ("Write f(n). f(1) == 2 and f(2) == 3", [("f(1)", "2"), ("f(2)", "3")]),
        ("Write fib(n)。fib(10)==55，fib(0)==0", [("fib(10)", "55"), ("fib(0)", "0")]),
        (
            "Write is_even(n). is_even(2) is true, is_even(3) is false",
            [("is_even(2)", "True"), ("is_even(3)", "False")],
        ),
        ("# Task\nWrite f(n).\n# Examples\n- f(1) == 2, f(2) == 3", [("f(1)", "2"), ("f(2)", "3")]),
        (
            "Write ratio(a, b). ratio(4, 2) -> 2.0, ratio(1, 0) raises a ValueError.",
            [("ratio(4, 2)", "2.0"), ("ratio(1, 0)", "ValueError")],
        ),
        ("Write add(a, b). Input: add(1, 2) Output: 3", [("add(1, 2)", "3")]),
        (
            "实现函数 add。add(1, 1) 返回 2。输入：add(-1, 1) 输出：0",
            [("add(1, 1)", "2"), ("add(-1, 1)", "0")],
        ),
        ('编写函数 f。输入：f("a,b") 输出：["a", "b"]', [('f("a,b")', '["a", "b"]')]),
    ],
)
def test_examples_side_by_side_in_a_sentence_are_told_apart(
    text: str, expected: list[tuple[str, str]]
) -> None:
    assert checks(text) == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Create class Stack with push.", "Stack"),
        ("Implement class Stack", "Stack"),
        ("Write the Stack class", "Stack"),
        ("Write f(x) that adds 1.\n\n```python\ndef test_f():\n    assert f(1) == 2\n```", "f"),
        (
            "I have this helper:\n```python\ndef slug(s):\n    return s.lower()\n```\n"
            "Write a function title(s) that uses it.",
            "title",
        ),
        ("Complete this:\n```python\ndef two_sum(nums, target):\n    ...\n```", "two_sum"),
    ],
)
def test_the_entry_point_is_what_was_asked_for(text: str, name: str) -> None:
    assert read_task(text).entry_point == name


def test_an_example_that_cannot_be_read_is_said() -> None:
    task = read_task('Write f(s). f("a") -> a, f("b") -> "b"')
    assert [e.call for e in task.checks] == ['f("b")']
    assert any(example.why_not for example in task.examples)


def test_a_table_in_prose_is_no_list_of_examples() -> None:
    table = "| Weight | Zones |\n|---|---|\n| 1 | 5 |\n| 5 | 9 |"
    assert checks(f"Write shipping(kg) by weight.\n\n{table}\n\nshipping(0.5) -> 7") == [
        ("shipping(0.5)", "7")
    ]


def test_statements_before_a_call_in_a_sentence_prepare_it() -> None:
    task = read_task(
        "Write a class Stack with push and pop. s = Stack(); s.push(1); s.push(2); s.pop() -> 2"
    )
    calls = [example.call for example in task.examples]
    assert calls == ["s = Stack()", "s.push(1)", "s.push(2)", "s.pop()"]
    assert len({example.session for example in task.examples}) == 1
    assert task.examples[-1].session > 0
