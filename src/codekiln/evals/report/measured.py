"""Reads finished runs for a report, and gives each a short label and a mark of its own.

The label says what sets a run apart from the others; the mark (colour, dash, marker) is the same
in every picture and table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from codekiln.evals.comparison import compare, finished_outcomes
from codekiln.evals.comparison_text import FEW_PROBLEMS
from codekiln.evals.estimators import wilson
from codekiln.evals.outcomes import CHOOSING, Outcome, Run, Scored
from codekiln.evals.store import Stored
from codekiln.evals.summary import Summary, summarise

# Okabe and Ito's colours without black and yellow, and two of Tol's: told apart by colour-blind
# readers, and seen on white and on dark paper alike.
COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00"),
    *("#CC79A7", "#56B4E9", "#AA4499", "#999933"),
)
Dash = Literal["-", "--", ":", "-."]
DASHES: tuple[Dash, ...] = get_args(Dash)
MARKERS = ("o", "s", "D", "v", "P", "X")

# What may set runs apart, the most telling first. The mode is always said.
_PARTS: tuple[Callable[[Run], str], ...] = (
    lambda run: place_of(run),
    lambda run: run.model,
    lambda run: run.mode,
    lambda run: f"n {run.settings.get('n')}" if run.mode != "greedy" else "",
    lambda run: f"T {run.settings.get('temperature')}" if run.mode != "greedy" else "",
    lambda run: f"seed {run.settings.get('seed')}",
    lambda run: f"form {run.settings.get('form')}",
    lambda run: _said("topic", run),
    lambda run: _said("limit", run),
    lambda run: _said("problem", run),
    lambda run: f"code {run.code}",
    lambda run: f"weights {run.weights_sha256[:8]}",
    lambda run: run.created,
    lambda run: run.id,
)
_MODE = 2


def _said(name: str, run: Run) -> str:
    value = run.settings.get(name)
    return "" if value is None else f"{name} {value}"


@dataclass(frozen=True, slots=True)
class Mark:
    """How a run is drawn."""

    colour: str
    dash: Dash
    marker: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A finished run as the report sees it; its figures are computed anew from its outcomes."""

    run: Run
    outcomes: tuple[Outcome, ...]
    summary: Summary
    label: str
    mark: Mark

    @property
    def chooses(self) -> bool:
        """Whether the mode answers with one of several candidates."""
        return self.run.mode in CHOOSING

    @property
    def place(self) -> str:
        """The suite and its language: only scores of one place can be held together."""
        return place_of(self.run)


def measure(runs: Sequence[Stored]) -> list[Measured]:
    """All that a report tells of these runs. Raises UsageError for a run under way."""
    labels = _labels([stored.run for stored in runs])
    measured = []
    for number, (stored, label) in enumerate(zip(runs, labels, strict=True)):
        outcomes = finished_outcomes(stored)
        wall_s = float(stored.summary().get("wall_s", 0.0))
        summary = summarise(outcomes, stored.run.mode, wall_s)
        measured.append(Measured(stored.run, outcomes, summary, label, mark_of(number)))
    return measured


def headline(stored: Stored, measured: Measured) -> str:
    """The run in one sentence; a mode that chooses is held against its own greedy drafts."""
    run, summary = measured.run, measured.summary
    where = f"{run.model} on {measured.place} ({run.size}), {run.mode}"
    if not measured.chooses:
        if run.mode == "sample":
            return f"{where}: {percent(summary.mean)} of the samples right."
        return f"{where}: {percent(summary.greedy)} of problems right."
    if run.settings.get("repeat", 1) != 1:
        # Repeats of one problem are not independent, which the test takes problems to be.
        return f"{where}: {percent(summary.selected)} right."
    right = f"{where}: {percent(summary.selected)} of problems right"
    if summary.greedy is None:
        return right + "."
    found = compare(stored, stored, metric_a="greedy", metric_b="selected")
    low, high = found.interval.low, found.interval.high
    few = found.problems < FEW_PROBLEMS
    interval = "too few for an interval" if few else f"95\u00a0% {low:+.1f} to {high:+.1f}"
    p = f"p = {found.p:.3g}" if found.p >= 0.0001 else "p < 0.0001"
    return (
        f"{right}, against {percent(summary.greedy)} for its own greedy drafts: "
        f"{found.difference:+.1f} points ({interval}, exact McNemar {p})."
    )


def mark_of(number: int) -> Mark:
    """The mark of the run with this number; dashes and markers change where colours repeat."""
    turn = number // len(COLOURS)
    return Mark(
        COLOURS[number % len(COLOURS)],
        DASHES[turn % len(DASHES)],
        MARKERS[turn % len(MARKERS)],
    )


def place_of(run: Run) -> str:
    """The suite, and the language where it is not Python."""
    return run.suite if run.language == "python" else f"{run.suite} {run.language}"


def answer_of(outcome: Outcome) -> Scored | None:
    """What was answered with: the selected candidate, or else the greedy draft."""
    return outcome.selected or outcome.greedy


def arms(share: float, count: int) -> tuple[float, float]:
    """How far the 95 % interval of a share reaches below and above it, in points."""
    interval = wilson(share * count, count)
    return max(0.0, 100 * (share - interval.low)), max(0.0, 100 * (interval.high - share))


def percent(share: float | None, digits: int = 1) -> str:
    """A share as text; a dash where there is none."""
    return "–" if share is None else f"{100 * share:.{digits}f}\u00a0%"


def _labels(runs: Sequence[Run]) -> list[str]:
    """As few parts as set every run apart."""
    chosen = {_MODE}
    for number, part in enumerate(_PARTS):
        if len(set(map(_label_of(chosen), runs))) == len(runs):
            break
        if len({part(run) for run in runs}) > 1:
            chosen.add(number)
    return list(map(_label_of(chosen), runs))


def _label_of(chosen: set[int]) -> Callable[[Run], str]:
    return lambda run: " · ".join(
        text for number in sorted(chosen) if (text := " ".join(_PARTS[number](run).split()))
    )
