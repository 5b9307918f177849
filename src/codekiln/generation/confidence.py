"""How likely is the chosen answer right beyond its examples? A calibrated logistic model.

Takes the evidence of one selection; gives a probability. The weights are data (confidence.toml),
fitted by `bench/fit_confidence.py` on development problems only. Pure functions.
"""

from __future__ import annotations

import importlib.resources
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from codekiln.core import Assessment, Candidate, Verdict
from codekiln.generation.selection import Selection

# An answer below this is not called verified, whatever its examples say.
LEAST_PROBABILITY = 0.85


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against the chosen candidate.

    `passing` of `drawn` candidates pass the `examples` that were run; `agreement` is the mean
    share of the passing ones that give the same results. `repaired` tells that it was written
    after an example was seen to fail, `passed` that it passes them all. `parts` is the chance
    that the functions are right which it shares with all other candidates: 1 where each candidate
    was written by itself.
    """

    examples: int
    drawn: int
    passing: int
    agreement: float
    repaired: bool = False
    passed: bool = True
    parts: float = 1.0

    @property
    def pass_share(self) -> float:
        """Share of candidates that pass."""
        return self.passing / self.drawn

    def features(self) -> dict[str, float]:
        """What the model sees: shares as log-odds, with one candidate added on either side, so
        that three of four say less than nine of twelve."""
        return {
            "examples": math.log2(1 + self.examples),
            "pass_odds": _log_odds(self.passing, self.drawn),
            # Of the others: that a candidate agrees with itself says nothing.
            "agreement_odds": _log_odds(self.agreement * self.passing - 1, self.passing - 1)
            if self.passing > 1
            else 0.0,
            "repaired": float(self.repaired),
        }


FEATURES = ("examples", "pass_odds", "agreement_odds", "repaired")


def _log_odds(part: float, whole: float) -> float:
    return math.log((part + 1) / (whole - part + 1))


def evidence_of(
    candidates: Sequence[Candidate], assessments: Sequence[Assessment], selection: Selection
) -> Evidence:
    """The evidence for `selection`; the sequences are parallel, and indexes are places in them."""
    assessment = assessments[selection.index]
    return Evidence(
        examples=sum(run.outcome != "not_run" for run in assessment.example_runs),
        drawn=len(candidates),
        passing=sum(a.verdict is Verdict.PASSED for a in assessments),
        agreement=selection.agreement,
        repaired=candidates[selection.index].round > 0,
        passed=assessment.verdict is Verdict.PASSED,
    )


def probability(evidence: Evidence) -> float | None:
    """The chance that the answer is right; None for one that failed or was not run."""
    if not evidence.passed:
        return None
    weights = _weights()
    features = evidence.features()
    total = weights["intercept"] + sum(weights[name] * features[name] for name in FEATURES)
    return evidence.parts / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def too_unsure(evidence: Evidence) -> bool:
    """True for an answer that passes its examples and is still too likely to be wrong."""
    likely = probability(evidence)
    return likely is not None and likely < LEAST_PROBABILITY


@cache
def _weights() -> dict[str, float]:
    text = importlib.resources.files("codekiln.generation").joinpath("confidence.toml")
    weights: dict[str, float] = tomllib.loads(text.read_text("utf-8"))["weights"]
    return weights
