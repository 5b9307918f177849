from __future__ import annotations

from pathlib import Path

import pytest
from scripted_backend import ScriptedBackend

import codekiln
from codekiln.backends import KV_TOKEN_BYTES, Cancel
from codekiln.core import Answer, ContextFile, Verdict
from codekiln.core.errors import CancelledError, ContextOverflowError, UsageError
from codekiln.generation import Event, Options, generate, generate_recorded, read_records, read_task
from codekiln.generation.records import options_of

TASK = "Write double(x). double(2) -> 4, double(3) -> 6, double('ab') -> 'abab'"
RIGHT = "def double(x):\n    return x * 2\n```"
ALSO_RIGHT = "def double(x):\n    return x + x\n"
# No small change makes it right.
SQUARE = "def double(x):\n    return {2: 4, 3: 9}.get(x)\n"
CRASHES = "def double(x):\n    return x.twice\n"
BROKEN = "def double(x:\n    return\n"
ENDLESS = "def double(x):\n    while True:\n        pass\n"


def ask(backend: ScriptedBackend, n: int = 3, task: str = TASK) -> Answer:
    return generate(task, backend=backend, n=n, seed=5)


def test_the_passing_draft_is_chosen_over_the_greedy_one() -> None:
    answer = ask(ScriptedBackend([SQUARE, CRASHES, RIGHT, ALSO_RIGHT]), n=4)
    assert answer.verified
    assert answer.code == "def double(x):\n    return x * 2\n"
    assert (answer.confidence.examples_passed, answer.confidence.examples_run) == (3, 3)
    assert [a.verdict for a in answer.assessments] == [
        Verdict.WRONG_OUTPUT,
        Verdict.RUNTIME_ERROR,
        Verdict.PASSED,
        Verdict.PASSED,
    ]
    assert "examples" in answer.confidence.checks_run
    assert answer.why_unverified == ""


def test_drafts_that_behave_alike_count_together() -> None:
    special = "def double(x):\n    return 4 if x == 2 else 6 if x == 3 else 'abab'\n"
    answer = ask(ScriptedBackend([special, RIGHT, ALSO_RIGHT]))
    assert answer.candidate is not None
    assert answer.candidate.index in (1, 2)
    assert (answer.confidence.cluster_size, answer.confidence.cluster_of) == (2, 3)


def test_a_passing_draft_means_one_call_and_no_repair() -> None:
    backend = ScriptedBackend([RIGHT, SQUARE, SQUARE])
    ask(backend)
    assert len(backend.calls) == 1


def test_one_greedy_draft_and_the_rest_share_the_prompt_with_seeds_of_their_own() -> None:
    backend = ScriptedBackend([RIGHT] * 3)
    ask(backend, n=3)
    greedy, warm = backend.calls[0]
    assert (greedy.n, warm.n) == (1, 2)
    assert greedy.prompt is warm.prompt
    assert (greedy.sampling.temperature, warm.sampling.temperature) == (0.0, 0.8)
    assert greedy.sampling.seed == 5
    assert warm.sampling.seed == 6


def test_at_temperature_zero_one_draft_is_enough() -> None:
    backend = ScriptedBackend([ALSO_RIGHT])
    assert generate(TASK, backend=backend, n=8, temperature=0.0).code == ALSO_RIGHT
    assert [request.n for request in backend.calls[0]] == [1]


def test_when_nothing_passes_the_best_one_is_repaired_with_the_finding_in_the_prompt() -> None:
    backend = ScriptedBackend([CRASHES, SQUARE, BROKEN, CRASHES], [RIGHT])
    answer = ask(backend, n=5)
    assert answer.code == "def double(x):\n    return x * 2\n"
    assert answer.candidate is not None
    assert (answer.candidate.round, answer.candidate.parent, answer.candidate.index) == (1, 1, 4)
    prompt = "\n".join(message.content for message in backend.calls[1][0].prompt.messages)
    assert "return {2: 4, 3: 9}.get(x)" in prompt
    assert "double(3)" in prompt
    assert "9" in prompt
    assert "6" in prompt
    assert len(answer.candidates) == len(answer.assessments) == 5
    assert len({candidate.index for candidate in answer.candidates}) == 5


def test_a_repair_has_seeds_that_no_draft_had() -> None:
    backend = ScriptedBackend([SQUARE] * 4, [CRASHES])
    ask(backend, n=5)
    seeds = [
        (request.sampling.seed or 0) + sample
        for call in backend.calls
        for request in call
        for sample in range(request.n)
    ]
    assert len(set(seeds)) == len(seeds) == 5


