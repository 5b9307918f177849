"""Draws candidates: one backend call per round, code taken out of each completion.

Does not judge them. All drafts of a round share its prompt, so that a backend reads it once; the
very first draft of an answer is greedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.backends import Backend, Cancel, Completion, CompletionRequest
from codekiln.core import Candidate, Prompt, Sampling, Task
from codekiln.core.errors import BackendError, CancelledError
from codekiln.generation.draft_guards import DraftGuards
from codekiln.generation.events import Event, OnEvent, Stage
from codekiln.generation.options import Options
from codekiln.languages import get_language
from codekiln.verify import extract_code
from codekiln.verify.syntax_repair import repair_syntax


@dataclass(frozen=True, slots=True)
class Round:
    """One call for drafts: `count` candidates of `prompt`, numbered from `first_index`.

    With `greedy` the first of them is drawn at temperature 0, the others at `temperature` (None:
    that of the options). `number` is 0 for first drafts, then `parent` is None; else the round of
    repair and the index of the candidate that the prompt asks to repair.
    """

    prompt: Prompt
    count: int
    number: int = 0
    first_index: int = 0
    parent: int | None = None
    greedy: bool = False
    temperature: float | None = None
    form: str = ""


def draw(
    task: Task,
    drafts: Round,
    options: Options,
    backend: Backend,
    on_event: OnEvent,
    cancel: Cancel | None,
    guards: DraftGuards | None = None,
) -> tuple[Candidate, ...]:
    """The candidates of one round, a greedy one first. `options.seed` must be set.

    Raises CancelledError, and what the backend raises.
    """
    assert options.seed is not None
    # Every draft of an answer has a seed of its own, those of later rounds included.
    seed = options.seed + drafts.first_index
    warmth = options.temperature if drafts.temperature is None else drafts.temperature
    requests = []
    if drafts.greedy:
        greedy = Sampling(max_tokens=options.max_tokens, seed=seed, logprobs=True)
        guard = guards.of(drafts.prompt, greedy=True) if guards else None
        requests.append(CompletionRequest(drafts.prompt, greedy, guard=guard))
    warm_count = drafts.count - len(requests)
    if warm_count:
        warm = Sampling(
            temperature=warmth,
            max_tokens=options.max_tokens,
            seed=seed + len(requests),
            logprobs=True,
        )
        guard = guards.of(drafts.prompt) if guards else None
        requests.append(CompletionRequest(drafts.prompt, warm, n=warm_count, guard=guard))
    completions = _listen(drafts, requests, backend, on_event, cancel)
    return tuple(
        _candidate(task, drafts, sample, completion, warmth)
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
    pieces = 0
    for delta in backend.stream(requests, cancel):
        if delta.read is not None:
            on_event(Event("read", *delta.read))
            continue
        pieces += 1
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


def _candidate(
    task: Task, drafts: Round, sample: int, completion: Completion, warmth: float
) -> Candidate:
    greedy = drafts.greedy and sample == 0
    code = extract_code(completion.text, task.language, prefill=drafts.prompt.prefill, task=task)
    mended = ""
    # Python's harness says more exactly what is wrong, and its repair knows more ways.
    if task.language != "python":
        code, mended = repair_syntax(code, get_language(task.language)) or (code, "")
    return Candidate(
        index=drafts.first_index + sample,
        code=code,
        completion=completion.text,
        sample=sample,
        round=drafts.number,
        parent=drafts.parent,
        greedy=greedy,
        logprob=completion.logprob,
        prompt_tokens=completion.prompt_tokens,
        completion_tokens=completion.completion_tokens,
        finish_reason=completion.finish_reason,
        temperature=0.0 if greedy else warmth,
        form=drafts.form,
        mended=mended,
    )
