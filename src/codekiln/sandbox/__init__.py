"""Run untrusted programs: an isolation ladder, limits, honest results.

>>> from codekiln.sandbox import Program, open_isolation
>>> result = open_isolation().run(Program(("python", "-c", "print(6 * 7)")))
>>> result.outcome, result.stdout
('exited', b'42\\n')
"""

from codekiln.sandbox.counting import CountingIsolation
from codekiln.sandbox.ladder import Availability, available_isolations, open_isolation
from codekiln.sandbox.types import (
    Isolation,
    IsolationLevel,
    Limits,
    Outcome,
    Program,
    RunResult,
)

__all__ = [
    "Availability",
    "CountingIsolation",
    "Isolation",
    "IsolationLevel",
    "Limits",
    "Outcome",
    "Program",
    "RunResult",
    "available_isolations",
    "open_isolation",
]
