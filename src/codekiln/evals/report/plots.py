"""The pictures of a report: what each shows. A run has its mark in all of them.

Needs matplotlib (the extra `eval`), which is imported when something is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from codekiln.core import Verdict
from codekiln.evals.comparison import default_metric
from codekiln.evals.outcomes import Outcome
from codekiln.evals.report.measured import Measured, arms
from codekiln.evals.report.reliability import draw_reliability
from codekiln.evals.report.svg import INK, PAPER, WIDTH_IN, Picture, picture
from codekiln.evals.report.tables import VERDICT_NAMES, verdict_counts
from codekiln.evals.summary import gate_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Tol's and Okabe-Ito's colours.
_VERDICT_COLOURS: dict[Verdict, str] = {
    Verdict.PASSED: "#009E73",
    Verdict.WRONG_OUTPUT: "#D55E00",
    Verdict.RUNTIME_ERROR: "#CC79A7",
    Verdict.TIMEOUT: "#E69F00",
    Verdict.OUT_OF_MEMORY: "#AA4499",
    Verdict.TYPE_ERROR: "#56B4E9",
    Verdict.SYNTAX_ERROR: "#0072B2",
    Verdict.INSECURE: "#882255",
    Verdict.UNVERIFIED: "#999999",
    Verdict.NO_CODE: "#555555",
}
_LEGEND_ROW_IN = 0.22


def all_pictures(measured: Sequence[Measured]) -> list[Picture]:
    """Every picture that these runs have something to show in. Raises MissingExtraError."""
    pictures = [
        picture(
            "pass-at-k",
            "Right with k samples",
            "Lines: pass@k, the chance that one of k samples is right (unbiased estimate). Filled: "
            "the answer that was selected, or greedy; hollow: the oracle, any candidate.",
            _pass_at_k,
            measured,
        ),
        picture(
            "cost",
            "Score against cost",
            "Line: a random draft that passes the visible checks, from the first 1, 2, ... n "
            "drafts. Points: the score a mode is judged by, with its 95 % interval. Higher and "
            "further left is better.",
            _cost,
            measured,
        ),
        picture(
            "verdicts",
            "Where answers fail",
            "Hidden verdicts of the answers; the figures count problems.",
            _verdicts,
            measured,
        ),
        picture(
            "latency",
            "Time to an answer",
            "A dot per problem; bar: median; diamond: P99. Without scoring.",
            _latency,
            measured,
        ),
    ]
    told = [item for item in measured if any(o.confidence is not None for o in item.outcomes)]
    if told:
        pictures.append(
            picture(
                "reliability",
                "What its confidence is worth",
                "Answers by the probability that was told with them, in ten bins. On the diagonal "
                "the told probability is the true one. Below: how many answers a bin holds.",
                draw_reliability,
                told,
            )
        )
    return pictures


def _figure(rows: int, columns: int, height_in: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, list(grid.flat)


def _by_place(measured: Sequence[Measured]) -> dict[str, list[Measured]]:
    places: dict[str, list[Measured]] = {}
    for item in measured:
        places.setdefault(item.place, []).append(item)
    return places


def _panels(
    measured: Sequence[Measured], draw: Callable[[Axes, Sequence[Measured]], None]
) -> Figure:
    """A panel per suite, two in a row, and one legend of the runs below."""
    places = _by_place(measured)
    columns = min(2, len(places))
    figure, axes = _figure(-(-len(places) // columns), columns, 3.9)
    for panel, (place, items) in zip(axes, places.items(), strict=False):
        draw(panel, items)
        panel.set_title(place, loc="left")
    for panel in axes[len(places) :]:
        panel.set_visible(False)
    _legend(figure, measured)
    return figure


def _legend(figure: Figure, measured: Sequence[Measured]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], color=i.mark.colour, linestyle=i.mark.dash, marker=i.mark.marker, label=i.label
        )
        for i in measured
    ]
    longest = max(len(item.label) for item in measured)
    columns = max(1, min(len(handles), 100 // (longest + 8)))
    # A legend of many runs would leave no room for what it explains.
    rows = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + _LEGEND_ROW_IN * rows)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _pass_at_k(measured: Sequence[Measured]) -> Figure:
    return _panels(measured, _pass_at_k_panel)


def _pass_at_k_panel(axes: Axes, items: Sequence[Measured]) -> None:
    widest = 1
    for number, item in enumerate(items):
        summary, mark = item.summary, item.mark
        if summary.pass_at and item.run.mode == "sample":
            xs = [int(k) for k in summary.pass_at]
            ys = [100 * value for value in summary.pass_at.values()]
            axes.plot(xs, ys, color=mark.colour, linestyle=mark.dash, linewidth=1.8)
            widest = max(widest, *xs)
        most = max(len(outcome.candidates) for outcome in item.outcomes)
        widest = max(widest, most)
        # Runs of one n stand beside each other instead of over each other.
        aside = 0.012 * widest * (number - (len(items) - 1) / 2)
        if summary.oracle is not None:
            _dot(axes, item, most + aside, summary.oracle, hollow=True)
        if item.chooses and summary.selected is not None:
            _dot(axes, item, most + aside, summary.selected, hollow=False)
        elif item.run.mode == "greedy" and summary.greedy is not None:
            _dot(axes, item, 1, summary.greedy, hollow=False)
    axes.set_xlim(0.5, widest + 0.5)
    axes.set_xticks([k for k in _ticks_to(widest) if k <= widest])
    axes.set_xlabel("samples or candidates per problem, k")
    _score_axis(axes)


def _score_axis(axes: Axes) -> None:
    """Never so narrow that a point or two look like much."""
    axes.set_ylabel("problems right (%)")
    low, high = axes.dataLim.intervaly
    if low <= high:
        axes.set_ylim(max(-2.0, low - 6), min(102.0, high + 6))


def _ticks_to(most: int) -> list[int]:
    """1 and round figures up to `most`, about five of them."""
    step = next(
        step
        for base in (1, 10, 100, 1000)
        for step in (base, 2 * base, 5 * base)
        if most <= 6 * step
    )
    return sorted({1, *range(step, most + 1, step)})


def _dot(axes: Axes, item: Measured, k: float, share: float, *, hollow: bool) -> None:
    axes.plot(
        [k],
        [100 * share],
        color=item.mark.colour,
        marker=item.mark.marker,
        markerfacecolor=PAPER if hollow else item.mark.colour,
        markersize=8,
        markeredgewidth=1.5,
        linestyle="",
        clip_on=False,
        zorder=3,
    )


def _cost(measured: Sequence[Measured]) -> Figure:
    return _panels(measured, _cost_panel)


def _cost_panel(axes: Axes, items: Sequence[Measured]) -> None:
    for item in items:
        mark, count = item.mark, item.summary.problems
        if item.run.mode == "sample":
            costs, scores = _gate_curve(item.outcomes)
            axes.plot(costs, scores, color=mark.colour, linestyle=mark.dash, linewidth=1.5)
            axes.plot(costs, scores, color=mark.colour, linestyle="", marker=mark.marker, ms=3.5)
            continue
        metric = default_metric(item.run.mode)
        score = item.summary.selected if metric == "selected" else item.summary.greedy
        if score is None:
            continue
        below, above = arms(score, count)
        axes.errorbar(
            [item.summary.tokens / count],
            [100 * score],
            yerr=[[below], [above]],
            color=mark.colour,
            marker=mark.marker,
            markersize=8,
            capsize=4,
        )
    axes.set_xlabel("completion tokens per problem")
    low, high = axes.dataLim.intervalx
    if 0 < low <= high:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.5, high * 1.5)
        axes.set_xlabel("completion tokens per problem (log scale)")
        _plain_ticks(axes)
    _score_axis(axes)


def _gate_curve(outcomes: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    """Tokens per problem and score of the gate with the first 1, 2, ... n drafts."""
    drafts = [[c for c in outcome.candidates if c.round == 0] for outcome in outcomes]
    costs, scores = [], []
    for k in range(1, max(map(len, drafts)) + 1):
        tokens = sum(draft.completion_tokens for found in drafts for draft in found[:k])
        costs.append(tokens / len(drafts))
        scores.append(100 * sum(gate_of(found[:k]) for found in drafts) / len(drafts))
    return costs, scores


def _verdicts(measured: Sequence[Measured]) -> Figure:
    figure, (axes,) = _figure(1, 1, 1.1 + 0.42 * len(measured))
    counts = [verdict_counts(item) for item in measured]
    shown = [verdict for verdict in VERDICT_NAMES if any(verdict in found for found in counts)]
    for row, (item, found) in enumerate(zip(measured, counts, strict=True)):
        left = 0.0
        for verdict in shown:
            share = 100 * found.get(verdict, 0) / item.summary.problems
            axes.barh(
                row,
                share,
                left=left,
                height=0.72,
                color=_VERDICT_COLOURS[verdict],
                edgecolor=PAPER,
                linewidth=0.8,
            )
            if share >= 3:
                axes.text(
                    left + share / 2,
                    row,
                    str(found[verdict]),
                    ha="center",
                    va="center",
                    color=_readable_on(_VERDICT_COLOURS[verdict]),
                    fontsize=9,
                )
            left += share
    _rows_of_runs(axes, measured)
    axes.set_xlim(0, 100)
    axes.set_xlabel("problems (%)")
    _verdict_legend(figure, shown)
    return figure


def _verdict_legend(figure: Figure, shown: Sequence[Verdict]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=_VERDICT_COLOURS[v], label=VERDICT_NAMES[v]) for v in shown]
    columns = -(-len(handles) // -(-len(handles) // 5))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def _readable_on(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#000000" if 0.299 * red + 0.587 * green + 0.114 * blue > 118 else "#ffffff"


def _latency(measured: Sequence[Measured]) -> Figure:
    figure, (axes,) = _figure(1, 1, 0.9 + 0.5 * len(measured))
    for row, item in enumerate(measured):
        seconds = [max(0.001, o.seconds) for o in item.outcomes if o.seconds is not None]
        # Spread evenly in a fixed pattern: a random one would make every report another file.
        heights = [
            row + 0.28 * (((number * 0.618) % 1.0) - 0.5) * 2 for number in range(len(seconds))
        ]
        axes.plot(
            seconds,
            heights,
            linestyle="",
            marker="o",
            ms=3,
            color=item.mark.colour,
            alpha=0.6,
            mew=0,
        )
        middle, last = item.summary.seconds_median, item.summary.seconds_p99
        if middle is None or last is None:
            axes.annotate(
                "completions read from memory",
                (1.01, row),
                xycoords=("axes fraction", "data"),
                va="center",
                fontsize=8,
            )
            continue
        axes.plot([middle] * 2, [row - 0.38, row + 0.38], color=INK, linewidth=2.4)
        axes.plot([last], [row], marker="D", ms=7, color=INK, mfc=PAPER, mew=1.5)
        axes.annotate(
            f"{middle:.1f} s, P99 {last:.1f} s",
            (1.01, row),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=9,
        )
    _rows_of_runs(axes, measured)
    if not any(item.summary.seconds_median for item in measured):
        axes.set_xlim(0.1, 100.0)  # nothing was timed, and a log scale needs something
    axes.set_xscale("log")
    _plain_ticks(axes)
    axes.set_xlabel("seconds per problem (log scale)")
    return figure


def _rows_of_runs(axes: Axes, measured: Sequence[Measured]) -> None:
    axes.set_yticks(range(len(measured)), [item.label for item in measured])
    axes.set_ylim(len(measured) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def _plain_ticks(axes: Axes) -> None:
    """Figures such as 20 and 500 on a logarithmic axis, not powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
