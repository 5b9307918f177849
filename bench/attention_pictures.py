"""The pictures of docs/attention.md, from what was measured.

    python bench/attention_pictures.py [--results results/attention] [--out docs/pictures]

`attention-mechanism`: the lists of a small real selection. `attention-speed`: prefills that
bench/attention_speed.py measured. `attention-quality`: contexts that `codekiln eval context`
measured with several thresholds. A picture without figures is left out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from codekiln.attention import BlockIndex, SparseConfig, select
from codekiln.attention.oracle import visible
from codekiln.core.files import write_atomic
from codekiln.evals.context.summary import ArmSummary, summarise
from codekiln.evals.report.svg import INK, WIDTH_IN, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe-Ito's colours.
COLOURS = {"transformers": "#CC79A7", "sdpa": "#D55E00", "dense": "#0072B2", "sparse": "#009E73"}
LEVELS = {
    "globals": "#0072B2",
    "window": "#009E73",
    "far blocks": "#E69F00",
    "last rows": "#CC79A7",
}
WORDS = {"sdpa": "engine, PyTorch's SDPA", "dense": "engine, dense kernel"}


@dataclass(frozen=True, slots=True)
class Speeds:
    """Seconds of prefills of one model, [arm][tokens], all rounds."""

    model: str
    seconds: dict[str, dict[int, list[float]]]


def read_speeds(folder: Path) -> list[Speeds]:
    """The prefills of every model that was measured in bfloat16."""
    found = []
    for path in sorted(folder.glob("speed_*.jsonl")):
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        seconds: dict[str, dict[int, list[float]]] = {}
        for figure in (line["figure"] for line in lines if line["figure"]["what"] == "prefill"):
            by_length = seconds.setdefault(figure["arm"], {})
            by_length.setdefault(figure["length"], []).append(figure["value"])
        # Without bfloat16 the figures are others, and are told in words.
        if seconds and lines[0]["settings"]["hardware"].startswith("CPU, bfloat16"):
            found.append(Speeds(lines[0]["settings"]["model"], seconds))
    return found


def read_quality(folder: Path) -> dict[str, list[ArmSummary]]:
    """Summaries of measured contexts by model; each file holds one configuration."""
    found: dict[str, list[ArmSummary]] = {}
    for path in sorted(folder.glob("context_*.jsonl")):
        lines: list[dict[str, Any]] = [json.loads(x) for x in path.read_text("utf-8").splitlines()]
        if lines:
            found.setdefault(lines[0]["settings"]["model"], []).extend(summarise(lines))
    return found


def panels(count: int, height_in: float) -> tuple[Figure, list[Axes]]:
    """Axes beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False).flat)


def draw_speeds(measured: Sequence[Speeds]) -> Figure:
    """Per model seconds over tokens, and how many times as fast as PyTorch's attention that is."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, 3.6 * len(measured)), layout="constrained")
    grid = figure.subplots(len(measured), 2, squeeze=False)
    for (left, right), speeds in zip(grid, measured, strict=True):
        base = speeds.seconds.get("sdpa", {})
        for arm, colour in COLOURS.items():
            by_length = speeds.seconds.get(arm)
            if not by_length:
                continue
            lengths = sorted(by_length)
            middle = [median(by_length[length]) for length in lengths]
            left.plot(lengths, middle, marker="o", color=colour, label=WORDS.get(arm, arm))
            low = [min(by_length[length]) for length in lengths]
            high = [max(by_length[length]) for length in lengths]
            left.fill_between(lengths, low, high, color=colour, alpha=0.2, linewidth=0)
            both = [length for length in lengths if length in base]
            gains = [median(base[length]) / median(by_length[length]) for length in both]
            right.plot(both, gains, marker="o", color=colour)
        left.set_yscale("log", base=2)
        left.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        left.set_ylabel("seconds of a whole prefill")
        left.set_title(speeds.model, loc="left")
        right.set_ylabel("times as fast as PyTorch's SDPA")
        right.set_ylim(bottom=0)
        for panel in (left, right):
            panel.set_xscale("log", base=2)
            panel.set_xlabel("tokens of the prompt")
            panel.xaxis.set_major_formatter(lambda value, _: f"{value / 1024:,.0f}K")
    grid[0][0].legend()
    return figure


def draw_quality(measured: dict[str, list[ArmSummary]]) -> Figure:
    """Agreement and rise of the loss over density, a row of panels per model."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, 3.6 * len(measured)), layout="constrained")
    grid = figure.subplots(len(measured), 2, squeeze=False)
    shown: tuple[tuple[str, Callable[[ArmSummary], float]], ...] = (
        ("likeliest tokens that agree, %", lambda item: 100 * item.agreement),
        ("rise of the loss, %", lambda item: 100 * item.rise),
    )
    for row, (model, items) in zip(grid, measured.items(), strict=True):
        for panel, (label, value) in zip(row, shown, strict=True):
            kinds = sorted({(item.corpus, item.length) for item in items})
            for number, (corpus, length) in enumerate(kinds):
                colour = list(COLOURS.values())[number % len(COLOURS)]
                own = [item for item in items if (item.corpus, item.length) == (corpus, length)]
                sparse = sorted(
                    (item.density, value(item)) for item in own if item.density is not None
                )
                panel.plot(*zip(*sparse, strict=True), "o-", color=colour, label=f"{length:,}")
                for item in own:
                    if item.density is None:
                        panel.axhline(value(item), color=colour, linestyle=":", linewidth=1)
            panel.axhline({0: 98.0, 1: 0.5}[list(row).index(panel)], color=INK, linewidth=0.8)
            panel.set_xlabel("share of the keys that is read")
            panel.set_ylabel(label)
            panel.set_title(model, loc="left")
    grid[0][0].legend(title="tokens")
    return figure


