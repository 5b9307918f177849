"""The embedded engine as a Backend: one thread steps the engine, any thread may ask it.

Calls from several threads join the same running batch. Closing a stream early, or setting its
Cancel, frees its sequences at the next step.
"""

from __future__ import annotations

import platform
import queue
import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import psutil
import torch

from codekiln.backends.protocol import (
    BackendInfo,
    Cancel,
    Completion,
    CompletionRequest,
    Delta,
    collect,
)
from codekiln.core import Prompt
from codekiln.core.errors import BackendError, CodekilnError
from codekiln.core.settings import load_settings
from codekiln.engine import (
    Decoder,
    Engine,
    EngineLimits,
    Event,
    Finished,
    GenerationRequest,
    detect_hardware,
)
from codekiln.models import (
    ChatTokenizer,
    Progress,
    ensure,
    open_checkpoint,
)

# How often a waiting call looks at its Cancel flag.
_CANCEL_POLL_S = 0.05
# Share of the free memory that keys and values may take.
_KV_MEMORY_SHARE = 0.6


def open_local(model: str, progress: Progress | None = None) -> LocalBackend:
    """Get the weights if need be, load them and start the engine.

    Raises what codekiln.models raises for unknown models, failed downloads, damaged files and
    too little memory.
    """
    settings, hardware = load_settings(), detect_hardware()
    torch.set_num_threads(settings.threads)
    files = ensure(model, progress=progress)
    checkpoint = open_checkpoint(files)
    weights = checkpoint.weights(hardware.dtype, progress)
    if hardware.device.type != "cpu":
        weights = {name: tensor.to(hardware.device) for name, tensor in weights.items()}
        free = torch.cuda.mem_get_info()[0]
    else:
        free = psutil.virtual_memory().available
    tokenizer = checkpoint.tokenizer()
    engine = Engine(
        Decoder(checkpoint.config, weights),
        tokenizer.token_bytes,
        tokenizer.eos_ids,
        EngineLimits(kv_bytes=int(free * _KV_MEMORY_SHARE)),
    )
    info = BackendInfo(
        name="local",
        model=files.name,
        weights_sha256=files.sha256,
        context_tokens=checkpoint.config.context_tokens,
        details={
            "hardware": hardware.description,
            "processor": platform.processor() or platform.machine(),
            "threads": str(settings.threads),
            "torch": torch.__version__,
        },
    )
    return LocalBackend(engine, tokenizer, info)


