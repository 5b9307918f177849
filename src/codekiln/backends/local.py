"""The embedded engine as a Backend: one thread steps the engine, any thread may ask it.

Calls from several threads join the same running batch. Closing a stream early, or setting its
Cancel, frees its sequences at the next step. Every call is answered or refused: a failure of the
engine, a backend closed meanwhile and a forked process are errors, never a wait without end.
"""

from __future__ import annotations

import atexit
import platform
import queue
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from codekiln.attention import SparseConfig
from codekiln.backends.protocol import (
    KV_TOKEN_BYTES,
    Attention,
    BackendInfo,
    Cancel,
    Completion,
    CompletionRequest,
    Delta,
    collect,
)
from codekiln.core import Prompt
from codekiln.core.errors import BackendError, CodekilnError, InsufficientResourceError
from codekiln.core.settings import load_settings
from codekiln.engine import (
    Decoder,
    Engine,
    EngineLimits,
    Event,
    Finished,
    GenerationRequest,
    TokenGuard,
    detect_hardware,
)
from codekiln.models import (
    ChatTokenizer,
    Progress,
    ensure,
    kv_token_bytes,
    open_checkpoint,
    required_memory_bytes,
)
from codekiln.models.footprint import KV_MEMORY_SHARE
from codekiln.models.layout import available_memory_bytes

# How often a waiting call looks at its Cancel flag.
_CANCEL_POLL_S = 0.05


# What the engine is given for each way of attending.
_SPARSE: Mapping[Attention, SparseConfig | None] = {
    "dense": None,
    "sparse": SparseConfig(crossover=0),
    "auto": SparseConfig(),
}


