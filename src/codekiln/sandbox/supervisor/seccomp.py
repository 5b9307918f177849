"""The system call filter of an untrusted program, as a classic BPF program.

Calls of a foreign architecture end the process; calls newer than the filter do not exist; the
listed ones fail with the given error; the rest are allowed. Covered: sockets, namespaces,
mounts, tracing, keys, kernel modules, clocks, shared memory that no limit counts, and changes to
processes outside. Not covered: what a file path means (Landlock's work). Where asked
to, forks and changes of file modes and times wait for the supervisor's answer (see notify).
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass

from . import kernel
from .syscall_numbers import NEWEST_KNOWN, NUMBERS

_FORBIDDEN = (
    # other processes' memory and descriptors
    "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd",
    # mounts, namespaces, handles that bypass path lookup
    "mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick",
    "mount_setattr unshare setns open_by_handle_at name_to_handle_at quotactl quotactl_fd",
    # parts of the kernel with a record of holes, and none that a checked program needs
    "keyctl add_key request_key bpf userfaultfd io_uring_setup io_uring_enter io_uring_register",
    "perf_event_open fanotify_init fanotify_mark lookup_dcookie nfsservctl uselib modify_ldt",
    "remap_file_pages sysfs ustat _sysctl",
    # the machine itself
    "kexec_load kexec_file_load init_module finit_module delete_module create_module",
    "get_kernel_syms query_module reboot sethostname setdomainname swapon swapoff acct syslog",
    "iopl ioperm settimeofday clock_settime clock_adjtime adjtimex vhangup",
    "mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages",
    # the network: a connected socketpair is all there is
    "socket connect bind listen accept accept4",
    # memory and queues that outlive a process or are in no process's resident set
    "shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl",
    "mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr",
    "memfd_create memfd_secret",
)
_SIGNALS_BY_FIRST_ARGUMENT = ("kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo")
_CHANGES_FILE_STATUS = ("chmod", "fchmod", "fchmodat", "fchmodat2", "utimensat")
_CHANGES_OWNER_OR_OLD_TIMES = (
    *("chown", "fchown", "lchown", "fchownat"),
    *("utime", "utimes", "futimesat"),
)
_CHANGES_ATTRIBUTES = (
    *("setxattr", "lsetxattr", "fsetxattr"),
    *("removexattr", "lremovexattr", "fremovexattr"),
)

_ARCHITECTURE = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}
_LOAD, _JUMP_EQUAL, _JUMP_GREATER, _JUMP_BITS, _AND, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x54, 0x06
_ALLOW, _ERRNO, _ASK, _KILL = 0x7FFF_0000, 0x0005_0000, 0x7FC0_0000, 0x8000_0000
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _ARGUMENTS_OFFSET = 0, 4, 16
_SET_MODE_FILTER = 1
_FLAG_NEW_LISTENER = 1 << 3
_FLAG_WAIT_KILLABLE = 1 << 5

_NAMESPACE_FLAGS = kernel.ALL_NAMESPACES | 0x80  # CLONE_NEWTIME
_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP = 0x5412, 0x541C, 0x8901, 0x8902
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


@dataclass(frozen=True, slots=True)
class FilterPlan:
    """What else has to make up for what the isolation lacks.

    `ask_forks`, `ask_file_status`: the supervisor decides on new tasks, on modes and times.
    Owners and extended attributes then cannot be changed at all.
    `own_process_only`: signals reach the first process only; the kernel cannot scope them.
    `guard_truncation`: the kernel's Landlock does not know truncation.
    `forbid_watches`: the host's directories are visible to inotify.
    """

    ask_forks: bool = False
    ask_file_status: bool = False
    own_process_only: bool = False
    guard_truncation: bool = False
    forbid_watches: bool = False

    @property
    def asks(self) -> bool:
        """True when the filter needs a listener."""
        return self.ask_forks or self.ask_file_status


def supported() -> bool:
    """True when the filter knows this machine's system call numbers."""
    return kernel.MACHINE in _ARCHITECTURE


def compile_filter(plan: FilterPlan) -> bytes:
    """The BPF program for this machine and the calling process, as the kernel takes it."""
    program: list[Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE_OFFSET),
        (_JUMP_EQUAL, 1, 0, _ARCHITECTURE[kernel.MACHINE]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_OFFSET),
        (_JUMP_GREATER, 0, 1, NEWEST_KNOWN),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    for name, body in _rules(plan):
        number = NUMBERS[name][_COLUMN[kernel.MACHINE]]
        if number >= 0:
            program.append((_JUMP_EQUAL, 0, len(body), number))
            program += body
    program.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def install(program: bytes, listener: bool) -> int:
    """Apply a filter to the calling process for good; gives the listener's descriptor or -1."""
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    if not listener:
        kernel.syscall(kernel.SYS_SECCOMP, _SET_MODE_FILTER, 0, header)
        return -1
    # A signal that comes while the supervisor decides must not fail the call with EINTR.
    for flags in (_FLAG_NEW_LISTENER | _FLAG_WAIT_KILLABLE, _FLAG_NEW_LISTENER):
        try:
            fd = kernel.syscall(kernel.SYS_SECCOMP, _SET_MODE_FILTER, flags, header)
        except OSError as error:
            if error.errno != errno.EINVAL or flags == _FLAG_NEW_LISTENER:
                raise  # before Linux 5.19 the second flag is unknown
        else:
            os.set_inheritable(fd, False)
            return fd
    raise AssertionError("unreachable")


