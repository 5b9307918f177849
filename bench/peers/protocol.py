"""How the benchmark talks to a peer: one JSON request per line in, one JSON result per line out.

Each peer is a process of its own, loaded once and then asked in turn with the others, so that a
drift of the machine's speed hits all of them alike and memory is counted for each alone.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Workload:
    """`new_tokens` for each of `prompts` (token ids) at `temperature`, never stopping early."""

    prompts: Sequence[Sequence[int]]
    new_tokens: int
    temperature: float
    seed: int


@dataclass(frozen=True)
class Timing:
    """Seconds from the first prompt handed over to the last token back."""

    seconds: float
    new_tokens: int


def serve(run: Callable[[Workload], int], versions: dict[str, str]) -> None:
    """Answer requests on stdin until it closes; `run` gives the number of new tokens."""
    # What a library prints must not end up between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps({"ready": versions}), file=answers, flush=True)
    for line in sys.stdin:
        workload = Workload(**json.loads(line))
        start = time.perf_counter()
        tokens = run(workload)
        timing = Timing(time.perf_counter() - start, tokens)
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = {**asdict(timing), "peak_bytes": peak_kib * 1024}
        print(json.dumps(answer), file=answers, flush=True)
