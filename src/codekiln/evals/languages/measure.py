"""Draws an answer per task, plainly and through codekiln, and notes how far each one gets.

Plain is the greedy draft as the model writes it; codekiln is the whole job with a few candidates,
checks and repair, on the same first draft. Finished tasks are kept in a file, so that an
interrupted measurement goes on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from codekiln.backends import Backend, CompletionRequest
from codekiln.core import Sampling, Verdict
from codekiln.evals.completions import RememberingBackend
from codekiln.evals.languages.tasks import LanguageTask
from codekiln.generation import Options
from codekiln.generation.checking import isolation_for
from codekiln.generation.door import run_unrecorded
from codekiln.generation.prompts import build_prompt
from codekiln.generation.schedule import form_of
from codekiln.generation.workbench import prompt_budget
from codekiln.languages import get_language, syntax_errors
from codekiln.verify import assess, extract_code

Arm = Literal["plain", "codekiln"]
# Candidates of the job; the tasks are small, and there are hundreds of them.
OPTIONS = Options(n=4, max_tokens=768, seed=0)
TOGETHER = 16
_NOT_BUILT = (Verdict.NO_CODE, Verdict.SYNTAX_ERROR, Verdict.TYPE_ERROR)
_NOT_RUN = (Verdict.RUNTIME_ERROR, Verdict.TIMEOUT, Verdict.OUT_OF_MEMORY)

Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far one answer got; None where a level does not apply or its tools are missing.

    `passes`: all examples, or all patterns of a task without any. `check_s` are the seconds of
    parsing and checking the answer once.
    """

    task: str
    language: str
    arm: Arm
    parses: bool
    compiles: bool | None
    runs: bool | None
    passes: bool
    verdict: str
    tokens: int
    seconds: float
    check_s: float
    code: str


def measure_languages(
    tasks: Sequence[LanguageTask], backend: Backend, folder: Path, tell: Tell
) -> list[Outcome]:
    """The outcomes of both arms of all tasks; what `folder` has is not measured again."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "outcomes.jsonl"
    done = {(o.task, o.arm): o for o in read_outcomes(path)}
    wanted = {one.key for one in tasks}
    with RememberingBackend(backend, folder / "completions.jsonl") as remembering:
        left = [t for t in tasks if (t.key, "codekiln") not in done]
        for start in range(0, len(left), TOGETHER):
            some = left[start : start + TOGETHER]
            seconds = _draw(some, remembering)
            for one in some:
                for outcome in _outcomes(one, remembering, seconds / len(some)):
                    done[outcome.task, outcome.arm] = outcome
                    with path.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(asdict(outcome), ensure_ascii=False) + "\n")
                tell(len(tasks) - len(left) + left.index(one) + 1, len(tasks), one.key)
    return [outcome for outcome in done.values() if outcome.task in wanted]


def read_outcomes(path: Path) -> Iterator[Outcome]:
    """The outcomes of a file; a last line that a crash cut off is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield Outcome(**json.loads(line))
        except ValueError:
            continue


def _request(one: LanguageTask, backend: Backend) -> CompletionRequest:
    """The request of the job's own first draft, so that both arms share it."""
    prompt = build_prompt(
        one.task,
        form=form_of(one.task),
        count_tokens=backend.count_tokens,
        budget_tokens=prompt_budget(backend, OPTIONS),
    )
    sampling = Sampling(max_tokens=OPTIONS.max_tokens, seed=OPTIONS.seed, logprobs=True)
    return CompletionRequest(prompt, sampling)


def _draw(tasks: Iterable[LanguageTask], backend: RememberingBackend) -> float:
    begun = time.perf_counter()
    backend.complete([_request(one, backend) for one in tasks])
    return time.perf_counter() - begun


def _outcomes(
    one: LanguageTask, backend: RememberingBackend, drawing_s: float
) -> Iterator[Outcome]:
    request = _request(one, backend)
    [[draft]] = backend.complete([request])
    prefill = request.prompt.prefill
    plain = extract_code(draft.text, one.task.language, prefill=prefill, task=one.task)
    yield _outcome(one, "plain", plain, draft.completion_tokens, drawing_s)
    begun = time.perf_counter()
    made = run_unrecorded(one.task, OPTIONS, backend=backend)
    seconds = drawing_s + time.perf_counter() - begun
    tokens = sum(made.record.tokens[kind] for kind in ("drafts", "repairs", "beside"))
    yield _outcome(one, "codekiln", made.answer.code, tokens, seconds)


def _outcome(one: LanguageTask, arm: Arm, code: str, tokens: int, seconds: float) -> Outcome:
    task, language = one.task, get_language(one.task.language)
    begun = time.perf_counter()
    verdict = assess(code, task, isolation=isolation_for(task, unsafe=False)).verdict
    check_s = time.perf_counter() - begun
    issues = syntax_errors(language, code)
    is_run = language.can_run and bool(task.checks) and verdict is not Verdict.UNVERIFIED
    built = verdict not in _NOT_BUILT
    return Outcome(
        task=one.key,
        language=language.name,
        arm=arm,
        parses=bool(code.strip()) and not issues,
        compiles=built if is_run else None,
        runs=built and verdict not in _NOT_RUN if is_run else None,
        passes=verdict is Verdict.PASSED if is_run else bool(one.must) and one.fits(code),
        verdict=verdict.value,
        tokens=tokens,
        seconds=round(seconds, 3),
        check_s=round(check_s, 4),
        code=code,
    )
