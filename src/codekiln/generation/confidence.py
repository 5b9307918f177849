"""How likely is the chosen answer right beyond its examples? A calibrated logistic model.

Takes the evidence of one selection; gives a probability. The weights are data (confidence.toml),
fitted by `bench/fit_confidence.py` on development problems only. Pure functions.
"""

from __future__ import annotations

import importlib.resources
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

from codekiln.core import Assessment, Candidate, Verdict
from codekiln.generation.selection import Selection, mean_logprob

# An answer below this is not called verified, whatever its examples say.
LEAST_PROBABILITY = 0.6


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for and against the chosen candidate; every field is a number.

    `examples` is log2(1 + examples run), `passing` log2(1 + candidates that pass them),
    `pass_share` and `agreement` are shares of candidates, `crash_share` the share of varied
    inputs on which it crashes, `logprob` the mean per token, `greedy` and `repaired` 0 or 1.
    """

    examples: float
    passing: float
    pass_share: float
    agreement: float
    crash_share: float
    logprob: float
    greedy: float
    repaired: float
    passed: bool = True


def evidence_of(
    candidates: Sequence[Candidate], assessments: Sequence[Assessment], selection: Selection
) -> Evidence:
    """The evidence for `selection`; the sequences are parallel, and indexes are places in them."""
    chosen, assessment = candidates[selection.index], assessments[selection.index]
    passing = sum(a.verdict is Verdict.PASSED for a in assessments)
    run = sum(run.outcome != "not_run" for run in assessment.example_runs)
    logprob = mean_logprob(chosen)
    return Evidence(
        examples=math.log2(1 + run),
        passing=math.log2(1 + passing),
        pass_share=passing / len(candidates),
        agreement=selection.agreement,
        crash_share=assessment.crashes / max(1, len(assessment.outputs)),
        logprob=max(-1.0, logprob) if math.isfinite(logprob) else -0.2,
        greedy=float(chosen.greedy),
        repaired=float(chosen.round > 0),
        passed=assessment.verdict is Verdict.PASSED,
    )


def probability(evidence: Evidence) -> float | None:
    """The chance that the answer is right; None for one that failed or was not run."""
    if not evidence.passed:
        return None
    weights = _weights()
    total = weights["intercept"] + sum(weights[name] * getattr(evidence, name) for name in FEATURES)
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, total))))


def too_unsure(evidence: Evidence) -> bool:
    """True for an answer that passes its examples and is still too likely to be wrong."""
    likely = probability(evidence)
    return likely is not None and likely < LEAST_PROBABILITY


FEATURES = tuple(field.name for field in fields(Evidence) if field.name != "passed")


@cache
def _weights() -> dict[str, float]:
    text = importlib.resources.files("codekiln.generation").joinpath("confidence.toml")
    weights: dict[str, float] = tomllib.loads(text.read_text("utf-8"))["weights"]
    return weights
