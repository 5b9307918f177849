"""Draws candidates: one backend call for all drafts of some prompts, code taken out of each.

Does not judge them. The first draft of each prompt is greedy, the others share its prompt, so
that a backend reads the prompt once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.backends import Backend, Cancel, Completion, CompletionRequest
from codekiln.core import Candidate, Prompt, Sampling, Task
from codekiln.core.errors import BackendError, CancelledError
from codekiln.generation.events import Event, OnEvent, Stage
from codekiln.generation.options import Options
from codekiln.verify import extract_code


@dataclass(frozen=True, slots=True)
class Round:
    """One call for drafts: `count` candidates of `prompt`, numbered from `first_index`.

    `number` is 0 for first drafts, then `parent` is None; else the round of repair and the index
    of the candidate that the prompt asks to repair.
    """

    prompt: Prompt
    count: int
    number: int = 0
    first_index: int = 0
    parent: int | None = None


def draw(
    task: Task,
    drafts: Round,
    options: Options,
    backend: Backend,
    on_event: OnEvent,
    cancel: Cancel | None,
) -> tuple[Candidate, ...]:
    """The candidates of one round, greedy first. `options.seed` must be set.

    Raises CancelledError, and what the backend raises.
    """
    assert options.seed is not None
    # Every draft of an answer has a seed of its own, those of later rounds included.
    seed = options.seed + drafts.first_index
    greedy = Sampling(max_tokens=options.max_tokens, seed=seed, logprobs=True)
    requests = [CompletionRequest(drafts.prompt, greedy)]
    if drafts.count > 1:
        warm = Sampling(
            temperature=options.temperature,
            max_tokens=options.max_tokens,
            seed=seed + 1,
            logprobs=True,
        )
        requests.append(CompletionRequest(drafts.prompt, warm, n=drafts.count - 1))
    completions = _listen(drafts, requests, backend, on_event, cancel)
    return tuple(
        _candidate(task, drafts, sample, completion)
        for sample, completion in enumerate(completions)
    )


def _listen(
    drafts: Round,
    requests: Sequence[CompletionRequest],
    backend: Backend,
    on_event: OnEvent,
    cancel: Cancel | None,
) -> list[Completion]:
    finished: dict[int, Completion] = {}
    stage: Stage = "repair" if drafts.number else "sample"
    on_event(Event(stage, 0, drafts.count))
    for pieces, delta in enumerate(backend.stream(requests, cancel), 1):
        sample = delta.sample + (1 if delta.request else 0)
        if delta.completion is not None:
            finished[sample] = delta.completion
        on_event(Event(stage, len(finished), drafts.count, delta.text, sample, pieces))
    if cancel is not None and cancel.is_set:
        raise CancelledError("cancelled while the model was writing")
    if len(finished) != drafts.count:
        raise BackendError(
            f"{backend.info.name} gave {len(finished)} of {drafts.count} answers", "Try again"
        )
    return [finished[sample] for sample in range(drafts.count)]


def _candidate(task: Task, drafts: Round, sample: int, completion: Completion) -> Candidate:
    return Candidate(
        index=drafts.first_index + sample,
        code=extract_code(completion.text, task.language, prefill=drafts.prompt.prefill, task=task),
        completion=completion.text,
        sample=sample,
        round=drafts.number,
        parent=drafts.parent,
        greedy=sample == 0,
        logprob=completion.logprob,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        finish_reason=completion.finish_reason,
    )
