"""Tasks are recognised by their content: sentence, Markdown, JSON, stub; bad ones are refused."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core import ContextFile
from codekiln.core.errors import UsageError
from codekiln.generation.tasks import read_task, read_task_file
from codekiln.generation.tasks.source import PROVIDED_MODULES, PROVIDED_NAMES
from codekiln.verify.harness import KNOWN_MODULES, KNOWN_NAMES

MARKDOWN = """# Matrix tools

{description}

Turn the rows of a matrix around with `flip_rows`.

{examples}

- flip_rows([[1], [2]]) -> [[2], [1]]

{constraints}

- do not change the argument,
  return a new list
- O(n) time
"""


def test_a_plain_sentence_is_a_description() -> None:
    task = read_task("  Sort words by length.\n")
    assert task.description == "Sort words by length."
    assert (task.language, task.entry_point, task.examples, task.notes) == ("python", "", (), ())


@pytest.mark.parametrize(
    ("description", "examples", "constraints"),
    [
        ("## Description", "## Examples", "## Constraints"),
        ("# Task", "### Input/Output Examples:", "#### Requirements"),
        ("## 1. Description", "## 2. Input / Output examples", "## 3. Constraints"),
        ("## 功能描述", "## 输入输出示例", "## 约束条件"),
        ("##功能描述", "##示例", "##限制条件"),
        ("**Description**", "**Examples**", "**Constraints**"),
        ("**Description:**", "**Examples:**", "**Constraints:**"),
        ("Description:", "Examples:", "Constraints:"),
        ("【功能描述】", "【示例】", "【约束条件】"),
        ("一、功能描述", "二、示例", "三、约束条件："),
        ("Description\n-----------", "Examples\n========", "Constraints\n---"),
    ],
)
def test_three_sections_are_found_under_many_headings(
    description: str, examples: str, constraints: str
) -> None:
    text = MARKDOWN.format(description=description, examples=examples, constraints=constraints)
    if description.startswith("一"):
        text = text.replace("一、", "## 一、").replace("二、", "## 二、").replace("三、", "## 三、")
    task = read_task(text)
    assert "Matrix tools" in task.description
    assert "flip_rows" in task.description
    assert "Examples" not in task.description
    assert [(e.call, e.expected) for e in task.examples] == [
        ("flip_rows([[1], [2]])", "[[2], [1]]")
    ]
    assert task.constraints == (
        "do not change the argument, return a new list",
        "O(n) time",
    )
    assert task.entry_point == "flip_rows"


def test_a_section_of_the_users_own_stays_in_the_description() -> None:
    task = read_task("## Task\nDo f.\n## Background\nIt is old.\n## Examples\nf(1) -> 2\n")
    assert task.description.split() == ["Do", "f.", "Background", "It", "is", "old."]


def test_headings_inside_code_fences_are_no_sections() -> None:
    task = read_task("## Description\nParse this:\n```\n# Examples\nf(1) -> 2\n```\n")
    assert "# Examples" in task.description
    assert task.examples == ()


def test_a_label_line_carries_its_text() -> None:
    task = read_task(
        "**Description:** Double x.\n**Examples:** double(2) -> 4\n**Constraints:** x > 0"
    )
    assert task.description == "Double x."
    assert task.constraints == ("x > 0",)
    assert task.examples[0].expected == "4"


def test_language_and_signature_have_sections_too() -> None:
    task = read_task(
        "## Description\nAdd.\n## Signature\n```python\ndef add(a: int, b: int) -> int\n```\n"
        "## Examples\nInput: (1, 2)\nOutput: 3\n"
    )
    assert task.signature == "def add(a: int, b: int) -> int"
    assert task.examples[0].call == "add(1, 2)"
    assert read_task("## Description\nAdd.\n## Language\nRust\n").language == "rust"


def test_a_language_in_the_description_is_taken_and_said() -> None:
    task = read_task("Write a Swift function that adds two numbers, add(1, 2) -> 3")
    assert task.language == "swift"
    assert any("Swift" in note for note in task.notes)
    (example,) = task.examples
    assert example.call is None
    assert "not run" in example.why_not


@pytest.mark.parametrize(
    "text",
    [
        "Convert JSON to a dict",
        "Make it go in C order",
        "Parse a Java class name in Python",
        "go fast",
        "Compare C and Rust code",
        "Write a Pony class that inherits from Animal",
        "Count the vertices in V.",
        "Use the 3-D method",
    ],
)
def test_a_language_that_is_only_mentioned_is_not_taken(text: str) -> None:
    assert read_task(text).language == "python"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Write it in Racket.", "racket"),
        ("Write a stack in Objective-C that counts.", "objc"),
        ("Write a COBOL program", "cobol"),
    ],
)
def test_a_rarer_language_is_taken_from_the_description_too(text: str, name: str) -> None:
    assert read_task(text).language == name


@pytest.mark.parametrize("name", ["make", "hack", "d", "fish", "v"])
def test_a_function_may_be_called_like_a_language_that_is_a_word(name: str) -> None:
    assert read_task(f"Write a function called {name} that adds 1").entry_point == name


def test_the_callers_language_wins() -> None:
    assert read_task("Write a Go function", language="py").language == "python"
    with pytest.raises(UsageError, match="pyton"):
        read_task("x", language="pyton")


def test_a_function_stub_gives_skeleton_signature_and_words() -> None:
    text = '''from typing import List


def head(xs: List[int],
         n: int = 1) -> List[int]:
    """The first n items.

    Examples:
        >>> head([1, 2])
        [1]
    """
    raise NotImplementedError
'''
    task = read_task(text)
    assert task.entry_point == "head"
    assert task.signature == "def head(xs: List[int],\n         n: int = 1) -> List[int]:"
    assert task.description == "The first n items."
    assert task.skeleton == text.strip("\n")
    assert [(e.call, e.expected) for e in task.examples] == [("head([1, 2])", "[1]")]


def test_a_stub_whose_body_is_only_a_heading_is_completed() -> None:
    task = read_task("def f(x):  # doubles x\n")
    assert task.entry_point == "f"
    assert task.skeleton.endswith("...")


def test_the_open_definition_is_the_one_asked_for() -> None:
    task = read_task('def given(x):\n    return x\n\n\ndef wanted(x):\n    """Use given."""\n')
    assert task.entry_point == "wanted"
    assert "def given" in task.skeleton


def test_a_class_stub_keeps_one_session_for_its_doctest() -> None:
    task = read_task(
        'class Bag:\n    """A bag.\n\n    >>> b = Bag()\n    >>> b.add(1)\n    >>> b.size()\n'
        '    1\n    """\n    def add(self, x): ...\n    def size(self): ...\n'
    )
    assert task.entry_point == "Bag"
    assert task.signature == "class Bag:"
    assert {example.session for example in task.examples} == {1}
    assert len(task.checks) == 1


