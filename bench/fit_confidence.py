"""Fits the weights of codekiln.generation.confidence on stored runs of development suites.

    python bench/fit_confidence.py results/development [--write]

Takes runs of the suites mbpp-train and kilnlogic-dev (and no other: test problems are never fitted
on); each `evidence` of an outcome whose choice passed its examples is one point, weighted so that
each problem counts once. Prints the log loss, accuracy and calibration error by 5-fold
cross-validation over problems, then writes the weights with the runs they come from.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

try:
    from scipy.optimize import minimize
except ImportError:
    raise SystemExit(
        "error: scipy is missing. Install the extra 'dev': pip install -e '.[dev]'"
    ) from None

from codekiln.core.files import write_atomic
from codekiln.evals import stored_runs
from codekiln.evals.choice import id_in_suite
from codekiln.generation.confidence import FEATURES, Evidence

SUITES = ("mbpp-train", "kilnlogic-dev")
TARGET = Path(__file__).parent.parent / "src/codekiln/generation/confidence.toml"
# A development problem of mbpp-train shows one example, so that its runs cannot tell what a further
# one is worth. Set by hand: from one to three examples the odds grow by half.
BY_HAND = {"examples": 0.4}
# Strength of the pull towards zero; the features are of order one.
RIDGE = 0.0005
FOLDS = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    features: Floats  # [points, features]
    right: Floats  # [points], 0 or 1
    weights: Floats  # [points]; those of a problem add up to 1
    problems: list[str]
    runs: list[str]


def read_points(folder: Path) -> Points:
    rows: list[list[float]] = []
    right: list[float] = []
    names: list[str] = []
    runs: list[str] = []
    for stored in stored_runs(folder):
        if stored.run.suite not in SUITES or stored.run.mode not in ("sample", "verified"):
            continue
        runs.append(stored.run.id)
        for outcome in stored.outcomes():
            for entry in outcome.evidence:
                chosen = next(c for c in outcome.candidates if c.index == entry["chosen"])
                if entry["passed"]:
                    features = evidence_from(entry).features()
                    rows.append([features[name] for name in FEATURES])
                    right.append(float(chosen.right))
                    names.append(f"{stored.run.model}/{id_in_suite(outcome.problem)}")
    if not rows:
        raise SystemExit(f"error: no runs of {' or '.join(SUITES)} in {folder}")
    counts: dict[str, int] = defaultdict(int)
    for name in names:
        counts[name] += 1
    weights = np.array([1.0 / counts[name] for name in names])
    return Points(np.array(rows), np.array(right), weights, names, runs)


def evidence_from(entry: dict[str, float]) -> Evidence:
    names = {field.name for field in fields(Evidence)}
    return Evidence(**{name: value for name, value in entry.items() if name in names})  # type: ignore[arg-type]


def fit(features: Floats, right: Floats, weights: Floats) -> Floats:
    """Intercept and weights that minimise the weighted log loss with a ridge."""
    free = [place for place, name in enumerate(FEATURES) if name not in BY_HAND]
    by_hand = np.array([BY_HAND.get(name, 0.0) for name in FEATURES])
    design = np.hstack([np.ones((len(features), 1)), features[:, free]])
    offset = features @ by_hand

    def loss(w: Floats) -> tuple[float, Floats]:
        logits = design @ w + offset
        likely = 1.0 / (1.0 + np.exp(-logits))
        value = weights @ (np.logaddexp(0.0, logits) - right * logits) / weights.sum()
        gradient = design.T @ (weights * (likely - right)) / weights.sum()
        value += RIDGE * float(w[1:] @ w[1:])
        gradient[1:] += 2 * RIDGE * w[1:]
        return float(value), gradient

    start = np.zeros(design.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    weights_of_all = by_hand.copy()
    weights_of_all[free] = found[1:]
    return np.concatenate([found[:1], weights_of_all])


def predict(features: Floats, w: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-(w[0] + features @ w[1:]))))


def cross_validated(points: Points) -> Floats:
    """Each point's chance by weights that its problem had no part in."""
    likely = np.zeros(len(points.right))
    fold = np.array([hash_fold(name) for name in points.problems])
    for number in range(FOLDS):
        train, held = fold != number, fold == number
        w = fit(points.features[train], points.right[train], points.weights[train])
        likely[held] = predict(points.features[held], w)
    return likely


def hash_fold(name: str) -> int:
    # The same problem of both models goes into the same fold.
    return sum(name.partition("/")[2].encode()) % FOLDS


def calibration_error(likely: Floats, right: Floats, weights: Floats, bins: int = 10) -> float:
    total = 0.0
    for low in np.arange(0, 1, 1 / bins):
        inside = (likely >= low) & (likely < low + 1 / bins + (low + 1 / bins >= 1))
        if inside.any():
            mass = weights[inside].sum()
            gap = abs(weights[inside] @ likely[inside] - weights[inside] @ right[inside])
            total += float(gap / mass * mass / weights.sum())
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", action="store_true", help=f"write {TARGET.name}")
    arguments = parser.parse_args()
    points = read_points(arguments.results)
    likely = cross_validated(points)
    clipped = np.clip(likely, 1e-6, 1 - 1e-6)
    losses = -(points.right * np.log(clipped) + (1 - points.right) * np.log(1 - clipped))
    base = float(points.weights @ points.right / points.weights.sum())
    print(f"{len(points.right)} points of {len(set(points.problems))} problems, {base:.3f} right")
    print(f"log loss {points.weights @ losses / points.weights.sum():.4f}", end="")
    print(f" (always {base:.2f}: {-(base * math.log(base) + (1 - base) * math.log(1 - base)):.4f})")
    print(f"calibration error {calibration_error(likely, points.right, points.weights):.4f}")
    for threshold in (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9):
        above = likely >= threshold
        if above.any():
            share = points.weights[above].sum() / points.weights.sum()
            good = points.weights[above] @ points.right[above] / points.weights[above].sum()
            print(f"at {threshold:.2f}: {share:.1%} of the answers, {1 - good:.1%} of them wrong")
    w = fit(points.features, points.right, points.weights)
    for name, value in zip(("intercept", *FEATURES), w, strict=True):
        print(f"  {name:12} {value:+.3f}")
    if arguments.write:
        lines = [
            "# Weights of the chance that a chosen answer is right, for "
            "codekiln.generation.confidence.",
            f"# {', '.join(BY_HAND)}: by hand; the others are fitted by bench/fit_confidence.py on",
            "# these development runs:",
            *(f"#   {run}" for run in points.runs),
            "",
            "[weights]",
            *(
                f"{name} = {value:.4f}"
                for name, value in zip(("intercept", *FEATURES), w, strict=True)
            ),
        ]
        write_atomic(TARGET, "\n".join(lines) + "\n")
        print(f"written: {TARGET}")


if __name__ == "__main__":
    main()
