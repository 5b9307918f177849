"""`codekiln eval context`: loads a model, measures what is not measured yet, gives all lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from codekiln.attention import SparseConfig
from codekiln.attention.native import load_native
from codekiln.core.errors import ContextOverflowError, UsageError
from codekiln.core.settings import load_settings
from codekiln.engine import Decoder, detect_hardware
from codekiln.evals.context.corpus import make_context
from codekiln.evals.context.measure import (
    DENSE,
    SPARSE,
    Tell,
    describe_arms,
    done_lines,
    keep,
    make_arms,
    measure,
)
from codekiln.evals.store import alone, results_folder
from codekiln.models import Progress, ensure, open_checkpoint

DEFAULT_LENGTHS = (8192, 16_384, 32_000)
DEFAULT_ARMS = (DENSE, SPARSE)


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """What to measure. `changes` are fields of SparseConfig as `name=value`."""

    model: str | None = None
    corpus: str = "python"
    lengths: tuple[int, ...] = DEFAULT_LENGTHS
    contexts: int = 3
    arms: tuple[str, ...] = DEFAULT_ARMS
    changes: tuple[str, ...] = ()
    folder: Path | None = None
    out: Path | None = None


def measure_contexts(
    plan: ContextPlan, progress: Progress, tell: Tell
) -> tuple[Path, list[dict[str, Any]]]:
    """The file of results and its lines; what an earlier call left is not measured again.

    Raises UsageError for a senseless plan, and what codekiln.models raises.
    """
    sparse = changed_config(SparseConfig(), plan.changes)
    settings, hardware = load_settings(), detect_hardware()
    torch.set_num_threads(settings.threads)
    files = ensure(plan.model or settings.model, progress=progress)
    checkpoint = open_checkpoint(files)
    _refuse_nonsense(plan, checkpoint.config.context_tokens)
    arms = make_arms(plan.arms, sparse)
    described = {
        "model": files.name,
        "weights": files.sha256,
        "hardware": hardware.description,
        "threads": settings.threads,
        "torch": torch.__version__,
        "native": load_native() is not None,
        "arms": describe_arms(arms),
    }
    out = plan.out or results_folder() / f"context_{files.name}.jsonl"
    tokenizer = checkpoint.tokenizer()
    contexts = [
        make_context(plan.corpus, seed, length, tokenizer, plan.folder)
        for length in dict.fromkeys(plan.lengths)
        for seed in range(1, plan.contexts + 1)
    ]
    with alone(out):
        done = {line["sha256"] for line in done_lines(out, described)}
        missing = [context for context in contexts if context.sha256 not in done]
        if missing:
            weights = checkpoint.weights(hardware.dtype, progress)
            weights = {name: tensor.to(hardware.device) for name, tensor in weights.items()}
            decoder = Decoder(checkpoint.config, weights)
            for context in missing:
                keep(out, described, measure(decoder, tokenizer, context, arms, tell))
    wanted = {context.sha256 for context in contexts}
    return out, [line for line in done_lines(out, described) if line["sha256"] in wanted]


def changed_config(config: SparseConfig, changes: Sequence[str]) -> SparseConfig:
    """`config` with `name=value` applied. Raises UsageError for what is no field or number."""
    # None stands for a whole number that was measured.
    kinds: dict[str, Callable[[str], Any]] = {
        field.name: type(getattr(config, field.name) or 0) for field in fields(config)
    }
    values: dict[str, Any] = {}
    for change in changes:
        name, _, value = change.partition("=")
        if name not in kinds:
            raise UsageError(
                f"{name!r} is no number of the sparse attention", f"There are {', '.join(kinds)}"
            )
        try:
            values[name] = kinds[name](value)
        except ValueError:
            raise UsageError(f"{change!r} gives {name} no number", f"Write {name}=NUMBER") from None
    return replace(config, **values)


def _refuse_nonsense(plan: ContextPlan, window: int) -> None:
    if plan.contexts < 1 or not plan.lengths:
        raise UsageError("there is nothing to measure", "Give --contexts 1 or more and a --length")
    longest = max(plan.lengths)
    # Questions and answers stand behind the context.
    if longest + 256 > window:
        raise ContextOverflowError(
            f"a context of {longest:,} tokens and a question of up to 256 exceed the model's "
            f"window of {window:,}",
            f"Give --length {window - 256} or less",
        )
