"""The sandbox's contract: what goes in, what comes out, and the levels of isolation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, Protocol

MIB = 1 << 20


class IsolationLevel(IntEnum):
    """How strongly a program is kept in. The level used is part of every record.

    L3: namespaces + Landlock + seccomp. L2: Landlock + seccomp. L1: resource limits only,
    never chosen unless the caller asked for `unsafe`.
    """

    L1 = 1
    L2 = 2
    L3 = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use. Times in seconds, sizes in bytes; all hold for the whole tree."""

    cpu_s: float = 5.0
    wall_s: float = 15.0
    memory_bytes: int = 512 * MIB
    processes: int = 16
    file_bytes: int = 16 * MIB
    output_bytes: int = 1 * MIB
    open_files: int = 128


@dataclass(frozen=True, slots=True)
class Program:
    """A command to run in a private, empty working directory.

    `files` are laid there first (relative paths; a path that leaves the directory is refused).
    `argv[0]` is looked up on the sandbox's own PATH; "python" means this interpreter's base
    installation. The environment is scrubbed: only `env` and a minimal PATH, HOME, TMPDIR, LANG
    are set. `read_only` lists further absolute paths that the program may read.
    """

    argv: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    stdin: bytes = b""
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    read_only: tuple[str, ...] = ()
    collect: tuple[str, ...] = ()


Outcome = Literal["exited", "signalled", "cpu_limit", "wall_limit", "memory_limit", "output_limit"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a program did.

    `outcome` says how it ended; `exit_code` is set when it exited by itself, `signal` when a
    signal ended it. `stdout` and `stderr` are cut at the output limit (the `truncated` flags say
    so). `collected` holds those regular files of `Program.collect` that exist inside the working
    directory (symbolic links are never followed). `denied` describes violations that were seen.
    """

    outcome: Outcome
    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    stdout_truncated: bool
    stderr_truncated: bool
    cpu_s: float
    wall_s: float
    peak_memory_bytes: int
    level: IsolationLevel
    collected: Mapping[str, bytes] = field(default_factory=dict)
    denied: tuple[str, ...] = ()


class Isolation(Protocol):
    """One way to keep a program in; the conformance suite in tests/sandbox holds for each."""

    @property
    def level(self) -> IsolationLevel:
        """The level that this isolation gives on this machine."""

    @property
    def name(self) -> str:
        """A short name with version for records, for example `namespaces+landlock6+seccomp`."""

    def run(self, program: Program) -> RunResult:
        """Run to the end or to a limit; the whole process tree is gone when this returns.

        Raises SandboxError when the isolation itself fails (never for what the program does).
        """
