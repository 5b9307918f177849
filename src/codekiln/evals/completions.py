"""A Backend that remembers: equal requests of equal weights are drawn once, then read from a file.

Keys are the weights' hash, the prompt, the sampling and the sample's own seed, so a remembered
completion is one that this very model drew for this very request. A run that was killed does not
draw again what it had, and two ways of choosing are compared on the same drafts. Token counts
are those of the drawing; seconds are not remembered.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Self

from codekiln.backends import Backend, BackendInfo, Cancel, Completion, CompletionRequest, Delta
from codekiln.backends.protocol import collect
from codekiln.core import Prompt, Sampling
from codekiln.core.text_guard import TextGuard


class RememberingBackend:
    """Wraps an open backend; closing it closes that. Several threads may ask at once."""

    def __init__(self, backend: Backend, path: Path) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._known = _read(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._read_here = threading.local()
        self.drawn_tokens = 0

    @property
    def read_here(self) -> int:
        """How many completions this thread got from memory so far."""
        count: int = getattr(self._read_here, "count", 0)
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def info(self) -> BackendInfo:
        """See Backend."""
        return self._backend.info

    def count_tokens(self, prompt: Prompt) -> int | None:
        """See Backend."""
        return self._backend.count_tokens(prompt)

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
        """See Backend. Every completion comes in one piece, the remembered ones first."""
        missing: list[CompletionRequest] = []
        places: list[tuple[int, int, str]] = []
        for number, request in enumerate(requests):
            guard = request.guard
            for sample in range(request.n):
                # What a guard makes of a draft is not fixed by the request.
                key = self._key(request.prompt, request.sampling, sample) if not guard else ""
                with self._lock:
                    known = self._known.get(key) if key else None
                if known is not None:
                    self._read_here.count = self.read_here + 1
                    yield Delta(number, sample, known.text, known)
                    continue
                seed = request.sampling.seed
                sampling = request.sampling
                if seed is not None:
                    sampling = sampling.with_seed(seed + sample)
                own = partial(_guard_of, guard, sample) if guard else None
                missing.append(CompletionRequest(request.prompt, sampling, guard=own))
                places.append((number, sample, key))
        if not missing:
            return
        for delta in self._backend.stream(missing, cancel, pieces=False):
            number, sample, key = places[delta.request]
            done = delta.completion
            if done is None:
                continue
            if key and done.finish_reason != "cancelled":
                self._remember(key, done)
            yield Delta(number, sample, done.text if pieces else "", done)

    def close(self) -> None:
        """See Backend."""
        self._file.close()
        self._backend.close()

    def _key(self, prompt: Prompt, sampling: Sampling, sample: int) -> str:
        """Empty for a request whose answer is not fixed by it."""
        if sampling.seed is None or not self.info.weights_sha256:
            return ""
        # A greedy draw is the same whatever its seed.
        seed = sampling.seed + sample if sampling.temperature > 0 else 0
        plain = [
            self.info.weights_sha256,
            asdict(replace(prompt, cuts=())),
            asdict(sampling.with_seed(seed)),
        ]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:32]

    def _remember(self, key: str, completion: Completion) -> None:
        plain = {k: v for k, v in asdict(completion).items() if k != "token_logprobs"}
        line = json.dumps({"key": key, **plain}) + "\n"
        with self._lock:
            self._known[key] = replace(completion, token_logprobs=None)
            self.drawn_tokens += completion.completion_tokens
            self._file.write(line)
            self._file.flush()


def _guard_of(guards: Callable[[int], TextGuard], sample: int, _: int) -> TextGuard:
    """The guard of a sample that is asked for by itself."""
    return guards(sample)


def remembered_here(backend: Backend) -> int:
    """How many completions this thread got from memory; 0 for a backend that has none."""
    return backend.read_here if isinstance(backend, RememberingBackend) else 0


def _read(path: Path) -> dict[str, Completion]:
    known: dict[str, Completion] = {}
    if not path.is_file():
        return known
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        # A killed process left a part of a line; what is appended must not join it.
        os.truncate(path, len(whole))
    for line in whole.decode("utf-8", "replace").splitlines():
        try:
            entry = json.loads(line)
            key = entry.pop("key")
            known[key] = Completion(**entry)
        except (ValueError, KeyError, TypeError):
            continue
    return known
