"""Runs the candidates that pass on inputs made of their own literals, to see which behave alike.

Changes the bench's assessments: `deciding` holds what each gave there. Draws nothing.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from codekiln.core import Verdict
from codekiln.core.errors import CancelledError
from codekiln.generation.workbench import Workbench
from codekiln.verify import WORKERS, deciding_steps, normalise, outputs_on


def tell_apart(bench: Workbench) -> None:
    """Bring `deciding` up to date for all that pass. Raises CancelledError and SandboxError."""
    if bench.told_apart == len(bench.candidates) or bench.task.language != "python":
        return
    bench.told_apart = len(bench.candidates)
    passing = [
        place
        for place, assessment in enumerate(bench.assessments)
        if assessment.verdict is Verdict.PASSED
    ]
    forms = {place: normalise(bench.candidates[place].code) for place in passing}
    codes = {form: bench.candidates[place].code for place, form in forms.items()}
    # Alone, or all the same program: there is nothing to tell.
    if len(codes) < 2:
        return
    if bench.cancel is not None and bench.cancel.is_set:
        raise CancelledError("cancelled while candidates were compared")
    steps = deciding_steps(bench.task, list(codes.values()))
    if not steps:
        return
    with bench.clock("check"), ThreadPoolExecutor(WORKERS) as pool:
        futures = {
            form: pool.submit(outputs_on, steps, code, bench.task, isolation=bench.isolation)
            for form, code in codes.items()
        }
        found = {form: future.result() for form, future in futures.items()}
    for place, form in forms.items():
        bench.assessments[place] = replace(bench.assessments[place], deciding=found[form])
