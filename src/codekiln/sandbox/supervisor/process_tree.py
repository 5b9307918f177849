"""What the processes of one run use, read from /proc.

`TreeMeter` adds up over all processes it has ever seen, so that a process whose parent never
waits for it still counts. It samples: use between two samples of a process that has since
vanished is missing, and the caller takes the maximum with the kernel's own sum at the end.
"""

# Plain os calls: descriptors, in a loop that runs every few milliseconds.
# ruff: noqa: PTH110, PTH208

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

_TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_HAS_CHILDREN_FILE = os.path.exists(f"/proc/self/task/{os.getpid()}/children")
_VANISHED = (FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass(frozen=True, slots=True)
class Usage:
    """One sample. `tasks` counts threads; `memory_bytes` is the sum of resident sets."""

    processes: int
    tasks: int
    cpu_s: float
    memory_bytes: int


def processes_of_namespace(proc_fd: int) -> list[int]:
    """All processes of the pid namespace that this /proc belongs to, except its first."""
    with os.scandir(proc_fd) as entries:
        return [int(entry.name) for entry in entries if entry.name.isdigit() and entry.name != "1"]


def descendants(root: int) -> list[int]:
    """Children, grandchildren and so on of `root` in this process's own /proc."""
    found: list[int] = []
    pending = [root]
    scanned = None if _HAS_CHILDREN_FILE else _children_by_scan()
    while pending:
        parent = pending.pop()
        children = _children(parent) if scanned is None else scanned.get(parent, [])
        found += children
        pending += children
    return found


def tasks_of(pids: list[int], proc_fd: int) -> set[int]:
    """Thread ids of the given processes, zombies included as in the kernel's own limit."""
    tasks: set[int] = set()
    for pid in pids:
        with suppress(*_VANISHED):
            fd = os.open(f"{pid}/task", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc_fd)
            try:
                tasks.update(map(int, os.listdir(fd)))
            finally:
                os.close(fd)
    return tasks


def _children_by_scan() -> dict[int, list[int]]:
    """All parents and their children: slow, for kernels without the `children` file."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(*_VANISHED):
            fields = _read(f"/proc/{name}/stat", None).rpartition(b")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(name))
    return children


def _children(pid: int) -> list[int]:
    children: list[int] = []
    with suppress(*_VANISHED):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(*_VANISHED):
                children += map(int, _read(f"/proc/{pid}/task/{thread}/children", None).split())
    return children


class TreeMeter:
    """Accumulates processor time over the life of a run."""

    def __init__(self, proc_fd: int) -> None:
        self._proc_fd = proc_fd
        self._cpu_ticks: dict[tuple[int, bytes], int] = {}

    def sample(self, pids: list[int]) -> Usage:
        """Measure the given processes now."""
        tasks = pages = alive = 0
        for pid in pids:
            with suppress(*_VANISHED):
                # The name before the last ")" may hold anything, blanks and brackets included.
                stat = _read(f"{pid}/stat", self._proc_fd).rpartition(b")")[2].split()
                state, own_ticks, threads = stat[0], int(stat[11]) + int(stat[12]), int(stat[17])
                start, resident = stat[19], int(stat[21])
                self._cpu_ticks[pid, start] = own_ticks
                if state not in (b"Z", b"X"):
                    alive += 1
                    pages += resident
                tasks += max(threads, 1)
        return Usage(
            processes=alive,
            tasks=tasks,
            cpu_s=sum(self._cpu_ticks.values()) * _TICK_S,
            memory_bytes=pages * _PAGE_BYTES,
        )

    def proportional_memory(self, pids: list[int]) -> int | None:
        """Resident bytes with shared pages divided among sharers; None where it cannot be read.

        Exact where the plain sum counts a page once per process, but slow.
        """
        total = 0
        for pid in pids:
            with suppress(ProcessLookupError):
                try:
                    rollup = _read(f"{pid}/smaps_rollup", self._proc_fd)
                except FileNotFoundError:
                    continue
                except PermissionError:
                    return None
                for line in rollup.splitlines():
                    if line.startswith(b"Pss:"):
                        total += int(line.split()[1]) * 1024
                        break
        return total


def _read(path: str, directory: int | None) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)
