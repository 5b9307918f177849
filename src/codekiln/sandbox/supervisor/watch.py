"""Feed, drain and measure one running program until it ends or breaks a limit.

Knows nothing of how the program is confined: it gets pipes, a way to list the processes, and a
way to kill them all. Never blocks on the program.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from .notify import Answerer
from .process_tree import TreeMeter

_SAMPLE_S = 0.01
_DISK_SAMPLE_S = 0.1
_CHUNK_BYTES = 1 << 16
# The program is dead by then: only what the pipes still hold is left to read.
_PIPE_CAPACITY_BYTES = 1 << 20


@dataclass(slots=True)
class Stream:
    """What came out of one pipe, cut at `limit` bytes."""

    fd: int
    limit: int
    data: bytearray = field(default_factory=bytearray)
    truncated: bool = False
    open: bool = True

    def read(self) -> None:
        """Take what is there; on end of file close."""
        try:
            chunk = os.read(self.fd, _CHUNK_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self.close()
            return
        room = self.limit - len(self.data)
        self.data += chunk[:room]
        self.truncated = self.truncated or len(chunk) > room

    def drain(self) -> None:
        """Read what a dead program left in the pipe."""
        for _ in range(_PIPE_CAPACITY_BYTES // _CHUNK_BYTES + 1):
            if not self.open:
                return
            before = len(self.data)
            self.read()
            if self.truncated or (self.open and len(self.data) == before):
                return

    def close(self) -> None:
        """Close the pipe; idempotent."""
        if self.open:
            os.close(self.fd)
            self.open = False


@dataclass(frozen=True, slots=True)
class Watched:
    """The handles on a program that has been started. Descriptors are non-blocking."""

    pidfd: int  # readable when the program's first process (or its init) has ended
    stdin_fd: int
    control_fd: int  # end of file means: cancel
    list_processes: Callable[[], list[int]]
    meter: TreeMeter
    disk_bytes: Callable[[], int] | None  # None where the kernel enforces the limit
    answerer: Answerer | None


@dataclass(frozen=True, slots=True)
class Ceilings:
    """When to stop. Seconds and bytes."""

    cpu_s: float
    wall_s: float
    memory_bytes: int
    tasks: int
    disk_bytes: int


@dataclass(slots=True)
class Watch:
    """The course of one run. `broken` names the limit that ended it, or is empty."""

    broken: str = ""
    cancelled: bool = False
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    remarks: list[str] = field(default_factory=list)


def watch(watched: Watched, out: Stream, err: Stream, stdin: bytes, ceilings: Ceilings) -> Watch:
    """Return when the program has ended by itself, must be killed, or was cancelled."""
    seen = Watch()
    started = time.monotonic()
    next_disk_sample = started
    poll = select.poll()
    for fd in (watched.pidfd, watched.control_fd, out.fd, err.fd):
        poll.register(fd, select.POLLIN)
    answerer = watched.answerer
    if answerer is not None:
        poll.register(answerer.fd, select.POLLIN)
    pending = memoryview(stdin)
    feeding = True
    if pending:
        poll.register(watched.stdin_fd, select.POLLOUT)
    else:
        os.close(watched.stdin_fd)
        feeding = False
    next_sample = started
    while True:
        wait_s = max(0.0, min(next_sample, started + ceilings.wall_s) - time.monotonic())
        for fd, event in poll.poll(wait_s * 1000 + 0.5):
            if fd == watched.pidfd:
                if feeding:
                    os.close(watched.stdin_fd)
                return seen
            if fd == watched.control_fd:
                seen.cancelled = True
            elif answerer is not None and fd == answerer.fd:
                if event & select.POLLIN:
                    answerer.answer()
                else:
                    poll.unregister(fd)  # nobody is left to ask
            elif feeding and fd == watched.stdin_fd:
                pending = _feed(watched.stdin_fd, pending)
                if not pending:
                    poll.unregister(watched.stdin_fd)
                    os.close(watched.stdin_fd)
                    feeding = False
            else:
                stream = out if fd == out.fd else err
                stream.read()
                if not stream.open:
                    poll.unregister(fd)
        now = time.monotonic()
        if now >= next_sample:
            _sample(watched, ceilings, seen)
            next_sample = time.monotonic() + _SAMPLE_S
        if now >= next_disk_sample and watched.disk_bytes is not None and not seen.broken:
            next_disk_sample = now + _DISK_SAMPLE_S
            if watched.disk_bytes() > ceilings.disk_bytes:
                seen.broken = "output_limit"
                seen.remarks.append(
                    f"disk: more than {ceilings.disk_bytes} bytes or too many files"
                )
        if not seen.broken and now - started >= ceilings.wall_s:
            seen.broken = "wall_limit"
        if not seen.broken and (out.truncated or err.truncated):
            seen.broken = "output_limit"
        if seen.broken or seen.cancelled:
            if feeding:
                os.close(watched.stdin_fd)
            return seen


def _feed(fd: int, pending: memoryview) -> memoryview:
    with suppress(BlockingIOError):
        try:
            return pending[os.write(fd, pending[:_CHUNK_BYTES]) :]
        except BrokenPipeError:
            return pending[:0]  # the program does not want more
    return pending


def _sample(watched: Watched, ceilings: Ceilings, seen: Watch) -> None:
    pids = watched.list_processes()
    usage = watched.meter.sample(pids)
    seen.cpu_s = max(seen.cpu_s, usage.cpu_s)
    memory = usage.memory_bytes
    if memory > ceilings.memory_bytes and usage.processes > 1:
        # Forked processes share pages; only a count that divides them may end the run.
        proportional = watched.meter.proportional_memory(pids)
        memory = memory if proportional is None else proportional
    seen.peak_memory_bytes = max(seen.peak_memory_bytes, memory)
    if memory > ceilings.memory_bytes:
        seen.broken = "memory_limit"
    elif usage.cpu_s >= ceilings.cpu_s:
        seen.broken = "cpu_limit"
    elif usage.tasks > 2 * ceilings.tasks + 64:
        # Forks are refused at the limit; only where they cannot be does it come this far.
        seen.broken = "signalled"
        seen.remarks.append(f"processes: {usage.tasks} tasks where {ceilings.tasks} are allowed")
