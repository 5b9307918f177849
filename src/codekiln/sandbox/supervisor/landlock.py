"""Confine the calling thread and its future children with Landlock.

Covered: opening, creating, renaming, truncating and executing files outside the given paths;
from ABI 4 TCP, from ABI 5 device ioctls, from ABI 6 signals and abstract sockets to processes
outside. Not covered by the kernel: stat, chmod, chown, utime, chdir, pathname sockets and UDP;
seccomp covers those.
"""

from __future__ import annotations

import os
import stat
import struct
from dataclasses import dataclass

from . import kernel

_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1
_NEWEST_KNOWN_ABI = 6

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ_RIGHTS = _EXECUTE | _READ_FILE | _READ_DIR
# Bits 0 to 12 came with ABI 1, REFER with 2, TRUNCATE with 3, IOCTL_DEV with 5.
_FILE_SYSTEM_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_TCP_BIND_AND_CONNECT = 0b11
_SCOPE_ABSTRACT_SOCKET_AND_SIGNAL = 0b11
TCP_ABI, SCOPE_ABI, TRUNCATE_ABI = 4, 6, 3


@dataclass(frozen=True, slots=True)
class PathRules:
    """Absolute paths that stay usable; those that do not exist are skipped."""

    read: tuple[str, ...]  # also list and execute
    write: tuple[str, ...]  # everything but device ioctls
    devices: tuple[str, ...] = ()  # read and write, no more


def kernel_abi() -> int:
    """The Landlock version of the running kernel; 0 when it has none or it is switched off."""
    if kernel.SYS_CLONE < 0:
        return 0  # not Linux, or a machine whose numbers are not known
    try:
        return kernel.syscall(kernel.SYS_LANDLOCK_CREATE_RULESET, None, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def restrict(rules: PathRules, abi: int) -> None:
    """Confine the calling process for good. `abi` is at most what `kernel_abi` gave."""
    abi = min(abi, _NEWEST_KNOWN_ABI)
    handled = _FILE_SYSTEM_RIGHTS[max(step for step in _FILE_SYSTEM_RIGHTS if step <= abi)]
    attributes = struct.pack("=Q", handled)
    if abi >= TCP_ABI:
        attributes += struct.pack("=Q", _TCP_BIND_AND_CONNECT)
    if abi >= SCOPE_ABI:
        attributes += struct.pack("=Q", _SCOPE_ABSTRACT_SOCKET_AND_SIGNAL)
    ruleset = kernel.syscall(kernel.SYS_LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    for paths, rights in (
        (rules.read, _READ_RIGHTS),
        (rules.write, handled & ~_IOCTL_DEV),
        (rules.devices, _READ_FILE | _WRITE_FILE),
    ):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    kernel.syscall(kernel.SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _FILE_RIGHTS
        kernel.syscall(
            kernel.SYS_LANDLOCK_ADD_RULE,
            ruleset,
            _RULE_PATH_BENEATH,
            struct.pack("=Qi", rights, fd),
            0,
        )
    finally:
        os.close(fd)
