"""From a Task to an Answer: draft, check, draw more where it is needed, repair, choose.

Data flows one way. Takes an open backend and isolation; reads no files, keeps no records.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace

from codekiln.backends import KV_TOKEN_BYTES, Backend, Cancel
from codekiln.core import Answer, Assessment, Candidate, Confidence, Prompt, Task, Verdict
from codekiln.core.files import sha256_text
from codekiln.generation.confidence import Evidence, evidence_of, probability, too_unsure
from codekiln.generation.draft_guards import DraftGuards, open_guards
from codekiln.generation.drafting import Round, draw
from codekiln.generation.events import Event, OnEvent, ignore
from codekiln.generation.inferred_types import inferred_signature, with_types
from codekiln.generation.mutation import try_changes
from codekiln.generation.options import Options
from codekiln.generation.prompts import build_prompt
from codekiln.generation.recombination import recombine
from codekiln.generation.repair import can_repair, kept, repair
from codekiln.generation.schedule import form_of, is_settled, next_drafts
from codekiln.generation.selection import Selection, select
from codekiln.generation.stepwise import is_worthwhile, shares_parts, write_stepwise
from codekiln.generation.telling_apart import tell_apart
from codekiln.generation.wording import answer_notes, why_unsure, why_unverified
from codekiln.generation.workbench import Workbench, prompt_budget
from codekiln.sandbox import CountingIsolation, Isolation
from codekiln.verify import distinguish, extract

# From so many tokens on the user is told of a prompt's memory.
LONG_PROMPT = 4096


@dataclass(frozen=True, slots=True)
class Result:
    """An answer with what it took: `seconds` per stage, the first prompt and its hash."""

    answer: Answer
    prompt: Prompt
    prompt_sha256: str
    isolation: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    side_tokens: int = 0
    evidence: Evidence | None = None
    executions: int = 0
    guard: Mapping[str, object] = field(default_factory=dict)


def answer_task(
    task: Task,
    options: Options,
    backend: Backend,
    isolation: Isolation | None,
    on_event: OnEvent = ignore,
    cancel: Cancel | None = None,
) -> Result:
    """The best of at most `options.n` candidates, drafts and repairs together.

    What codekiln makes of them without the model comes on top.

    `options.seed` must be set; `isolation` may be None without `options.verify`. Raises
    CancelledError, ContextOverflowError, SandboxError and what the backend raises; OracleError when
    the guard that was asked for has no type checker here.
    """
    with open_guards(options.guard, task) or nullcontext() as guards:
        signature = inferred_signature(task) if options.guard == "types" else None
        typed = with_types(task, signature)
        result = _answer_task(typed, options, backend, isolation, on_event, cancel, guards)
    if guards is None:
        return result
    notes = (*result.answer.notes, *guards.notes())
    answer = replace(result.answer, notes=notes)
    return replace(result, answer=answer, guard={**guards.summary(), "inferred": signature})


def _answer_task(
    task: Task,
    options: Options,
    backend: Backend,
    isolation: Isolation | None,
    on_event: OnEvent,
    cancel: Cancel | None,
    guards: DraftGuards | None,
) -> Result:
    form = form_of(task)
    prompt = build_prompt(
        task,
        form=form,
        count_tokens=backend.count_tokens,
        budget_tokens=prompt_budget(backend, options),
    )
    _tell_memory(prompt, backend, on_event)
    if not options.verify or isolation is None:
        alone = Round(prompt, 1, greedy=True, form=form)
        candidate = draw(task, alone, options, backend, on_event, cancel, guards)[0]
        answer = _unchecked(task, candidate, prompt)
        return Result(answer, prompt, _prompt_hash(prompt), "")
    bench = Workbench(
        task, options, backend, CountingIsolation(isolation), on_event, cancel, guards
    )
    remarks: list[str] = []
    if options.strategy == "stepwise":
        remarks += write_stepwise(bench)
    if _fails(bench):
        while not is_settled(bench) and (drafts := next_drafts(bench, prompt)) is not None:
            bench.draw(drafts)
            if _fails(bench) and options.strategy == "auto" and is_worthwhile(bench):
                remarks += write_stepwise(bench)
    if _fails(bench):
        recombine(bench)
    if _fails(bench):
        remarks += try_changes(bench)
    if _fails(bench):
        remarks += repair(bench)
    tell_apart(bench)
    selection = _choose(bench)
    evidence = evidence_of(bench.candidates, bench.assessments, selection)
    if shares_parts(bench, bench.candidates[selection.index]):
        evidence = replace(
            evidence,
            parts=bench.parts_chance,
            drawn=evidence.drawn + bench.set_aside,
            passing=evidence.passing + bench.set_aside_passing,
        )
    return Result(
        _answer(bench, prompt, selection, evidence, remarks),
        prompt,
        _prompt_hash(prompt),
        isolation.name,
        bench.seconds,
        bench.side_tokens,
        evidence,
        bench.isolation.runs,
    )


def _tell_memory(prompt: Prompt, backend: Backend, on_event: OnEvent) -> None:
    """Say what a long prompt takes before it is read."""
    token_bytes = int(backend.info.details.get(KV_TOKEN_BYTES, 0))
    tokens = backend.count_tokens(prompt) if token_bytes else None
    if tokens is not None and tokens >= LONG_PROMPT:
        text = f"a prompt of {tokens:,} tokens takes about {tokens * token_bytes / 1e9:.2f} GB"
        on_event(Event("note", text=text))


def _fails(bench: Workbench) -> bool:
    """True while the best candidate so far fails a check, or there is none."""
    return not bench.candidates or can_repair(bench.assessments[_choose(bench).index])


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
        notes=(*answer_notes(task, prompt, (candidate,)), *_mended(candidate)),
    )


def _choose(bench: Workbench) -> Selection:
    """The best of the drafts and of those repairs that are better than what they repair."""
    places = kept(bench)
    selection = select(
        [bench.candidates[place] for place in places],
        [bench.assessments[place] for place in places],
        bench.task.language,
    )
    return replace(selection, considered=len(bench.candidates))


def _answer(
    bench: Workbench,
    prompt: Prompt,
    selection: Selection,
    evidence: Evidence,
    remarks: Sequence[str],
) -> Answer:
    chosen, assessment = bench.candidates[selection.index], bench.assessments[selection.index]
    verdict, why = assessment.verdict, why_unverified(bench.task, assessment)
    if too_unsure(evidence):
        verdict, why = Verdict.UNVERIFIED, why_unsure(evidence, selection)
    return Answer(
        code=chosen.code,
        verdict=verdict,
        candidate=chosen,
        assessment=assessment,
        confidence=_confidence(assessment, selection, evidence),
        why_unverified=why,
        candidates=tuple(bench.candidates),
        assessments=tuple(bench.assessments),
        notes=(
            *answer_notes(bench.task, prompt, bench.candidates),
            *remarks,
            *_mended(chosen),
            *_edits(bench.task, chosen, prompt),
            *_dispute(bench, selection),
        ),
    )


def _mended(chosen: Candidate) -> tuple[str, ...]:
    """That the code does not stand as the model wrote it, where its syntax was mended."""
    return (f"its syntax was mended: {chosen.mended}",) if chosen.mended else ()


def _confidence(assessment: Assessment, selection: Selection, evidence: Evidence) -> Confidence:
    runs = assessment.example_runs
    return Confidence(
        examples_passed=assessment.examples_passed,
        examples_run=sum(run.outcome != "not_run" for run in runs),
        cluster_size=len(selection.cluster.members),
        cluster_of=selection.considered,
        checks_run=tuple(
            report.check
            for report in assessment.reports
            if report.verdict is not Verdict.UNVERIFIED
        ),
        probability=probability(evidence),
    )


def _dispute(bench: Workbench, selection: Selection) -> Iterator[str]:
    """An input on which the chosen answer and the largest other group that passes differ."""
    rivals = sorted(selection.clusters[1:], key=lambda cluster: -len(cluster.members))
    if not rivals or not selection.standing.passed:
        return
    rival = bench.candidates[rivals[0].members[0]]
    with bench.clock("check"):
        found = distinguish(
            bench.candidates[selection.index].code,
            rival.code,
            bench.task,
            isolation=bench.isolation,
        )
    if found is not None:
        yield (
            f"candidates that pass the examples differ elsewhere: {found.call} gives {found.first} "
            f"here and {found.second} in {len(rivals[0].members)} other"
            f"{'s' * (len(rivals[0].members) > 1)}; add the right one as an example"
        )


def _edits(task: Task, chosen: Candidate, prompt: Prompt) -> Iterator[str]:
    """What was done to the text of the model; every prompt of an answer has the same prefill."""
    found = extract(chosen.completion, task.language, prefill=prompt.prefill, task=task)
    for finding in found.findings:
        yield f"not as the model wrote it: {finding.message}"
