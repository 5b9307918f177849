"""Has every candidate checked, two at a time, with progress and cancellation in between."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress

from codekiln.backends import Cancel
from codekiln.core import Assessment, Candidate, Task
from codekiln.core.errors import CancelledError, SandboxError, SandboxUnavailableError
from codekiln.generation.events import Event, OnEvent
from codekiln.languages import get_language
from codekiln.sandbox import Isolation, IsolationLevel, Program, RunResult, open_isolation
from codekiln.verify import assess, normalise

WORKERS = 2
_CANCEL_POLL_S = 0.1


def isolation_for(task: Task, *, unsafe: bool) -> Isolation:
    """What keeps the task's candidates in.

    Raises SandboxUnavailableError for a language that is run where nothing keeps programs in;
    without a sandbox other languages are only parsed, by one that runs nothing.
    """
    language = get_language(task.language)
    if language.can_run:
        return open_isolation(unsafe=unsafe)
    with suppress(SandboxUnavailableError):
        return open_isolation(unsafe=unsafe) if language.has_tools else _NothingRuns()
    return _NothingRuns()


class _NothingRuns:
    """Where code is only parsed."""

    level = IsolationLevel.L3
    name = "none (nothing is run)"

    def run(self, program: Program) -> RunResult:
        """Refuse."""
        raise SandboxError(f"{program.argv[0]!r} was to be run where code is only parsed")


def check(
    candidates: Sequence[Candidate],
    task: Task,
    isolation: Isolation,
    on_event: OnEvent,
    cancel: Cancel | None,
) -> tuple[Assessment, ...]:
    """Assessments parallel to `candidates`; those of one normal form are checked once.

    Raises CancelledError and SandboxError.
    """
    forms = [normalise(candidate.code, task.language) for candidate in candidates]
    codes: dict[str, str] = {}
    for form, candidate in zip(forms, candidates, strict=True):
        codes.setdefault(form, candidate.code)
    on_event(Event("check", 0, len(codes)))
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="codekiln-check")
    try:
        futures = {
            form: pool.submit(assess, code, task, isolation=isolation)
            for form, code in codes.items()
        }
        _wait_for(list(futures.values()), on_event, cancel)
        done = {form: future.result() for form, future in futures.items()}
    finally:
        # What already runs ends at its own limits; nobody has to wait for it.
        pool.shutdown(wait=False, cancel_futures=True)
    return tuple(done[form] for form in forms)


def _wait_for(
    futures: Sequence[Future[Assessment]], on_event: OnEvent, cancel: Cancel | None
) -> None:
    pending = set(futures)
    while pending:
        done, pending = wait(pending, _CANCEL_POLL_S, return_when=FIRST_COMPLETED)
        if cancel is not None and cancel.is_set:
            raise CancelledError("cancelled while candidates were checked")
        for future in done:
            future.result()
        if done:
            on_event(Event("check", len(futures) - len(pending), len(futures)))
