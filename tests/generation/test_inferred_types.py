"""What a task implies about types, and how the model is told."""

from __future__ import annotations

import pytest

from codekiln.core import Example, Task
from codekiln.generation import read_task
from codekiln.generation.inferred_types import inferred_signature, with_types

MERGE = (Example("", "merge([1, 3], [2])", "[1, 2, 3]"), Example("", "merge([], [])", "[]"))

# Examples of other languages stay text.
TEXT = (Example("merge([1, 3], [2]) === [1, 2, 3]"), Example(">>> merge([], [])\n[]"))


@pytest.mark.parametrize(
    ("task", "signature"),
    [
        (
            Task("Merge.", signature="def merge(a, b):", examples=MERGE),
            "merge(a: list[int], b: list[int]) -> list[int]",
        ),
        # Without names only types are told, and numbers of no kind are floats.
        (
            Task("Merge arr1[number].\n返回：number[]", examples=MERGE),
            "merge(list[int], list[int]) -> list[float]",
        ),
        (
            Task("", "javascript", TEXT, signature="function merge(a, b)"),
            "merge(a: number[], b: number[]): number[]",
        ),
        (
            Task("", "typescript", TEXT, skeleton="function merge(a: any, b: number[]) {\n"),
            "merge(a, b: number[]): number[]",
        ),
        # What a skeleton holds is to be filled in.
        (
            Task("", "javascript", TEXT, skeleton="function merge(a, b) {\n  // code\n}"),
            "merge(a: number[], b: number[]): number[]",
        ),
        (
            Task("", "python", MERGE, skeleton="def merge(a, b):\n    r = None\n    return r"),
            "merge(a: list[int], b: list[int]) -> list[int]",
        ),
        (
            Task("", "typescript", TEXT, signature="function merge(a, b: { x: 1 }[])"),
            "merge(a: number[], b: { x: 1 }[]): number[]",
        ),
        (
            Task("b: list of int", signature="def merge(a: list[str], b):", examples=MERGE[1:]),
            "merge(a: list[str], b: list[int]) -> list[Any]",
        ),
    ],
)
def test_examples_and_words_imply_types(task: Task, signature: str) -> None:
    task = Task(task.description, task.language, task.examples, (), "merge", *task_code(task))
    assert inferred_signature(task) == signature
    assert with_types(task, signature).constraints == (
        f"Types, inferred from the task: `{signature}`",
    )


def task_code(task: Task) -> tuple[str, str]:
    return task.signature, task.skeleton


@pytest.mark.parametrize(
    "task",
    [
        Task("Merge.", entry_point="merge"),
        Task("Merge.", examples=MERGE),
        Task("Merge.", "rust", MERGE, entry_point="merge"),
        Task("", examples=MERGE[:1], entry_point="merge", signature="def merge(a: str, b) -> str:"),
        Task("", entry_point="merge", signature="def merge(a: int) -> int:"),
        Task("", examples=MERGE, entry_point="merge", signature="def merge(a, b"),
        Task("", examples=(Example("", "merge([1], key=2)", "1"),), entry_point="merge"),
        Task("", examples=(Example("", "merge(len, 2)", "1"),), entry_point="merge"),
        Task("", examples=(Example("", f"merge({'-' * 3000}1)", "1"),), entry_point="merge"),
        Task("Return merge[0], or None.", "javascript", entry_point="merge"),
    ],
)
def test_what_is_declared_or_contradicts_or_unknown_is_not_told(task: Task) -> None:
    assert inferred_signature(task) is None
    assert with_types(task, None) is task


def test_a_written_task_is_read_whole() -> None:
    task = read_task(
        "# 合并\n## 功能描述\n合并 arr1[number] 和 arr2[number]，返回：number[]\n## 示例\n"
        "merge([1, 3], [2]) == [1, 2, 3]\n## 约束条件\n- O(n)\n",
        language="javascript",
    )
    assert inferred_signature(task) == "merge(number[], number[]): number[]"
