"""Isolations that run each program under a supervisor process of its own.

Turns a Program into a request and a reply into a RunResult. Thread-safe: `run` shares nothing
between calls but the server that forks the supervisors.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import cast

from codekiln.core.errors import SandboxError, UsageError
from codekiln.sandbox.host_paths import host_paths, without_nested
from codekiln.sandbox.supervisor.wire import Request
from codekiln.sandbox.supervisor_client import SupervisorServer
from codekiln.sandbox.types import IsolationLevel, Outcome, Program, RunResult

_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"


class SupervisedIsolation:
    """One level of isolation on this machine.

    `landlock_abi` is the newest Landlock version to use. With `change_user` off a supervisor
    that is root keeps its user for the program, as it has to where it may not change it.
    """

    def __init__(
        self, level: IsolationLevel, name: str, landlock_abi: int, *, change_user: bool = True
    ) -> None:
        self._level = level
        self._name = name
        self._landlock_abi = landlock_abi
        self._change_user = change_user
        unguarded = level is IsolationLevel.L1
        self._warning = ("no isolation: resource limits alone",) if unguarded else ()

    @property
    def level(self) -> IsolationLevel:
        """The level that this isolation gives on this machine."""
        return self._level

    @property
    def name(self) -> str:
        """A short name with versions, for records."""
        return self._name

    def run(self, program: Program) -> RunResult:
        """Run to the end or to a limit; the whole process tree is gone when this returns.

        Raises UsageError for a program that cannot be asked for (a file name that leaves the
        directory, an empty command) and SandboxError when the isolation itself fails or
        `argv[0]` cannot be started.
        """
        request = self._request(program)
        reply = _server().exchange(request)
        if reply["error"]:
            raise SandboxError(
                f"The sandbox ({self._name}) could not run {program.argv[0]!r}: {reply['error']}",
                "`codekiln doctor` shows what works on this machine",
            )
        return RunResult(
            outcome=cast(Outcome, reply["outcome"]),
            exit_code=reply["exit_code"],
            signal=reply["signal"],
            stdout=reply["stdout"],
            stderr=reply["stderr"],
            stdout_truncated=reply["stdout_truncated"],
            stderr_truncated=reply["stderr_truncated"],
            cpu_s=reply["cpu_s"],
            wall_s=reply["wall_s"],
            peak_memory_bytes=reply["peak_memory_bytes"],
            level=self._level,
            collected=reply["collected"],
            denied=(*self._warning, *reply["denied"]),
        )

    def _request(self, program: Program) -> Request:
        if not program.argv or not program.argv[0]:
            raise UsageError("The program has no command", "Give at least one word in argv")
        for text in (*program.argv, *program.env, *program.env.values()):
            if "\0" in text:
                raise UsageError(f"{text!r} holds a NUL character", "Remove it")
        for variable in program.env:
            if not variable or "=" in variable:
                raise UsageError(f"{variable!r} cannot name an environment variable", "Rename it")
        for name in (*program.files, *program.collect):
            _check_name(name)
        _check_no_file_is_a_folder(program)
        host = host_paths()
        argv = list(program.argv)
        if argv[0] in ("python", "python3"):
            argv[0] = host.python
        limits = program.limits
        return Request(
            level=int(self._level),
            landlock_abi=self._landlock_abi,
            change_user=self._change_user,
            argv=argv,
            files={name: bytes(content) for name, content in program.files.items()},
            stdin=program.stdin,
            env={
                "PATH": f"{_PATH}:{Path(host.python).parent}",
                "LANG": "C.UTF-8",
                **program.env,
            },
            cpu_s=limits.cpu_s,
            wall_s=limits.wall_s,
            memory_bytes=limits.memory_bytes,
            processes=limits.processes,
            file_bytes=limits.file_bytes,
            output_bytes=limits.output_bytes,
            open_files=limits.open_files,
            read_only=list(without_nested([*host.read_only, *_resolved(program.read_only)])),
            collect=list(program.collect),
            scratch_parent=tempfile.gettempdir(),
        )


def _check_name(name: str) -> None:
    parts = name.split("/")
    if not name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise UsageError(
            f"The file name {name!r} does not stay in the program's directory",
            "Use a relative path without '..'",
        )


def _check_no_file_is_a_folder(program: Program) -> None:
    for name in program.files:
        folder = name.rpartition("/")[0]
        while folder:
            if folder in program.files:
                raise UsageError(f"{folder!r} is a file, {name!r} needs it as a folder", "Rename")
            folder = folder.rpartition("/")[0]


def _resolved(paths: tuple[str, ...]) -> list[str]:
    resolved = []
    for path in paths:
        if not Path(path).is_absolute() or not Path(path).exists():
            raise UsageError(f"The read-only path {path!r} is not there", "Give an absolute path")
        resolved.append(str(Path(path).resolve()))
    return resolved


@functools.cache
def _server() -> SupervisorServer:
    return SupervisorServer(host_paths().python)
