"""An isolation that counts the programs that it runs. Adds nothing to what keeps them in."""

from __future__ import annotations

import threading

from codekiln.sandbox.types import Isolation, IsolationLevel, Program, RunResult


class CountingIsolation:
    """Runs programs in another isolation; any thread may."""

    def __init__(self, inner: Isolation) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self.runs = 0

    @property
    def level(self) -> IsolationLevel:
        """See Isolation."""
        return self._inner.level

    @property
    def name(self) -> str:
        """See Isolation."""
        return self._inner.name

    def run(self, program: Program) -> RunResult:
        """See Isolation."""
        with self._lock:
            self.runs += 1
        return self._inner.run(program)
