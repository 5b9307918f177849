"""One request in, one reply out: start the program at the asked level, watch it, clean up."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from . import inner_init, landlock, seccomp, subreaper
from .collect import read_back
from .namespaces import WORK, WRITABLE
from .notify import Answerer
from .process_tree import TreeMeter, descendants, processes_of_namespace, tasks_of
from .program import PROGRAM_USER, Confinement, Quota
from .watch import Ceilings, Stream, Watch, Watched, watch
from .wire import Reply, Request

# A run may leave several files, each up to the limit for one.
_FILES_AT_THE_LIMIT = 4
_SPARE_BYTES = 1 << 20
_INODES = 4096
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full")
_RANDOM = ("/dev/random", "/dev/urandom")
# Without a /proc of its own a program may see itself and what says nothing of others. At the
# time the rules are made, /proc/self is the process that becomes the program.
_HARMLESS_PROC = (
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/version",
    "/proc/filesystems",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/kernel/osrelease",
)


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
    """Our ends of the program's standard streams, and its own."""

    stdin: int
    out: Stream
    err: Stream
    program: tuple[int, int, int]


def execute(request: Request, control_fd: int) -> Reply | None:
    """Run the request; None when the other end of `control_fd` was closed meanwhile.

    Raises SetUpError when the isolation or the start of the program failed.
    """
    started = time.monotonic()
    pipes = _make_pipes(request["output_bytes"])
    run = _in_namespaces if request["level"] == 3 else _in_scratch
    seen, ended = run(request, pipes, control_fd)
    if seen.cancelled:
        return None
    return _reply(request, seen, ended, pipes, time.monotonic() - started)


def _in_namespaces(request: Request, pipes: Pipes, control_fd: int) -> tuple[Watch, Ended]:
    content_bytes = sum(map(len, request["files"].values()))
    change_user = request["change_user"] and subreaper.may_become(PROGRAM_USER)
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
                read=(*request["read_only"], "/etc/passwd", "/etc/group", "/proc", *_RANDOM),
                write=WRITABLE,
                devices=_DEVICES,
            ),
            landlock_abi=request["landlock_abi"],
            # No limit on tasks binds the host's root, whatever its name inside.
            plan=seccomp.FilterPlan(ask_forks=os.geteuid() == 0 and not change_user),
            tasks=request["processes"],
        ),
        quota=_quota(request),
        change_user=change_user,
    )
    inside = inner_init.start(launch)
    proc_fd = inside.proc_fd

    def list_processes() -> list[int]:
        if proc_fd is None:
            return descendants(inside.init_pid)
        return processes_of_namespace(proc_fd)

    meter_fd = os.open("/proc", os.O_RDONLY) if proc_fd is None else proc_fd
    answerer = _answerer(inside.listener, None, list_processes, meter_fd, request["processes"])
    try:
        with _watched(
            inside.init_pid, pipes, control_fd, list_processes, meter_fd, answerer=answerer
        ) as watched:
            seen = watch(watched, pipes.out, pipes.err, request["stdin"], _ceilings(request))
    finally:
        if answerer is not None:
            answerer.close()
        with suppress(ProcessLookupError):
            os.kill(inside.init_pid, signal.SIGKILL)
        # Returns once every process of the namespace is gone.
        os.waitpid(inside.init_pid, 0)
    collected, remarks = read_back(inside.work_fd, request["collect"], request["file_bytes"])
    remarks += _refusals(answerer)
    status = None if seen.broken or seen.cancelled else inner_init.read_status(inside)
    if status is None:
        return seen, Ended(None, 0.0, 0, collected, remarks)
    return seen, Ended(status.wait_status, status.cpu_s, status.peak_bytes, collected, remarks)


def _in_scratch(request: Request, pipes: Pipes, control_fd: int) -> tuple[Watch, Ended]:
    confined = request["level"] == 2
    user = None
    if confined and request["change_user"] and subreaper.may_become(drawn := subreaper.draw_user()):
        user = drawn
    scratch = subreaper.make_scratch(request["scratch_parent"], request["files"], user)
    try:
        confinement = Confinement(
            work=scratch.work,
            user=user,
            rules=landlock.PathRules(
                read=(*request["read_only"], *_HARMLESS_PROC, *_RANDOM),
                write=(scratch.work, scratch.tmp),
                devices=_DEVICES,
            ),
            landlock_abi=request["landlock_abi"],
            plan=seccomp.FilterPlan(
                # The kernel counts tasks per user: no use where others share ours.
                ask_forks=user is None,
                ask_file_status=True,
                own_process_only=request["landlock_abi"] < landlock.SCOPE_ABI,
                guard_truncation=request["landlock_abi"] < landlock.TRUNCATE_ABI,
                forbid_watches=True,
            ),
            tasks=None if user is None else request["processes"],
            keep_search=user is not None and not _all_reachable(request["read_only"]),
        )
        if not confined:
            confinement = Confinement(scratch.work, None, None, 0, None, None)
        return _reap_in_scratch(request, pipes, control_fd, confinement, scratch)
    finally:
        subreaper.remove_scratch(scratch)