def draw_mechanism(config: SparseConfig) -> Figure:
    """Which keys each query block of a small context looks at, by the level that lets it."""
    from matplotlib.patches import Patch, Rectangle

    tokens, size = 1536, config.query_block
    random = torch.Generator().manual_seed(3)
    # Topics that come back, as in code: blocks about the same thing ask for each other.
    topics = 3.0 * torch.randn(12, 64, generator=random)
    spots = torch.randint(12, (tokens // 64,), generator=random).repeat_interleave(64)
    keys = (topics[spots] + torch.randn(tokens, 64, generator=random))[None]
    index = BlockIndex(1, 1, 64, tokens, config, torch.float32, torch.device("cpu"))
    index.update(0, keys, tokens)
    lists = select(keys[0][:, None], index, 0, 0, tokens - config.dense_rows)
    mask = visible(lists, 0, tokens, kv_heads=1)[0].view(tokens // size, size, -1, size).any(3)
    figure, (panel,) = panels(1, 5.4)

    def level_of(row: int, column: int) -> str:
        if column * size < config.global_tokens:
            return "globals"
        if (row - column) * size <= config.window:
            return "window"
        return "last rows" if (row + 1) * size > tokens - config.dense_rows else "far blocks"

    for row, blocks in enumerate(mask.any(1).tolist()):
        read = [(level_of(row, at), at) for at, is_read in enumerate(blocks[: row + 1]) if is_read]
        # Neighbours of one level are one rectangle.
        for (level, _), run in groupby(
            enumerate(read), lambda item: (item[1][0], item[1][1] - item[0])
        ):
            columns = [column for _, (_, column) in run]
            place, width = (columns[0] * size, row * size), len(columns) * size
            panel.add_patch(Rectangle(place, width, size, color=LEVELS[level], linewidth=0))
    panel.set(xlim=(0, tokens), ylim=(tokens, 0), xlabel="keys", ylabel="queries", aspect="equal")
    panel.grid(visible=False)
    handles = [Patch(color=colour, label=level) for level, colour in LEVELS.items()]
    panel.legend(handles=handles, loc="upper right")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--results", type=Path, default=Path("results/attention"))
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    arguments = parser.parse_args()
    small = SparseConfig(
        global_tokens=64, window=128, group=4, threshold=2.0, min_blocks=2, dense_rows=64
    )
    drawn = [picture("attention-mechanism", "", "", draw_mechanism, small)]
    if speeds := read_speeds(arguments.results):
        drawn.append(picture("attention-speed", "", "", draw_speeds, speeds))
    if quality := read_quality(arguments.results):
        drawn.append(picture("attention-quality", "", "", draw_quality, quality))
    for item in drawn:
        path = arguments.out / f"{item.name}.svg"
        write_atomic(path, item.standalone())
        print(f"written: {path}")


if __name__ == "__main__":
    main()
