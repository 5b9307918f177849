"""Runs an evaluation: asks for problems side by side, scores, stores, and goes on where it ended.

Takes an open backend and scorer. Each problem is asked, scored and stored as a whole, so that a
kill loses only those under way, and their completions are remembered (see completions).
"""

from __future__ import annotations

import hashlib
import importlib.resources
import secrets
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from codekiln.backends import Backend, BackendInfo, Cancel
from codekiln.core.errors import CancelledError, ContextOverflowError
from codekiln.evals import store
from codekiln.evals.choice import Choice, id_in_suite
from codekiln.evals.completions import remembered_here
from codekiln.evals.modes import Asked, Asking, ask
from codekiln.evals.outcomes import CHOOSING, Outcome, Run, Scored
from codekiln.evals.problems import Problem
from codekiln.evals.scorer import ScorerProcess, Shown
from codekiln.evals.summary import Summary, summarise, summary_as_json
from codekiln.generation import environment
from codekiln.generation.records import timestamp
from codekiln.generation.schedule import FIRST_ROUND
from codekiln.sandbox import Isolation

_CANCEL_POLL_S = 0.2
# Sequences that the local engine decodes together; more problems at once would only wait.
_BATCH = 64
_MOST_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: problems done and right so far, tokens and seconds of this session."""

    done: int
    total: int
    right: float
    tokens: int
    seconds: float


OnProgress = Callable[[Progress], None]


def describe_run(
    suite: str,
    shown: Shown,
    problems: Sequence[Problem],
    asking: Asking,
    info: BackendInfo,
    choice: Choice | None = None,
    *,
    note: str = "",
) -> Run:
    """The manifest of a run that is about to begin."""
    created = timestamp()
    stamp = created.replace("-", "").replace(":", "").rstrip("Z")
    language = "" if shown.language == "python" else f"-{shown.language}"
    choice = choice or Choice()
    settings: dict[str, Any] = {**asdict(asking), **asdict(choice)}
    if choice.is_part:
        settings["problems"] = [problem.id for problem in problems]
    return Run(
        id=f"{suite}{language}_{Path(info.model).name}_{asking.mode}_{stamp}_{secrets.token_hex(2)}",
        created=created,
        suite=suite,
        language=shown.language,
        problems=len(problems),
        dataset=shown.dataset,
        model=info.model,
        weights_sha256=info.weights_sha256,
        backend=info.name,
        mode=asking.mode,
        settings=settings,
        codekiln=environment.codekiln_version(),
        code=source_hash(),
        tools=environment.tools(),
        machine={
            **environment.machine(info),
            "isolation": shown.isolation,
            "slowness": str(shown.slowness),
        },
        note=note,
    )


def run_problems(
    stored: store.Stored,
    problems: Sequence[Problem],
    asking: Asking,
    backend: Backend,
    scorer: ScorerProcess,
    isolation: Isolation | None,
    *,
    on_progress: OnProgress = lambda _: None,
    cancel: Cancel | None = None,
) -> Summary:
    """Ask and score what is not done yet; the summary of all. Raises CancelledError."""
    done = {outcome.problem: outcome for outcome in stored.outcomes()}
    pending = [problem for problem in problems if problem.id not in done]
    started = time.monotonic()
    tokens = 0

    def one(problem: Problem) -> Outcome:
        before = remembered_here(backend)
        try:
            asked = ask(problem, asking, backend, isolation, cancel)
        except ContextOverflowError as error:
            # It is this problem's answer that there is none; the others go on.
            return Outcome(problem.id, (), notes=(str(error),))
        outcome = _scored(problem, asked, scorer)
        # What was read from memory took no time that says anything.
        fresh = remembered_here(backend) == before
        return outcome if fresh else replace(outcome, seconds=None)

    def report() -> None:
        right = sum(_main_score(outcome) for outcome in done.values())
        elapsed = time.monotonic() - started
        on_progress(Progress(len(done), len(problems), right, tokens, elapsed))

    report()
    pool = ThreadPoolExecutor(problems_at_once(asking), thread_name_prefix="codekiln-eval")
    futures: set[Future[Outcome]] = {pool.submit(one, problem) for problem in pending}
    try:
        while futures:
            ready, futures = wait(futures, _CANCEL_POLL_S, return_when=FIRST_COMPLETED)
            for future in ready:
                # A failure of one must not cost what its neighbours have finished.
                if future.exception() is None:
                    outcome = future.result()
                    store.append(stored, outcome)
                    done[outcome.problem] = outcome
                    tokens += outcome.tokens
            for future in ready:
                future.result()
            if ready:
                report()
            if cancel is not None and cancel.is_set:
                raise CancelledError("the run was cancelled; the same command goes on with it")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    ordered = [done[problem.id] for problem in problems]
    summary = summarise(ordered, asking.mode, time.monotonic() - started)
    store.finish(stored, [problem.id for problem in problems], summary_as_json(summary))
    return summary


def problems_at_once(asking: Asking) -> int:
    """How many problems are under way together: enough to fill the engine's batch."""
    together = min(asking.n, FIRST_ROUND) if asking.mode in CHOOSING else asking.n + 1
    # Twice the batch: about half of the problems are being checked or scored at any time.
    return max(2, min(_MOST_AT_ONCE, 2 * _BATCH // together))


def source_hash() -> str:
    """A hash of the source that makes and scores answers, data files included."""
    digest = hashlib.sha256()

    def add(folder: Traversable) -> None:
        for item in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if item.is_dir():
                if item.name not in ("__pycache__", "cli", "report"):
                    add(item)
            elif item.name.endswith((".py", ".toml", ".json")):
                digest.update(item.name.encode() + item.read_bytes())

    add(importlib.resources.files("codekiln"))
    return digest.hexdigest()[:16]


def _scored(problem: Problem, asked: Asked, scorer: ScorerProcess) -> Outcome:
    codes = [candidate.code for candidate in asked.candidates]
    verdicts = scorer.score_all(id_in_suite(problem.id), codes)
    visible = [str(assessment.verdict) for assessment in asked.assessments]
    visible += [""] * (len(verdicts) - len(visible))
    answer = asked.answer
    chosen = answer.candidate.index if answer is not None and answer.candidate else None
    return Outcome(
        problem=problem.id,
        candidates=tuple(
            Scored(
                index=candidate.index,
                code=candidate.code,
                completion=candidate.completion,
                verdict=verdict.verdict,
                detail=verdict.detail,
                visible=seen,
                sample=candidate.sample,
                round=candidate.round,
                greedy=candidate.greedy,
                form=candidate.form,
                temperature=candidate.temperature,
                logprob=candidate.logprob,
                prompt_tokens=candidate.prompt_tokens,
                completion_tokens=candidate.completion_tokens,
                finish_reason=candidate.finish_reason,
            )
            for candidate, verdict, seen in zip(asked.candidates, verdicts, visible, strict=True)
        ),
        chosen=chosen,
        verified=answer.verified if answer is not None else False,
        confidence=answer.confidence.probability if answer is not None else None,
        executions=asked.executions,
        seconds=round(asked.seconds, 3),
        prompt=asked.prompt,
        notes=answer.notes if answer is not None else (),
        side_tokens=asked.side_tokens,
        evidence=asked.evidence,
    )


def _main_score(outcome: Outcome) -> float:
    if outcome.chosen is not None:
        return float(outcome.selected is not None and outcome.selected.right)
    return float(outcome.greedy is not None and outcome.greedy.right)
