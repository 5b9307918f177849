"""Speed of attention over long prompts, side by side: transformers, dense and sparse.

    python bench/attention_speed.py --model qwen2.5-coder-0.5b [--length 32768] [--out FILE]

Real weights and real code as the prompt. Per length and arm: seconds of a whole prefill, in rounds
that take turns between the arms; then seconds per decoded token behind it, for one sequence, for
eight that share the prompt, and for eight with prompts of their own.

Arms: `transformers` (attn_implementation "sdpa"), `sdpa` (the engine with PyTorch's attention
alone), `dense` (the engine as it is), `sparse` (the engine with `SparseConfig`). Each figure is one
JSON line in --out; what is there is not measured again, so that an interrupted run goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import torch
from torch import Tensor

from codekiln.attention import AttentionReport, SparseConfig
from codekiln.attention.native import load_native
from codekiln.core.settings import load_settings
from codekiln.engine import Decoder, detect_hardware
from codekiln.engine.attend import Chunk, DecodeAttend, PrefillAttend
from codekiln.engine.kv_cache import PromptCache, SlotCache
from codekiln.evals.context.corpus import make_context
from codekiln.models import ensure, open_checkpoint
from codekiln.models.footprint import ENGINE_PREFILL_TOKENS

LENGTHS = (1024, 2048, 4096, 8192, 16_384, 32_768)
ARMS = ("transformers", "sdpa", "dense", "sparse")
# Behind prompts of this length or more decode is measured.
DECODE_FROM = 8192
DECODE_STEPS = 16
STARTED = time.perf_counter()


def say(text: str) -> None:
    """What is being measured and for how long the whole has run, for whoever waits."""
    print(f"{time.perf_counter() - STARTED:6.0f} s  {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Figure:
    """One measurement.

    `what`: prefill, attention (in it), decode, or a part of a sparse prefill; `value`: seconds of a
    prefill or of a decode step, or the density as a share; `prompts`: "one", "shared" or "own".
    """

    what: str
    arm: str
    length: int
    round: int
    value: float
    batch: int = 1
    prompts: str = "one"


def since(begun: float) -> float:
    """Seconds from `begun` until now."""
    return time.perf_counter() - begun


class Ledger:
    """The figures of a file that were measured with the same settings."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self._path, self._settings = path, settings
        self.figures: list[Figure] = []
        if path.exists():
            for line in path.read_text("utf-8").splitlines():
                found = json.loads(line)
                if found["settings"] == settings:
                    self.figures.append(Figure(**found["figure"]))

    def has(self, what: str, arm: str, length: int, number: int) -> bool:
        """Whether a figure of this kind and round is there."""
        return any(
            (f.what, f.arm, f.length, f.round) == (what, arm, length, number) for f in self.figures
        )

    def add(self, figure: Figure) -> None:
        """Keep a figure."""
        self.figures.append(figure)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as out:
            out.write(json.dumps({"settings": self._settings, "figure": asdict(figure)}) + "\n")

    def medians(self, length: int) -> Iterator[tuple[Figure, list[float]]]:
        """One figure of each kind with the values of all its rounds, sorted."""
        kinds: dict[tuple[str, str, int, str], list[Figure]] = {}
        for figure in self.figures:
            if figure.length == length:
                key = (figure.what, figure.arm, figure.batch, figure.prompts)
                kinds.setdefault(key, []).append(figure)
        for figures in kinds.values():
            yield figures[0], sorted(figure.value for figure in figures)


class TimedAttend(PrefillAttend):
    """Counts the seconds of attention, selection included."""

    seconds = 0.0

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        begun = time.perf_counter()
        out = super().__call__(layer, q, k, v)
        self.seconds += since(begun)
        return out


class EngineArm:
    """Prefill and decode as the engine does them, on one decoder.

    `attention_s` are the seconds of attention in the last prefill.
    """

    attention_s = 0.0

    def __init__(self, decoder: Decoder, sparse: SparseConfig | None, compiled: bool) -> None:
        self._decoder, self._sparse, self._compiled = decoder, sparse, compiled

    def prefill(
        self, tokens: tuple[int, ...], report: AttentionReport | None = None
    ) -> PromptCache:
        """A filled cache of the prompt."""
        decoder = self._decoder
        cache = PromptCache(decoder.config, tokens, decoder.dtype, decoder.device, self._sparse)
        if cache.index is not None:
            cache.index.report = report
        self.attention_s = 0.0
        for start in range(0, len(tokens), ENGINE_PREFILL_TOKENS):
            end = min(start + ENGINE_PREFILL_TOKENS, len(tokens))
            attend = TimedAttend([Chunk(cache, start, end)], self._compiled)
            hidden = decoder.forward(
                torch.tensor(tokens[start:end]), torch.arange(start, end), end - 1, attend
            )
            self.attention_s += attend.seconds
            cache.length = end
        cache.last_logits = decoder.logits(hidden[-1:])[0].clone()
        return cache

    def decode(self, caches: list[PromptCache]) -> float:
        """Median seconds of a decode step with one sequence per cache."""
        decoder = self._decoder
        slots = SlotCache(decoder.config, decoder.dtype, decoder.device)
        for cache in caches:
            slots.add(cache)
        seconds = []
        for step in range(DECODE_STEPS):
            position = len(caches[0].tokens) + step
            begun = time.perf_counter()
            hidden = decoder.forward(
                torch.full((len(caches),), 1000 + step),
                torch.full((len(caches),), position),
                position,
                DecodeAttend(slots),
            )
            decoder.logits(hidden)
            seconds.append(time.perf_counter() - begun)
            slots.lengths = [length + 1 for length in slots.lengths]
        return median(seconds)


