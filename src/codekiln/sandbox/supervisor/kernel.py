"""Linux system calls that Python 3.11 has no function for; each raises OSError as os does.

Knows nothing of policy. Numbers hold for x86-64 and arm64 (calls newer than Linux 5.1 have the
same number on both).
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
MNT_DETACH = 2

CLONE_NEWNS = 0x0002_0000
CLONE_NEWCGROUP = 0x0200_0000
CLONE_NEWUTS = 0x0400_0000
CLONE_NEWIPC = 0x0800_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
ALL_NAMESPACES = (
    CLONE_NEWNS
    | CLONE_NEWCGROUP
    | CLONE_NEWUTS
    | CLONE_NEWIPC
    | CLONE_NEWUSER
    | CLONE_NEWPID
    | CLONE_NEWNET
)

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_BENEATH = 0x02, 0x04, 0x08

MACHINE = os.uname().machine if sys.platform == "linux" else ""
SYS_CLONE, SYS_PIVOT_ROOT, SYS_CAPSET, SYS_SECCOMP = {
    "x86_64": (56, 155, 126, 317),
    "aarch64": (220, 41, 91, 277),
}.get(MACHINE, (-1, -1, -1, -1))
SYS_CLOSE_RANGE = 436
SYS_OPENAT2 = 437
SYS_MOUNT_SETATTR = 442
SYS_LANDLOCK_CREATE_RULESET = 444
SYS_LANDLOCK_ADD_RULE = 445
SYS_LANDLOCK_RESTRICT_SELF = 446

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_CLOSE_RANGE_CLOEXEC = 4
_MOUNT_ATTR_RDONLY, _MOUNT_ATTR_NOSUID, _MOUNT_ATTR_NODEV = 1, 2, 4
_CAP_DAC_READ_SEARCH = 2
_PR_CAP_AMBIENT_RAISE = 2
_LAST_CAPABILITY = 63

# PyDLL keeps the interpreter lock during the call: the child of clone() must find it held.
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call the kernel directly; integers are passed as longs, bytes as pointers."""
    converted = [ctypes.c_long(item) if isinstance(item, int) else item for item in arguments]
    return _checked(int(_syscall(ctypes.c_long(number), *converted)), "")


def prctl(option: int, *arguments: int) -> int:
    """prctl(2) with missing arguments as zero."""
    padded = [ctypes.c_ulong(item) for item in (*arguments, 0, 0, 0, 0)[:4]]
    return _checked(int(_libc.prctl(option, *padded)), "prctl")


def clone(flags: int) -> int:
    """Fork into new namespaces: 0 in the child, the child's pid in the parent."""
    sigchld = 17
    # arm64 swaps the last two arguments; all are zero here.
    return syscall(SYS_CLONE, flags | sigchld, 0, 0, 0, 0)


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    _checked(
        int(
            _libc.mount(
                os.fsencode(source),
                os.fsencode(target),
                kind.encode() or None,
                ctypes.c_ulong(flags),
                options.encode() or None,
            )
        ),
        f"mount {target}",
    )


def make_read_only(path: str) -> None:
    """Make a mount and all below it read-only, without devices and set-user-id programs."""
    attributes = _MOUNT_ATTR_RDONLY | _MOUNT_ATTR_NOSUID | _MOUNT_ATTR_NODEV
    size = 32
    syscall(
        SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        os.fsencode(path),
        _AT_RECURSIVE,
        struct.pack("=QQQQ", attributes, 0, 0, 0),
        size,
    )


def pivot_root(new_root: str, put_old: str) -> None:
    """pivot_root(2)."""
    syscall(SYS_PIVOT_ROOT, os.fsencode(new_root), os.fsencode(put_old))


def unmount(path: str) -> None:
    """Detach a mount and everything below it."""
    _checked(int(_libc.umount2(os.fsencode(path), MNT_DETACH)), f"unmount {path}")


def set_hostname(name: str) -> None:
    """sethostname(2)."""
    _checked(int(_libc.sethostname(name.encode(), ctypes.c_size_t(len(name)))), "sethostname")


def bar_capabilities(*, keep_search: bool) -> None:
    """Let no later exec bring a capability back, not even for user 0. Call before leaving it."""
    noroot_and_locks = 0x2F
    try:
        prctl(PR_SET_SECUREBITS, noroot_and_locks)
        for capability in range(_LAST_CAPABILITY + 1):
            if keep_search and capability == _CAP_DAC_READ_SEARCH:
                continue
            prctl(PR_CAPBSET_DROP, capability)
    except OSError:
        # Past the last capability that this kernel knows, or there is none to drop them with.
        return


def drop_capabilities(*, keep_search: bool) -> None:
    """Give up every capability of the calling process but, if asked, CAP_DAC_READ_SEARCH."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    version_3 = 0x20080522
    low = 1 << _CAP_DAC_READ_SEARCH if keep_search else 0
    sets = struct.pack("=IIIIII", low, low, low, 0, 0, 0)
    syscall(SYS_CAPSET, struct.pack("=Ii", version_3, 0), sets)
    if keep_search:
        prctl(PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH)


def close_on_exec_from(first: int) -> None:
    """Let no descriptor from `first` on survive an exec."""
    syscall(SYS_CLOSE_RANGE, first, 0xFFFF_FFFF, _CLOSE_RANGE_CLOEXEC)


def close_all_but(keep: set[int]) -> None:
    """Close every descriptor from 3 on that is not in `keep`."""
    first = 3
    for fd in sorted(keep):
        if fd > first:
            syscall(SYS_CLOSE_RANGE, first, fd - 1, 0)
        first = max(first, fd + 1)
    syscall(SYS_CLOSE_RANGE, first, 0xFFFF_FFFF, 0)


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open `path` below a directory descriptor; a symbolic link or `..` out of it fails."""
    how = struct.pack(
        "=QQQ",
        flags | os.O_CLOEXEC,
        0,
        RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    )
    return syscall(SYS_OPENAT2, directory, os.fsencode(path), how, len(how))


def _checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        reason = os.strerror(number)
        raise OSError(number, f"{what}: {reason}" if what else reason)
    return result
