"""Any server that speaks OpenAI's chat completions, as a Backend.

Takes a model's name and an address; gives completions in codekiln's terms, whatever the
server's habits: how it continues a prefill, whether it takes n and seeds, where it cuts at stop
strings. Token counts are the server's; without them (a cancelled answer, a sum over several
samples) completion tokens are counted from log-probabilities or pieces of the stream. The
weights behind a server cannot be known, so `weights_sha256` stays empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import re
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from codekiln.backends.answer_text import AnswerText
from codekiln.backends.background_loop import BackgroundLoop, BackgroundTask
from codekiln.backends.openai_failures import NotFoundError, RequestRefusedError
from codekiln.backends.openai_probe import (
    NO_PREFILL,
    PrefillSupport,
    ServerProfile,
    count_tokens,
    probe_prefill,
    read_profile,
)
from codekiln.backends.openai_sample import Sample, groups_of, samples_of, segment_of, share_usage
from codekiln.backends.openai_server import ModelServer, ServerAddress, ServerLimits
from codekiln.backends.openai_wire import Usage, completion_body
from codekiln.backends.protocol import (
    BackendInfo,
    Cancel,
    Completion,
    CompletionRequest,
    Delta,
    collect,
)
from codekiln.core import Prompt
from codekiln.core.errors import (
    BackendError,
    BackendUnavailableError,
    CodekilnError,
    ContextOverflowError,
    UsageError,
)

T = TypeVar("T")

_CANCEL_POLL_S = 0.05
# More than any chat template adds around one message, in tokens.
_TEMPLATE_TOKENS_PER_MESSAGE = 64


class OpenAIBackend:
    """The connections to one server and the thread that serves them.

    `model` may be empty: then it is the first one that the server lists. `prefill` given
    replaces the probe that otherwise goes before the first prefilled prompt.
    """

    def __init__(
        self,
        model: str,
        address: ServerAddress,
        limits: ServerLimits | None = None,
        prefill: PrefillSupport | None = None,
    ) -> None:
        self._model = model
        self._server = ModelServer(address, limits or ServerLimits())
        self._prefill = prefill
        self._profile: ServerProfile | None = None
        self._n_limit: int | None = None
        self._counts_tokens = True
        self._probing = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._loop: BackgroundLoop | None = None
        self._closed = False
        self._lifetime = threading.Lock()

    def __repr__(self) -> str:
        return f"OpenAIBackend({self._model!r}, {self._server.address!r})"

    def __enter__(self) -> OpenAIBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def info(self) -> BackendInfo:
        """See Backend. Raises BackendError subclasses when the server cannot be reached."""
        return self._wait_for(self._read_info())

    def count_tokens(self, prompt: Prompt) -> int | None:
        """See Backend; known for servers with /tokenize (vLLM, llama.cpp)."""
        return self._wait_for(self._count(prompt))

    def complete(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None
    ) -> list[tuple[Completion, ...]]:
        """See Backend."""
        return collect(self.stream(requests, cancel), requests)

    def stream(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel | None = None,
        *,
        pieces: bool = True,
    ) -> Iterator[Delta]:
        """See Backend."""
        outbox: queue.SimpleQueue[Delta | None] = queue.SimpleQueue()
        task = self._start(self._run(tuple(requests), cancel, outbox.put))
        task.when_ended(lambda: outbox.put(None))
        try:
            while (delta := outbox.get()) is not None:
                if pieces:
                    yield delta
                elif delta.completion is not None:
                    yield replace(delta, text="")
            _result(task)
        finally:
            task.cancel()

    def close(self) -> None:
        """See Backend."""
        with self._lifetime:
            if not self._closed:
                self._closed = True
                if self._loop is not None:
                    self._loop.close(self._server.aclose())

    def _start(self, coroutine: Coroutine[Any, Any, T]) -> BackgroundTask[T]:
        with self._lifetime:
            if self._closed:
                coroutine.close()
                raise BackendError("this backend is closed", "Open a new one")
            if self._loop is None:
                self._loop = BackgroundLoop("codekiln-openai")
            return self._loop.start(self._worded(coroutine))

    def _wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        task = self._start(coroutine)
        try:
            return _result(task)
        finally:
            task.cancel()

    async def _worded(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await, with errors put as the user should see them: no secrets, a fitting remedy."""
        try:
            return await coroutine
        except CodekilnError as error:
            worded = self._server.address.redacted(self._with_models(error))
            if worded is error:
                raise
            # The original may quote a secret, so it must not show up as a cause.
            raise worded from None

    def _with_models(self, error: CodekilnError) -> CodekilnError:
        models = self._profile.models if self._profile else {}
        if not isinstance(error, NotFoundError) or not models or self._model in models:
            return error
        return NotFoundError(error.message, f"Models of this server: {', '.join(models)}")

    async def _known_profile(self) -> ServerProfile:
        async with self._probing:
            if self._profile is None:
                self._profile = await read_profile(self._server)
            return self._profile

    async def _read_info(self) -> BackendInfo:
        profile = await self._known_profile()
        model = profile.resolve(self._model)
        return BackendInfo(
            name="openai",
            model=model,
            context_tokens=profile.context_tokens(model),
            details={"api_base": self._server.address.base, "server": profile.owner or "unknown"},
        )

    async def _prefill_support(self, prompt: Prompt) -> PrefillSupport:
        if not prompt.prefill:
            return NO_PREFILL
        profile = await self._known_profile()
        async with self._probing:
            if self._prefill is None:
                model = profile.resolve(self._model)
                self._prefill = await probe_prefill(self._server, model, profile.family)
            return self._prefill

    async def _count(self, prompt: Prompt) -> int | None:
        if not self._counts_tokens:
            return None
        profile = await self._known_profile()
        support = await self._prefill_support(prompt)
        model = profile.resolve(self._model)
        count = await count_tokens(self._server, model, profile.family, prompt, support.way)
        if count is None and profile.family == "other":
            self._counts_tokens = False
        return count

    async def _run(
        self,
        requests: tuple[CompletionRequest, ...],
        cancel: Cancel | None,
        emit: Callable[[Delta], None],
    ) -> None:
        samples = [samples_of(index, request, emit) for index, request in enumerate(requests)]
        work = asyncio.create_task(self._answer_all(requests, samples))
        try:
            cancelled = cancel is not None and cancel.is_set
            while not (cancelled or work.done()):
                await asyncio.wait({work}, timeout=None if cancel is None else _CANCEL_POLL_S)
                cancelled = cancel is not None and cancel.is_set
        finally:
            finished = work.done()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        if finished:
            try:
                work.result()
            except BaseExceptionGroup as group:
                raise _first_error(group) from group
        for sample in (sample for group in samples for sample in group):
            if not sample.done:
                sample.end(sample.finish or "cancelled")

    async def _answer_all(
        self, requests: tuple[CompletionRequest, ...], samples: list[list[Sample]]
    ) -> None:
        async with asyncio.TaskGroup() as group:
            counts = [group.create_task(self._refuse_overflow(request)) for request in requests]
        async with asyncio.TaskGroup() as group:
            for request, count, own in zip(requests, counts, samples, strict=True):
                group.create_task(self._answer(request, own, count.result() or 0))

    async def _refuse_overflow(self, request: CompletionRequest) -> int | None:
        """The prompt's token count where it had to be looked up.

        Raises ContextOverflowError when prompt and requested tokens do not fit.
        """
        profile = await self._known_profile()
        context = profile.context_tokens(profile.resolve(self._model))
        if context is None:
            return None
        prompt, wanted = request.prompt, request.sampling.max_tokens
        texts = [message.content for message in prompt.messages] + [prompt.prefill]
        # A token is at least one byte, so most prompts need no question to the server.
        at_most = sum(len(text.encode()) + _TEMPLATE_TOKENS_PER_MESSAGE for text in texts)
        if at_most + wanted <= context:
            return None
        count = await self._count(prompt)
        if count is not None and count + wanted > context:
            raise ContextOverflowError(
                f"The prompt takes {count} tokens and {wanted} more were asked for, but the "
                f"context window of the server holds {context}",
                "Shorten the context or ask for fewer tokens",
            )
        return count

    async def _answer(
        self, request: CompletionRequest, samples: list[Sample], prompt_tokens: int
    ) -> None:
        """All samples of one request, several per HTTP request where the server's seeds allow."""
        if request.guard is not None:
            async with asyncio.TaskGroup() as tasks:
                for sample in samples:
                    tasks.create_task(self._answer_guarded(request, sample, prompt_tokens))
            return
        support = await self._prefill_support(request.prompt)
        for sample in samples:
            sample.expect(_reader(request, support), request.sampling.logprobs, prompt_tokens)
        profile = await self._known_profile()
        waiting = samples
        while waiting:
            # vLLM and llama.cpp give sample i the seed s + i; no other server is known to.
            size = len(waiting) if profile.family != "other" else 1
            async with asyncio.TaskGroup() as tasks:
                for group in groups_of(waiting, min(size, self._n_limit or size)):
                    tasks.create_task(self._answer_group(request, group))
            # Undone are those whose n was refused or ignored; then `_n_limit` has become less.
            waiting = [sample for sample in waiting if not sample.done]

    async def _answer_guarded(
        self, request: CompletionRequest, sample: Sample, prompt_tokens: int
    ) -> None:
        """One sample by segments: what its guard takes back, the server writes again."""
        begun = replace(request.prompt, prefill=request.prompt.prefill or " ")
        support = await self._prefill_support(begun)
        if support.way == "none":
            raise UsageError(
                f"{self._server.address.base} cannot go on with a text that was begun, which a "
                "guard needs it to",
                "Use a local model, another server, or no guard",
            )
        while not sample.done:
            segment = segment_of(request, sample)
            if segment is None:
                sample.end("length")
                return
            sample.expect(_reader(segment, support), False, prompt_tokens)
            await self._one_http_request(segment, [sample])

    async def _look(self, sample: Sample) -> None:
        """Ask a sample's guard, one after the other: they may share one checker."""
        async with self._looking:
            await asyncio.to_thread(sample.look)

    async def _answer_group(self, request: CompletionRequest, samples: list[Sample]) -> None:
        try:
            await self._one_http_request(request, samples)
        except RequestRefusedError as error:
            if len(samples) == 1:
                raise
            # llama.cpp takes as many as it has slots, and names the number.
            limit = re.search(r"<= (\d+)", error.message)
            named = int(limit[1]) if limit else 1
            self._n_limit = named if 1 <= named < len(samples) else 1
        else:
            if not all(sample.done for sample in samples):
                self._n_limit = 1

    async def _one_http_request(self, request: CompletionRequest, samples: list[Sample]) -> None:
        profile = await self._known_profile()
        support = await self._prefill_support(request.prompt)
        body = completion_body(
            profile.resolve(self._model),
            request.prompt,
            request.sampling.with_seed(samples[0].draw_seed),
            len(samples),
            profile.family,
            support.way,
        )
        finished: list[Sample] = []
        reported: list[Usage] = []
        said_done = False
        async with contextlib.aclosing(self._server.chunks(body)) as chunks:
            async for chunk in chunks:
                if chunk is None:
                    said_done = True
                    continue
                for choice in chunk.choices:
                    if 0 <= choice.index < len(samples):
                        sample = samples[choice.index]
                        sample.take(choice)
                        if sample.needs_look():
                            await self._look(sample)
                        if sample.finish and sample not in finished:
                            finished.append(sample)
                if chunk.usage and len(chunk.choices) == 1 and len(samples) > 1:
                    samples[chunk.choices[0].index].usage = chunk.usage
                elif chunk.usage:
                    reported.append(chunk.usage)
                # The server need not write on behind a stop string that it does not know.
                if len(finished) == len(samples) and any(s.cut_short for s in samples):
                    break
                if any(sample.taken_back for sample in samples):
                    return
        for sample in (sample for sample in samples if sample.guard is not None):
            if said_done and sample.begun and sample.finish is None:
                sample.finish = "stop"
                await self._look(sample)
            if sample.taken_back:
                return
        share_usage(samples, finished, reported)
        self._end(samples, said_done)

    def _end(self, samples: list[Sample], said_done: bool) -> None:
        """Complete what the server has answered. Raises BackendError for an answer that is none.

        Samples that a server did not begin, out of several, stay undone.
        """
        url = self._server.address.base
        begun = [sample for sample in samples if sample.begun]
        if not begun:
            raise BackendError(f"{url} answered without any choice", "See the server's log")
        for sample in begun:
            if sample.finish is None and not said_done:
                raise BackendUnavailableError(
                    f"{url} ended its answer in the middle",
                    "See whether the server is still running, then ask again",
                )
            sample.end(sample.finish or "stop")


def _reader(request: CompletionRequest, support: PrefillSupport) -> AnswerText:
    """What reads one answer to a request."""
    prompt, stop = request.prompt, request.sampling.stop
    return AnswerText(prompt.prefill, support.handling, stop, prompt.stop)


def _result(task: BackgroundTask[T]) -> T:
    try:
        return task.result()
    except asyncio.CancelledError:
        raise BackendError("the backend was closed while it worked", "Open a new one") from None


def _first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    first = group.exceptions[0]
    return _first_error(first) if isinstance(first, BaseExceptionGroup) else first
