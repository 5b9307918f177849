"""The local backend when things go wrong: every call is answered or refused, none waits on."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from random_models import byte_of, random_decoder, random_engine

from codekiln.backends import BackendInfo, Cancel, Completion, CompletionRequest
from codekiln.backends.local import LocalBackend
from codekiln.core import Message, Prompt, Sampling
from codekiln.core.errors import BackendError, InsufficientResourceError
from codekiln.engine import Engine
from codekiln.models import ChatTokenizer

# Far beyond what these calls take; it only turns an endless wait into a failure.
PATIENCE_S = 60.0
PROMPT = Prompt((Message("user", "hello"),))
ENDLESS = CompletionRequest(PROMPT, Sampling(max_tokens=4000), n=4)


class ThreeTokens:
    """Renders every prompt as the same three tokens of the random model."""

    def render(self, prompt: Prompt) -> list[int]:
        return [5, 6, 7]

    def token_bytes(self, token: int) -> bytes:
        return byte_of(token)


def open_random(tokenizer: ThreeTokens | None = None) -> tuple[LocalBackend, Engine]:
    engine = random_engine(random_decoder())
    reader = cast("ChatTokenizer", tokenizer or ThreeTokens())
    return LocalBackend(engine, reader, BackendInfo("local", "random")), engine


@pytest.fixture
def opened() -> Iterator[tuple[LocalBackend, Engine]]:
    backend, engine = open_random()
    with backend:
        yield backend, engine


def in_time(call: Callable[[], Any]) -> Any:
    """What `call` gives or raises in a thread of its own; a TimeoutError when it hangs."""
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answer.result(PATIENCE_S)


def complete(backend: LocalBackend, **sampling: Any) -> Completion:
    request = CompletionRequest(PROMPT, Sampling(**{"max_tokens": 3, **sampling}))
    answers: list[tuple[Completion, ...]] = in_time(lambda: backend.complete([request]))
    return answers[0][0]


def test_any_whole_number_is_a_seed(opened: tuple[LocalBackend, Engine]) -> None:
    backend, _ = opened
    drawn = [complete(backend, temperature=3.0, seed=s) for s in (-1, -1, 1, -(10**30), 10**30)]
    assert [completion.seed for completion in drawn] == [-1, -1, 1, -(10**30), 10**30]
    assert drawn[0] == drawn[1]
    assert drawn[0].text != drawn[2].text


def test_a_call_that_breaks_on_its_way_in_is_told_and_harms_no_other(
    opened: tuple[LocalBackend, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, engine = opened
    real, submitted = engine.submit, 0

    def third_breaks(request: Any) -> int:
        nonlocal submitted
        submitted += 1
        if submitted == 3:
            raise ValueError("no such luck\nsecond line")
        return real(request)

    monkeypatch.setattr(engine, "submit", third_breaks)
    with pytest.raises(BackendError, match=r"ValueError: no such luck\)") as caught:
        in_time(lambda: backend.complete([ENDLESS]))
    assert isinstance(caught.value.__cause__, ValueError)
    assert "\n" not in str(caught.value)
    assert complete(backend).completion_tokens == 3
    assert engine.is_idle


def test_memory_that_runs_out_in_a_step_is_said_in_one_line_and_can_be_survived(
    opened: tuple[LocalBackend, Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, engine = opened

    def too_much() -> list[Any]:
        # The allocator's own message, whatever this release of torch words it like.
        torch.empty(1 << 60)
        return []

    with monkeypatch.context() as patch:
        patch.setattr(engine, "step", too_much)
        with pytest.raises(InsufficientResourceError, match="ran out of memory") as caught:
            complete(backend)
    assert "\n" not in str(caught.value)
    assert complete(backend).completion_tokens == 3


def test_a_backend_closed_while_a_call_is_prepared_refuses_it() -> None:
    rendering, closed = threading.Event(), threading.Event()

    class Slow(ThreeTokens):
        def render(self, prompt: Prompt) -> list[int]:
            rendering.set()
            closed.wait(PATIENCE_S)
            return super().render(prompt)

    backend, _ = open_random(Slow())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: complete(backend))
        assert rendering.wait(PATIENCE_S)
        backend.close()
        closed.set()
        with pytest.raises(BackendError, match="closed"):
            waiting.result(PATIENCE_S)


def test_closing_ends_the_calls_of_other_threads_with_an_error() -> None:
    backend, _ = open_random()
    begun = threading.Event()

    def read() -> None:
        for _ in backend.stream([ENDLESS]):
            begun.set()

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        assert begun.wait(PATIENCE_S)
        backend.close()
        with pytest.raises(BackendError, match="closed while it worked"):
            reader.result(PATIENCE_S)


def test_cancelling_from_another_thread_ends_every_sample(
    opened: tuple[LocalBackend, Engine],
) -> None:
    backend, engine = opened
    cancel = Cancel()
    stream = backend.stream([ENDLESS], cancel)
    next(stream)
    threading.Thread(target=cancel.set).start()
    ended = [delta.completion for delta in in_time(lambda: list(stream)) if delta.completion]
    assert [completion.finish_reason for completion in ended] == ["cancelled"] * 4
    assert complete(backend).completion_tokens == 3
    assert engine.is_idle


def test_a_forked_process_is_told_that_the_engine_did_not_come_along(
    opened: tuple[LocalBackend, Engine],
) -> None:
    backend, _ = opened
    child = os.fork()
    if child == 0:
        status = 1
        try:
            complete(backend)
        except BackendError as error:
            status = 0 if "fork" in str(error) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert complete(backend).completion_tokens == 3


def test_a_program_that_ends_in_the_middle_of_a_stream_ends_in_order() -> None:
    program = textwrap.dedent("""
        from test_local_failures import ENDLESS, open_random

        backend, _ = open_random()
        stream = backend.stream([ENDLESS])
        next(stream)
    """)
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent / "engine")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
