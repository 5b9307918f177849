"""The door to the main job: from what a user has (text, names) to an Answer and its Record.

Opens and closes what the pipeline needs. `generate` is the same without the record.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from codekiln.backends import (
    Attention,
    Backend,
    BackendInfo,
    Cancel,
    as_attention,
    open_backend,
)
from codekiln.core import Answer, ContextFile, Prompt, Record, Task
from codekiln.core.errors import CancelledError, CodekilnError, UsageError
from codekiln.core.settings import load_settings
from codekiln.generation import environment, records
from codekiln.generation.checking import isolation_for
from codekiln.generation.confidence import Evidence
from codekiln.generation.draft_guards import require_guard
from codekiln.generation.events import LoadingProgress, OnEvent, ignore
from codekiln.generation.options import Guard, Options, Strategy
from codekiln.generation.pipeline import Result, answer_task
from codekiln.generation.tasks import read_task
from codekiln.languages import get_language

# The name by which the embedded engine calls itself.
LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Generated:
    """An answer with its record, the exact first prompt, the evidence for the choice, and how many
    programs were run for it."""

    answer: Answer
    record: Record
    prompt: Prompt
    evidence: Evidence | None = None
    executions: int = 0


def generate(
    task: str | Task,
    *,
    language: str | None = None,
    model: str | None = None,
    api_base: str | None = None,
    backend: Backend | None = None,
    n: int = 8,
    max_tokens: int = 1024,
    temperature: float = 0.8,
    seed: int | None = None,
    context: Sequence[ContextFile] = (),
    verify: bool = True,
    unsafe: bool = False,
    strategy: Strategy = "auto",
    attention: Attention = "auto",
    guard: Guard = "none",
    on_event: OnEvent | None = None,
    cancel: Cancel | None = None,
) -> Answer:
    """Code for `task` (a sentence, Markdown, JSON, a Python stub, or a Task), checked.

    At most `n` candidates are drawn by `model` (a name or path; default CODEKILN_MODEL), or by the
    server at `api_base`, or by a `backend` that the caller opened and keeps, which saves loading
    the weights for every call; `attention` is for a model that is opened here; `guard` "types" has
    a type checker look at drafts while a model writes them, "syntax" the language's grammar. Look
    at `answer.code`, `answer.verified` and `answer.why_unverified`.

    Raises UsageError for a malformed request and other CodekilnErrors for what fails on the way;
    a model that finds no good answer is not an error.
    """
    options = Options(n, max_tokens, temperature, seed, verify, unsafe, strategy, attention, guard)
    ready = as_task(task, language=language, context=context)
    return generate_recorded(
        ready,
        options,
        model=model,
        api_base=api_base,
        backend=backend,
        on_event=on_event,
        cancel=cancel,
    ).answer


def as_task(
    task: str | Task, *, language: str | None = None, context: Sequence[ContextFile] = ()
) -> Task:
    """A Task as it is, or read from text. Raises UsageError."""
    if isinstance(task, str):
        return read_task(task, language=language, context=context)
    if language is not None and get_language(language).name != task.language:
        raise UsageError(
            f"the task is for {task.language}, but the language {language!r} was given",
            "Give only one of them",
        )
    return replace(task, context=(*task.context, *context))


def generate_recorded(
    task: Task,
    options: Options,
    *,
    model: str | None = None,
    api_base: str | None = None,
    backend: Backend | None = None,
    on_event: OnEvent | None = None,
    cancel: Cancel | None = None,
) -> Generated:
    """Like `generate`, from a Task and Options; also gives the record, which is kept.

    A record that cannot be written becomes a note of the answer.
    """
    generated = run_unrecorded(
        task,
        options,
        model=model,
        api_base=api_base,
        backend=backend,
        on_event=on_event,
        cancel=cancel,
    )
    try:
        records.append(generated.record)
    except CodekilnError as error:
        notes = (*generated.answer.notes, str(error))
        return replace(generated, answer=replace(generated.answer, notes=notes, record_id=""))
    return generated


def run_unrecorded(
    task: Task,
    options: Options,
    *,
    model: str | None = None,
    api_base: str | None = None,
    backend: Backend | None = None,
    on_event: OnEvent | None = None,
    cancel: Cancel | None = None,
) -> Generated:
    """Like `generate_recorded`, but nothing is written."""
    listener = on_event or ignore
    options = options.with_drawn_seed()
    started = time.monotonic()
    # A machine without a sandbox is told so before minutes go into drafts.
    isolation = isolation_for(task, unsafe=options.unsafe) if options.verify else None
    require_guard(options.guard, task.language)
    wanted = model or load_settings().model
    opened: AbstractContextManager[Backend]
    if backend is not None:
        opened, wanted = nullcontext(backend), model or backend.info.model
        # Whoever opened it decided how it attends.
        decided = as_attention(backend.info.details.get("attention", "auto"))
        options = replace(options, attention=decided)
    else:
        progress = LoadingProgress(listener)
        opened = open_backend(
            wanted, api_base=api_base, progress=progress, attention=options.attention
        )
    with opened as ready:
        if cancel is not None and cancel.is_set:
            raise CancelledError("cancelled before the model began")
        loaded_s = time.monotonic() - started
        result = answer_task(task, options, ready, isolation, listener, cancel)
        info = ready.info
    seconds = {"load": loaded_s, **result.seconds, "total": time.monotonic() - started}
    # A server's address may hold a secret, and its answers cannot be replayed anyway.
    asked = str(Path(wanted).absolute()) if Path(wanted).exists() else wanted
    asked = asked if info.name == LOCAL else info.model
    record = _record(task, options, asked, info, result, seconds)
    return Generated(
        replace(result.answer, record_id=record.id),
        record,
        result.prompt,
        result.evidence,
        result.executions,
    )


def _record(
    task: Task,
    options: Options,
    model: str,
    info: BackendInfo,
    result: Result,
    seconds: dict[str, float],
) -> Record:
    candidates = result.answer.candidates
    drafts = [candidate for candidate in candidates if candidate.round == 0]
    return Record(
        id=records.new_id(),
        created=records.timestamp(),
        codekiln=environment.codekiln_version(),
        model=info.model,
        weights_sha256=info.weights_sha256,
        backend=info.name,
        prompt_sha256=result.prompt_sha256,
        request=records.request_of(task, options, model),
        code=result.answer.code,
        verdict=result.answer.verdict,
        isolation=result.isolation,
        tools=environment.tools(),
        machine=environment.machine(info),
        tokens={
            "prompt": candidates[0].prompt_tokens,
            "drafts": sum(candidate.completion_tokens for candidate in drafts),
            "repairs": sum(c.completion_tokens for c in candidates if c.round > 0),
            "beside": result.side_tokens,
        },
        seconds={stage: round(value, 3) for stage, value in seconds.items()},
        guard=result.guard,
    )
