"""The ways to ask a model for a problem: greedy, sample, verified, one-shot and stepwise.

Takes a Problem and an open backend; gives what was answered, not yet scored. Knows no hidden test.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from codekiln.backends import Backend, Cancel, CompletionRequest
from codekiln.core import Answer, Assessment, Candidate, Prompt, Sampling
from codekiln.core.errors import UsageError
from codekiln.evals.outcomes import CHOOSING
from codekiln.evals.problems import Problem
from codekiln.generation import Options
from codekiln.generation.confidence import evidence_of
from codekiln.generation.door import Generated, run_unrecorded
from codekiln.generation.options import MAX_SAMPLES, Strategy
from codekiln.generation.prompts import build_prompt
from codekiln.generation.schedule import form_of
from codekiln.generation.selection import select
from codekiln.generation.workbench import ASSUMED_CONTEXT_TOKENS
from codekiln.sandbox import CountingIsolation, Isolation
from codekiln.verify import assess_many, extract_code

Mode = Literal["greedy", "sample", "verified", "one-shot", "stepwise"]
# Sizes of the first drafts for which sample mode tells what would have been chosen.
PREFIXES = (1, 2, 4, 6, 8, 10)
MODES: tuple[Mode, ...] = get_args(Mode)
_STRATEGIES: dict[Mode, Strategy] = {
    "verified": "auto",
    "one-shot": "one-shot",
    "stepwise": "stepwise",
}


@dataclass(frozen=True, slots=True)
class Asking:
    """How to ask. `n` counts drafts in sample mode and all candidates in the modes that choose;
    `form` names the prompt form of greedy and sample mode, "auto" the one of the main job."""

    mode: Mode
    n: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    seed: int = 0
    form: str = "auto"

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_SAMPLES:
            raise UsageError(f"n is {self.n}", f"Ask for 1 to {MAX_SAMPLES} candidates")
        if self.mode == "sample" and self.temperature <= 0:
            raise UsageError(
                "mode sample draws at a temperature above 0", "Use mode greedy, or give one"
            )
        if self.mode in CHOOSING and (self.top_p != 1.0 or self.form != "auto"):
            raise UsageError(
                f"mode {self.mode} chooses its own prompts and draws without top-p",
                "Leave out --form and --top-p",
            )
        # Refused here, before weights are loaded.
        Sampling(temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a problem was answered with; `assessments` is parallel to `candidates`, or empty.

    `executions` counts the programs that codekiln's own checks ran.
    """

    candidates: tuple[Candidate, ...]
    assessments: tuple[Assessment, ...]
    answer: Answer | None
    prompt: dict[str, Any]
    seconds: float = 0.0
    side_tokens: int = 0
    evidence: tuple[dict[str, float], ...] = ()
    executions: int = 0


def ask(
    problem: Problem,
    asking: Asking,
    backend: Backend,
    isolation: Isolation | None,
    cancel: Cancel | None = None,
) -> Asked:
    """Ask for one problem. Raises what the backend, the sandbox and the pipeline raise."""
    started = time.monotonic()
    if asking.mode in ("greedy", "sample"):
        asked = _plain(problem, asking, backend, isolation, cancel)
    else:
        asked = _chosen(problem, asking, backend, cancel)
    return replace(asked, seconds=time.monotonic() - started)


def seed_of(problem: Problem, seed: int) -> int:
    """A seed for this problem alone, whatever the others are; drafts count up from it."""
    digest = hashlib.sha256(f"{seed}:{problem.id}".encode()).digest()
    return int.from_bytes(digest[:4], "big")


def _plain(
    problem: Problem,
    asking: Asking,
    backend: Backend,
    isolation: Isolation | None,
    cancel: Cancel | None,
) -> Asked:
    task = problem.task
    window = backend.info.context_tokens or ASSUMED_CONTEXT_TOKENS
    prompt_name = problem.form or (form_of(task) if asking.form == "auto" else asking.form)
    prompt = build_prompt(
        task,
        form=prompt_name,
        count_tokens=backend.count_tokens,
        budget_tokens=window - asking.max_tokens,
    )
    seed = seed_of(problem, asking.seed)
    greedy = Sampling(max_tokens=asking.max_tokens, seed=seed, logprobs=True)
    requests = [CompletionRequest(prompt, greedy)]
    if asking.mode == "sample":
        warm = Sampling(
            temperature=asking.temperature,
            top_p=asking.top_p,
            max_tokens=asking.max_tokens,
            seed=seed + 1,
            logprobs=True,
        )
        # The greedy draft comes on top: what is selected has to be held against it.
        requests.append(CompletionRequest(prompt, warm, n=asking.n))
    completions = [item for answers in backend.complete(requests, cancel) for item in answers]
    candidates = tuple(
        Candidate(
            index=sample,
            code=extract_code(item.text, task.language, prefill=prompt.prefill, task=task),
            completion=item.text,
            sample=sample,
            greedy=sample == 0,
            logprob=item.logprob,
            prompt_tokens=item.prompt_tokens,
            completion_tokens=item.completion_tokens,
            finish_reason=item.finish_reason,
            temperature=0.0 if sample == 0 else asking.temperature,
            form=prompt_name,
        )
        for sample, item in enumerate(completions)
    )
    assessments: Sequence[Assessment] = ()
    executions = 0
    if asking.mode == "sample" and isolation is not None:
        counting = CountingIsolation(isolation)
        codes = [candidate.code for candidate in candidates]
        assessments = assess_many(codes, task, isolation=counting)
        executions = counting.runs
    return Asked(
        candidates,
        tuple(assessments),
        None,
        _prompt_as_json(prompt),
        evidence=tuple(
            _evidence(candidates[:count], assessments[:count], task.language)
            for count in PREFIXES
            if count <= len(assessments)
        ),
        executions=executions,
    )


def _evidence(
    candidates: Sequence[Candidate], assessments: Sequence[Assessment], language: str
) -> dict[str, float]:
    """What would have been chosen of these, and by what evidence."""
    selection = select(candidates, assessments, language)
    features = asdict(evidence_of(candidates, assessments, selection))
    return {"drafts": len(candidates), "chosen": selection.index, **features}


def _chosen(problem: Problem, asking: Asking, backend: Backend, cancel: Cancel | None) -> Asked:
    options = Options(
        n=asking.n,
        max_tokens=asking.max_tokens,
        temperature=asking.temperature,
        seed=seed_of(problem, asking.seed),
        strategy=_STRATEGIES[asking.mode],
    )
    generated = run_unrecorded(problem.task, options, backend=backend, cancel=cancel)
    answer = generated.answer
    return Asked(
        answer.candidates,
        answer.assessments,
        answer,
        _prompt_as_json(generated.prompt),
        side_tokens=generated.record.tokens["beside"],
        evidence=_told(generated),
        executions=generated.executions,
    )


def _told(generated: Generated) -> tuple[dict[str, float], ...]:
    answer = generated.answer
    if generated.evidence is None or answer.candidate is None:
        return ()
    counted = {"drafts": len(answer.candidates), "chosen": answer.candidate.index}
    return ({**counted, **asdict(generated.evidence)},)


def _prompt_as_json(prompt: Prompt) -> dict[str, Any]:
    return {key: value for key, value in asdict(prompt).items() if key != "cuts"}