def own_copies(cache: PromptCache, count: int) -> list[PromptCache]:
    """The cache and `count` - 1 others with the same contents in memory of their own."""
    copies = [cache]
    for _ in range(count - 1):
        copy = object.__new__(PromptCache)
        copy.tokens, copy.length, copy.last_logits = cache.tokens, cache.length, cache.last_logits
        copy.data, copy.index = cache.data.clone(), cache.index
        copies.append(copy)
    return copies


def transformers_prefill(weights: dict[str, Tensor], config: Any) -> Callable[..., Any]:
    """A whole prefill by transformers on the same tensors."""
    from transformers_peer import as_transformers

    model = as_transformers(config, weights)
    model.set_attn_implementation("sdpa")

    def prefill(tokens: tuple[int, ...]) -> object:
        with torch.inference_mode():
            return model(torch.tensor([tokens]), use_cache=True, logits_to_keep=1).logits

    return prefill


def measure(arguments: argparse.Namespace) -> tuple[Ledger, dict[str, Any]]:
    """All figures that are missing."""
    hardware, threads = detect_hardware(), load_settings().threads
    torch.set_num_threads(threads)
    files = ensure(arguments.model)
    checkpoint = open_checkpoint(files)
    sparse = SparseConfig(crossover=0)
    settings = {
        "model": files.name,
        "weights": files.sha256,
        "hardware": hardware.description,
        "threads": threads,
        "torch": torch.__version__,
        "native": load_native() is not None,
        "sparse": asdict(sparse),
    }
    ledger = Ledger(arguments.out, settings)
    weights = checkpoint.weights(hardware.dtype)
    peer = None
    if "transformers" in arguments.arm:
        # Before the decoder, which takes the tensors out of `weights`.
        peer = transformers_prefill(weights, checkpoint.config)
    decoder = Decoder(checkpoint.config, weights)
    engine = {
        "sdpa": EngineArm(decoder, None, compiled=False),
        "dense": EngineArm(decoder, None, compiled=True),
        "sparse": EngineArm(decoder, sparse, compiled=True),
    }
    tokenizer = checkpoint.tokenizer()
    for length in arguments.length:
        tokens = make_context("python", 1, max(length, 2048), tokenizer).tokens[:length]
        for number in range(arguments.rounds):
            for arm in arguments.arm:
                if ledger.has("prefill", arm, length, number):
                    continue
                say(f"{arm}, {length:,} tokens, round {number + 1}")
                begun = time.perf_counter()
                if arm == "transformers":
                    assert peer is not None
                    peer(tokens)
                    ledger.add(Figure("prefill", arm, length, number, since(begun)))
                    continue
                cache = engine[arm].prefill(tokens)
                ledger.add(Figure("prefill", arm, length, number, since(begun)))
                ledger.add(Figure("attention", arm, length, number, engine[arm].attention_s))
                # Decode is the same with and without the compiled kernel where it is dense.
                if length >= DECODE_FROM and arm != "sdpa":
                    measure_decode(ledger, engine[arm], arm, cache, number)
        if "sparse" in arguments.arm and not ledger.has("selection", "sparse", length, 0):
            report = AttentionReport(checkpoint.config.layers)
            engine["sparse"].prefill(tokens, report)
            parts = {
                "selection": sum(layer.select_s for layer in report.layers),
                "listed attention": sum(layer.attend_s for layer in report.layers),
                "density": sum(layer.density for layer in report.layers) / len(report.layers),
            }
            for what, value in parts.items():
                ledger.add(Figure(what, "sparse", length, 0, value))
    return ledger, settings


def measure_decode(
    ledger: Ledger, arm: EngineArm, name: str, cache: PromptCache, number: int
) -> None:
    """Steps of one sequence, of eight that share the prompt, of eight with one of their own."""
    length = len(cache.tokens)
    for batch, prompts in ((1, "one"), (8, "shared"), (8, "own")):
        caches = own_copies(cache, batch) if prompts == "own" else [cache] * batch
        seconds = arm.decode(caches)
        ledger.add(Figure("decode", name, length, number, seconds, batch, prompts))


def table(ledger: Ledger, lengths: list[int]) -> str:
    """Medians with their spread, and the speed-up over `sdpa` and over `dense`."""
    rows = [
        "| tokens | what | arm | seconds (lowest to highest) | over sdpa | over dense |",
        "|---|---|---|---|---|---|",
    ]
    for length in lengths:
        found = list(ledger.medians(length))
        base = {
            (f.arm, f.what, f.batch, f.prompts): median(seconds)
            for f, seconds in found
            if f.arm in ("sdpa", "dense")
        }
        for figure, seconds in found:
            what = figure.what
            if what == "decode":
                what += f", batch {figure.batch} ({figure.prompts})"
            kind = (figure.what, figure.batch, figure.prompts)
            gains = [
                f"{base[arm, *kind] / median(seconds):.2f}" if (arm, *kind) in base else ""
                for arm in ("sdpa", "dense")
            ]
            spread = f"{median(seconds):.3f} ({seconds[0]:.3f} to {seconds[-1]:.3f})"
            rows.append(
                f"| {length:,} | {what} | {figure.arm} | {spread} | {gains[0]} | {gains[1]} |"
            )
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default=load_settings().model)
    parser.add_argument("--length", type=int, action="append")
    parser.add_argument("--arm", choices=ARMS, action="append")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    arguments.length = arguments.length or list(LENGTHS)
    arguments.arm = arguments.arm or list(ARMS)
    arguments.out = arguments.out or Path(f"results/attention/speed_{arguments.model}.jsonl")
    ledger, settings = measure(arguments)
    print(table(ledger, arguments.length))
    print(json.dumps(settings))


if __name__ == "__main__":
    main()
