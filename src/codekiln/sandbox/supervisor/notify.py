"""Answer what seccomp asks on behalf of a program that shares our user and process namespace.

Two things cannot be decided from a call's numbers alone, so the kernel holds the call and asks:

- a fork or new thread goes ahead only while the run has fewer tasks than its limit;
- a change of a file's mode or times, which Landlock does not restrict, is carried out here, and
  only below the scratch directory. The path is read from the program's memory once, then
  resolved by the kernel beneath that directory without following links, so that changing the
  memory or the files meanwhile wins nothing.
"""

# Plain os calls: paths here are relative to descriptors, or strings from another process.
# ruff: noqa: PTH101, PTH115, PTH116, PTH118

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import kernel
from .syscall_numbers import NUMBERS

_RECEIVE, _SEND, _STILL_VALID = 0xC050_2100, 0xC018_2101, 0x4008_2102
_NOTIFICATION_BYTES = 80
_CONTINUE = 1
_PATH_MAX = 4096
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_UTIME_NOW, _UTIME_OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE
# A task that was let through and is not in /proc after this time has already ended.
_SETTLE_S = 0.05
_SETTLE_STEP_S = 0.001

_COLUMN = 0 if kernel.MACHINE == "x86_64" else 1
_NAMES = {numbers[_COLUMN]: name for name, numbers in NUMBERS.items() if numbers[_COLUMN] >= 0}


@dataclass(frozen=True, slots=True)
class _Call:
    ident: int
    task: int
    name: str
    arguments: tuple[int, ...]


class Answerer:
    """Holds the listener of one run; `close` makes every later question fail with ENOSYS."""

    def __init__(
        self, listener: int, scratch: str | None, list_tasks: Callable[[], set[int]], limit: int
    ) -> None:
        self.fd = listener
        self.refused_forks = 0
        self._scratch = scratch
        self._scratch_fd = -1 if scratch is None else os.open(scratch, os.O_RDONLY)
        self._list_tasks = list_tasks
        self._limit = limit
        self._known: set[int] = set()
        self._in_flight: list[float] = []  # when forks were let through that are not seen yet

    def answer(self) -> None:
        """Answer one question; call when the listener is readable."""
        buffer = bytearray(_NOTIFICATION_BYTES)
        try:
            fcntl.ioctl(self.fd, _RECEIVE, buffer)
        except FileNotFoundError:
            return  # the asking task was killed
        ident, task, _, number, _, _, *arguments = struct.unpack("=QIIiIQ6Q", buffer)
        call = _Call(ident, task, _NAMES.get(number, ""), tuple(arguments))
        if call.name in ("clone", "fork", "vfork", ""):
            # An unknown number is fork or vfork, the only other calls that are asked about.
            failure = self._fork()
            flags = 0 if failure else _CONTINUE
        else:
            failure, flags = self._change_status(call), 0
        try:
            fcntl.ioctl(self.fd, _SEND, struct.pack("=QqiI", ident, 0, -failure, flags))
        except FileNotFoundError:
            return

    def close(self) -> None:
        """Stop answering."""
        os.close(self.fd)
        if self._scratch_fd >= 0:
            os.close(self._scratch_fd)

    def _fork(self) -> int:
        while True:
            now = time.monotonic()
            tasks = self._list_tasks()
            landed = len(tasks - self._known)
            self._known = tasks
            self._in_flight = [
                since for since in self._in_flight[landed:] if now - since < _SETTLE_S
            ]
            if len(tasks) + len(self._in_flight) < self._limit:
                self._in_flight.append(now)
                return 0
            if not self._in_flight:
                self.refused_forks += 1
                return errno.EAGAIN
            time.sleep(_SETTLE_STEP_S)

    def _change_status(self, call: _Call) -> int:
        try:
            fd = self._open_target(call)
        except OSError as error:
            return error.errno or errno.EPERM
        try:
            link = f"/proc/self/fd/{fd}"
            if call.name == "utimensat":
                os.utime(link, ns=self._times(call, os.stat(link)))
            else:
                mode = self._mode(call) & 0o777
                if stat.S_ISDIR(os.stat(link).st_mode) and mode & stat.S_IRWXU != stat.S_IRWXU:
                    return errno.EPERM  # what is in there could not be measured any more
                os.chmod(link, mode)
        except OSError as error:
            return error.errno or errno.EPERM
        finally:
            os.close(fd)
        return 0

    def _mode(self, call: _Call) -> int:
        return call.arguments[1 if call.name in ("chmod", "fchmod") else 2]

    def _times(self, call: _Call, before: os.stat_result) -> tuple[int, int]:
        now = time.time_ns()
        if call.arguments[2] == 0:
            return now, now
        raw = struct.unpack("=qqqq", self._memory(call, call.arguments[2], 32))
        kept = (before.st_atime_ns, before.st_mtime_ns)
        chosen = []
        for (seconds, nanoseconds), old in zip((raw[:2], raw[2:]), kept, strict=True):
            if nanoseconds == _UTIME_NOW:
                chosen.append(now)
            elif nanoseconds == _UTIME_OMIT:
                chosen.append(old)
            else:
                chosen.append(seconds * 10**9 + nanoseconds)
        return chosen[0], chosen[1]

    def _open_target(self, call: _Call) -> int:
        """A path-only descriptor of the file that the call is about, if it is below scratch."""
        arguments = call.arguments
        flags = 0
        if call.name == "chmod":
            directory, address = _AT_FDCWD, arguments[0]
        elif call.name == "fchmod":
            directory, address = _signed(arguments[0]), 0
        elif call.name in ("fchmodat", "fchmodat2", "utimensat"):
            directory, address = _signed(arguments[0]), arguments[1]
            flags = 0 if call.name == "fchmodat" else arguments[3]
        else:
            raise PermissionError(errno.EPERM, "not carried out here")
        path = b""
        if address:
            path = self._memory(call, address, _PATH_MAX).partition(b"\0")[0]
            if not path and not flags & _AT_EMPTY_PATH:
                raise FileNotFoundError(errno.ENOENT, "empty path")
        fcntl.ioctl(self.fd, _STILL_VALID, struct.pack("=Q", call.ident))
        base = "cwd" if directory == _AT_FDCWD else f"fd/{directory}"
        start = os.readlink(f"/proc/{call.task}/{base}")
        full = os.path.normpath(os.path.join(start, os.fsdecode(path)))
        if self._scratch is None or not full.startswith(f"{self._scratch}/"):
            raise PermissionError(errno.EPERM, "outside the sandbox")
        relative = os.path.relpath(full, self._scratch)
        return kernel.open_beneath(self._scratch_fd, relative, os.O_PATH | os.O_NOFOLLOW)

    def _memory(self, call: _Call, address: int, size: int) -> bytes:
        fd = os.open(f"/proc/{call.task}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # A string may end just before an unmapped page; the read then comes up short.
            return os.pread(fd, size, address)
        finally:
            os.close(fd)


def _signed(value: int) -> int:
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >= 1 << 31 else value