def test_a_stub_inside_markdown_becomes_the_skeleton() -> None:
    task = read_task("## Task\nComplete it.\n```python\ndef inc(x: int) -> int:\n    ...\n```\n")
    assert task.entry_point == "inc"
    assert task.skeleton.startswith("def inc")
    assert task.description == "Complete it."


def test_json_reads_every_field_of_a_task() -> None:
    task = read_task(
        json.dumps(
            {
                "description": "Add.",
                "language": "py",
                "entry_point": "add",
                "signature": "def add(a, b):",
                "constraints": ["fast"],
                "context": [{"path": "a.py", "text": "A = 1"}],
                "examples": [
                    "add(1, 2) -> 3",
                    {"call": "add(2, 2)", "expected": 4},
                    {"input": [3, 4], "output": 7},
                    {"args": [1, 0], "expected": "1"},
                    {"input": {"a": 1, "b": 1}, "output": 2},
                    {"call": "add(1, 'a')", "raises": "TypeError"},
                    {"call": "print(add(1, 1))", "stdout": "2\n"},
                ],
            }
        )
    )
    assert [(e.call, e.expected, e.raises, e.stdout) for e in task.examples] == [
        ("add(1, 2)", "3", None, None),
        ("add(2, 2)", "4", None, None),
        ("add(3, 4)", "7", None, None),
        ("add(1, 0)", "1", None, None),
        ("add(a=1, b=1)", "2", None, None),
        ("add(1, 'a')", None, "TypeError", None),
        ("print(add(1, 1))", None, None, "2\n"),
    ]
    assert task.context == (ContextFile("a.py", "A = 1"),)
    assert task.constraints == ("fast",)


