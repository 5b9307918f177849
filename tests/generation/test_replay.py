from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_backend import ScriptedBackend

from codekiln.backends import open_backend
from codekiln.core.errors import UsageError
from codekiln.generation import (
    Generated,
    Options,
    find_record,
    generate_recorded,
    read_records,
    read_task,
    replay,
)

RIGHT = "def double(x):\n    return x * 2\n"
ALSO_RIGHT = "def double(x):\n    return x + x\n"


@pytest.fixture
def answered() -> Generated:
    task = read_task("Write double(x). double(2) -> 4, double(3) -> 6")
    backend = ScriptedBackend([RIGHT, RIGHT])
    return generate_recorded(task, Options(n=2), backend=backend)


def test_the_same_code_is_reproduced_exactly_and_asked_for_in_the_same_way(
    answered: Generated,
) -> None:
    backend = ScriptedBackend([RIGHT, RIGHT])
    again = replay(find_record(answered.record.id), backend=backend)
    assert again.reproduced
    assert again.changes == ()
    options = answered.record.request["options"]
    assert isinstance(options, dict)
    assert backend.calls[0][0].sampling.seed == options["seed"]


def test_other_code_is_named_as_a_change(answered: Generated) -> None:
    again = replay(answered.record, backend=ScriptedBackend([ALSO_RIGHT, ALSO_RIGHT]))
    assert not again.reproduced
    assert [change.what for change in again.changes] == ["code"]


def test_changed_surroundings_are_named_even_when_the_code_is_the_same(
    answered: Generated,
) -> None:
    before = replace(
        answered.record,
        weights_sha256="other",
        codekiln="0.0.9",
        isolation="something else",
        tools={**answered.record.tools, "torch": "1.0"},
        machine={**answered.record.machine, "processor": "an abacus"},
    )
    again = replay(before, backend=ScriptedBackend([RIGHT, RIGHT]))
    assert again.reproduced
    named = {change.what for change in again.changes}
    assert named == {"weights", "codekiln", "isolation", "torch", "processor"}


def test_another_prompt_is_no_exact_reproduction(answered: Generated) -> None:
    before = replace(answered.record, prompt_sha256="of another form")
    again = replay(before, backend=ScriptedBackend([RIGHT, RIGHT]))
    assert not again.reproduced
    assert {change.what for change in again.changes} == {"prompt"}


def test_a_replay_leaves_no_record(answered: Generated) -> None:
    replay(answered.record, backend=ScriptedBackend([RIGHT, RIGHT]))
    assert len(list(read_records())) == 1


def test_an_answer_of_a_server_cannot_be_replayed(answered: Generated) -> None:
    remote = replace(answered.record, backend="openai")
    with pytest.raises(UsageError, match="server"):
        replay(remote)


@pytest.mark.real_model
def test_the_real_model_repeats_itself_in_a_new_engine() -> None:
    task = read_task("Write clamp(x, low, high). clamp(5, 1, 3) -> 3, clamp(0, 1, 3) -> 1")
    options = Options(n=4, max_tokens=120)
    with open_backend("qwen2.5-coder-0.5b") as backend:
        first = generate_recorded(task, options, backend=backend)
    with open_backend("qwen2.5-coder-0.5b") as backend:
        again = replay(first.record, backend=backend)
    assert again.reproduced, again.changes
    assert [c.completion for c in again.answer.candidates] == [
        c.completion for c in first.answer.candidates
    ]
