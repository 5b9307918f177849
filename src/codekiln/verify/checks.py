"""The contract of checks, and the one candidate that they look at.

A new check implements `Check` and passes the conformance suite in tests/verify. What checks
share (one run of the examples serves the syntax check and the example check) lives in `Trial`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from codekiln.core.task import Task
from codekiln.core.verdict import CheckReport
from codekiln.sandbox.types import MIB, Isolation
from codekiln.verify.expected_values import ExpectedValues
from codekiln.verify.sandboxed_calls import CallsResult, run_calls
from codekiln.verify.steps import example_sessions


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """What one candidate may use: processor seconds per call and per load, bytes, inputs.

    `varied_call_s` and `varied_inputs` hold for the crash check; 0 inputs switch it off.
    """

    call_s: float = 2.0
    load_s: float = 3.0
    memory_bytes: int = 512 * MIB
    varied_call_s: float = 0.5
    varied_inputs: int = 32


class Trial:
    """One candidate on its way through the checks; keeps what was already run."""

    def __init__(
        self,
        code: str,
        task: Task,
        isolation: Isolation,
        limits: CheckLimits,
        expected: ExpectedValues,
    ) -> None:
        self.code = code
        self.task = task
        self.isolation = isolation
        self.limits = limits
        self.expected = expected
        self.behaviour = ""
        self.crashes = 0
        self.outputs: tuple[str, ...] = ()

    @cached_property
    def example_calls(self) -> CallsResult:
        """The result of running every example once. Raises SandboxError."""
        return self.run_examples(hash_seed=0)

    def run_examples(self, hash_seed: int) -> CallsResult:
        """Run the examples with this seed for hashes and for the random module."""
        sessions = [session.steps for session in example_sessions(self.task)]
        if not sessions and self.task.entry_point:
            sessions = [()]
        return run_calls(
            self.code,
            sessions,
            self.isolation,
            call_s=self.limits.call_s,
            load_s=self.limits.load_s,
            memory_bytes=self.limits.memory_bytes,
            hash_seed=hash_seed,
        )


class Check(Protocol):
    """One way to find fault with a candidate.

    `run` is only called when `applies` is true and every cheaper check has passed or could not
    say. A report's verdict is PASSED, UNVERIFIED (it could not say, `detail` says why) or a
    failure; a failure carries at least one finding of severity "error", the others none.
    """

    @property
    def name(self) -> str:
        """A short name for reports, unique among the checks."""

    @property
    def cost(self) -> int:
        """Checks run in this order, cheapest first."""

    def applies(self, task: Task) -> bool:
        """True when this check has something to say about answers to the task."""

    def run(self, trial: Trial) -> CheckReport:
        """Look at the candidate. Raises SandboxError when the isolation itself fails."""
