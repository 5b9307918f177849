"""The door to evaluations: from names and options to a stored run, or to a calibration.

Opens and closes what is needed: the scorer process, the model, the store.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from codekiln.backends import BackendInfo, Cancel, open_backend
from codekiln.core import Verdict
from codekiln.core.errors import UsageError
from codekiln.core.settings import load_settings
from codekiln.evals import store
from codekiln.evals.choice import Choice
from codekiln.evals.completions import RememberingBackend
from codekiln.evals.datasets import find_suite, suites
from codekiln.evals.modes import Asking
from codekiln.evals.problems import Problem, problem_of
from codekiln.evals.run import Progress, describe_run, run_problems
from codekiln.evals.scorer import Calibration, ScorerProcess, Shown, calibration_of
from codekiln.evals.summary import Summary
from codekiln.generation.events import Event, LoadingProgress
from codekiln.sandbox import Isolation, open_isolation
from codekiln.verify import assess_many


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, of which problems, and how.

    `fresh` forgets remembered completions.
    """

    suite: str
    asking: Asking
    model: str | None = None
    api_base: str | None = None
    language: str = ""
    choice: Choice = field(default_factory=Choice)
    data: Path | None = None
    results: Path | None = None
    note: str = ""
    fresh: bool = False
    unsafe: bool = False


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told: `on_load` of weights, `on_start` of the run's id and how many of its problems
    were done before, `on_progress` of problems."""

    on_load: Callable[[Event], None] = lambda _: None
    on_start: Callable[[str, int], None] = lambda _run, _done: None
    on_progress: Callable[[Progress], None] = lambda _: None
    cancel: Cancel | None = None


def evaluate_suite(plan: Plan, listener: Listener | None = None) -> tuple[store.Stored, Summary]:
    """Measure and store. An unfinished run of the same kind goes on.

    Raises UsageError, DataError, SandboxError, CancelledError and what the backend raises.
    """
    told = listener or Listener()
    suite = find_suite(plan.suite)
    isolation = open_isolation(unsafe=plan.unsafe)
    results = store.results_folder(plan.results)
    with ScorerProcess() as scorer:
        shown = scorer.load(suite.name, plan.language, plan.data, unsafe=plan.unsafe)
        problems = plan.choice.of([problem_of(public) for public in shown.problems])
        model = plan.model or load_settings().model
        loading = LoadingProgress(told.on_load)
        backend = open_backend(model, api_base=plan.api_base, progress=loading)
        memory = _memory(backend.info, fresh=plan.fresh)
        with RememberingBackend(backend, memory) as remembering:
            run = describe_run(
                suite.name,
                shown,
                problems,
                plan.asking,
                backend.info,
                plan.choice,
                note=plan.note,
            )
            stored = store.open_run(run, results, new=plan.fresh)
            with store.locked(stored):
                told.on_start(stored.run.id, len(stored.outcomes()))
                summary = run_problems(
                    stored,
                    problems,
                    plan.asking,
                    remembering,
                    scorer,
                    isolation,
                    on_progress=told.on_progress,
                    cancel=told.cancel,
                )
    return stored, summary


def suite_table() -> list[dict[str, Any]]:
    """Every suite and language with its number of problems and its licence-bearing file."""
    rows = []
    for suite in suites():
        for language, count in suite.problems.items():
            found = count or _own_problems(suite.tests)
            rows.append(
                {
                    "name": suite.name,
                    "language": language,
                    "problems": found,
                    "title": suite.title,
                    "file": suite.files.get(language, "part of codekiln"),
                }
            )
        for language, path in suite.brought.items():
            # Nothing is known of a file that is the user's.
            rows.append(
                {
                    "name": suite.name,
                    "language": language,
                    "problems": None,
                    "title": f"{suite.title}, your own file",
                    "file": path,
                }
            )
    return rows


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """How a suite's own solutions fared.

    `faults` says in words what is not as it has to be: a reference that fails, a wrong solution
    that passes, a problem whose wrong solutions are all caught by its visible examples.
    """

    suite: str
    language: str
    problems: int
    dataset: str
    references: int
    references_passed: int
    wrong: int
    wrong_passed: int
    wrong_caught_by_examples: int
    left_out: int
    faults: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """True when every reference passes and every wrong solution fails."""
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "ok": self.ok}


def calibrate_suite(
    name: str,
    language: str = "",
    data: Path | None = None,
    listener: Listener | None = None,
    *,
    limit: int | None = None,
    unsafe: bool = False,
) -> CalibrationResult:
    """Score the references and the known wrong solutions of a suite. Raises like evaluate_suite."""
    told, choice = listener or Listener(), Choice(limit=limit)
    suite = find_suite(name)
    isolation = open_isolation(unsafe=unsafe)
    started = time.monotonic()
    with ScorerProcess() as scorer:
        shown = scorer.load(suite.name, language, data, unsafe=unsafe)
        problems = choice.of([problem_of(public) for public in shown.problems])
        asked = {scorer.calibrate(problem.id): problem for problem in problems}
        found: dict[str, Calibration] = {}
        right = 0
        for future in as_completed(asked):
            calibration = calibration_of(future.result())
            found[asked[future].id] = calibration
            right += _passes(calibration)
            told.on_progress(
                Progress(len(found), len(problems), right, 0, time.monotonic() - started)
            )
    result = _judged(suite.name, shown, problems, found, isolation, time.monotonic() - started)
    if not result.references and not result.wrong:
        raise UsageError(
            f"{suite.name} has no solutions of its own, so nothing can be calibrated with it",
            "Choose another suite; 'codekiln eval suites' lists them",
        )
    return result


def _judged(
    name: str,
    shown: Shown,
    problems: list[Problem],
    found: dict[str, Calibration],
    isolation: Isolation,
    seconds: float,
) -> CalibrationResult:
    faults: list[str] = []
    caught = 0
    for problem in problems:
        calibration = found[problem.id]
        faults += [f"{problem.id}: {trouble}" for trouble in calibration.trouble]
        reference = calibration.reference
        if reference is not None and reference.verdict is not Verdict.PASSED:
            faults.append(
                f"{problem.id}: the reference gets {reference.verdict} ({reference.detail})"
            )
        faults += [
            f"{problem.id}: wrong solution {number} passes"
            for number, verdict in enumerate(calibration.wrong)
            if verdict.verdict is Verdict.PASSED
        ]
        if name.startswith("kilnlogic"):
            # The sizes that constraints name are tried too, but they are no examples.
            shown_task = replace(problem.task, constraints=())
            visible = assess_many(calibration.wrong_codes, shown_task, isolation=isolation)
            stopped = sum(assessment.verdict is not Verdict.PASSED for assessment in visible)
            caught += stopped
            if stopped == len(visible):
                faults.append(f"{problem.id}: the visible examples catch every wrong solution")
    calibrations = found.values()
    return CalibrationResult(
        suite=name,
        language=shown.language,
        problems=len(problems),
        dataset=shown.dataset,
        references=sum(c.reference is not None for c in calibrations),
        references_passed=sum(map(_passes, calibrations)),
        wrong=sum(len(c.wrong) for c in calibrations),
        wrong_passed=sum(v.verdict is Verdict.PASSED for c in calibrations for v in c.wrong),
        wrong_caught_by_examples=caught,
        left_out=sum(calibration.left_out for calibration in calibrations),
        faults=tuple(faults),
        seconds=round(seconds, 1),
    )


def _passes(calibration: Calibration) -> bool:
    reference = calibration.reference
    return reference is not None and reference.verdict is Verdict.PASSED


def _memory(info: BackendInfo, *, fresh: bool) -> Path:
    """Where completions of these weights on this kind of hardware are remembered."""
    folder = load_settings().cache_dir / "completions"
    hardware = re.sub(r"\W+", "-", info.details.get("hardware", "")).strip("-").lower()
    name = "-".join(filter(None, (info.weights_sha256[:16] or "unknown", hardware)))
    return folder / (f"{name}-{time.time_ns()}.jsonl" if fresh else f"{name}.jsonl")


def _own_problems(half: str) -> int:
    import importlib.resources
    import tomllib

    root = importlib.resources.files("codekiln.evals").joinpath("kilnlogic")
    return len(tomllib.loads(root.joinpath("halves.toml").read_text("utf-8"))[half])
