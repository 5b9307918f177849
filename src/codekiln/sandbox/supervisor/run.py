"""One request in, one reply out: start the program at the asked level, watch it, clean up."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass

from . import inner_init, landlock, seccomp
from .collect import read_back
from .namespaces import WORK
from .process_tree import TreeMeter, descendants, processes_of_namespace
from .program import Confinement, Quota
from .watch import Ceilings, Stream, Watch, Watched, watch
from .wire import Reply, Request

# A run may leave several files, each up to the limit for one.
_FILES_AT_THE_LIMIT = 4
_SPARE_BYTES = 1 << 20
_INODES = 4096
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_SYSTEM_READ = ("/etc/passwd", "/etc/group", "/proc", "/dev/random", "/dev/urandom")


@dataclass(frozen=True, slots=True)
class Ended:
    """How the program ended: a wait status, None when it was killed for a limit."""

    status: int | None
    cpu_s: float
    peak_memory_bytes: int
    collected: dict[str, bytes]
    remarks: list[str]


@dataclass(frozen=True, slots=True)
class Pipes:
    """Our ends and the program's ends of its standard streams."""

    stdin: int
    stdout: int
    stderr: int
    program: tuple[int, int, int]


def execute(request: Request, control_fd: int) -> Reply | None:
    """Run the request; None when the other end of `control_fd` was closed meanwhile.

    Raises SetUpError when the isolation or the start of the program failed.
    """
    pipes = _make_pipes()
    out = Stream(pipes.stdout, request["output_bytes"])
    err = Stream(pipes.stderr, request["output_bytes"])
    started = time.monotonic()
    seen, ended = _run_in_namespaces(request, pipes, out, err, control_fd)
    wall_s = time.monotonic() - started
    if seen.cancelled:
        return None
    return _reply(request, seen, ended, out, err, wall_s)


def _run_in_namespaces(
    request: Request, pipes: Pipes, out: Stream, err: Stream, control_fd: int
) -> tuple[Watch, Ended]:
    content_bytes = sum(map(len, request["files"].values()))
    launch = inner_init.Launch(
        argv=request["argv"],
        env={"HOME": WORK, "TMPDIR": "/tmp", **request["env"]},
        files=request["files"],
        read_only=request["read_only"],
        scratch_bytes=_disk_bytes(request) + content_bytes,
        inodes=_INODES + 2 * len(request["files"]),
        stdio=pipes.program,
        confinement=Confinement(
            work=WORK,
            user=None,
            rules=landlock.PathRules(
                read=(*request["read_only"], *_SYSTEM_READ),
                write=(WORK, "/tmp", "/dev/shm"),
                devices=_DEVICES,
            ),
            landlock_abi=request["landlock_abi"],
            plan=seccomp.FilterPlan(),
            tasks=request["processes"],
        ),
        quota=_quota(request),
    )
    inside = inner_init.start(launch)
    _close_all(pipes.program)
    pidfd = os.pidfd_open(inside.init_pid)
    proc_fd = inside.proc_fd
    if proc_fd is None:
        meter = TreeMeter(os.open("/proc", os.O_RDONLY))
        list_processes = lambda: descendants(inside.init_pid)  # noqa: E731
    else:
        meter = TreeMeter(proc_fd)
        list_processes = lambda: processes_of_namespace(proc_fd)  # noqa: E731
    watched = Watched(
        pidfd=pidfd,
        stdin_fd=pipes.stdin,
        control_fd=control_fd,
        list_processes=list_processes,
        meter=meter,
        disk_bytes=None,
        notify_fd=None,
        answer_notification=lambda: None,
    )
    try:
        seen = watch(watched, out, err, request["stdin"], _ceilings(request))
    finally:
        with suppress(ProcessLookupError):
            os.kill(inside.init_pid, signal.SIGKILL)
        # Returns once every process of the namespace is gone.
        os.waitpid(inside.init_pid, 0)
    status = None if seen.broken or seen.cancelled else inner_init.read_status(inside)
    collected, remarks = read_back(inside.work_fd, request["collect"], request["file_bytes"])
    if status is None:
        return seen, Ended(None, seen.cpu_s, seen.peak_memory_bytes, collected, remarks)
    return seen, Ended(status[0], status[1], status[2], collected, remarks)


def _reply(
    request: Request, seen: Watch, ended: Ended, out: Stream, err: Stream, wall_s: float
) -> Reply:
    out.drain()
    err.drain()
    cpu_s = max(seen.cpu_s, ended.cpu_s)
    peak = max(seen.peak_memory_bytes, ended.peak_memory_bytes)
    outcome, code, number = seen.broken, None, None
    if not outcome and ended.status is not None:
        if os.WIFSIGNALED(ended.status):
            outcome, number = "signalled", os.WTERMSIG(ended.status)
        else:
            outcome, code = "exited", os.WEXITSTATUS(ended.status)
        # What went over a limit between two samples went over it all the same.
        if number == signal.SIGXCPU or cpu_s > request["cpu_s"]:
            outcome, code, number = "cpu_limit", None, None
        elif peak > request["memory_bytes"]:
            outcome, code, number = "memory_limit", None, None
        elif out.truncated or err.truncated:
            outcome, code, number = "output_limit", None, None
    return Reply(
        error="" if outcome else "the init process of the sandbox was killed from outside",
        outcome=outcome,
        exit_code=code,
        signal=number,
        stdout=bytes(out.data),
        stderr=bytes(err.data),
        stdout_truncated=out.truncated,
        stderr_truncated=err.truncated,
        cpu_s=cpu_s,
        wall_s=wall_s,
        peak_memory_bytes=peak,
        collected=ended.collected,
        denied=seen.remarks + ended.remarks,
    )


def _make_pipes() -> Pipes:
    theirs_in, ours_in = os.pipe()
    ours_out, theirs_out = os.pipe()
    ours_err, theirs_err = os.pipe()
    for fd in (ours_in, ours_out, ours_err):
        os.set_blocking(fd, False)
    return Pipes(ours_in, ours_out, ours_err, (theirs_in, theirs_out, theirs_err))


def _close_all(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)


def _disk_bytes(request: Request) -> int:
    return _FILES_AT_THE_LIMIT * request["file_bytes"] + _SPARE_BYTES


def _quota(request: Request) -> Quota:
    return Quota(
        cpu_s=request["cpu_s"],
        memory_bytes=request["memory_bytes"],
        file_bytes=request["file_bytes"],
        open_files=request["open_files"],
    )


def _ceilings(request: Request) -> Ceilings:
    return Ceilings(
        cpu_s=request["cpu_s"],
        wall_s=request["wall_s"],
        memory_bytes=request["memory_bytes"],
        tasks=request["processes"],
        disk_bytes=_disk_bytes(request),
    )