def test_a_repair_that_loses_an_example_is_not_taken() -> None:
    # Passes two examples instead of one, but not the one that passed before.
    other = "def double(x):\n    return x * 2 if x != 2 else 5\n"
    backend = ScriptedBackend([SQUARE] * 4, [other])
    answer = ask(backend, n=5)
    assert answer.candidate is not None
    assert answer.candidate.round == 0
    assert answer.code == SQUARE
    assert answer.verdict is not Verdict.PASSED


def test_a_repair_that_is_only_as_good_is_not_taken() -> None:
    other = "def double(x):\n    return {2: 4, 3: 9}.get(x, None)\n"
    answer = ask(ScriptedBackend([SQUARE] * 4, [other]), n=5)
    assert answer.code == SQUARE
    assert answer.why_unverified.startswith("no candidate passed")


def test_an_answer_without_code_is_repaired_too() -> None:
    answer = ask(ScriptedBackend(["", "", "", ""], [RIGHT]), n=5)
    assert answer.code == "def double(x):\n    return x * 2\n"


def test_no_code_at_all_is_no_answer_and_no_error() -> None:
    answer = ask(ScriptedBackend(["", ""], ["", ""]), n=2)
    assert answer.verdict is Verdict.NO_CODE
    assert answer.code == ""
    assert answer.why_unverified == "no candidate contained code"


def test_without_examples_the_answer_says_so_and_how_to_add_one() -> None:
    backend = ScriptedBackend([RIGHT, ALSO_RIGHT])
    answer = ask(backend, n=2, task="Write a function double(x) that doubles x.")
    assert answer.verdict is Verdict.UNVERIFIED
    assert "the task gives none. Add one like double(" in answer.why_unverified
    assert len(backend.calls) == 1


def test_a_language_that_is_only_parsed_needs_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEKILN_ISOLATION", "no such level")
    backend = ScriptedBackend(["func f() -> Int { return (1 }\n"], ["func f() -> Int { 1 }\n"])
    answer = generate("Write f.", language="swift", backend=backend, n=2)
    assert answer.verdict is Verdict.UNVERIFIED
    assert answer.candidate is not None
    assert answer.candidate.index == 1
    assert "Swift is only parsed" in answer.why_unverified


def test_where_nothing_can_be_run_a_draft_that_parses_is_enough() -> None:
    backend = ScriptedBackend(["func f() -> Int { 1 }\n"])
    answer = generate("Write f.", language="swift", backend=backend, n=8)
    assert answer.verdict is Verdict.UNVERIFIED
    assert [(r.n, r.sampling.temperature) for r in backend.calls[0]] == [(1, 0.0)]


def test_without_verification_one_greedy_draft_is_drawn_and_nothing_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEKILN_ISOLATION", "no such level")
    backend = ScriptedBackend([RIGHT])
    answer = generate(TASK, backend=backend, verify=False)
    assert answer.verdict is Verdict.UNVERIFIED
    assert answer.why_unverified == "checks were switched off"
    assert [(r.n, r.sampling.temperature) for r in backend.calls[0]] == [(1, 0.0)]


def test_a_missing_sandbox_is_told_before_the_model_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CODEKILN_ISOLATION", "no such level")
    backend = ScriptedBackend([RIGHT])
    with pytest.raises(UsageError, match="CODEKILN_ISOLATION"):
        ask(backend)
    assert backend.calls == []


def test_cancelling_while_the_model_writes_ends_with_cancelled() -> None:
    backend = ScriptedBackend([RIGHT] * 3, cancel_after=1)
    with pytest.raises(CancelledError):
        generate(TASK, backend=backend, n=3, cancel=Cancel())


def test_cancelling_while_candidates_are_checked_does_not_wait_for_them() -> None:
    cancel = Cancel()

    def stop_at_checks(event: Event) -> None:
        if event.stage == "check":
            cancel.set()

    with pytest.raises(CancelledError, match="checked"):
        generate(
            TASK,
            backend=ScriptedBackend([ENDLESS] * 3),
            n=3,
            on_event=stop_at_checks,
            cancel=cancel,
        )
    assert list(read_records()) == []


def test_events_count_every_candidate_through_every_stage() -> None:
    events: list[Event] = []
    backend = ScriptedBackend([SQUARE, CRASHES, SQUARE, SQUARE], [RIGHT])
    generate(TASK, backend=backend, n=5, on_event=events.append)
    last = {event.stage: (event.done, event.total) for event in events}
    assert last["sample"] == (4, 4)
    assert last["repair"] == (1, 1)
    assert last["check"] == (1, 1)
    greedy = "".join(e.text for e in events if e.stage == "sample" and e.sample == 0)
    assert greedy == SQUARE


def test_more_new_tokens_than_the_window_holds_are_refused_with_both_numbers() -> None:
    with pytest.raises(ContextOverflowError, match=r"5000 .* 4096"):
        generate(TASK, backend=ScriptedBackend([RIGHT]), max_tokens=5000)