def _rules(plan: FilterPlan) -> list[tuple[str, list[Instruction]]]:
    """Pairs of a call's name and what follows when it is made; each body ends in a return."""
    rules = [(name, _fail(errno.EPERM)) for line in _FORBIDDEN for name in line.split()]
    # Its arguments are behind a pointer; told that it does not exist, libc uses clone.
    rules.append(("clone3", _fail(errno.ENOSYS)))
    after_clone = [(_RETURN, 0, 0, _ASK if plan.ask_forks else _ALLOW)]
    rules.append(("clone", _fail_on_bits(0, _NAMESPACE_FLAGS, after_clone)))
    rules.append(
        (
            "socketpair",
            _only(0, (_AF_UNIX,), _only(1, (_SOCK_STREAM, _SOCK_SEQPACKET), _allow(), mask=0xF)),
        )
    )
    rules.append(("ioctl", _never(1, (_TIOCSTI, _TIOCLINUX, _FIOSETOWN, _SIOCSPGRP))))
    read_current, linux = 0xFFFF_FFFF, 0
    rules.append(("personality", _only(0, (linux, read_current), _allow())))
    # These act on any process of the same user; 0 means the caller.
    own = [
        "prlimit64",
        "sched_setaffinity",
        "sched_setscheduler",
        "sched_setparam",
        "sched_setattr",
    ]
    rules += [(name, _only(0, (0,), _allow())) for name in own]
    process, ioprio_process = 0, 1
    rules.append(("setpriority", _only(0, (process,), _only(1, (0,), _allow()))))
    rules.append(("ioprio_set", _only(0, (ioprio_process,), _only(1, (0,), _allow()))))
    if plan.own_process_only:
        pid = os.getpid()
        rules += [(name, _only(0, (pid, 0), _allow())) for name in _SIGNALS_BY_FIRST_ARGUMENT]
        rules += [(name, _fail(errno.EPERM)) for name in ("tkill", "pidfd_send_signal")]
        rules.append(("fcntl", _never(1, (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX))))
    if plan.guard_truncation:
        rules.append(("truncate", _fail(errno.EACCES)))
        rules.append(("openat2", _fail(errno.ENOSYS)))
        rules += [("open", _no_truncating_read(1)), ("openat", _no_truncating_read(2))]
    if plan.forbid_watches:
        rules.append(("inotify_add_watch", _fail(errno.EACCES)))
    ask = [(_RETURN, 0, 0, _ASK)]
    if plan.ask_forks:
        rules += [("fork", ask), ("vfork", ask)]
    if plan.ask_file_status:
        rules += [(name, ask) for name in _CHANGES_FILE_STATUS]
        rules += [(name, _fail(errno.EPERM)) for name in _CHANGES_OWNER_OR_OLD_TIMES]
        rules += [(name, _fail(errno.EOPNOTSUPP)) for name in _CHANGES_ATTRIBUTES]
    return rules


def _allow() -> list[Instruction]:
    return [(_RETURN, 0, 0, _ALLOW)]


def _fail(number: int) -> list[Instruction]:
    return [(_RETURN, 0, 0, _ERRNO | number)]


def _argument(index: int) -> Instruction:
    # The low half: the kernel reads no more of these arguments.
    return (_LOAD, 0, 0, _ARGUMENTS_OFFSET + 8 * index)


def _fail_on_bits(index: int, mask: int, otherwise: list[Instruction]) -> list[Instruction]:
    return [_argument(index), (_JUMP_BITS, 0, 1, mask), *_fail(errno.EPERM), *otherwise]


def _only(
    index: int, values: tuple[int, ...], then: list[Instruction], mask: int = 0xFFFF_FFFF
) -> list[Instruction]:
    """Fail with EPERM unless the masked argument is one of `values`."""
    compare: list[Instruction] = []
    for position, value in enumerate(values):
        remaining = len(values) - position - 1
        compare.append((_JUMP_EQUAL, remaining + 1, 0, value))
    return [_argument(index), (_AND, 0, 0, mask), *compare, *_fail(errno.EPERM), *then]


def _never(index: int, values: tuple[int, ...]) -> list[Instruction]:
    body = [_argument(index)]
    for value in values:
        body += [(_JUMP_EQUAL, 0, 1, value), *_fail(errno.EPERM)]
    return body + _allow()


def _no_truncating_read(flags_index: int) -> list[Instruction]:
    """O_TRUNC with O_RDONLY truncates, yet the older Landlock sees only a read."""
    relevant = os.O_ACCMODE | os.O_TRUNC
    return [
        _argument(flags_index),
        (_AND, 0, 0, relevant),
        (_JUMP_EQUAL, 0, 1, os.O_RDONLY | os.O_TRUNC),
        *_fail(errno.EACCES),
        *_allow(),
    ]
