"""Generation speed, side by side: codekiln, transformers and llama.cpp on one machine, one run.

Prints a table and ends with one line of JSON that holds every figure. All peers run the same
0.5B weights (llama.cpp the 4-bit file itself, the others its values in bfloat16 or what this
processor supports), the same prompts and the same number of new tokens at temperature 0.7.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from codekiln.core.settings import load_settings
from codekiln.engine.hardware import processor_flags
from codekiln.models import ensure

PEERS = Path(__file__).parent / "peers"
NAMES = ("codekiln", "transformers", "llamacpp")
SEQUENCES = 64
BATCHES = (1, 8, 32, 64)
STARTED = time.perf_counter()
INTERESTING_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8")


@dataclass(frozen=True)
class Sizes:
    """What is run: full, or QUICK=1."""

    prompt_tokens: int
    new_tokens: int
    rounds: int
    prefill_tokens: int
    step_tokens: int
    step_rounds: int
    distinct_prompts: bool


FULL = Sizes(
    prompt_tokens=64,
    new_tokens=64,
    rounds=3,
    prefill_tokens=2048,
    step_tokens=32,
    step_rounds=2,
    distinct_prompts=True,
)
QUICK = Sizes(
    prompt_tokens=32,
    new_tokens=8,
    rounds=1,
    prefill_tokens=256,
    step_tokens=4,
    step_rounds=1,
    distinct_prompts=False,
)


def say(text: str) -> None:
    """What is being measured and for how long the whole has run, for whoever waits."""
    print(f"{time.perf_counter() - STARTED:5.0f} s  {text}", file=sys.stderr, flush=True)


class Peer:
    """A peer process; see bench/peers/protocol.py."""

    def __init__(self, name: str, model: str) -> None:
        self.name = name
        say(f"starting {name}")
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, str(PEERS / f"{name}_peer.py"), model],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("CODEKILN_DEBUG") else subprocess.DEVNULL,
            text=True,
        )
        self.versions: dict[str, str] = self._read()["ready"]
        self.load_seconds = time.perf_counter() - start
        self.peak_bytes = 0

    def run(self, prompts: list[list[int]], new_tokens: int, seed: int) -> tuple[float, int]:
        """(seconds, new tokens) of one workload at temperature 0.7."""
        request = {"prompts": prompts, "new_tokens": new_tokens, "temperature": 0.7, "seed": seed}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._read()
        self.peak_bytes = answer["peak_bytes"]
        if answer["new_tokens"] != new_tokens * len(prompts):
            raise SystemExit(f"{self.name} gave {answer['new_tokens']} tokens: not comparable")
        return answer["seconds"], answer["new_tokens"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended; run again with CODEKILN_DEBUG=1 to see why")
        answer: dict[str, Any] = json.loads(line)
        return answer


def spread(values: list[float], digits: int = 1) -> dict[str, float]:
    """Median, smallest and largest."""
    return {
        "median": round(median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def random_prompt(rng: random.Random, tokens: int) -> list[int]:
    """Ordinary tokens; what they say does not matter for speed."""
    return [rng.randrange(1000, 100_000) for _ in range(tokens)]


def throughput(peers: list[Peer], sizes: Sizes, distinct: bool) -> dict[str, dict[str, float]]:
    """Tokens/s of 64 sequences, the peers in turn, round after round."""
    rng = random.Random(1)
    shared = random_prompt(rng, sizes.prompt_tokens)
    prompts = [
        random_prompt(rng, sizes.prompt_tokens) if distinct else shared for _ in range(SEQUENCES)
    ]
    label = (
        f"{SEQUENCES} x {sizes.new_tokens} tokens, {'own prompts' if distinct else 'one prompt'}"
    )
    rates: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for seed in range(sizes.rounds):
        for peer in peers:
            say(f"{label}, round {seed + 1} of {sizes.rounds}: {peer.name}")
            seconds, tokens = peer.run(prompts, sizes.new_tokens, seed)
            rates[peer.name].append(tokens / seconds)
    return {name: spread(values) for name, values in rates.items()}


def prefill_rate(peer: Peer, sizes: Sizes) -> dict[str, float]:
    """Prompt tokens/s up to and including the first new token, a fresh prompt each time."""
    rng = random.Random(2)
    rates = []
    say(f"prefill of {sizes.prefill_tokens} tokens: {peer.name}")
    for seed in range(sizes.rounds):
        seconds, _ = peer.run([random_prompt(rng, sizes.prefill_tokens)], 1, seed)
        rates.append(sizes.prefill_tokens / seconds)
    return spread(rates)


def step_times(peer: Peer, sizes: Sizes) -> dict[str, float]:
    """Milliseconds per decode step by batch size, from the difference of two run lengths."""
    rng = random.Random(3)
    times: dict[str, float] = {}
    seeds = range(sizes.step_rounds)
    for batch in BATCHES:
        say(f"decode steps at batch {batch}: {peer.name}")
        prompts = [random_prompt(rng, 32)] * batch
        short = min(peer.run(prompts, 1, seed)[0] for seed in seeds)
        long = min(peer.run(prompts, 1 + sizes.step_tokens, seed)[0] for seed in seeds)
        times[str(batch)] = round((long - short) / sizes.step_tokens * 1e3, 1)
    return times


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    flags = processor_flags()
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "threads": load_settings().threads,
        "flags": [flag for flag in INTERESTING_FLAGS if flag in flags],
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--quick", action="store_true", default=os.environ.get("QUICK") == "1")
    options = parser.parse_args()
    sizes = QUICK if options.quick else FULL
    weights = ensure(options.model)
    peers = [Peer(name, options.model) for name in NAMES]
    ours = peers[0]
    try:
        warm_up = random_prompt(random.Random(0), 16)
        for peer in peers:
            peer.run([warm_up] * 2, 2, 0)
        shared = throughput(peers, sizes, distinct=False)
        result: dict[str, Any] = {
            "benchmark": "generation_speed",
            "quick": options.quick,
            "model": options.model,
            "weights_sha256": weights.sha256,
            "workload": {
                "sequences": SEQUENCES,
                "new_tokens": sizes.new_tokens,
                "prompt_tokens": sizes.prompt_tokens,
                "temperature": 0.7,
                "rounds": sizes.rounds,
            },
            "tokens_per_s": shared,
            "ratio": ratios(shared),
        }
        if sizes.distinct_prompts:
            distinct = throughput(peers, sizes, distinct=True)
            result |= {"tokens_per_s_distinct_prompts": distinct}
            result |= {"ratio_distinct_prompts": ratios(distinct)}
        measured = [ours] if options.quick else peers
        result |= {
            "prefill_tokens_per_s": {p.name: prefill_rate(p, sizes) for p in measured},
            "prefill_prompt_tokens": sizes.prefill_tokens,
            "step_ms_by_batch": {p.name: step_times(p, sizes) for p in measured},
            "peak_memory_gb": {p.name: round(p.peak_bytes / 1e9, 2) for p in peers},
            "load_s": {p.name: round(p.load_seconds, 1) for p in peers},
            "versions": {p.name: p.versions for p in peers},
            "machine": machine(),
        }
    finally:
        for peer in peers:
            peer.close()
    print_table(result)
    print(json.dumps(result))


def ratios(rates: dict[str, dict[str, float]]) -> dict[str, float]:
    """How many times faster codekiln's median is than each peer's."""
    ours = rates["codekiln"]["median"]
    return {name: round(ours / rates[name]["median"], 2) for name in NAMES[1:]}


def print_table(result: dict[str, Any]) -> None:
    """The figures for people."""
    print(f"{'':34}" + "".join(f"{name:>22}" for name in NAMES))

    def row(label: str, cells: dict[str, Any]) -> None:
        texts = []
        for name in NAMES:
            cell = cells.get(name, "")
            if isinstance(cell, dict):
                cell = f"{cell['median']} ({cell['min']}-{cell['max']})"
            texts.append(f"{cell!s:>22}")
        print(f"{label:34}" + "".join(texts))

    size = f"{SEQUENCES} x {result['workload']['new_tokens']} tokens"
    row(f"{size}, one prompt, tok/s", result["tokens_per_s"])
    row("  codekiln is faster by", {n: f"{r}x" for n, r in result["ratio"].items()})
    if "ratio_distinct_prompts" in result:
        row(f"{size}, own prompts, tok/s", result["tokens_per_s_distinct_prompts"])
        faster = result["ratio_distinct_prompts"]
        row("  codekiln is faster by", {n: f"{r}x" for n, r in faster.items()})
    prompt = result["prefill_prompt_tokens"]
    row(f"prefill of {prompt} tokens, tok/s", result["prefill_tokens_per_s"])
    for batch in BATCHES:
        steps = {name: times[str(batch)] for name, times in result["step_ms_by_batch"].items()}
        row(f"decode step at batch {batch}, ms", steps)
    row("peak memory, GB", result["peak_memory_gb"])
    row("start of the process, s", result["load_s"])


if __name__ == "__main__":
    main()
