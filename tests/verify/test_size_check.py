"""What cannot bear the size that the task names fails, and nothing else does."""

from __future__ import annotations

import pytest

from codekiln.core import Task, Verdict
from codekiln.generation import read_task
from codekiln.sandbox import Isolation, open_isolation
from codekiln.verify import assess
from codekiln.verify.size_check import named_size, size_pairs

SORT = read_task(
    "# Sort\n\n## Description\nWrite `sort_up(items: list[int]) -> list[int]`, the numbers in "
    "ascending order.\n\n## Examples\nsort_up([]) -> []\nsort_up([3, 1, 2]) -> [1, 2, 3]\n\n"
    "## Constraints\n- Must work for lists of 5,000 numbers, sorted, reversed or all equal.\n"
)
NAIVE = """
def sort_up(items):
    if not items:
        return []
    first, *rest = items
    below = [item for item in rest if item < first]
    above = [item for item in rest if item >= first]
    return sort_up(below) + [first] + sort_up(above)
"""


@pytest.fixture(scope="module")
def sandbox() -> Isolation:
    return open_isolation()


@pytest.mark.parametrize(
    ("text", "items", "characters"),
    [
        ("Must work for lists of 20,000 numbers that are sorted.", 20_000, 0),
        ("It must work\nfor lists of length 20,000.", 20_000, 0),
        ("It should handle arrays with up to 10**5 integers", 100_000, 0),
        ("Works for a list of 1000000 values", 200_000, 0),
        ("Must work for texts of 100,000 characters.", 0, 100_000),
        ("Must handle strings of 10^4 letters", 0, 10_000),
        ("Must return a list of 12 numbers", 0, 0),
        ("For ten items the result must be a list of 1,024 subsets", 0, 0),
        ("It need not work for lists of 1,000,000 numbers", 0, 0),
        ("will never be called with lists of 1000 items or more", 0, 0),
        ("The list [1, 2] of 2000 years ago", 0, 0),
        ("There may be 50,000 players.", 0, 0),
        ("", 0, 0),
    ],
)
def test_sizes_are_read_where_they_are_certain(text: str, items: int, characters: int) -> None:
    size = named_size(Task(text))
    assert (size.items, size.characters) == (items, characters)
    assert named_size(Task("", constraints=(text,))) == size


def large(text: str) -> list[str]:
    return [pair.large.text for pair in size_pairs(read_task(text))]


def test_the_example_that_can_grow_is_grown() -> None:
    assert [pair.large.args for pair in size_pairs(SORT)] == [
        "(list(range(1, 5000 + 1)),)",
        "(list(range(5000, 0, -1)),)",
        "([1] * 5000,)",
        "(([3, 1, 2] * 5000)[:5000],)",
    ]
    assert [pair.small.args for pair in size_pairs(SORT)][2:] == [
        "([1] * 24,)",
        "(([3, 1, 2] * 24)[:24],)",
    ]
    words = "Write f(text, n). Must work for texts of 2,000 characters.\nf('ab', 2) -> 1"
    assert large(words) == ["f(('ab' * 2000)[:2000], 2)"]
    assert large("Write f(a, b). Must work for lists of 2,000 numbers.\nf([1], [2]) -> 1") == []


def test_only_the_function_that_was_asked_for_is_called() -> None:
    text = (
        "Write `total(items)` with `pairs(items)`. Must work for lists of 2,000 numbers.\n"
        "pairs([1, 2]) -> 1\ntotal([3]) -> 3"
    )
    assert large(text) == ["total(([3] * 2000)[:2000])"]


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (NAIVE, Verdict.RUNTIME_ERROR),
        ("def sort_up(items):\n    return sorted(items)\n", Verdict.PASSED),
        (
            "def sort_up(items):\n    if len(items) > 999:\n        while True:\n            pass\n"
            "    return sorted(items)\n",
            Verdict.TIMEOUT,
        ),
        (
            "def sort_up(items):\n    if len(items) > 999:\n        return [0] * 10**10\n"
            "    return sorted(items)\n",
            Verdict.OUT_OF_MEMORY,
        ),
        (
            "import os\ndef sort_up(items):\n    if len(items) > 999:\n        os.abort()\n"
            "    return sorted(items)\n",
            Verdict.RUNTIME_ERROR,
        ),
        (
            # Hangs on any list that is no answer of its own, whatever its size.
            "def sort_up(items):\n    while len(items) > 9:\n        pass\n"
            "    return sorted(items)\n",
            Verdict.PASSED,
        ),
        (
            # Whether so large an input is a valid one is not for the check to say.
            "def sort_up(items):\n    if len(items) > 999:\n        raise ValueError(items)\n"
            "    return sorted(items)\n",
            Verdict.PASSED,
        ),
    ],
)
def test_only_what_breaks_by_size_fails(code: str, verdict: Verdict, sandbox: Isolation) -> None:
    assessment = assess(code, SORT, isolation=sandbox)
    assert assessment.verdict is verdict
    errors = [f for f in assessment.findings if f.check == "size" and f.severity == "error"]
    assert bool(errors) == (verdict is not Verdict.PASSED)
    assert len(errors) < 2
    assert all("the task names inputs of this size" in finding.message for finding in errors)


def test_where_even_small_inputs_fail_nothing_is_said(sandbox: Isolation) -> None:
    code = "def sort_up(items):\n    assert len(items) < 9\n    return sorted(items)\n"
    (report,) = (r for r in assess(code, SORT, isolation=sandbox).reports if r.check == "size")
    assert report.verdict is Verdict.UNVERIFIED
    assert report.detail
