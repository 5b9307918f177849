"""Start a program in a scratch directory of the host, under this process as its reaper.

For the levels without namespaces (2 and 1). Every orphan of the run becomes a child of this
process, so that `end_tree` can be sure that nothing is left, daemons in sessions of their own
included. What the kernel does not limit here (disk, tasks) is measured or asked for.
"""

# Plain os calls: paths here are relative to descriptors, or names below a private directory.
# ruff: noqa: PTH102, PTH106, PTH116, PTH120, PTH123, PTH208

from __future__ import annotations

import errno
import os
import resource
import secrets
import signal
import socket
import stat
import time
from contextlib import suppress
from dataclasses import dataclass

from . import kernel
from .collect import lay_out
from .errors import SetUpError
from .process_tree import descendants
from .program import Confinement, Quota, become

# The last to read a program's memory when it asks to change a file's mode.
_NEEDED_CAPABILITIES = (0, 6, 7, 19)  # chown, setgid, setuid, sys_ptrace
# The range that systemd's file format sets aside for users that exist only while a service runs.
_UNASSIGNED_USERS = range(61184, 65520)
_KILL_TIMEOUT_S = 10.0
_BLOCK_BYTES = 512
_EVERYTHING = 1 << 62


@dataclass(frozen=True, slots=True)
class Scratch:
    """A private directory with `box` (the working directory) and `tmp` inside."""

    path: str

    @property
    def work(self) -> str:
        """The program's working directory."""
        return f"{self.path}/box"

    @property
    def tmp(self) -> str:
        """The program's TMPDIR."""
        return f"{self.path}/tmp"


@dataclass(frozen=True, slots=True)
class Outside:
    """A started program; `listener` is seccomp's notification descriptor, if asked for."""

    pid: int
    listener: int | None


@dataclass(frozen=True, slots=True)
class ChildrenUsage:
    """Processor seconds of all, peak resident bytes of the largest."""

    cpu_s: float
    peak_bytes: int


def may_become(user: int) -> bool:
    """True when this process is root with the means to run a program as `user`."""
    if os.geteuid() != 0:
        return False
    with open("/proc/self/status") as status:
        held = next((int(line.split()[1], 16) for line in status if line.startswith("CapEff")), 0)
    if not all(held >> bit & 1 for bit in _NEEDED_CAPABILITIES):
        return False
    # Inside somebody else's user namespace the user may not exist.
    return all(_is_mapped(f"/proc/self/{kind}_map", user) for kind in ("uid", "gid"))


def draw_user() -> int:
    """A user id that nobody has, so that the kernel's limit on tasks counts one run alone."""
    return secrets.choice(_UNASSIGNED_USERS)


def _is_mapped(path: str, user: int) -> bool:
    with open(path) as ranges:
        for line in ranges:
            first, _, count = map(int, line.split())
            if first <= user < first + count:
                return True
    return False


def reachable_by_others(path: str) -> bool:
    """True when any user may walk to `path`, so far as file modes tell."""
    while path not in ("/", ""):
        path = os.path.dirname(path)
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
    return True


def make_scratch(parent: str, files: dict[str, bytes], owner: int | None) -> Scratch:
    """Create the directory with the program's files in it."""
    scratch = Scratch(os.path.realpath(f"{parent}/codekiln-{secrets.token_hex(8)}"))
    # The top belongs to us and others may only pass through; its name cannot be guessed.
    os.mkdir(scratch.path, 0o711)
    for folder in (scratch.work, scratch.tmp):
        os.mkdir(folder, 0o700)
    work_fd = os.open(scratch.work, os.O_RDONLY | os.O_DIRECTORY)
    try:
        lay_out(work_fd, files, owner)
    finally:
        os.close(work_fd)
    if owner is not None:
        for folder in (scratch.work, scratch.tmp):
            os.chown(folder, owner, owner)
    return scratch


def start(
    argv: list[str],
    env: dict[str, str],
    stdio: tuple[int, int, int],
    confinement: Confinement,
    quota: Quota,
) -> Outside:
    """Start the program as a child; raises SetUpError when a step or the exec failed."""
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    report, report_here = os.pipe()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        become(argv, env, stdio, confinement, quota, report_here, theirs)
    os.close(report_here)
    theirs.close()
    _, fds, _, _ = socket.recv_fds(ours, 100, 1)
    ours.close()
    failure = os.read(report, 2000)
    os.close(report)
    if failure:
        os.waitpid(pid, 0)
        for fd in fds:
            os.close(fd)
        raise SetUpError(failure.decode(errors="replace"))
    return Outside(pid, fds[0] if fds else None)


def end_tree(program: int) -> int | None:
    """Kill and reap everything below this process; the program's own wait status."""
    status: int | None = None
    deadline = time.monotonic() + _KILL_TIMEOUT_S
    while time.monotonic() < deadline:
        for pid in descendants(os.getpid()):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while (reaped := os.waitpid(-1, os.WNOHANG))[0]:
                if reaped[0] == program:
                    status = reaped[1]
        except ChildProcessError:
            return status
        time.sleep(0.001)
    raise SetUpError("processes of the program could not be killed")


def children_usage() -> ChildrenUsage:
    """What the kernel added up over everything this process has reaped."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ChildrenUsage(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def disk_usage(scratch: Scratch, most_files: int) -> int:
    """Bytes allocated below the scratch directory; a file that vanishes meanwhile counts 0.

    More files than `most_files`, or folders too deep to be named, count as everything.
    """
    total = files = 0
    pending = [scratch.work, scratch.tmp]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    files += 1
                    if files > most_files:
                        return _EVERYTHING
                    with suppress(FileNotFoundError):
                        total += entry.stat(follow_symlinks=False).st_blocks * _BLOCK_BYTES
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                return _EVERYTHING
    return total


def remove_scratch(scratch: Scratch) -> None:
    """Remove everything, whatever modes and depth the (dead) program gave its directories."""
    top = os.open(scratch.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        pending = ["box", "tmp"]
        count = 0
        while pending:
            folder = pending.pop()
            os.chmod(folder, 0o700, dir_fd=top)
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            for name in os.listdir(fd):
                try:
                    os.unlink(name, dir_fd=fd)
                except IsADirectoryError:
                    # Moved up instead of descended into: no depth can exhaust us.
                    count += 1
                    os.chmod(name, 0o700, dir_fd=fd)
                    os.rename(name, f"d{count}", src_dir_fd=fd, dst_dir_fd=top)
                    pending.append(f"d{count}")
            os.close(fd)
            os.rmdir(folder, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(scratch.path)