def test_json_texts_that_are_no_source_are_values() -> None:
    task = read_task(
        '{"description": "d", "entry_point": "rev","examples": [{"input": "abc", "output": "cba"}]}'
    )
    assert (task.examples[0].call, task.examples[0].expected) == ("rev('abc')", "'cba'")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('{"description": "a",}', r"line 1, column \d+"),
        ('{\n  "description": "a"\n  "x": 1}', "line 3, column 3"),
        ('{"description": "a", "exmaples": []}', r"'exmaples'.*Known are: description"),
        ('{"description": 3}', "description is a JSON number"),
        ('{"description": "a", "examples": [3]}', "example 1 is a JSON number"),
        ('{"description": "a", "examples": [{"cal": "f()"}]}', "'cal'"),
        ('{"description": "a", "examples": [{"call": "f()", "input": 1}]}', "call and input"),
        ('{"description": "a", "constraints": [1]}', "constraints"),
        ('{"description": "a", "context": [{"file": "x"}]}', "'file'"),
        ('{"examples": []}', "no description"),
        ('{"description": "a", "language": "pyton"}', "pyton"),
        ("", "is empty"),
        (" \n\t ", "is empty"),
        ("x" * 200_001, "200,001 characters"),
    ],
)
def test_a_malformed_task_is_refused_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint) as raised:
        read_task(text, origin="task.json")
    assert "\n" not in str(raised.value)
    assert "task.json" in str(raised.value) or "pyton" in complaint


def test_a_task_written_as_json_is_read_back() -> None:
    task = read_task(
        MARKDOWN.format(description="## Task", examples="## Examples", constraints="## Rules")
    )
    again = read_task(json.dumps(asdict(task)))
    assert again == task


def test_files_are_read_by_suffix(tmp_path: Path) -> None:
    (tmp_path / "t.md").write_bytes(
        "\ufeff## Task\r\nDo f.\r\n## Examples\r\nf(1) -> 2\r\n".encode()
    )
    task = read_task_file(tmp_path / "t.md", context=[ContextFile("a", "b")])
    assert task.examples[0].call == "f(1)"
    assert task.context == (ContextFile("a", "b"),)
    (tmp_path / "t.py").write_text("def f(x): ...\n")
    assert read_task_file(tmp_path / "t.py").entry_point == "f"
    for name, data, complaint in [
        ("missing.md", None, "cannot be read: No such file"),
        ("bad.json", b"[1]", "holds a JSON list"),
        ("text.json", b"Do it", "not valid JSON at line 1"),
        ("bad.py", b"x = (", "no Python function"),
        ("latin.md", b"caf\xe9", "not UTF-8"),
        ("empty.md", b"", "is empty"),
    ]:
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(UsageError, match=complaint) as raised:
            read_task_file(tmp_path / name)
        assert name in str(raised.value)


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_task_file(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Write a function `add` for numbers", "add"),
        ("Write a function named add2.", "add2"),
        ("Implement the function merge_all that merges", "merge_all"),
        ("Write a class `Stack`", "Stack"),
        ("Write a Counter class with inc", "Counter"),
        ("编写一个函数 add_all，求和", "add_all"),
        ("实现名为 LRUCache 的类", "LRUCache"),
        ("写一个 add 函数", "add"),
        ("Write is_prime.", "is_prime"),
        ("Write flip(x).", "flip"),
        ("Write a function that returns 3", ""),
        ("Write a Python class", ""),
        ("写一个Python函数", ""),
        ("实现一个LRU缓存类", ""),
        ("Write a function to sort. s([1]) -> [1]", "s"),
    ],
)
def test_the_entry_point_is_deduced(text: str, name: str) -> None:
    assert read_task(text).entry_point == name


