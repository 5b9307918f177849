"""Measures one long context with several arms of attention, and keeps what it found as JSON lines.

The first arm is the reference: agreement is with its likeliest tokens. A line is written when a
context is done with all arms; a measurement that was cut off goes on behind the lines it has.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from codekiln.attention import AttentionReport, SparseConfig
from codekiln.core.errors import UsageError
from codekiln.engine import Decoder
from codekiln.evals.context.corpus import LongContext
from codekiln.evals.context.reader import LongReader, Predictions
from codekiln.models import ChatTokenizer

# Losses are summed over runs of so many tokens, which are what the intervals resample.
WINDOW = 256
# Arm names. `dense` is what the engine does, `sdpa` dense attention by PyTorch alone.
DENSE, SDPA, SPARSE = "dense", "sdpa", "sparse"


# What is being done, how much of it is done, and how much there is.
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Arm:
    """One kind of attention; `sparse` None is dense, through the kernel only where `compiled`."""

    name: str
    sparse: SparseConfig | None = None
    compiled: bool = True


def make_arms(names: Sequence[str], sparse: SparseConfig) -> tuple[Arm, ...]:
    """Arms by name, the first the reference. Sparse ones read sparsely at any length."""
    arms = {
        DENSE: Arm(DENSE),
        SDPA: Arm(SDPA, compiled=False),
        SPARSE: Arm(SPARSE, replace(sparse, crossover=0)),
    }
    for name in names:
        if name not in arms:
            raise UsageError(f"Unknown arm {name!r}", f"Known arms: {', '.join(arms)}")
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError(
            "a measurement holds different arms against a reference", "Name two or more"
        )
    return tuple(arms[name] for name in names)


def measure(
    decoder: Decoder,
    tokenizer: ChatTokenizer,
    context: LongContext,
    arms: Sequence[Arm],
    tell: Tell,
) -> dict[str, Any]:
    """Everything about one context: per arm losses by window, agreement, answers, and the report.

    Losses are of the second half of the context.
    """
    first = len(context.tokens) // 2
    results: dict[str, Any] = {}
    reference: Predictions | None = None
    for arm in arms:
        name = f"{context.corpus} {len(context.tokens):,} #{context.seed}, {arm.name}"
        begun = time.perf_counter()
        reader = LongReader(decoder, context.tokens, arm.sparse, arm.compiled)
        on_tokens = functools.partial(tell, f"{name}: tokens")
        predictions = reader.read(first, on_tokens)
        read_s = time.perf_counter() - begun
        reference = reference or predictions
        answers = []
        for number, question in enumerate(context.questions):
            tell(f"{name}: questions", number, len(context.questions))
            answer = reader.ask(
                tokenizer.encode(question.prompt), tokenizer.encode(question.answer)
            )
            answers.append([int(answer.is_right), round(answer.loss, 4)])
        agrees = (predictions.best == reference.best).float()
        results[arm.name] = {
            "read_s": round(read_s, 2),
            "loss": _window_sums(predictions.loss),
            "agree": _window_sums(agrees),
            "answers": answers,
            "layers": _layers(reader.report),
        }
    return {
        "corpus": context.corpus,
        "seed": context.seed,
        "length": len(context.tokens),
        "sha256": context.sha256,
        "tokens": _window_sums(torch.ones(len(context.tokens) - first)),
        "questions": [[question.kind, question.depth] for question in context.questions],
        "arms": results,
    }


def done_lines(path: Path, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The lines that an earlier call wrote with the same settings; a torn last line is no line.

    Raises UsageError when the file was written with others.
    """
    if not path.exists():
        return []
    lines = list(_parsed(path))
    for line in lines:
        if line["settings"] != settings:
            differing = sorted(
                key
                for key in {*settings, *line["settings"]}
                if settings.get(key) != line["settings"].get(key)
            )
            raise UsageError(
                f"{path} was measured with other settings ({', '.join(differing)})",
                "Name another file with --out, or move it away",
            )
    return lines


def keep(path: Path, settings: Mapping[str, Any], measured: Mapping[str, Any]) -> None:
    """Append one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"settings": settings, **measured}) + "\n")


def describe_arms(arms: Sequence[Arm]) -> dict[str, Any]:
    """The arms as JSON."""
    return {arm.name: {k: v for k, v in asdict(arm).items() if k != "name"} for arm in arms}


def _parsed(path: Path) -> Iterator[dict[str, Any]]:
    text = path.read_text("utf-8")
    for line in text[: text.rfind("\n") + 1].splitlines():
        try:
            parsed = json.loads(line)
            parsed["settings"], parsed["arms"]
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path} is no file of measured contexts", "Name another file with --out"
            ) from error
        yield parsed


def _window_sums(values: torch.Tensor) -> list[float]:
    return [round(float(part.double().sum()), 4) for part in torch.split(values, WINDOW)]


def _layers(report: AttentionReport | None) -> list[list[float]] | None:
    """Per layer: density, covered mass, seconds of selecting and of attending."""
    if report is None:
        return None
    return [
        [
            round(layer.density, 4),
            round(layer.covered if layer.covered is not None else 1.0, 4),
            round(layer.select_s, 3),
            round(layer.attend_s, 3),
        ]
        for layer in report.layers
    ]