def test_the_record_tells_how_the_given_backend_attends() -> None:
    backend = ScriptedBackend([RIGHT], details={"attention": "dense"})
    made = generate_recorded(read_task(TASK), Options(n=1, attention="sparse"), backend=backend)
    assert options_of(made.record).attention == "dense"


@pytest.mark.parametrize(("lines", "told"), [(100, False), (2000, True)])
def test_the_memory_of_a_long_prompt_is_told_before_it_is_read(lines: int, told: bool) -> None:
    context = (ContextFile("big.py", "value = 1\n" * lines),)
    backend = ScriptedBackend([RIGHT], context_tokens=32_768, details={KV_TOKEN_BYTES: "12288"})
    events: list[Event] = []
    generate(TASK, backend=backend, n=1, context=context, on_event=events.append)
    notes = [event.text for event in events if event.stage == "note"]
    assert any("takes about" in note for note in notes) == told
    if told:
        assert events[0].stage == "note"


def test_a_context_file_that_was_cut_is_named_in_the_notes() -> None:
    context = (ContextFile("big.py", "value = 1\n" * 5000),)
    answer = generate(TASK, backend=ScriptedBackend([RIGHT]), n=1, context=context)
    assert any(note.startswith("context cut: big.py") for note in answer.notes)


def test_drafts_that_hit_the_token_limit_are_named_in_the_notes() -> None:
    answer = ask(ScriptedBackend([RIGHT] * 3, finish_reason="length"))
    assert any("3 of 3 candidates were cut off at 10 tokens" in note for note in answer.notes)


def test_the_callers_backend_is_left_open() -> None:
    backend = ScriptedBackend([RIGHT])
    ask(backend, n=1)
    assert not backend.closed


def test_every_answer_leaves_a_record_with_what_a_replay_needs() -> None:
    answer = ask(ScriptedBackend([RIGHT, RIGHT, SQUARE]))
    (record,) = read_records()
    assert record.id == answer.record_id
    assert (record.code, record.verdict) == (answer.code, Verdict.PASSED)
    assert record.tokens == {"prompt": 7, "drafts": 30, "repairs": 0, "beside": 0}
    assert {"sample", "check", "total"} <= set(record.seconds)
    assert record.isolation
    assert record.codekiln == codekiln.__version__
    assert record.machine["threads"] == "2"


def test_a_seed_that_was_not_given_is_drawn_and_recorded() -> None:
    generated = [
        generate_recorded(read_task(TASK), Options(n=1), backend=ScriptedBackend([RIGHT]))
        for _ in range(2)
    ]
    options = [item.record.request["options"] for item in generated]
    seeds = [option["seed"] for option in options if isinstance(option, dict)]
    assert all(isinstance(seed, int) for seed in seeds)
    assert seeds[0] != seeds[1]


def test_a_record_that_cannot_be_written_does_not_cost_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CODEKILN_STATE", str(tmp_path / "file"))
    answer = ask(ScriptedBackend([ALSO_RIGHT]), n=1)
    assert answer.code == ALSO_RIGHT
    assert answer.record_id == ""
    assert any("could not be written" in note for note in answer.notes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 0),
        ("n", 1000),
        ("max_tokens", 0),
        ("temperature", -1.0),
        ("seed", -1),
        ("strategy", "both"),
        ("attention", "flash"),
    ],
)
def test_options_out_of_range_are_refused_by_name(field: str, value: float | str) -> None:
    with pytest.raises(UsageError, match=field):
        Options(**{field: value})  # type: ignore[arg-type]


def test_a_language_that_contradicts_the_task_is_refused() -> None:
    with pytest.raises(UsageError, match="python"):
        generate(read_task(TASK), language="go", backend=ScriptedBackend([RIGHT]))


@pytest.mark.real_model
def test_the_real_model_gives_a_verified_answer() -> None:
    task = "Write is_even(n). is_even(4) -> True, is_even(7) -> False, is_even(0) -> True"
    answer = codekiln.generate(task, n=4, seed=1, max_tokens=200)
    assert answer.verified
    assert "def is_even" in answer.code
    assert answer.confidence.examples_passed == 3


def test_what_was_dropped_from_the_models_text_is_told() -> None:
    answer = ask(ScriptedBackend([f"{ALSO_RIGHT}\n\nprint(double(2))\n"] * 3))
    assert answer.code == ALSO_RIGHT
    assert any("not as the model wrote it: dropped demo code" in note for note in answer.notes)


def test_a_check_that_ran_nothing_is_not_among_the_checks_run() -> None:
    answer = ask(ScriptedBackend([RIGHT] * 3), task="Write double(x)")
    assert answer.confidence.checks_run == ("syntax",)