def _reap_in_scratch(
    request: Request,
    pipes: Pipes,
    control_fd: int,
    confinement: Confinement,
    scratch: subreaper.Scratch,
) -> tuple[Watch, Ended]:
    env = {"HOME": scratch.work, "TMPDIR": scratch.tmp, **request["env"]}
    outside = subreaper.start(request["argv"], env, pipes.program, confinement, _quota(request))
    me = os.getpid()
    proc_fd = os.open("/proc", os.O_RDONLY)

    def list_processes() -> list[int]:
        return descendants(me)

    answerer = _answerer(
        outside.listener, scratch.path, list_processes, proc_fd, request["processes"]
    )
    inodes = _INODES + 2 * len(request["files"])
    content_bytes = subreaper.disk_usage(scratch, inodes)
    status: int | None = None
    try:
        with _watched(
            outside.pid,
            pipes,
            control_fd,
            list_processes,
            proc_fd,
            disk_bytes=lambda: subreaper.disk_usage(scratch, inodes) - content_bytes,
            answerer=answerer,
        ) as watched:
            seen = watch(watched, pipes.out, pipes.err, request["stdin"], _ceilings(request))
    finally:
        if answerer is not None:
            answerer.close()  # from here on every fork fails
        status = subreaper.end_tree(outside.pid)
    usage = subreaper.children_usage()
    work_fd = os.open(scratch.work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    collected, remarks = read_back(work_fd, request["collect"], request["file_bytes"])
    remarks += _refusals(answerer)
    if seen.broken or seen.cancelled:
        status = None
    return seen, Ended(status, usage.cpu_s, usage.peak_bytes, collected, remarks)


def _answerer(
    listener: int | None,
    scratch: str | None,
    list_processes: Callable[[], list[int]],
    proc_fd: int,
    limit: int,
) -> Answerer | None:
    if listener is None:
        return None
    return Answerer(listener, scratch, lambda: tasks_of(list_processes(), proc_fd), limit)


@contextmanager
def _watched(
    pid: int,
    pipes: Pipes,
    control_fd: int,
    list_processes: Callable[[], list[int]],
    proc_fd: int,
    disk_bytes: Callable[[], int] | None = None,
    answerer: Answerer | None = None,
) -> Iterator[Watched]:
    for fd in pipes.program:
        os.close(fd)
    yield Watched(
        pidfd=os.pidfd_open(pid),
        stdin_fd=pipes.stdin,
        control_fd=control_fd,
        list_processes=list_processes,
        meter=TreeMeter(proc_fd),
        disk_bytes=disk_bytes,
        answerer=answerer,
    )


def _reply(request: Request, seen: Watch, ended: Ended, pipes: Pipes, wall_s: float) -> Reply:
    out, err = pipes.out, pipes.err
    out.drain()
    err.drain()
    cpu_s = max(seen.cpu_s, ended.cpu_s)
    peak = max(seen.peak_memory_bytes, ended.peak_memory_bytes)
    outcome, code, number = seen.broken, None, None
    if outcome == "signalled":
        number = int(signal.SIGKILL)
    elif not outcome and ended.status is not None:
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


def _refusals(answerer: Answerer | None) -> list[str]:
    if answerer is None or not answerer.refused_forks:
        return []
    return [f"processes: {answerer.refused_forks} forks refused at the limit"]


def _all_reachable(paths: list[str]) -> bool:
    return all(subreaper.reachable_by_others(path) for path in paths)


def _make_pipes(limit: int) -> Pipes:
    theirs_in, ours_in = os.pipe()
    ours_out, theirs_out = os.pipe()
    ours_err, theirs_err = os.pipe()
    for fd in (ours_in, ours_out, ours_err):
        os.set_blocking(fd, False)
    program = (theirs_in, theirs_out, theirs_err)
    return Pipes(ours_in, Stream(ours_out, limit), Stream(ours_err, limit), program)


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
