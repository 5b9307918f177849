"""From a Task to an Answer: prompt, draft, check, select, repair once. Data flows one way.

Takes an open backend and isolation; reads no files, keeps no records.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

from codekiln.backends import Backend, Cancel
from codekiln.core import Answer, Assessment, Candidate, Confidence, Prompt, Task, Verdict
from codekiln.core.errors import ContextOverflowError
from codekiln.core.files import sha256_text
from codekiln.generation.checking import check
from codekiln.generation.drafting import Round, draw
from codekiln.generation.events import OnEvent, ignore
from codekiln.generation.options import Options
from codekiln.generation.prompts import build_prompt
from codekiln.generation.repair import (
    can_repair,
    improvements,
    repair_count,
    repair_prompt,
)
from codekiln.generation.selection import Selection, select
from codekiln.generation.wording import answer_notes, why_unverified
from codekiln.sandbox import Isolation
from codekiln.verify import extract

# For a server that does not tell its window; small models of today have at least this much.
ASSUMED_CONTEXT_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Result:
    """An answer with what it took: `seconds` per stage, hash of the first prompt."""

    answer: Answer
    prompt_sha256: str
    isolation: str
    seconds: Mapping[str, float] = field(default_factory=dict)


def answer_task(
    task: Task,
    options: Options,
    backend: Backend,
    isolation: Isolation | None,
    on_event: OnEvent = ignore,
    cancel: Cancel | None = None,
) -> Result:
    """The best answer of one round of drafts and, if none passes, one round of repairs.

    `options.seed` must be set; `isolation` may be None without `options.verify`. Raises
    CancelledError, ContextOverflowError, SandboxError and what the backend raises.
    """
    clock = _Clock()
    budget = _prompt_budget(backend, options)
    with clock.stage("prompt"):
        prompt = build_prompt(task, count_tokens=backend.count_tokens, budget_tokens=budget)
    with clock.stage("sample"):
        drafts = Round(prompt, options.drafts)
        candidates = draw(task, drafts, options, backend, on_event, cancel)
    if not options.verify or isolation is None:
        answer = _unchecked(task, candidates[0], prompt)
        return Result(answer, _prompt_hash(prompt), "", clock.seconds)
    with clock.stage("check"):
        assessments = check(candidates, task, isolation, on_event, cancel)
    selection = select(candidates, assessments, task.language)
    remarks: tuple[str, ...] = ()
    before = assessments[selection.index]
    if can_repair(before):
        with clock.stage("repair"):
            try:
                repaired, after = _repair(
                    task,
                    candidates[selection.index],
                    before,
                    options,
                    backend,
                    isolation,
                    on_event,
                    cancel,
                )
            except ContextOverflowError:
                repaired, after = (), ()
                remarks = ("no repair was tried: its prompt would not fit the context window",)
        better, results = improvements(before, repaired, after)
        candidates, assessments = candidates + repaired, assessments + after
        if better:
            # The share counts all repairs, not only those that got better.
            selection = replace(select(better, results, task.language), considered=len(repaired))
    answer = _answer(task, prompt, candidates, assessments, selection, remarks)
    return Result(answer, _prompt_hash(prompt), isolation.name, clock.seconds)


def _repair(
    task: Task,
    candidate: Candidate,
    assessment: Assessment,
    options: Options,
    backend: Backend,
    isolation: Isolation,
    on_event: OnEvent,
    cancel: Cancel | None,
) -> tuple[tuple[Candidate, ...], tuple[Assessment, ...]]:
    budget = _prompt_budget(backend, options)
    prompt = repair_prompt(task, candidate, assessment, backend, budget)
    drafts = Round(
        prompt,
        repair_count(options),
        number=1,
        first_index=options.drafts,
        parent=candidate.index,
    )
    repaired = draw(task, drafts, options, backend, on_event, cancel)
    return repaired, check(repaired, task, isolation, on_event, cancel)


def _prompt_budget(backend: Backend, options: Options) -> int:
    window = backend.info.context_tokens or ASSUMED_CONTEXT_TOKENS
    if options.max_tokens >= window:
        raise ContextOverflowError(
            f"{options.max_tokens} new tokens were asked for, the context window of "
            f"{backend.info.model} holds {window}",
            "Ask for fewer tokens",
        )
    return window - options.max_tokens


def _prompt_hash(prompt: Prompt) -> str:
    return sha256_text(json.dumps(asdict(prompt), sort_keys=True))


def _unchecked(task: Task, candidate: Candidate, prompt: Prompt) -> Answer:
    verdict = Verdict.UNVERIFIED if candidate.code else Verdict.NO_CODE
    return Answer(
        code=candidate.code,
        verdict=verdict,
        candidate=candidate,
        assessment=None,
        confidence=Confidence(cluster_size=1, cluster_of=1),
        why_unverified="checks were switched off"
        if candidate.code
        else why_unverified(task, Assessment(verdict)),
        candidates=(candidate,),
        notes=answer_notes(task, prompt, (candidate,)),
    )


def _answer(
    task: Task,
    prompt: Prompt,
    candidates: Sequence[Candidate],
    assessments: Sequence[Assessment],
    selection: Selection,
    remarks: tuple[str, ...],
) -> Answer:
    chosen, assessment = candidates[selection.index], assessments[selection.index]
    runs = assessment.example_runs
    return Answer(
        code=chosen.code,
        verdict=assessment.verdict,
        candidate=chosen,
        assessment=assessment,
        confidence=Confidence(
            examples_passed=assessment.examples_passed,
            examples_run=sum(run.outcome != "not_run" for run in runs),
            cluster_size=len(selection.cluster.members),
            cluster_of=selection.considered,
            checks_run=tuple(
                report.check
                for report in assessment.reports
                if report.verdict is not Verdict.UNVERIFIED
            ),
        ),
        why_unverified=why_unverified(task, assessment),
        candidates=tuple(candidates),
        assessments=tuple(assessments),
        notes=(*answer_notes(task, prompt, candidates), *remarks, *_edits(task, chosen, prompt)),
    )


def _edits(task: Task, chosen: Candidate, prompt: Prompt) -> Iterator[str]:
    """What was done to the text of the model; every prompt of an answer has the same prefill."""
    found = extract(chosen.completion, task.language, prefill=prompt.prefill, task=task)
    for finding in found.findings:
        yield f"not as the model wrote it: {finding.message}"


class _Clock:
    """Seconds per stage of one answer."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - started
