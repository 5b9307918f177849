"""How slow this machine is, measured where candidates run; limits scale with it."""

from __future__ import annotations

import statistics

from codekiln.core.errors import SandboxError
from codekiln.sandbox import Isolation, Limits, Program

# Interpreted arithmetic, attribute look-ups and list work, as programs under test do.
_WORKLOAD = """
def work():
    total, items = 0, []
    for number in range(400000):
        total += number % 7
        items.append(total ^ number)
        if len(items) > 1000:
            items.clear()
    return total
work()
"""
# Processor seconds that the workload takes on the machine for which the least limits are written.
NOMINAL_S = 0.09


def slowness(isolation: Isolation, runs: int = 3) -> float:
    """How many times slower than nominal; at least 1, so that a fast machine is not stricter.

    Processor time, not the clock: a busy machine is not a slow one.
    """
    seconds = []
    for _ in range(runs):
        result = isolation.run(
            Program(("python", "-I", "-S", "-c", _WORKLOAD), limits=Limits(cpu_s=60, wall_s=240))
        )
        if result.exit_code != 0:
            raise SandboxError("a first program did not end well", "Run `codekiln doctor`")
        seconds.append(result.cpu_s)
    return max(1.0, statistics.median(seconds) / NOMINAL_S)