def open_local(
    model: str, progress: Progress | None = None, attention: Attention = "auto"
) -> LocalBackend:
    """Get the weights if need be, load them and start the engine.

    Raises what codekiln.models raises for unknown models, failed downloads, damaged files and
    too little memory.
    """
    settings, hardware = load_settings(), detect_hardware()
    torch.set_num_threads(settings.threads)
    files = ensure(model, progress=progress)
    checkpoint = open_checkpoint(files)
    needed = required_memory_bytes(checkpoint.config, hardware.dtype.itemsize)
    on_cpu = hardware.device.type == "cpu"
    # Before loading: mapped weights look like free memory afterwards.
    free = (available_memory_bytes() if on_cpu else torch.cuda.mem_get_info()[0]) - needed
    if not on_cpu and free < 0:
        raise InsufficientResourceError(
            f"{files.name} needs {needed / 1e9:.2f} GB on the GPU, "
            f"{(free + needed) / 1e9:.2f} GB are free",
            "Close other programs on the GPU, choose a smaller model, or hide it from codekiln "
            "with CUDA_VISIBLE_DEVICES=''",
        )
    weights = checkpoint.weights(hardware.dtype, progress)
    if not on_cpu:
        weights = {name: tensor.to(hardware.device) for name, tensor in weights.items()}
    tokenizer = checkpoint.tokenizer()
    engine = Engine(
        Decoder(checkpoint.config, weights),
        tokenizer.token_bytes,
        tokenizer.eos_ids,
        EngineLimits(kv_bytes=max(0, int(free * KV_MEMORY_SHARE))),
        _SPARSE[attention],
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
            "attention": attention,
            KV_TOKEN_BYTES: str(kv_token_bytes(checkpoint.config, hardware.dtype.itemsize)),
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
        # Held while a call goes in and while the backend closes, so that none goes in behind.
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="codekiln-engine", daemon=True)
        self._thread.start()
        # The interpreter aborts when it ends while a daemon thread is inside torch.
        atexit.register(self.close)

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
        return collect(self.stream(requests, cancel, pieces=False), requests)

    def stream(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel | None = None,
        *,
        pieces: bool = True,
    ) -> Iterator[Delta]:
        """See Backend."""
        self._refuse_when_gone()
        samples = [
            _Sample(index, sample, generation)
            for index, request in enumerate(requests)
            for sample, generation in enumerate(self._generations(request))
        ]
        call = _Submit(samples, queue.SimpleQueue(), pieces)
        with self._gate:
            self._refuse_when_gone()
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
                text = event.text if pieces else ""
                read = (event.read, len(sample.generation.prompt)) if event.read else None
                yield Delta(sample.request, sample.sample, text, completion, read)
        finally:
            if unfinished:
                self._inbox.put(_Withdraw(call))

    def close(self) -> None:
        """See Backend."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._inbox.put(None)
        atexit.unregister(self.close)
        self._thread.join()
        del self._engine

    def _refuse_when_gone(self) -> None:
        if self._closed:
            raise BackendError("this backend is closed", "Open a new one")
        if not self._thread.is_alive():
            raise BackendError(
                "the engine's thread is not in this process, as after a fork",
                "Open a backend in the process that uses it",
            )

    def _generations(self, request: CompletionRequest) -> list[GenerationRequest]:
        tokens = tuple(self._tokenizer.render(request.prompt))
        sampling = replace(request.sampling, stop=request.sampling.stop + request.prompt.stop)
        seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
        return [
            GenerationRequest(
                tokens,
                sampling.with_seed(seed + sample),
                None
                if request.guard is None
                else TokenGuard(
                    request.guard(sample),
                    self._tokenizer.token_bytes,
                    self._tokenizer.eos_ids,
                    sampling.stop,
                ),
            )
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
                        closed = BackendError(
                            "the backend was closed while it worked", "Open a new one"
                        )
                        _fail(running, closed)
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
                _fail(running, _worded(error))

    def _take_in(self, call: _Submit, running: dict[int, tuple[_Submit, _Sample]]) -> None:
        tickets: list[int] = []
        try:
            tickets.extend(self._engine.submit(sample.generation) for sample in call.samples)
        # This call is not among the running ones yet, so it would not hear of it elsewhere.
        except Exception as error:  # noqa: BLE001
            for ticket in tickets:
                self._engine.cancel(ticket)
            call.outbox.put(_worded(error))
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
    pieces: bool = True


@dataclass(frozen=True, slots=True)
class _Withdraw:
    """Ends what is left of a call."""

    call: _Submit


def _hand_out(event: Event, running: dict[int, tuple[_Submit, _Sample]]) -> None:
    call, sample = running[event.ticket]
    if event.finished is not None:
        del running[event.ticket]
    elif not call.pieces:
        return
    call.outbox.put((sample, event))


def _fail(running: dict[int, tuple[_Submit, _Sample]], error: Exception) -> None:
    for call in {id(call): call for call, _ in running.values()}.values():
        call.outbox.put(error)
    running.clear()


def _worded(error: Exception) -> CodekilnError:
    """What broke in the engine, in one line; the original stays as the cause."""
    if isinstance(error, CodekilnError):
        return error
    said = (str(error).splitlines() or [""])[0]
    worded: CodekilnError
    # PyTorch has no type of its own for memory that the processor's allocator does not get.
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in said:
        worded = InsufficientResourceError(
            f"the engine ran out of memory ({said})",
            "Ask for fewer samples or tokens at once, or close other programs",
        )
    else:
        worded = BackendError(
            f"the engine failed ({type(error).__name__}: {said})",
            "Check the weights (codekiln models verify NAME); if they are sound, report this",
        )
    worded.__cause__ = error
    return worded


def _completion(sample: _Sample, finished: Finished) -> Completion:
    logprobs = finished.token_logprobs
    return Completion(
        text=finished.text,
        # A guard that refuses everything leaves the answer where it stands, as a limit does.
        finish_reason="length" if finished.reason == "guard" else finished.reason,
        prompt_tokens=len(sample.generation.prompt),
        completion_tokens=len(finished.tokens),
        logprob=None if logprobs is None else sum(logprobs),
        token_logprobs=logprobs,
        seed=finished.seed,
        drawn_tokens=finished.drawn,
    )
