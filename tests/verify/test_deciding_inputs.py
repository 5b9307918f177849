"""Programs that pass are told apart on inputs made of what they compare with."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_backend import ScriptedBackend
from workbench_of import workbench_of

from codekiln.backends import Cancel
from codekiln.core import Candidate, Task
from codekiln.core.errors import CancelledError
from codekiln.generation import Options, generate_recorded, read_task
from codekiln.generation.telling_apart import tell_apart
from codekiln.sandbox import Isolation, open_isolation
from codekiln.verify import assess, deciding_steps, outputs_on

TASK = read_task("Write is_long(month): has it 31 days?\nis_long('February') -> False")
RIGHT = (
    "def is_long(month):\n    return month in ('January', 'March', 'May', 'July', 'August', "
    "'October', 'December')\n"
)
WRONG = "def is_long(month):\n    return month in ('April', 'June', 'September', 'November')\n"


@pytest.fixture(scope="module")
def sandbox() -> Isolation:
    return open_isolation()


def test_programs_that_agree_on_varied_inputs_are_told_apart(sandbox: Isolation) -> None:
    behaviours = {assess(code, TASK, isolation=sandbox).behaviour for code in (RIGHT, WRONG)}
    assert len(behaviours) == 1
    steps = deciding_steps(TASK, [RIGHT, WRONG])
    assert any("'April'" in step.args for step in steps)
    right, wrong = (outputs_on(steps, code, TASK, isolation=sandbox) for code in (RIGHT, WRONG))
    assert len(right) == len(wrong) == len(steps)
    assert right != wrong


def test_the_main_job_counts_them_apart() -> None:
    backend = ScriptedBackend([RIGHT, RIGHT, WRONG])
    answer = generate_recorded(TASK, Options(n=3, seed=1), backend=backend).answer
    assert answer.code == RIGHT
    assert (answer.confidence.cluster_size, answer.confidence.cluster_of) == (2, 3)
    assert all(assessment.deciding for assessment in answer.assessments)
    alone = generate_recorded(
        TASK, Options(n=3, seed=1), backend=ScriptedBackend([RIGHT] * 3)
    ).answer
    assert not any(assessment.deciding for assessment in alone.assessments)


def test_numbers_come_from_the_programs_and_in_turn() -> None:
    task = read_task("Write f(n).\nf(5000) -> 1")
    values = {
        ast.literal_eval(step.args)[0]
        for step in deciding_steps(task, ["def f(n):\n    return n > 731\n"], count=200)
    }
    assert {730, 731, 732} | set(range(26)) <= values


def test_telling_apart_runs_once_for_the_same_candidates_and_heeds_cancelling(
    sandbox: Isolation,
) -> None:
    bench = workbench_of(TASK, sandbox, RIGHT, WRONG)
    tell_apart(bench)
    runs = bench.isolation.runs
    tell_apart(bench)
    assert bench.isolation.runs == runs
    bench.add([Candidate(2, RIGHT.replace("Ja", "ja"), "")])
    bench.cancel = Cancel()
    bench.cancel.set()
    with pytest.raises(CancelledError):
        tell_apart(bench)


def test_classes_and_tasks_without_examples_have_none() -> None:
    assert deciding_steps(Task("Write f(x).", entry_point="f"), [RIGHT]) == ()
    stack = read_task(
        "Write a class Stack with push(x) and size().\npush(1) -> None\nsize() -> 1",
    )
    assert deciding_steps(stack, ["class Stack:\n    pass\n"]) == ()
    assert deciding_steps(read_task("Write f().\nf() -> 1"), [RIGHT]) == ()


def test_functions_of_one_task_are_told_apart_by_what_each_looks_for() -> None:
    asked = read_task(
        "Write main(text). Build it from head(text).\nmain('ab') -> 2\nhead('ab') -> 'a'"
    )
    head = "def head(text):\n    return text[0]\n"
    code = f"{head}\ndef main(text):\n    return 0 if text == 'xyz' else 2\n"
    steps = deciding_steps(asked, [code])
    assert {"main", "head"} == {step.callee for step in steps}
    assert "main('xyz')" in {step.source for step in steps}
    assert all(step.method for step in steps)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=5,
)


@settings(max_examples=50, deadline=None)
@given(_VALUES, _VALUES)
def test_any_inputs_read_back_and_come_again(first: object, second: object) -> None:
    task = read_task(f"Write f(a, b).\nf({first!r}, {second!r}) -> 1")
    code = f"def f(a, b):\n    return a == {second!r} or b == {first!r}\n"
    steps = deciding_steps(task, [code])
    assert steps == deciding_steps(task, [code])
    assert len(set(steps)) == len(steps) <= 64
    for step in steps:
        assert len(ast.literal_eval(step.args)) == 2
