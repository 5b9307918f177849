"""Checks and verdicts: from a raw completion to an Assessment with its evidence."""

from codekiln.verify.assessment import DEFAULT_CHECKS, PART_CHECKS, WORKERS, assess, assess_many
from codekiln.verify.checks import Check, CheckLimits, Trial
from codekiln.verify.deciding_inputs import deciding_steps, outputs_on
from codekiln.verify.distinguish import Difference, distinguish
from codekiln.verify.extraction import Extraction, extract, extract_code
from codekiln.verify.normal_form import normalise
from codekiln.verify.observation import observe_failure
from codekiln.verify.python_source import parse as parse_python
from codekiln.verify.trials import find_passing

__all__ = [
    "DEFAULT_CHECKS",
    "PART_CHECKS",
    "WORKERS",
    "Check",
    "CheckLimits",
    "Difference",
    "Extraction",
    "Trial",
    "assess",
    "assess_many",
    "deciding_steps",
    "distinguish",
    "extract",
    "extract_code",
    "find_passing",
    "normalise",
    "observe_failure",
    "outputs_on",
    "parse_python",
]