class LocalBackend:
    """Owns an engine and the thread that steps it."""

    def __init__(self, engine: Engine, tokenizer: ChatTokenizer, info: BackendInfo) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._info = info
        self._inbox: queue.SimpleQueue[_Submit | _Withdraw | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="codekiln-engine", daemon=True)
        self._thread.start()

    def __enter__(self) -> LocalBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def info(self) -> BackendInfo:
        """See Backend."""
        return self._info

    def count_tokens(self, prompt: Prompt) -> int:
        """See Backend."""
        return len(self._tokenizer.render(prompt))

    def complete(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None
    ) -> list[tuple[Completion, ...]]:
        """See Backend."""
        return collect(self.stream(requests, cancel), requests)

    def stream(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None
    ) -> Iterator[Delta]:
        """See Backend."""
        if self._closed:
            raise BackendError("this backend is closed", "Open a new one")
        samples = [
            _Sample(index, sample, generation)
            for index, request in enumerate(requests)
            for sample, generation in enumerate(self._generations(request))
        ]
        call = _Submit(samples, queue.SimpleQueue())
        self._inbox.put(call)
        unfinished = len(samples)
        cancelled = False
        try:
            while unfinished:
                if cancel is not None and cancel.is_set and not cancelled:
                    self._inbox.put(_Withdraw(call))
                    cancelled = True
                try:
                    item = call.outbox.get(timeout=None if cancel is None else _CANCEL_POLL_S)
                except queue.Empty:
                    continue
                if isinstance(item, BaseException):
                    raise item
                sample, event = item
                completion = _completion(sample, event.finished) if event.finished else None
                unfinished -= completion is not None
                yield Delta(sample.request, sample.sample, event.text, completion)
        finally:
            if unfinished:
                self._inbox.put(_Withdraw(call))

    def close(self) -> None:
        """See Backend."""
        if not self._closed:
            self._closed = True
            self._inbox.put(None)
            self._thread.join()
            del self._engine

    def _generations(self, request: CompletionRequest) -> list[GenerationRequest]:
        tokens = tuple(self._tokenizer.render(request.prompt))
        sampling = replace(request.sampling, stop=request.sampling.stop + request.prompt.stop)
        seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
        return [
            GenerationRequest(tokens, sampling.with_seed(seed + sample))
            for sample in range(request.n)
        ]

    def _serve(self) -> None:
        """The engine's thread: take calls in, step, hand events out."""
        running: dict[int, tuple[_Submit, _Sample]] = {}
        while True:
            try:
                while not self._inbox.empty() or self._engine.is_idle:
                    message = self._inbox.get()
                    if message is None:
                        _fail(running, BackendError("the backend was closed while it worked"))
                        return
                    if isinstance(message, _Submit):
                        self._take_in(message, running)
                    else:
                        self._withdraw(message.call, running)
                for event in self._engine.step():
                    _hand_out(event, running)
            # The boundary of the thread: whatever broke, the callers must hear of it.
            except Exception as error:  # noqa: BLE001
                for ticket in list(running):
                    self._engine.cancel(ticket)
                _fail(running, error)

    def _take_in(self, call: _Submit, running: dict[int, tuple[_Submit, _Sample]]) -> None:
        tickets: list[int] = []
        try:
            tickets.extend(self._engine.submit(sample.generation) for sample in call.samples)
        except CodekilnError as error:
            for ticket in tickets:
                self._engine.cancel(ticket)
            call.outbox.put(error)
            return
        for ticket, sample in zip(tickets, call.samples, strict=True):
            running[ticket] = (call, sample)

    def _withdraw(self, call: _Submit, running: dict[int, tuple[_Submit, _Sample]]) -> None:
        for ticket in [ticket for ticket, (owner, _) in running.items() if owner is call]:
            event = self._engine.cancel(ticket)
            if event is not None:
                _hand_out(event, running)


@dataclass(frozen=True, slots=True)
class _Sample:
    """One completion of a call and its place in it."""

    request: int
    sample: int
    generation: GenerationRequest


@dataclass(frozen=True, slots=True, eq=False)
class _Submit:
    """A call on its way to the engine's thread; its events come back through `outbox`."""

    samples: list[_Sample]
    outbox: queue.SimpleQueue[tuple[_Sample, Event] | BaseException]


@dataclass(frozen=True, slots=True)
class _Withdraw:
    """Ends what is left of a call."""

    call: _Submit


def _hand_out(event: Event, running: dict[int, tuple[_Submit, _Sample]]) -> None:
    call, sample = running[event.ticket]
    if event.finished is not None:
        del running[event.ticket]
    call.outbox.put((sample, event))


def _fail(running: dict[int, tuple[_Submit, _Sample]], error: Exception) -> None:
    for call in {id(call): call for call, _ in running.values()}.values():
        call.outbox.put(error)
    running.clear()


def _completion(sample: _Sample, finished: Finished) -> Completion:
    logprobs = finished.token_logprobs
    return Completion(
        text=finished.text,
        # A guard is never given here, so a completion cannot end by one.
        finish_reason="length" if finished.reason == "guard" else finished.reason,
        prompt_tokens=len(sample.generation.prompt),
        completion_tokens=len(finished.tokens),
        logprob=None if logprobs is None else sum(logprobs),
        token_logprobs=logprobs,
        seed=finished.seed,
    )
