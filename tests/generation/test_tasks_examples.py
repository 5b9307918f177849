"""Examples in every spelling become calls with the value, exception or output they show."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core import Example, Task
from codekiln.generation.tasks import read_task

HEAD = "Write a function.\n\n## Examples\n"


def read(examples: str, head: str = HEAD) -> tuple[Example, ...]:
    return read_task(head + examples).examples


def only(examples: str, head: str = HEAD) -> Example:
    (example,) = read(examples, head)
    return example


@pytest.mark.parametrize(
    "line",
    [
        "f(1, 2) -> 3",
        "f(1, 2) => 3",
        "f(1, 2) == 3",
        "f(1, 2) = 3",
        "f(1, 2) → 3",
        "f(1, 2) ⇒ 3",
        "f(1, 2) ==> 3",
        "f(1, 2) returns 3",
        "f(1, 2) should return 3.",
        "f(1, 2) 返回 3。",
        "- f(1, 2) -> 3",
        "* `f(1, 2)` -> `3`",
        "1. f(1, 2) -> 3",
        "2) **f(1, 2)** -> 3",
        "`f(1, 2) -> 3`",
        "f(1, 2) -> 3  # the sum",
        "f(1, 2) -> 3 (the sum)",
        "f(1, 2) -> 3, because 1 + 2 is 3",
        "assert f(1, 2) == 3",
        'assert f(1, 2) == 3, "wrong"',
        "assert 3 == f(1, 2)",
        "输入：f(1, 2) 输出：3",
        "输入: f(1, 2)，输出: 3",
        "输入：f(1, 2)\n输出：3",
        "Input: f(1, 2)\nOutput: 3",
        "**Input:** f(1, 2)\n**Output:** 3",
        "Input: `f(1, 2)` Output: `3`",
        "Input:\n```\nf(1, 2)\n```\nOutput:\n```\n3\n```",
        "### Input\nf(1, 2)\n### Output\n3",
        ">>> f(1, 2)\n3",
        "```python\n>>> f(1, 2)\n3\n```",
        "```python\nf(1, 2)  # -> 3\n```",
        "```python\nassert f(1, 2) == 3\n```",
        "```\nf(1, 2) -> 3\n```",
        "| call | expected |\n|------|:---|\n| f(1, 2) | 3 |",
        "| input | why | output |\n|---|---|---|\n| `f(1, 2)` | sum | `3` |",
        "Example 1: f(1, 2) -> 3",
        "**Example 1:**\nf(1, 2) -> 3",
        "For instance f(1, 2) returns 3 and that is it.",
        "f（1， 2） -> 3",
    ],
)
def test_one_call_with_its_value_in_every_spelling(line: str) -> None:
    example = only(line)
    assert ast.dump(ast.parse(example.call or "")) == ast.dump(ast.parse("f(1, 2)"))
    assert (example.expected, example.session, example.why_not) == ("3", 0, "")


@pytest.mark.parametrize(
    ("line", "call", "expected"),
    [
        ("assert abs(f(2) - 1.41) < 1e-6", "abs(f(2) - 1.41) < 1e-6", "True"),
        ("assert not f(1)", "not f(1)", "True"),
        ("assert f(1)", "bool(f(1))", "True"),
        ("assert f(1) is None", "f(1)", "None"),
        ("assert f(1) == f(2)", "f(1) == f(2)", "True"),
        ("assert (f(1) ==\n    [1])", "f(1)", "[1]"),
        ("f(4) > 3", "f(4) > 3", "True"),
        ("len(f(4)) -> 3", "len(f(4))", "3"),
        ('f("a -> b") -> "c => d"', 'f("a -> b")', '"c => d"'),
        ("f(x=1) = 2", "f(x=1)", "2"),
        ("f(true, null) -> [false]", "f(True, None)", "[False]"),
        ('f("true") -> "null"', 'f("true")', '"null"'),
        ("f(“a”，1) -> “b”", 'f("a",1)', '"b"'),
        ("f(1) -> 无", "f(1)", "None"),
        ("f(1) -> inf", "f(1)", "float('inf')"),
        ("f(1) -> Point(1, 2)", "f(1)", "Point(1, 2)"),
        ("f(1) -> math.pi * 2", "f(1)", "math.pi * 2"),
        ("f(1) -> 1, 2", "f(1)", "1, 2"),
        ("f(\n [1,\n  2]) -> 3", "f(\n [1,\n  2])", "3"),
        ("f(1) -> -1.5e3", "f(1)", "-1.5e3"),
    ],
)
def test_unusual_pairs_keep_their_meaning(line: str, call: str, expected: str) -> None:
    example = only(line)
    assert (example.call, example.expected) == (call, expected)


@pytest.mark.parametrize(
    "line",
    [
        "f(-1) raises ValueError",
        "f(-1) -> ValueError",
        "f(-1) => raises ValueError",
        "f(-1) should raise ValueError",
        "f(-1) 抛出 ValueError",
        '- `f(-1)` raises `ValueError("negative")`',
        "输入：f(-1) 输出：ValueError",
        ">>> f(-1)\nTraceback (most recent call last):\n    ...\nValueError: negative",
        "```python\nwith pytest.raises(ValueError):\n    f(-1)\nassert f(-1) != 0\n```",
    ],
)
def test_an_exception_is_what_is_expected(line: str) -> None:
    example = read(line)[0]
    assert (example.call, example.raises, example.expected) == ("f(-1)", "ValueError", None)


@pytest.mark.parametrize(
    ("line", "call", "stdout"),
    [
        ("f(1) prints hello", "f(1)", "hello\n"),
        ("print(f(1)) -> 3", "print(f(1))", "3\n"),
        (">>> print(f(1))\n3", "print(f(1))", "3\n"),
        (">>> f(1)\nhello world", "f(1)", "hello world\n"),
        (">>> f(1)\na\n<BLANKLINE>\nb", "f(1)", "a\n\nb\n"),
        (">>> for x in f(1): print(x)\n1\n2", "exec('for x in f(1): print(x)')", "1\n2\n"),
    ],
)
def test_printed_output_is_told_from_a_value(line: str, call: str, stdout: str) -> None:
    example = only(line)
    assert (example.call, example.stdout, example.expected) == (call, stdout, None)


def test_a_doctest_shows_reprs_values_and_things_that_cannot_be_compared() -> None:
    examples = read(
        ">>> f(1)\nPoint(x=1, y=2)\n>>> f(2)\n{'a': 1,\n 'b': [2]}\n>>> f(3)\n<A object at 0x7f0>\n"
        ">>> f(\n...     4)\n'x'\n>>> f(5)  # doctest: +SKIP\n6\n"
    )
    assert [(e.call, e.expected) for e in examples] == [
        ("repr(f(1))", "'Point(x=1, y=2)'"),
        ("f(2)", "{'a': 1,\n 'b': [2]}"),
        (None, None),
        ("f(\n    4)", "'x'"),
    ]
    assert "open" in examples[2].why_not


def test_a_doctest_ends_where_prose_begins() -> None:
    task = read_task("Write f.\n\n>>> f(1)\n2\n\nIt must be fast.\n>>> f(2)\n3\n")
    assert [(e.call, e.expected) for e in task.examples] == [("f(1)", "2"), ("f(2)", "3")]


def test_several_pairs_on_one_line_are_all_read() -> None:
    assert [(e.call, e.expected) for e in read("f(1) -> 2, f(2) -> 3; f(3) -> [4, 5].")] == [
        ("f(1)", "2"),
        ("f(2)", "3"),
        ("f(3)", "[4, 5]"),
    ]
    assert [(e.call, e.expected) for e in read("输入：f(1) 输出：2 输入：f(2) 输出：3")] == [
        ("f(1)", "2"),
        ("f(2)", "3"),
    ]


def test_examples_inside_a_sentence_are_read() -> None:
    task = read_task("Square a number, e.g. square(2) -> 4 and `square(3)` returns `9`.")
    assert [(e.call, e.expected) for e in task.examples] == [
        ("square(2)", "4"),
        ("square(3)", "9"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Write `add(a, b) -> int`.",
        "The value of f(x) is called y.",
        "Call main() and return nothing to worry about, f() is fast",
        "If f(1) is called, do it",
    ],
)
def test_prose_that_only_looks_like_an_example_is_none(text: str) -> None:
    assert read_task(text).examples == ()


def test_named_inputs_become_arguments_of_the_entry_point() -> None:
    text = (
        "Write a function `two_sum`.\n\n**Example 1:**\n\nInput: nums = [2,7], target = 9\n"
        "Output: [0,1]\nExplanation: nums[0] + nums[1] == 9.\n\n**Example 2:**\n\n"
        "Input: nums = [3,3],\ntarget = 6\nOutput: [0,1]\n"
    )
    calls = [(e.call, e.expected) for e in read_task(text).examples]
    assert calls == [
        ("two_sum(nums = [2,7], target = 9)", "[0,1]"),
        ("two_sum(nums = [3,3], target = 6)", "[0,1]"),
    ]


def test_labels_that_are_no_parameters_are_given_by_position() -> None:
    text = "## Signature\n`def area(w, h):`\n## Examples\nInput: width = 2, height = 3\nOutput: 6\n"
    assert read_task(text).examples[0].call == "area(2, 3)"


def test_an_input_without_a_known_function_stays_text_and_is_said_so() -> None:
    task = read_task("Sum a list.\nInput: [1,2,3]\nOutput: 6\n")
    (example,) = task.examples
    assert example.call is None
    assert example.why_not == "the name of the function is not known"
    assert len(task.notes) == 1
    assert "name of the function" in task.notes[0]
    assert (
        read_task("Write `total`.\nInput: [1,2,3]\nOutput: 6\n").examples[0].call
        == "total([1,2,3])"
    )


@pytest.mark.parametrize(
    ("example", "why"),
    [
        ("Input: hello\nOutput: 3", "`hello` in its input is not a value"),
        ("Input: 3\nOutput: hello", "`hello` is not a Python value"),
        ("Input: (1, 2)\nOutput: 3", "one tuple or several arguments"),
        ("Input: 3", "no output"),
        ("f(x) -> 3", "`x` is not defined"),
        ("f(1) -> 4 apples", "not a Python value"),
        ("f(1, ...) -> 4", "leaves something out"),
        ("f(1) -> [1, ...]", "not a Python value"),
        ("f(1)", "says no result"),
        ("it should be fast", "not of the form"),
    ],
)
def test_what_cannot_be_parsed_stays_text_with_the_reason(example: str, why: str) -> None:
    task = read_task(f"Write a function `f`.\n\n## Examples\n{example}\n")
    (read_example,) = task.examples
    assert read_example.call is None
    assert why in read_example.why_not
    assert why in task.notes[0]
    assert read_example.text


def sessions(task: Task) -> list[tuple[str | None, str | None, int]]:
    return [(e.call, e.expected, e.session) for e in task.examples]


def test_bare_method_calls_of_a_class_share_one_session() -> None:
    task = read_task(
        '## 功能描述\n实现键值缓存\n## 示例\n输入：put("key1", 1) 输出：None\n'
        '输入：get("key1") 输出：1\n'
    )
    assert sessions(task) == [('put("key1", 1)', "None", 1), ('get("key1")', "1", 1)]


def test_each_numbered_example_of_a_class_has_its_own_session() -> None:
    task = read_task(
        "Write a `Stack` class.\nExample 1:\npush(1) -> None\npop() -> 1\n"
        "Example 2:\npush(2) -> None\npop() -> 2\n"
    )
    assert [e.session for e in task.examples] == [1, 1, 2, 2]


def test_independent_function_calls_share_nothing() -> None:
    task = read_task(
        "Encode and decode text.\n## Examples\nencode('a') -> 'b'\ndecode('b') -> 'a'\n"
    )
    assert [e.session for e in task.examples] == [0, 0]


def test_assigned_objects_keep_their_lines_together() -> None:
    task = read_task(
        "Write class `Stack`.\n## Examples\n```python\ns = Stack()\ns.push(1)\ns.pop()  # returns 1"
        "\nassert s.empty()\n```\n"
    )
    assert sessions(task) == [
        ("s = Stack()", None, 1),
        ("s.push(1)", None, 1),
        ("s.pop()", "1", 1),
        ("bool(s.empty())", "True", 1),
    ]
    one_line = read_task(
        "Write class `Stack`.\n## Examples\ns = Stack(); s.push(1); s.pop() -> 1\n"
    )
    assert [e.session for e in one_line.examples] == [1, 1, 1]
    assert len(one_line.checks) == 1


def test_operations_and_arguments_in_lists_become_method_calls() -> None:
    task = read_task(
        'Implement LRUCache class.\nInput\n["LRUCache", "put", "get"]\n[[2], [1, 1], [1]]\n'
        "Output\n[null, null, 1]\n"
    )
    assert sessions(task) == [
        ("instance = LRUCache(2)", None, 1),
        ("instance.put(1, 1)", "None", 1),
        ("instance.get(1)", "1", 1),
    ]


def test_the_same_example_twice_counts_once() -> None:
    task = read_task("## Task\nSquare: sq(2) -> 4.\n## Examples\nsq(2) -> 4\nsq(3) -> 9\n")
    assert [e.call for e in task.examples] == ["sq(2)", "sq(3)"]


def test_an_explanation_stays_with_its_example() -> None:
    first, second = read("f(1) -> 2\nExplanation: one more\nf(2) -> 3\n\nNotes: any order\n")
    assert first.text == "f(1) -> 2\nExplanation: one more"
    assert second.text == "f(2) -> 3\nNotes: any order"


def test_what_input_means_in_prose_is_no_example() -> None:
    assert read_task("Input: a list of ints. Output: their sum. Write `my_sum`.").examples == ()


def test_a_coroutine_is_called_without_its_await() -> None:
    assert only("assert await f(1) == [1]").call == "f(1)"
    assert "await" in only("assert len(await f(1)) == 1").why_not


def test_the_text_of_an_example_keeps_its_backticks() -> None:
    assert only('1. `f(3)` returns `"Fizz"`').text == '`f(3)` returns `"Fizz"`'


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
    | st.sampled_from(
        ["a -> b", "f(1) == 2", "输入：1 输出：2", "`", "it's", '"', "# x", "|", "Input: 3"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=4) | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)
FORMS = [
    "{call} -> {value}",
    "{call} => {value}",
    "{call} → {value}",
    "{call} == {value}",
    "{call} returns {value}",
    "- `{call}` -> `{value}`",
    "assert {call} == {value}",
    "assert {value} == {call}",
    "输入：{call} 输出：{value}",
    "输入：{call}\n输出：{value}",
    "Input: {call}\nOutput: {value}",
    "```python\nassert {call} == {value}\n```",
    "```\n{call} -> {value}\n```",
]


@settings(deadline=None)
@given(arguments=st.lists(VALUES, max_size=3), value=VALUES, form=st.sampled_from(FORMS))
def test_any_literals_come_back_the_same_from_every_form(
    arguments: list[object], value: object, form: str
) -> None:
    call = f"solve({', '.join(ascii(argument) for argument in arguments)})"
    example = read(form.format(call=call, value=ascii(value)))[0]
    assert example.call is not None, example.why_not
    node = ast.parse(example.call, mode="eval").body
    assert isinstance(node, ast.Call)
    assert [ast.literal_eval(argument) for argument in node.args] == arguments
    assert ast.literal_eval(example.expected or "") == value


@settings(deadline=None)
@given(arguments=st.lists(VALUES, min_size=1, max_size=3), value=VALUES)
def test_any_literals_come_back_the_same_as_doctest_and_named_inputs(
    arguments: list[object], value: object
) -> None:
    call = f"solve({', '.join(map(ascii, arguments))})"
    if value is not None:
        doctest = only(f">>> {call}\n{value!a}\n")
        assert (doctest.call, ast.literal_eval(doctest.expected or "")) == (call, value)
    named = ", ".join(f"p{i} = {argument!a}" for i, argument in enumerate(arguments))
    example = only(f"Input: {named}\nOutput: {value!a}\n", "Write `solve`.\n## Examples\n")
    node = ast.parse(example.call or "", mode="eval").body
    assert isinstance(node, ast.Call)
    assert [ast.literal_eval(keyword.value) for keyword in node.keywords] == arguments
    assert ast.literal_eval(example.expected or "") == value
