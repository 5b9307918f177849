"""Draws an answer per task, plainly and through codekiln, and notes how far each one gets.

Plain is the greedy draft as the model writes it; codekiln is the whole job with a few candidates,
checks and repair, on the same first draft. A task is kept when both arms are done, so that an
interrupted measurement goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from codekiln.backends import Backend, Cancel, CompletionRequest
from codekiln.core import Sampling, Verdict
from codekiln.evals.completions import RememberingBackend, remembered_here
from codekiln.evals.languages import folder as kept
from codekiln.evals.languages.outcomes import CHECKED, PLAIN, Arm, Outcome
from codekiln.evals.languages.tasks import LanguageTask
from codekiln.generation import Options
from codekiln.generation.checking import isolation_for
from codekiln.generation.door import run_unrecorded
from codekiln.generation.prompts import build_prompt
from codekiln.generation.schedule import form_of
from codekiln.generation.workbench import prompt_budget
from codekiln.languages import get_language, syntax_errors
from codekiln.verify import assess, extract_code

# Candidates of the job; the tasks are small, and there are hundreds of them.
OPTIONS = Options(n=4, max_tokens=768, seed=0)
# Enough to fill the engine's batch.
TOGETHER = 16
_NOT_BUILT = (Verdict.NO_CODE, Verdict.SYNTAX_ERROR, Verdict.TYPE_ERROR)
_NOT_RUN = (Verdict.RUNTIME_ERROR, Verdict.TIMEOUT, Verdict.OUT_OF_MEMORY)

Tell = Callable[[int, int, str], None]


def measure_languages(
    tasks: Sequence[LanguageTask], backend: Backend, folder: Path, tell: Tell
) -> None:
    """Keep the outcomes of all tasks in `folder`; what it has is not measured again.

    Raises UsageError when the folder was measured with other weights, tasks or options.
    """
    kept.begin(folder, backend, OPTIONS)
    cancel = Cancel()
    with (
        kept.writing(folder),
        RememberingBackend(backend, folder / "completions.jsonl") as remembering,
    ):
        done = {outcome.task for outcome in kept.read_outcomes(folder) if outcome.arm == CHECKED}
        left = [one for one in tasks if one.key not in done]
        pool = ThreadPoolExecutor(TOGETHER, thread_name_prefix="codekiln-eval")
        under_way: dict[Future[list[Outcome]], LanguageTask] = {
            pool.submit(_outcomes, one, remembering, cancel): one for one in left
        }
        try:
            while under_way:
                ready, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in ready:
                    one = under_way.pop(future)
                    for outcome in future.result():
                        kept.append(folder, outcome)
                    tell(len(tasks) - len(under_way), len(tasks), one.key)
        finally:
            cancel.set()
            pool.shutdown(cancel_futures=True)


def _outcomes(one: LanguageTask, backend: RememberingBackend, cancel: Cancel) -> list[Outcome]:
    prompt = build_prompt(
        one.task,
        form=form_of(one.task),
        count_tokens=backend.count_tokens,
        budget_tokens=prompt_budget(backend, OPTIONS),
    )
    # The job's own first draft, so that both arms share it.
    sampling = Sampling(max_tokens=OPTIONS.max_tokens, seed=OPTIONS.seed, logprobs=True)
    remembered, begun = remembered_here(backend), time.perf_counter()
    [[draft]] = backend.complete([CompletionRequest(prompt, sampling)], cancel)
    drawing_s = _fresh(backend, remembered, begun)
    code = extract_code(draft.text, one.task.language, prefill=prompt.prefill, task=one.task)
    plain = _outcome(one, PLAIN, code, draft.completion_tokens, drawing_s)

    begun = time.perf_counter()
    made = run_unrecorded(one.task, OPTIONS, backend=backend, cancel=cancel)
    # The first draft comes from memory here, and its seconds are known.
    rest_s = time.perf_counter() - begun
    seconds = None if drawing_s is None else drawing_s + rest_s
    tokens = sum(made.record.tokens[kind] for kind in ("drafts", "repairs", "beside"))
    return [plain, _outcome(one, CHECKED, made.answer.code, tokens, seconds)]


def _fresh(backend: RememberingBackend, remembered: int, begun: float) -> float | None:
    """Seconds since `begun`; None when a completion was remembered, which says nothing."""
    return time.perf_counter() - begun if remembered_here(backend) == remembered else None


def _outcome(one: LanguageTask, arm: Arm, code: str, tokens: int, seconds: float | None) -> Outcome:
    task, language = one.task, get_language(one.task.language)
    begun = time.perf_counter()
    assessment = assess(code, task, isolation=isolation_for(task, unsafe=False))
    verdict = assessment.verdict
    check_s = time.perf_counter() - begun
    is_run = language.can_run and bool(task.checks) and verdict is not Verdict.UNVERIFIED
    is_built = is_run or any(
        report.check == "compiler" and report.isolation for report in assessment.reports
    )
    built = verdict not in _NOT_BUILT
    # A compiler knows better than a grammar what is a program.
    parses = verdict is not Verdict.SYNTAX_ERROR if is_built else not syntax_errors(language, code)
    return Outcome(
        task=one.key,
        language=language.name,
        arm=arm,
        parses=bool(code.strip()) and parses,
        compiles=built if is_built else None,
        runs=built and verdict not in _NOT_RUN if is_run else None,
        passes=verdict is Verdict.PASSED if is_run else bool(one.must) and one.fits(code),
        verdict=verdict.value,
        tokens=tokens,
        seconds=None if seconds is None else round(seconds, 3),
        check_s=round(check_s, 4),
        code=code,
    )
