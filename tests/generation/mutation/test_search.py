"""A failing program one step from a right one is found, told of, and never preferred to a draft."""

from __future__ import annotations

import pytest
from scripted_backend import ScriptedBackend
from workbench_of import workbench_of

from codekiln.backends import Cancel
from codekiln.core import Assessment, Task, Verdict
from codekiln.core.errors import CancelledError
from codekiln.generation import Options, generate_recorded, read_task
from codekiln.generation.events import Event
from codekiln.generation.mutation import FORM, Change, best_change, find_change, try_changes
from codekiln.generation.workbench import Workbench
from codekiln.sandbox import CountingIsolation, Isolation, open_isolation
from codekiln.verify import find_passing

TASK = read_task(
    "Write add_up(n), the sum of the numbers from 1 to n.\n"
    "add_up(3) -> 6\nadd_up(0) -> 0\nadd_up(10) -> 55"
)
WRONG = "def add_up(n):\n    return sum(range(n))\n"
RIGHT = "def add_up(n):\n    return n * (n + 1) // 2\n"
HOPELESS = "def add_up(n):\n    return 'n'\n"


@pytest.fixture(scope="module")
def sandbox() -> Isolation:
    return open_isolation()


def bench(sandbox: Isolation, *codes: str, task: Task = TASK) -> Workbench:
    return workbench_of(task, sandbox, *codes)


def test_a_program_one_step_away_is_mended(sandbox: Isolation) -> None:
    made = bench(sandbox, HOPELESS, WRONG)
    (remark,) = try_changes(made)
    candidate = made.candidates[-1]
    assert made.assessments[-1].verdict is Verdict.PASSED
    assert (candidate.form, candidate.round, candidate.parent) == (FORM, 1, 1)
    assert candidate.completion_tokens == 0
    assert "`return sum(range(n))` became `return sum(range(" in remark


def test_the_candidate_that_was_changed_is_named(sandbox: Isolation) -> None:
    # Passes two of three examples, but no small step leads on from it.
    made = bench(sandbox, "def add_up(n):\n    return {0: 0, 3: 6}.get(n)\n", WRONG)
    (told,) = try_changes(made)
    assert made.candidates[-1].parent == 1
    assert "sum(range(n))" in told


def change(behaviour: str, parent: int, crashes: int = 0, outputs: str = "ab") -> Change:
    assessment = Assessment(
        Verdict.PASSED, behaviour=behaviour, crashes=crashes, outputs=tuple(outputs)
    )
    return Change(behaviour, parent, assessment)


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (
            [change("crashing", 0, crashes=1), change("crashing", 1, crashes=1)],
            [change("sound", 0)],
        ),
        (
            [change("always", 0, outputs="aa!"), change("always", 1, outputs="aa!")],
            [change("x", 0)],
        ),
        ([change("one", 0), change("one", 0)], [change("two", 0), change("two", 1)]),
        ([change("rare", 0)], [change("often", 0), change("often", 0)]),
    ],
)
def test_of_the_changes_that_pass_the_likeliest_is_taken(
    worse: list[Change], better: list[Change]
) -> None:
    assert best_change([*worse, *better]) is better[0]
    assert best_change([*better, *worse]) is better[0]


def test_of_equal_changes_the_first_is_taken() -> None:
    first, second = change("a", 0), change("b", 1)
    assert best_change([first, second]) is first


def test_without_a_way_nothing_is_added(sandbox: Isolation) -> None:
    made = bench(sandbox, HOPELESS)
    assert try_changes(made) == ()
    assert len(made.candidates) == 1


def test_without_examples_nothing_is_tried(sandbox: Isolation) -> None:
    made = bench(sandbox, WRONG, task=read_task("Write add_up(n)."))
    before = made.isolation.runs
    assert try_changes(made) == ()
    assert made.isolation.runs == before


def test_variants_that_hang_die_or_grow_cost_only_themselves(sandbox: Isolation) -> None:
    codes = [
        "def add_up(n):\n    while True:\n        pass\n",
        "import os\n\ndef add_up(n):\n    os._exit(0)\n",
        "def add_up(n):\n    return len([0] * 10**12) and [0] * 10**9\n",
        "raise SystemExit\n",
        "def add_up(:\n",
        RIGHT,
        f"{RIGHT}\n1 / 0\n",
        WRONG,
        "import builtins\nbuiltins.sum = lambda _: 6\n\ndef add_up(n):\n    return 0\n",
        RIGHT,
    ]
    found = find_passing(codes, TASK, isolation=sandbox)
    assert found == (5, 9)


def test_it_ends_when_it_is_cancelled(sandbox: Isolation) -> None:
    made = bench(sandbox, WRONG)
    made.cancel = Cancel()
    made.cancel.set()
    with pytest.raises(CancelledError):
        try_changes(made)


def test_progress_is_told(sandbox: Isolation) -> None:
    events: list[Event] = []
    made = bench(sandbox, WRONG)
    made.on_event = events.append
    try_changes(made)
    told = [event for event in events if event.stage == "change"]
    assert told[0].done == 0
    assert told[-1].done > 20


def test_the_main_job_tries_changes_before_it_asks_for_a_repair() -> None:
    backend = ScriptedBackend([WRONG, HOPELESS, WRONG])
    answer = generate_recorded(TASK, Options(n=3, seed=1), backend=backend).answer
    assert answer.candidate is not None
    assert answer.candidate.form == FORM
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    assert any("became" in note for note in answer.notes)
    assert not answer.verified
    assert "made to pass them after it had failed" in answer.why_unverified
    assert len(backend.calls) == 1


def test_a_draft_that_passes_leaves_nothing_to_change() -> None:
    backend = ScriptedBackend([WRONG, HOPELESS, RIGHT])
    answer = generate_recorded(TASK, Options(n=3, seed=1), backend=backend).answer
    assert answer.code == RIGHT
    assert all(candidate.form != FORM for candidate in answer.candidates)


def test_expected_values_that_only_the_program_can_make_are_left_to_the_checks(
    sandbox: Isolation,
) -> None:
    task = read_task("Write Point with x and y, and move(p).\nmove(Point(1, 2)) -> Point(2, 2)")
    point = "from typing import NamedTuple\n\nclass Point(NamedTuple):\n    x: int\n    y: int\n"
    right = f"{point}\ndef move(p):\n    return Point(p.x + 1, p.y)\n"
    counting = CountingIsolation(sandbox)
    assert find_passing([right] * 20, task, isolation=counting) == ()
    assert counting.runs == 0


def test_a_number_too_long_to_write_out_is_no_obstacle(sandbox: Isolation) -> None:
    long = f"def add_up(n):\n    assert n < 0x{'f' * 4000}\n    return sum(range(n))\n"
    made = bench(sandbox, long)
    try_changes(made)
    assert made.assessments[0].verdict is Verdict.WRONG_OUTPUT


def test_changes_end_when_their_time_is_over(
    sandbox: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codekiln.generation.mutation.search._BATCH", 4)
    events: list[Event] = []
    made = bench(sandbox, WRONG)
    made.on_event = events.append
    assert find_change(made, [WRONG], seconds=0.0) is None
    assert [event.done for event in events] == [0, 4]
