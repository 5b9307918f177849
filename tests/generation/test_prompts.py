"""Prompts say each thing once, keep to the budget by the stated rule, and never cut the task."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core import ContextFile, Example, ExampleRun, Finding, Prompt, Span, Task
from codekiln.core.errors import CodekilnError, ContextOverflowError, UsageError
from codekiln.generation.prompt_forms import prompt_form, read_forms
from codekiln.generation.prompts import (
    build_prompt,
    build_repair_prompt,
    closed_fences,
    describe_problem,
    estimated_tokens,
    fence_for,
)
from codekiln.generation.tasks import read_task
from codekiln.languages import get_language

TASK = Task(
    description="Add two numbers.",
    examples=(Example("add(1, 2) -> 3", call="add(1, 2)", expected="3"), Example("be quick")),
    constraints=("fast", "no imports"),
    entry_point="add",
    signature="def add(a, b):",
)


def words(prompt: Prompt) -> int:
    return sum(len(message.content.split()) for message in prompt.messages)


def build(task: Task, budget: int = 10_000) -> Prompt:
    return build_prompt(task, count_tokens=words, budget_tokens=budget)


def user_text(prompt: Prompt) -> str:
    return prompt.messages[1].content


def test_the_three_parts_come_in_order_with_an_open_fence() -> None:
    prompt = build(TASK)
    text = user_text(prompt)
    order = ["Add two numbers.", "def add(a, b):", "add(1, 2) -> 3", "be quick", "- no imports"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    assert "`add`" in text.splitlines()[-1]
    assert [message.role for message in prompt.messages] == ["system", "user"]
    assert prompt.prefill == "```python\n"
    assert prompt.stop == ("\n```",)
    assert prompt.cuts == ()


def test_a_part_that_is_empty_leaves_no_heading() -> None:
    text = user_text(build(Task("Sort words.")))
    assert "Examples" not in text
    assert "Requirements" not in text
    assert "signature" not in text


def test_the_language_sets_the_fence() -> None:
    assert build(Task("Add.", language="rust")).prefill == "```rust\n"


def test_what_the_skeleton_or_the_description_says_is_not_said_twice() -> None:
    stub = 'def inc(x):\n    """Add one.\n\n    >>> inc(1)\n    2\n    """\n    ...\n'
    text = user_text(build(read_task(stub)))
    assert text.count("Add one.") == 1
    assert text.count("inc(1)") == 1
    assert text.count("def inc") == 1
    sentence = user_text(build(read_task("Double it, twice(2) -> 4.")))
    assert sentence.count("twice(2)") == 1


def test_a_row_of_a_table_is_shown_as_a_call() -> None:
    task = read_task("Write `total`.\n## Examples\n|input|output|\n|---|---|\n|[1, 2]|3|\n")
    assert "total([1, 2]) -> 3" in user_text(build(task))


def test_braces_in_the_users_text_are_only_text() -> None:
    text = user_text(build(Task("Use {name} and {0} and {{x}}.", skeleton="x = {description}")))
    assert "Use {name} and {0} and {{x}}." in text
    assert "x = {description}" in text


def open_fences(text: str) -> bool:
    return closed_fences(text) != text


@pytest.mark.parametrize(
    "task",
    [
        Task("Write this:\n```\nhello"),
        Task("Do.", skeleton='def f():\n    return """\n```\n"""'),
        Task("Do.", context=(ContextFile("README.md", "# A\n```sh\nrun\n"),)),
        Task("Do.", examples=(Example("```\nf(1)"),)),
        Task("Do.", constraints=("~~~",)),
    ],
)
def test_fences_in_the_users_text_do_not_swallow_what_follows(task: Task) -> None:
    assert not open_fences(user_text(build(task)))


def test_a_fence_is_longer_than_any_inside() -> None:
    assert fence_for("a ``` b") == "````"
    assert fence_for("`````") == "``````"
    assert fence_for("`` `") == "```"


FILES = tuple(
    ContextFile(f"m{number}.py", "\n".join(f"line_{number}_{i} = {i}" for i in range(100)))
    for number in range(3)
)
WITH_FILES = Task("Add.", context=FILES)


def test_files_that_fit_are_shown_whole() -> None:
    prompt = build(WITH_FILES)
    assert prompt.cuts == ()
    assert all(file.text in user_text(prompt) for file in FILES)


def test_files_are_cut_from_the_last_one_and_each_cut_is_named() -> None:
    prompt = build(WITH_FILES, budget=500)
    text = user_text(prompt)
    assert words(prompt) <= 500
    assert FILES[0].text in text
    first, second = prompt.cuts
    match = re.fullmatch(r"m1.py: (\d+) of 100 lines left out", first)
    assert match is not None
    assert second == "m2.py: left out"
    assert f"# … {match[1]} lines left out …" in text
    assert "line_1_0 = 0" in text
    assert "line_1_99 = 99" in text
    assert "line_1_60 = 60" not in text
    assert "m2.py" not in text


def test_a_file_of_which_too_little_fits_is_left_out() -> None:
    least = words(build(Task("Add.")))
    prompt = build(WITH_FILES, budget=least + 20)
    assert prompt.cuts == ("m0.py: left out", "m1.py: left out", "m2.py: left out")


