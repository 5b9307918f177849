"""Whether told confidence is what it says: ten bins, their calibration error, and the picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codekiln.evals.outcomes import Outcome
from codekiln.evals.report.measured import Measured, arms
from codekiln.evals.report.svg import INK, WIDTH_IN
from codekiln.evals.summary import right_selected

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BINS = 10
_TITLE_WIDTH = 44


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of one range of confidence: how many, their mean confidence, the share right."""

    count: int
    confidence: float
    right: float


def reliability(outcomes: Sequence[Outcome]) -> list[Bin]:
    """The ten bins of told confidence; an empty one has count 0."""
    told = [(o.confidence, right_selected(o)) for o in outcomes if o.confidence is not None]
    bins = []
    for number in range(_BINS):
        inside = [(c, r) for c, r in told if min(_BINS - 1, int(c * _BINS)) == number]
        count = max(1, len(inside))
        bins.append(
            Bin(len(inside), sum(c for c, _ in inside) / count, sum(r for _, r in inside) / count)
        )
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: the mean gap of confidence and right, weighted by count."""
    total = sum(item.count for item in bins)
    return sum(item.count * abs(item.confidence - item.right) for item in bins) / max(1, total)


def draw_reliability(measured: Sequence[Measured]) -> Figure:
    """A panel per run: share right over told probability, and the counts below."""
    from matplotlib.figure import Figure

    columns = min(2, len(measured))
    rows = -(-len(measured) // columns)
    figure = Figure(figsize=(WIDTH_IN, 4.4 * rows), layout="constrained")
    grid = figure.subplots(
        2 * rows, columns, squeeze=False, sharex=True, height_ratios=[3, 1] * rows
    )
    for number in range(rows * columns):
        row, column = divmod(number, columns)
        upper, lower = grid[2 * row][column], grid[2 * row + 1][column]
        if number < len(measured):
            _reliability_panel(upper, lower, measured[number])
        else:
            upper.set_visible(False)
            lower.set_visible(False)
    return figure


def _reliability_panel(upper: Axes, lower: Axes, item: Measured) -> None:
    bins = reliability(item.outcomes)
    held = [found for found in bins if found.count]
    error = 100 * calibration_error(bins)
    upper.plot([0, 1], [0, 100], color=INK, linestyle=":", linewidth=1.2)
    below, above = zip(*(arms(found.right, found.count) for found in held), strict=True)
    upper.errorbar(
        [found.confidence for found in held],
        [100 * found.right for found in held],
        yerr=[below, above],
        color=item.mark.colour,
        marker=item.mark.marker,
        linestyle="-",
        capsize=3,
    )
    name = textwrap.fill(item.label, _TITLE_WIDTH)
    upper.set_title(f"{name}\nexpected calibration error {error:.1f} points", loc="left")
    upper.set_xlim(0, 1)
    # Points at 0 and 100 are shown whole.
    upper.set_ylim(-4, 104)
    upper.set_ylabel("right (%)")
    middles = [(number + 0.5) / _BINS for number in range(_BINS)]
    drawn = lower.bar(middles, [found.count for found in bins], width=0.092, color=item.mark.colour)
    lower.bar_label(drawn, [str(f.count) if f.count else "" for f in bins], fontsize=8, padding=1)
    lower.margins(y=0.3)
    lower.tick_params(labelbottom=True)
    lower.set_ylabel("answers")
    lower.set_xlabel("told probability of being right")
