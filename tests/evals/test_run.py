"""Runs as a whole, with the real scorer process and KilnLogic, which is part of the package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from scripted_backend import ScriptedBackend

from codekiln.backends import Cancel, Completion, CompletionRequest, Delta
from codekiln.core import Verdict
from codekiln.core.errors import BackendError, CancelledError, CodekilnError, UsageError
from codekiln.evals import Asking, Progress, store
from codekiln.evals.choice import Choice
from codekiln.evals.modes import Mode
from codekiln.evals.problems import Problem, problem_of
from codekiln.evals.run import describe_run, run_problems
from codekiln.evals.scorer import ScorerProcess, Shown, calibration_of, verdict_of
from codekiln.generation.prompts import build_prompt
from codekiln.generation.schedule import form_of
from codekiln.sandbox import open_isolation

RIGHT = """def alternating_sum(data):
    total = 0
    for item in data:
        total += -alternating_sum(item) if isinstance(item, list) else item
    return total
"""
NAME = "KilnLogic/alternating_sum"


@pytest.fixture(scope="module")
def scorer() -> Iterator[ScorerProcess]:
    with ScorerProcess() as process:
        yield process


@pytest.fixture(scope="module")
def loaded(scorer: ScorerProcess) -> tuple[Shown, list[Problem]]:
    shown = scorer.load("kilnlogic-dev")
    return shown, [problem_of(public) for public in shown.problems]


def same_answer(text: str, rounds: int = 60) -> ScriptedBackend:
    return ScriptedBackend(*([[text] * 8] * rounds))


def run_some(
    loaded: tuple[Shown, list[Problem]],
    scorer: ScorerProcess,
    backend: ScriptedBackend,
    folder: Path,
    asking: Asking,
    count: int = 3,
    cancel: Cancel | None = None,
    progress: list[Progress] | None = None,
) -> store.Stored:
    shown, problems = loaded
    some = problems[:count]
    run = describe_run("kilnlogic-dev", shown, some, asking, backend.info, Choice(limit=count))
    stored = store.open_run(run, folder)
    with store.locked(stored):
        _run(stored, some, asking, backend, scorer, cancel, progress)
    return stored


def _run(
    stored: store.Stored,
    some: list[Problem],
    asking: Asking,
    backend: ScriptedBackend,
    scorer: ScorerProcess,
    cancel: Cancel | None,
    progress: list[Progress] | None,
) -> None:
    run_problems(
        stored,
        some,
        asking,
        backend,
        scorer,
        open_isolation(),
        on_progress=(progress if progress is not None else []).append,
        cancel=cancel,
    )


def test_nothing_hidden_is_shown(loaded: tuple[Shown, list[Problem]]) -> None:
    shown, _ = loaded
    allowed = {"id", "language", "shape", "entry_point", "text", "topic", "functions"}
    assert all(set(public) == allowed for public in shown.problems)


def test_the_scorer_tells_right_from_wrong(
    scorer: ScorerProcess, loaded: tuple[Shown, list[Problem]]
) -> None:
    _, problems = loaded
    name = problems[0].id
    calibration = calibration_of(scorer.calibrate(name).result())
    assert calibration.reference is not None
    assert calibration.reference.verdict is Verdict.PASSED
    assert len(calibration.wrong) >= 3
    assert all(wrong.verdict is not Verdict.PASSED for wrong in calibration.wrong)
    assert verdict_of(scorer.score(name, "").result()).verdict is Verdict.NO_CODE
    with pytest.raises(UsageError, match="no problem"):
        scorer.score("KilnLogic/none_such", "x = 1").result()


def test_equal_programs_are_scored_once_and_all_get_the_verdict(
    scorer: ScorerProcess, loaded: tuple[Shown, list[Problem]]
) -> None:
    name = loaded[1][0].id
    verdicts = scorer.score_all(name, ["x = 1\n", "", "x = 1\n"])
    assert [verdict.verdict for verdict in verdicts] == [
        Verdict.RUNTIME_ERROR,
        Verdict.NO_CODE,
        Verdict.RUNTIME_ERROR,
    ]


def test_a_scorer_that_ended_is_an_error_and_no_wait() -> None:
    process = ScorerProcess()
    process.load("kilnlogic-dev")
    process.close()
    with pytest.raises(CodekilnError, match="has ended"):
        process.score("KilnLogic/quicksort", "x = 1").result(timeout=10)


def test_a_run_is_stored_with_what_is_needed_to_repeat_it(
    scorer: ScorerProcess, loaded: tuple[Shown, list[Problem]], tmp_path: Path
) -> None:
    progress: list[Progress] = []
    asking = Asking("sample", n=2, temperature=0.8)
    stored = run_some(
        loaded, scorer, same_answer("x = 1\n```"), tmp_path, asking, progress=progress
    )
    assert stored.is_whole
    outcomes = stored.outcomes()
    assert [outcome.problem for outcome in outcomes] == [p.id for p in loaded[1][:3]]
    first = outcomes[0]
    assert [c.temperature for c in first.candidates] == [0.0, 0.8, 0.8]
    assert first.greedy is not None
    assert first.prompt["messages"][0]["role"] == "system"
    assert first.prompt["stop"]
    run = json.loads((stored.folder / "run.json").read_text())
    assert run["settings"]["n"] == 2
    assert len(run["dataset"]) == 64
    assert run["machine"]["isolation"].startswith("L")
    summary = stored.summary()
    assert (summary["problems"], summary["greedy"], summary["oracle"]) == (3, 0.0, 0.0)
    assert progress[-1].done == progress[-1].total == 3


class _Breaks(ScriptedBackend):
    """Answers a few calls, then fails as a server may."""

    def __init__(self, good: int) -> None:
        super().__init__(*([["x = 1\n```"] * 8] * 60))
        self._good = good

    def stream(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel | None = None,
        *,
        pieces: bool = True,
    ) -> Iterator[Delta]:
        if len(self.calls) >= self._good:
            raise BackendError("the server went away")
        return super().stream(requests, cancel, pieces=pieces)

    def complete(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None
    ) -> list[tuple[Completion, ...]]:
        if len(self.calls) >= self._good:
            raise BackendError("the server went away")
        return super().complete(requests, cancel)


def test_a_run_that_broke_goes_on_without_repeating_or_losing_a_problem(
    scorer: ScorerProcess, loaded: tuple[Shown, list[Problem]], tmp_path: Path
) -> None:
    asking = Asking("greedy")
    with pytest.raises(BackendError):
        run_some(loaded, scorer, _Breaks(0), tmp_path, asking)
    _, problems = loaded
    (broken,) = store.stored_runs(tmp_path)
    assert not broken.is_whole
    # One problem was done before the process was killed in the middle of writing the next.
    other = tmp_path / "other"
    done = run_some(loaded, scorer, same_answer("x = 1\n```"), other, asking).outcomes()[0]
    store.append(broken, done)
    with (broken.folder / "outcomes.jsonl").open("a") as file:
        file.write('{"problem": "')
    backend = same_answer("x = 1\n```")
    stored = run_some(loaded, scorer, backend, tmp_path, asking)
    assert stored.folder == broken.folder
    assert stored.is_whole
    assert [item.problem for item in stored.outcomes()] == [p.id for p in problems[:3]]
    assert len(backend.calls) == 2


def test_cancelling_keeps_what_is_done(
    scorer: ScorerProcess, loaded: tuple[Shown, list[Problem]], tmp_path: Path
) -> None:
    cancel = Cancel()
    cancel.set()
    with pytest.raises(CancelledError):
        run_some(
            loaded, scorer, same_answer("x = 1\n```"), tmp_path, Asking("greedy"), cancel=cancel
        )
    (stored,) = store.stored_runs(tmp_path)
    assert not stored.is_whole


def test_the_main_job_is_measured_with_its_choice_and_its_evidence(
    scorer: ScorerProcess, tmp_path: Path
) -> None:
    shown = scorer.load("kilnlogic-dev")
    problems = [problem_of(public) for public in shown.problems]
    problem = next(problem for problem in problems if problem.id == NAME)
    asking = Asking("verified", n=5, temperature=0.8)
    backend = same_answer(f"{RIGHT}```")
    run = describe_run("kilnlogic-dev", shown, [problem], asking, backend.info)
    stored = store.open_run(run, tmp_path)
    summary = run_problems(stored, [problem], asking, backend, scorer, open_isolation())
    (outcome,) = stored.outcomes()
    assert (summary.selected, summary.verified, summary.verified_wrong) == (1.0, 1, 0)
    assert outcome.chosen == 0
    assert outcome.candidates[0].visible == "passed"
    assert outcome.confidence is not None
    assert outcome.evidence[0]["passing"] == outcome.evidence[0]["drawn"] == 4
    assert outcome.executions > 0


def test_unknown_suites_and_languages_are_refused_by_name(scorer: ScorerProcess) -> None:
    with pytest.raises(UsageError, match="no suite 'nothing'"):
        scorer.load("nothing")
    with pytest.raises(UsageError, match="no problems in rust"):
        scorer.load("kilnlogic-dev", "rust")


def test_a_problem_that_does_not_fit_is_its_own_failure_and_the_others_go_on(
    scorer: ScorerProcess, loaded: tuple[Shown, list[Problem]], tmp_path: Path
) -> None:
    scorer.load("kilnlogic-dev")
    counting = ScriptedBackend()
    tasks = [problem.task for problem in loaded[1][:3]]
    prompts = [
        build_prompt(
            task, form=form_of(task), count_tokens=counting.count_tokens, budget_tokens=100_000
        )
        for task in tasks
    ]
    lengths = sorted(map(counting.count_tokens, prompts))
    backend = ScriptedBackend(*([["x = 1\n```"] * 8] * 9), context_tokens=1024 + lengths[1])
    stored = run_some(loaded, scorer, backend, tmp_path, Asking("greedy"))
    outcomes = stored.outcomes()
    assert len(outcomes) == 3
    assert sum(not outcome.candidates for outcome in outcomes) == 1
    assert any(not outcome.candidates and "tokens" in outcome.notes[0] for outcome in outcomes)
    assert stored.summary()["problems"] == 3


def test_problems_are_chosen_by_a_word_of_their_topic(
    loaded: tuple[Shown, list[Problem]],
) -> None:
    problems = loaded[1]
    several = Choice(topic="functions").of(problems)
    assert {problem.topic for problem in several} == {
        "several functions",
        "several small functions",
    }
    assert Choice(limit=2, topic="functions").of(problems) == several[:2]
    assert Choice().of(problems) == problems
    with pytest.raises(UsageError, match="no problem has the topic 'cooking'") as refused:
        Choice(topic="cooking").of(problems)
    assert "recursion" in refused.value.remedy


def test_a_problem_is_named_by_its_id_or_the_end_of_it(loaded: tuple[Shown, list[Problem]]) -> None:
    problem = loaded[1][3]
    assert Choice(problem=problem.id).of(loaded[1]) == [problem]
    assert Choice(problem=problem.id.rpartition("/")[2]).of(loaded[1]) == [problem]
    with pytest.raises(UsageError, match="no problem is called 'none'") as refused:
        Choice(problem="none").of(loaded[1])
    assert loaded[1][0].id in refused.value.remedy
    with pytest.raises(UsageError, match="repeat is 0"):
        Choice(repeat=0)


def test_a_repeated_problem_is_asked_with_other_seeds_and_scored_each_time(
    loaded: tuple[Shown, list[Problem]], scorer: ScorerProcess, tmp_path: Path
) -> None:
    shown, problems = loaded
    choice = Choice(limit=1, repeat=3)
    asked = choice.of(problems)
    backend = same_answer("def nothing():\n    return 0\n```")
    asking = Asking("sample", n=2, temperature=0.8)
    run = describe_run("kilnlogic-dev", shown, asked, asking, backend.info, choice)
    stored = store.open_run(run, tmp_path)
    run_problems(stored, asked, asking, backend, scorer, open_isolation())
    outcomes = stored.outcomes()
    assert sorted(outcome.problem for outcome in outcomes) == [
        f"{problems[0].id}#{number}" for number in (1, 2, 3)
    ]
    assert all(candidate.verdict for outcome in outcomes for candidate in outcome.candidates)
    seeds = {request.sampling.seed for call in backend.calls for request in call}
    assert len(seeds) == 6
    assert stored.run.settings["repeat"] == 3


@pytest.mark.parametrize(
    ("mode", "stepwise"), [("one-shot", False), ("verified", True), ("stepwise", True)]
)
def test_only_one_shot_never_writes_function_by_function(
    mode: Mode, stepwise: bool, scorer: ScorerProcess, tmp_path: Path
) -> None:
    shown = scorer.load("kilnlogic-dev")
    everything = [problem_of(public) for public in shown.problems]
    several = Choice(limit=1, topic="several small functions").of(everything)
    asking = Asking(mode, n=5, temperature=0.8)
    backend = same_answer("def nothing():\n    return 0\n```")
    stored = store.open_run(
        describe_run("kilnlogic-dev", shown, several, asking, backend.info), tmp_path
    )
    run_problems(stored, several, asking, backend, scorer, open_isolation())
    asked = [call[0].prompt.messages[-1].content for call in backend.calls]
    # The small task of a helper does not mention the whole.
    whole = several[0].task.entry_point
    assert any(whole not in text for text in asked) is stepwise