def test_a_call_shape_in_backticks_is_the_signature() -> None:
    task = read_task("Write a function `clamp(x: float, lo=0, hi=1) -> float`.")
    assert task.signature == "def clamp(x: float, lo=0, hi=1) -> float:"


def test_names_that_examples_may_use_are_those_that_checks_provide() -> None:
    assert set(PROVIDED_NAMES.items()) <= set(KNOWN_NAMES.items())
    assert PROVIDED_MODULES <= KNOWN_MODULES


FRAGMENTS = """# | ## Examples | 输入： | 输出： | f( | ) | -> | == | ' | " | ` | ``` | >>>
... | Input: | Output: | {" | { | } | : | [ | 1 | assert | def f | class A | \\ | “ | ， | - | **
raises | None | raise | Traceback (most recent call last): | Example 1: | s = S() | lambda: 0
print( | |---|---|"""
PIECES = st.sampled_from(
    [
        *FRAGMENTS.replace("\n", " | ").split(" | "),
        "|",
        "\n",
        " ",
        "\t",
        "\x00",
        "\ud800",
        "9" * 5000,
    ]
)


@settings(deadline=None)
@given(st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join))
def test_no_text_makes_the_reader_raise_anything_but_a_usage_error(text: str) -> None:
    for language in (None, "rust"):
        try:
            task = read_task(text, language=language)
        except UsageError:
            continue
        assert task.description
        for example in task.examples:
            assert (example.call is None) == bool(example.why_not)


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["description", "examples", "call", "input", "args", "expected", "x"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    )
)
def test_no_json_makes_the_reader_raise_anything_but_a_usage_error(data: object) -> None:
    for value in (
        data,
        {"description": "d", "examples": data},
        {"description": "d", "context": data},
    ):
        with contextlib.suppress(UsageError):
            assert read_task(json.dumps(value)).description


@pytest.mark.parametrize(
    "text", ["(" * 5000, "f(" * 3000 + ") -> x", "-" * 50_000 + "1", "[" * 100_000]
)
def test_deep_and_long_texts_are_only_text(text: str) -> None:
    assert read_task(f"Do it.\n{text}").examples == ()
    assert read_task(f"## Task\nDo it.\n## Examples\n{text}").checks == ()


def test_a_heading_on_a_line_of_its_own_in_prose_names_the_function() -> None:
    task = read_task(
        "Return the indices of the two numbers that add up to the target.\n\n"
        "def two_sum(nums, target):\n\n"
        "Input: nums = [2, 7], target = 9\nOutput: [0, 1]"
    )
    assert task.entry_point == "two_sum"
    assert task.signature == "def two_sum(nums, target):"
    assert [(e.call, e.expected) for e in task.examples] == [
        ("two_sum(nums = [2, 7], target = 9)", "[0, 1]")
    ]


@pytest.mark.parametrize(
    ("language", "signature"),
    [
        ("python", "def merge(a, b):"),
        ("typescript", "function merge(a, b)"),
        ("javascript", "function merge(a, b)"),
        # What the language's own words for it are is the model's to say.
        ("rust", ""),
    ],
)
def test_a_signature_in_the_text_is_put_in_the_language_of_the_task(
    language: str, signature: str
) -> None:
    task = read_task("Write a function `merge(a, b)` that merges two lists.", language=language)
    assert (task.entry_point, task.signature) == ("merge", signature)


def test_names_that_the_language_does_not_allow_leave_the_signature_open() -> None:
    task = read_task("Write a function `copy(new, n=0)` in JavaScript.", language="javascript")
    assert (task.entry_point, task.signature) == ("copy", "")


def test_a_signature_that_was_given_stays_as_it_is() -> None:
    given = "def add(a: int, b: int) -> int:"
    task = read_task(
        json.dumps({"description": "Add.", "language": "go", "signature": given}), language="go"
    )
    assert task.signature == given
