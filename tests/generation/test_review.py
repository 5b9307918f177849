from __future__ import annotations

import pytest
from scripted_backend import ScriptedBackend

from codekiln.backends import Cancel
from codekiln.core import Answer
from codekiln.core.errors import (
    CancelledError,
    CodekilnError,
    ContextOverflowError,
    InsufficientResourceError,
)
from codekiln.generation import Event, Options, generate, generate_recorded, read_task
from codekiln.generation.review import anonymous, prose_of

TASK = "Write double(x), which gives twice its argument. double(2) -> 4"
DOUBLE = 'def double(x):\n    "Twice."\n    return x * 2  # twice\n'
SQUARE = "def double(x):\n    return x ** 2\n"
SQUARE_AGAIN = "def double(x):\n    return x * x\n"
PLUS_TWO = "def double(x):\n    return x + 2\n"


def ask(backend: ScriptedBackend, n: int) -> Answer:
    return generate(TASK, backend=backend, n=n, seed=5)


def prefers(code: str, nats: float = 10.0) -> float:
    return 0.0 if "x * 2" in code else -nats


def test_of_candidates_that_all_pass_the_one_that_tells_the_task_back_is_chosen() -> None:
    backend = ScriptedBackend([SQUARE, PLUS_TWO, DOUBLE], likelihood=prefers)
    answer = ask(backend, 3)
    assert answer.code == DOUBLE
    assert {request.given for request in backend.reviews} == {
        "Write double(x), which gives twice its argument."
    }


def test_a_slight_preference_does_not_outvote_those_that_agree() -> None:
    backend = ScriptedBackend(
        [SQUARE, SQUARE_AGAIN, DOUBLE], likelihood=lambda code: prefers(code, nats=1.0)
    )
    assert "x ** 2" in ask(backend, 3).code


def test_the_reviewer_sees_neither_the_name_nor_the_words_of_the_author() -> None:
    backend = ScriptedBackend([SQUARE, PLUS_TWO, DOUBLE], likelihood=prefers)
    ask(backend, 3)
    shown = "\n".join(request.prompt.messages[-1].content for request in backend.reviews)
    assert "double" not in shown
    assert "wice" not in shown
    assert "def solve(x):\n    return x * 2" in shown


def test_candidates_that_behave_alike_are_not_reviewed() -> None:
    backend = ScriptedBackend([SQUARE, SQUARE_AGAIN, SQUARE], likelihood=prefers)
    ask(backend, 3)
    assert backend.reviews == []


def test_without_likelihoods_agreement_decides() -> None:
    backend = ScriptedBackend([DOUBLE, SQUARE, SQUARE_AGAIN])
    assert "x ** 2" in ask(backend, 3).code
    assert backend.reviews


def test_what_fails_its_example_is_not_reviewed() -> None:
    backend = ScriptedBackend(
        [DOUBLE, SQUARE, "def double(x):\n    return x\n"], likelihood=lambda _: -10.0
    )
    ask(backend, 3)
    assert len(backend.reviews) == 2


@pytest.mark.parametrize("error", [ContextOverflowError, InsufficientResourceError])
def test_a_review_that_does_not_fit_costs_no_answer(error: type[CodekilnError]) -> None:
    def refuse(_: str) -> float:
        raise error("too long")

    backend = ScriptedBackend([DOUBLE, SQUARE, SQUARE_AGAIN], likelihood=refuse)
    assert "x ** 2" in ask(backend, 3).code


def test_cancelling_during_the_review_cancels_the_answer() -> None:
    cancel = Cancel()

    def press_ctrl_c(_: str) -> float:
        cancel.set()
        return -1.0

    backend = ScriptedBackend([DOUBLE, SQUARE, SQUARE_AGAIN], likelihood=press_ctrl_c)
    with pytest.raises(CancelledError):
        generate(TASK, backend=backend, n=3, seed=5, cancel=cancel)


def test_the_review_is_told_and_its_tokens_are_counted() -> None:
    backend = ScriptedBackend([DOUBLE, SQUARE, PLUS_TWO], likelihood=prefers)
    events: list[Event] = []
    generated = generate_recorded(
        read_task(TASK), Options(n=3, seed=5), backend=backend, on_event=events.append
    )
    assert [(e.done, e.total) for e in events if e.stage == "review"] == [(0, 3)]
    assert generated.record.tokens["beside"] == 30


def test_candidates_beyond_those_reviewed_are_no_better_than_the_worst_of_them() -> None:
    others = [f"def double(x):\n    return 4 if x == 2 else {number}\n" for number in range(12)]
    backend = ScriptedBackend(
        [DOUBLE, *others[:3]], others[3:], likelihood=lambda code: prefers(code) - 5.0
    )
    assert ask(backend, 13).code == DOUBLE
    assert len(backend.reviews) == 10


def test_the_name_goes_wherever_the_code_uses_it() -> None:
    code = "def down(n):\n    return [] if n == 0 else [n] + down(n - 1)\n"
    assert "down" not in anonymous(code, "down")
    assert anonymous("def broken(:", "broken") == "def broken(:"


def test_the_prose_of_a_stub_is_its_docstring_without_examples() -> None:
    stub = (
        "def double(x: int) -> int:\n"
        '    """Give twice the argument.\n    >>> double(2)\n    4\n    """\n'
    )
    assert prose_of(read_task(stub)) == "Give twice the argument."
