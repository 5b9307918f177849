"""Isolations for the verifier's tests: the real one, and one of resource limits only."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from codekiln.core.errors import SandboxUnavailableError
from codekiln.sandbox import (
    Isolation,
    IsolationLevel,
    Outcome,
    Program,
    RunResult,
    open_isolation,
)


class BareIsolation:
    """Resource limits only: shows what the verifier itself withstands. Counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    @property
    def level(self) -> IsolationLevel:
        return IsolationLevel.L1

    @property
    def name(self) -> str:
        return "bare"

    def run(self, program: Program) -> RunResult:
        self.runs += 1
        limits = program.limits

        def restrict() -> None:
            resource.setrlimit(resource.RLIMIT_CPU, (int(limits.cpu_s) + 1, int(limits.cpu_s) + 2))
            resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))

        argv = [sys.executable if part == "python" else part for part in program.argv]
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=folder,
                env=dict(program.env),
                preexec_fn=restrict,
                start_new_session=True,
            )
            outcome: Outcome = "exited"
            try:
                out, err = process.communicate(program.stdin, timeout=limits.wall_s)
            except subprocess.TimeoutExpired:
                process.kill()
                out, err = process.communicate()
                outcome = "wall_limit"
        code = process.returncode
        if code < 0 and outcome == "exited":
            outcome = "cpu_limit" if -code == signal.SIGXCPU else "signalled"
        return RunResult(
            outcome=outcome,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            stdout=out[: limits.output_bytes],
            stderr=err[: limits.output_bytes],
            stdout_truncated=len(out) > limits.output_bytes,
            stderr_truncated=len(err) > limits.output_bytes,
            cpu_s=0.0,
            wall_s=time.monotonic() - started,
            peak_memory_bytes=0,
            level=self.level,
        )


@pytest.fixture
def bare() -> BareIsolation:
    return BareIsolation()


@pytest.fixture(scope="session")
def sandbox() -> Isolation:
    try:
        return open_isolation()
    except SandboxUnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["bare", "sandbox"])
def isolation(request: pytest.FixtureRequest) -> Isolation:
    found: Isolation = request.getfixturevalue(request.param)
    return found
