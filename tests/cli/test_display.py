from __future__ import annotations

import io

import pytest
from rich.console import Console

from codekiln.cli.console import one_line, visible
from codekiln.cli.display import PlainView, Stage
from codekiln.generation import Event
from codekiln.generation.events import LoadingProgress


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("codekiln.cli.display.time.monotonic", clock)
    return clock


def test_a_download_shows_its_rate_and_the_time_left(clock: Clock) -> None:
    stage = Stage()
    for done in (0, 20_000_000, 40_000_000):
        stage.take(Event("load", done, 100_000_000, "Downloading weights"))
        clock.now += 1
    assert stage.line == "Downloading weights: 40.0 MB of 100.0 MB, 20.0 MB/s, 3 s left"


def test_reading_a_long_prompt_shows_tokens_rate_and_the_time_left(clock: Clock) -> None:
    stage = Stage()
    for done in (2048, 4096, 6144):
        stage.take(Event("read", done, 10_240))
        clock.now += 1
    assert (
        stage.line == "Reading the task and its context: 6,144 of 10,240 tokens, 2,048/s, 2 s left"
    )
    stage.take(Event("sample", 0, 8))
    assert stage.line == "Writing: 0 of 8 candidates"


def test_a_resumed_download_does_not_look_fast(clock: Clock) -> None:
    stage = Stage()
    stage.take(Event("load", 0, 1_000_000_000, "Downloading"))
    clock.now += 0.1
    stage.take(Event("load", 900_000_000, 1_000_000_000, "Downloading"))
    for second in range(1, 21):
        clock.now += 1
        stage.take(Event("load", 900_000_000 + second * 1_000_000, 1_000_000_000, "Downloading"))
    assert "1.0 MB/s, 80 s left" in stage.line


def test_drafting_shows_candidates_tokens_and_speed_and_the_greedy_text(clock: Clock) -> None:
    stage = Stage()
    stage.take(Event("sample", 0, 8))
    for pieces in range(1, 21):
        clock.now += 0.1
        text = "a" if pieces % 2 else "b"
        stage.take(Event("sample", 1, 8, text, sample=0 if pieces % 2 else 3, tokens=pieces))
    assert stage.line == "Writing: 1 of 8 candidates, 20 tokens, 10/s"
    assert stage.code == "a" * 10


def test_a_stage_without_events_has_a_line_too() -> None:
    assert Stage().line == "Preparing"


def test_what_ended_is_no_longer_shown(clock: Clock) -> None:
    stage = Stage()
    progress = LoadingProgress(stage.take)
    progress.start("Downloading", 100)
    progress.advance(100)
    progress.finish()
    assert stage.line == "Preparing"


def test_a_log_gets_no_line_for_what_is_quick_and_few_for_what_is_slow(clock: Clock) -> None:
    output = io.StringIO()
    view = PlainView(Console(file=output, width=80))
    view.take(Event("check", 1, 2))
    assert output.getvalue() == ""
    for second in range(30):
        view.take(Event("sample", 0, 8, "x", tokens=second))
        clock.now += 1
    assert output.getvalue().count("\n") == 3


def test_control_sequences_of_a_model_are_shown_and_not_obeyed() -> None:
    assert visible("\x1b[2J\x07tab\tline\n") == "\\x1b[2J\\x07tab\tline\n"
    assert visible("\u202e") == "\\u202e"
    assert one_line("a\n  b\x1b" + "c" * 300, 20) == "a b\\x1bcccccccccccc…"
