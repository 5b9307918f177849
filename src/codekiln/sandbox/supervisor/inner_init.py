"""Start a program as a child of an init process of its own, inside fresh namespaces (level 3).

The init is the first process of its pid namespace: when it ends, the kernel kills every other
process in there, daemons included. It stays outside the program's Landlock and seccomp domain
and, where the supervisor runs as root, keeps a user of its own.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NoReturn

from . import kernel
from .collect import lay_out
from .errors import SetUpError
from .namespaces import build_root
from .program import PROGRAM_USER, Confinement, Quota, become

_SET_UP_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Launch:
    """All that the init needs to know. `scratch_bytes` covers everything writable."""

    argv: list[str]
    env: dict[str, str]
    files: dict[str, bytes]
    read_only: list[str]
    scratch_bytes: int
    inodes: int
    stdio: tuple[int, int, int]
    confinement: Confinement  # user and tasks are settled by the init
    quota: Quota
    change_user: bool


@dataclass(frozen=True, slots=True)
class Inside:
    """A started program: its init as seen from outside, and descriptors into its root."""

    init_pid: int
    channel: socket.socket
    work_fd: int
    proc_fd: int | None
    listener: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """What the init reported: the program's wait status, and the use of all it reaped."""

    wait_status: int
    cpu_s: float
    peak_bytes: int


def start(launch: Launch) -> Inside:
    """Start the program; raises SetUpError when a step of the isolation or the exec failed."""
    # Keeps messages apart: two of them may be waiting.
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(_SET_UP_TIMEOUT_S)
    pid = kernel.clone(kernel.ALL_NAMESPACES)
    if pid == 0:
        # Above all the supervisor's ends of the pipes: while one is open here, no end of file.
        kernel.close_all_but({theirs.fileno(), *launch.stdio})
        _init(launch, theirs)
    theirs.close()
    try:
        maps_owner = _write_id_maps(pid, launch.change_user)
        ours.send(maps_owner)
        message, fds, _, _ = socket.recv_fds(ours, 2000, 2)
        if message != b"ready":
            raise SetUpError(message.decode(errors="replace") or "the init process died")
        answer, listener, _, _ = socket.recv_fds(ours, 2000, 1)
        if answer == b"listener":
            answer = ours.recv(2000)
        if answer != b"started":
            raise SetUpError(answer.decode(errors="replace") or "the init process died")
    except (OSError, SetUpError) as error:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        ours.close()
        if isinstance(error, SetUpError):
            raise
        raise SetUpError(f"namespaces: {error}") from error
    return Inside(
        init_pid=pid,
        channel=ours,
        work_fd=fds[0],
        proc_fd=fds[1] if len(fds) > 1 else None,
        listener=listener[0] if listener else None,
    )


def read_status(inside: Inside) -> Status | None:
    """The init's last word; None if it was killed before it could say it."""
    try:
        message = inside.channel.recv(200).split()
    except OSError:
        return None
    if len(message) != 3:
        return None
    return Status(int(message[0]), float(message[1]), int(message[2]))


def _write_id_maps(pid: int, change_user: bool) -> bytes:
    """Map the program to an unprivileged user; says which user the init has to drop to."""
    own_uid, own_gid = os.geteuid(), os.getegid()
    if own_uid == 0 and change_user:
        both = f"0 0 1\n{PROGRAM_USER} {PROGRAM_USER} 1\n"
        with suppress(PermissionError):
            _write(f"/proc/{pid}/uid_map", both)
            _write(f"/proc/{pid}/gid_map", both)
            return b"drop"
    _write(f"/proc/{pid}/uid_map", f"{PROGRAM_USER} {own_uid} 1\n")
    _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/gid_map", f"{PROGRAM_USER} {own_gid} 1\n")
    return b"keep"


def _init(launch: Launch, channel: socket.socket) -> NoReturn:
    try:
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        who = channel.recv(10)
        if who in (b"drop", b"keep"):
            _run_init(launch, channel, drop=who == b"drop")
    except OSError as error:
        _tell(channel, error.strerror or str(error))
    except BaseException as error:  # noqa: BLE001 - the process boundary
        _tell(channel, f"{type(error).__name__}: {error}")
    os._exit(1)


def _run_init(launch: Launch, channel: socket.socket, *, drop: bool) -> NoReturn:
    kernel.set_hostname("sandbox")
    owner = PROGRAM_USER
    room = build_root(launch.read_only, launch.scratch_bytes, launch.inodes, owner)
    lay_out(room.work_fd, launch.files, owner)
    fds = [room.work_fd] if room.proc_fd is None else [room.work_fd, room.proc_fd]
    socket.send_fds(channel, [b"ready"], fds)
    report, report_here = os.pipe()
    given = launch.confinement
    confinement = replace(
        given,
        user=PROGRAM_USER if drop else None,
        # Where user ids are kept the init itself counts against the program's task limit.
        tasks=None if given.tasks is None else given.tasks + (0 if drop else 1),
    )
    program = os.fork()
    if program == 0:
        become(
            launch.argv, launch.env, launch.stdio, confinement, launch.quota, report_here, channel
        )
    os.close(report_here)
    failure = os.read(report, 2000)
    if failure:
        _tell(channel, failure.decode(errors="replace"))
        os._exit(1)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    channel.send(b"started")
    for fd in (*launch.stdio, report):
        os.close(fd)
    cpu_s, peak_bytes = 0.0, 0
    while True:
        pid, status, usage = os.wait3(0)
        cpu_s += usage.ru_utime + usage.ru_stime
        peak_bytes = max(peak_bytes, usage.ru_maxrss * 1024)
        if pid == program:
            _tell(channel, f"{status} {cpu_s:.6f} {peak_bytes}")
            os._exit(0)


def _tell(channel: socket.socket, text: str) -> None:
    with suppress(OSError):
        channel.send(text.encode(errors="replace")[:1000])


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
