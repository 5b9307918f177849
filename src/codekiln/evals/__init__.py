"""Scores that people can trust: suites, modes, a scorer of its own, stored runs, comparisons.

>>> from codekiln.evals import pass_at_k
>>> pass_at_k(10, 3, 1)
0.3
"""

from codekiln.evals.choice import Choice
from codekiln.evals.comparison import Comparison, compare, compare_pairs
from codekiln.evals.estimators import Interval, bootstrap_difference, mcnemar, pass_at_k, wilson
from codekiln.evals.evaluate import (
    CalibrationResult,
    Listener,
    Plan,
    calibrate_suite,
    evaluate_suite,
    suite_table,
)
from codekiln.evals.modes import MODES, Asking, Mode
from codekiln.evals.outcomes import Outcome, Run, Scored
from codekiln.evals.run import Progress
from codekiln.evals.store import Stored, find_run, results_folder, stored_runs
from codekiln.evals.summary import Summary, summarise, summary_as_json

__all__ = [
    "MODES",
    "Asking",
    "CalibrationResult",
    "Choice",
    "Comparison",
    "Interval",
    "Listener",
    "Mode",
    "Outcome",
    "Plan",
    "Progress",
    "Run",
    "Scored",
    "Stored",
    "Summary",
    "bootstrap_difference",
    "calibrate_suite",
    "compare",
    "compare_pairs",
    "evaluate_suite",
    "find_run",
    "mcnemar",
    "pass_at_k",
    "results_folder",
    "stored_runs",
    "suite_table",
    "summarise",
    "summary_as_json",
    "wilson",
]
