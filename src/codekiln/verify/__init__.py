"""Checks and verdicts: from a raw completion to an Assessment with its evidence."""

from codekiln.verify.assessment import DEFAULT_CHECKS, assess, assess_many
from codekiln.verify.checks import Check, CheckLimits, Trial
from codekiln.verify.distinguish import Difference, distinguish
from codekiln.verify.extraction import Extraction, extract, extract_code
from codekiln.verify.normal_form import normalise
from codekiln.verify.observation import observe_failure

__all__ = [
    "DEFAULT_CHECKS",
    "Check",
    "CheckLimits",
    "Difference",
    "Extraction",
    "Trial",
    "assess",
    "assess_many",
    "distinguish",
    "extract",
    "extract_code",
    "normalise",
    "observe_failure",
]
