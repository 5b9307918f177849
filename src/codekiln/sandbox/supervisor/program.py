"""Turn the calling, freshly forked process into the untrusted program; never returns.

Everything is given up here in one order: descriptors, resource limits, user, capabilities,
file system (Landlock), system calls (seccomp). A step that fails is reported on `report_fd`
and the program is not started.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from dataclasses import dataclass
from typing import NoReturn

from . import kernel, landlock, seccomp

PROGRAM_USER = 65534
_MIB = 1 << 20
_NOT_STARTED = 127


@dataclass(frozen=True, slots=True)
class Confinement:
    """How the program is kept in; None leaves a step out.

    `keep_search` leaves the program the right to walk through directories of other users, where
    the interpreter lies in one; Landlock still decides what may be opened.
    """

    work: str
    user: int | None
    rules: landlock.PathRules | None
    landlock_abi: int
    plan: seccomp.FilterPlan | None
    tasks: int | None
    keep_search: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """Per-process resource limits, all of them backstops behind the supervisor's watch."""

    cpu_s: float
    memory_bytes: int
    file_bytes: int
    open_files: int


def become(
    argv: list[str],
    env: dict[str, str],
    stdio: tuple[int, int, int],
    confinement: Confinement,
    quota: Quota,
    report_fd: int,
    listener_channel: socket.socket | None = None,
) -> NoReturn:
    """Confine this process and execute `argv`; `report_fd` closes without a word on success.

    Where seccomp asks the supervisor, its listener goes out through `listener_channel`.
    """
    try:
        os.setsid()
        for target, source in enumerate(stdio):
            os.dup2(source, target, inheritable=True)
        kernel.close_on_exec_from(3)
        os.chdir(confinement.work)
        os.umask(0o022)
        _apply(quota)
        _drop_user(confinement)
        if confinement.rules is not None:
            landlock.restrict(confinement.rules, confinement.landlock_abi)
        # Python ignores these two; a program expects the default.
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if confinement.plan is not None:
            asks = confinement.plan.asks
            listener = seccomp.install(seccomp.compile_filter(confinement.plan), listener=asks)
            if asks and listener_channel is not None:
                socket.send_fds(listener_channel, [b"listener"], [listener])
        _execute(argv, env)
    except OSError as error:
        _report(report_fd, f"{error.strerror} (errno {error.errno})")
    except BaseException as error:  # noqa: BLE001 - the process boundary
        _report(report_fd, f"{type(error).__name__}: {error}")
    os._exit(_NOT_STARTED)


def _apply(quota: Quota) -> None:
    cpu_s = int(quota.cpu_s) + 2
    # Generous, because it counts what is merely reserved; it bounds how far a process can run
    # ahead of the supervisor's sampling.
    data_bytes = 2 * quota.memory_bytes + 1024 * _MIB
    for which, soft, hard in (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_DATA, data_bytes, data_bytes),
        (resource.RLIMIT_FSIZE, quota.file_bytes, quota.file_bytes),
        (resource.RLIMIT_NOFILE, quota.open_files, quota.open_files),
        (resource.RLIMIT_MEMLOCK, 0, 0),
        (resource.RLIMIT_MSGQUEUE, 0, 0),
        (resource.RLIMIT_RTPRIO, 0, 0),
    ):
        _, ceiling = resource.getrlimit(which)
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(which, (soft, hard))


def _drop_user(confinement: Confinement) -> None:
    kernel.bar_capabilities(keep_search=confinement.keep_search)
    user = confinement.user
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    if confinement.tasks is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (confinement.tasks, confinement.tasks))
    kernel.drop_capabilities(keep_search=confinement.keep_search)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    # After the change of user, which would clear it.
    kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)


def _execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    name = argv[0]
    if "/" in name:
        os.execve(name, argv, env)
    last: OSError = FileNotFoundError(2, f"{name} is not on the PATH of the sandbox")
    for folder in env.get("PATH", "").split(":"):
        try:
            os.execve(f"{folder}/{name}", argv, env)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            last = error
    raise last


def _report(fd: int, text: str) -> None:
    os.write(fd, text.encode(errors="replace")[:1000])