def test_a_task_that_does_not_fit_is_refused_with_the_numbers() -> None:
    with pytest.raises(ContextOverflowError, match=r"takes \d+ tokens, 20 are there"):
        build(WITH_FILES, budget=20)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 80), max_size=5),
    budget=st.integers(60, 900),
)
def test_the_budget_holds_and_nothing_is_cut_in_silence(sizes: list[int], budget: int) -> None:
    files = tuple(
        ContextFile(f"f{n}.txt", "\n".join(f"f{n}w{i} x y" for i in range(size)))
        for n, size in enumerate(sizes)
    )
    prompt = build(Task("Add.", context=files), budget)
    text = user_text(prompt)
    assert words(prompt) <= budget
    for number, (file, size) in enumerate(zip(files, sizes, strict=True)):
        shown = sum(f"f{number}w{i} " in text for i in range(size))
        notes = [cut for cut in prompt.cuts if cut.startswith(f"{file.path}:")]
        if notes == [f"{file.path}: left out"]:
            assert shown == 0
        elif notes:
            assert notes == [f"{file.path}: {size - shown} of {size} lines left out"]
        else:
            assert shown == size


def test_a_backend_that_cannot_count_is_estimated_on_the_high_side() -> None:
    prompt = build_prompt(TASK, count_tokens=lambda _: None, budget_tokens=10_000)
    assert estimated_tokens(prompt) > words(prompt)
    with pytest.raises(ContextOverflowError):
        build_prompt(TASK, count_tokens=lambda _: None, budget_tokens=30)


def run(outcome: str = "wrong_output", observed: str = "4") -> ExampleRun:
    return ExampleRun("add(1, 2)", "3", observed, outcome == "passed", outcome)  # type: ignore[arg-type]


def repair(code: str = "def add(a, b):\n    return a", **kwargs: object) -> Prompt:
    return build_repair_prompt(
        TASK,
        code,
        count_tokens=words,
        budget_tokens=10_000,
        **kwargs,  # type: ignore[arg-type]
    )


def test_a_repair_shows_the_code_and_the_first_failure() -> None:
    prompt = repair(example_runs=(run("passed"), run(), run("timeout")))
    assert [m.role for m in prompt.messages] == ["system", "user", "assistant", "user"]
    assert prompt.messages[1] == build(TASK).messages[1]
    assert prompt.messages[2].content == "```python\ndef add(a, b):\n    return a\n```"
    assert "`add(1, 2)` gives 4, but it should give 3" in prompt.messages[3].content
    assert prompt.prefill == "```python\n"
    assert prompt.stop == ("\n```",)


@pytest.mark.parametrize(
    ("outcome", "observed", "words_of_it"),
    [
        (
            "runtime_error",
            "Traceback\n  x\nKeyError: 1",
            "fails with KeyError: 1. It should give 3",
        ),
        ("timeout", "", "did not finish in time"),
        ("out_of_memory", "", "too much memory"),
    ],
)
def test_each_kind_of_failure_has_its_words(outcome: str, observed: str, words_of_it: str) -> None:
    assert words_of_it in describe_problem((), (run(outcome, observed),))


def test_without_examples_the_first_error_is_told_with_its_line() -> None:
    findings = (
        Finding("types", "warning", "unused"),
        Finding("syntax", "error", "'(' was never closed", span=Span(3), suggested_fix="Close it."),
    )
    told = describe_problem(findings, (run("not_run"),))
    assert told == "This code is wrong (line 3): '(' was never closed Close it."
    assert describe_problem((), ()) == "This code is wrong."


def test_long_output_is_shortened_in_the_middle() -> None:
    told = describe_problem((), (run(observed="a" * 5000 + "END"),))
    assert len(told) < 600
    assert "END" in told


def test_an_answer_without_code_is_asked_for_again() -> None:
    prompt = repair("  \n")
    assert [m.role for m in prompt.messages] == ["system", "user"]
    assert "held no Python code" in prompt.messages[1].content


def test_code_with_fences_is_quoted_with_a_longer_one() -> None:
    prompt = repair("x = '''\n```\n'''")
    assert prompt.messages[2].content.startswith("````python\n")
    assert not open_fences(prompt.messages[2].content)


def test_a_repair_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ContextOverflowError):
        build_repair_prompt(TASK, "x " * 500, count_tokens=words, budget_tokens=300)


FORM = """[plain]
system = "s"
prefill = ""
stop = []
[plain.blocks]
description = "{description}"
[plain.request]
named = "n"
unnamed = "u"
[plain.repair]
code = "c"
no_code = "d"
"""


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('system = "s"\n', ""), "must have blocks, prefill"),
        (('"{description}"', '"text"'), r"lacks \{description\}"),
        (("description =", "descripton ="), "unknown blocks"),
        (('no_code = "d"\n', ""), "'repair'.*code, no_code"),
        (("[plain]", "[plain"), "not valid TOML"),
    ],
)
def test_a_broken_form_is_refused_naming_the_fault(change: tuple[str, str], complaint: str) -> None:
    assert read_forms(FORM)["plain"].stop == ()
    with pytest.raises(CodekilnError, match=complaint):
        read_forms(FORM.replace(*change))


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'fancy'.*default"):
        prompt_form("fancy")


def test_what_the_registry_advises_is_told() -> None:
    advice = get_language("bash").prompt
    assert advice
    assert advice in build(Task("Add.", language="bash")).messages[-1].content
    assert "None" not in build(Task("Add.", language="c")).messages[-1].content
