"""Build the private root file system of a program inside fresh namespaces.

Covered: the program sees the system's programs and libraries read-only, the interpreter, minimal
/dev, its own /proc, and one size-limited tmpfs behind its working directory, /tmp and /dev/shm.
No home, no /etc beyond the loader's, no host processes, no network interface that is up.
"""

# Plain os calls: a root file system under construction, by plain absolute paths.
# ruff: noqa: PTH101, PTH102, PTH103, PTH106, PTH112, PTH114, PTH115, PTH120, PTH208, PTH211

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass

from . import kernel

WORK = "/box"
WRITABLE = (WORK, "/tmp", "/dev/shm")
_STAGING = "/tmp"  # exists everywhere; the mount is visible to this mount namespace only
_OLD_ROOT = "/.host"
_SCRATCH = "/.scratch"
_DEVICES = ("null", "zero", "full", "random", "urandom")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
_PASSWD = "sandbox:x:65534:65534:sandbox:/box:/bin/sh\n"


@dataclass(frozen=True, slots=True)
class Room:
    """Descriptors into the finished root: the working directory and, if mounted, /proc."""

    work_fd: int
    proc_fd: int | None


def build_root(read_only: list[str], scratch_bytes: int, files: int, owner: int) -> Room:
    """Mount and enter the new root; the old one is gone afterwards.

    `read_only` are absolute host paths without symbolic links; `owner` is the user id (inside)
    that owns the writable directories.
    """
    kernel.mount("", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
    root_options = f"size={1 << 20},nr_inodes=1024,mode=0755"
    kernel.mount("tmpfs", _STAGING, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, root_options)
    os.mkdir(_STAGING + _OLD_ROOT)
    kernel.pivot_root(_STAGING, _STAGING + _OLD_ROOT)
    os.chdir("/")
    hidden_by_scratch = tuple(f"{path}/" for path in WRITABLE)
    early = [path for path in read_only if not path.startswith(hidden_by_scratch)]
    for path in early:
        _bind_read_only(path)
    _copy_top_level_links()
    _make_dev()
    _write("/etc/passwd", _PASSWD)
    _write("/etc/group", "sandbox:x:65534:\n")
    _make_scratch(scratch_bytes, files, owner)
    for path in read_only:
        if path not in early:
            _bind_read_only(path)
    has_proc = _mount_proc()
    kernel.unmount(_OLD_ROOT)
    os.rmdir(_OLD_ROOT)
    work_fd = os.open(WORK, os.O_RDONLY | os.O_DIRECTORY)
    proc_fd = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY) if has_proc else None
    # Remounting the top only: the mounts below carry their own flags.
    kernel.mount(
        "", "/", "", kernel.MS_BIND | 32 | kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    )
    return Room(work_fd, proc_fd)


def _bind_read_only(path: str) -> None:
    source = _OLD_ROOT + path
    if os.path.isdir(source):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _touch(path)
    kernel.mount(source, path, "", kernel.MS_BIND | kernel.MS_REC)
    kernel.make_read_only(path)


def _copy_top_level_links() -> None:
    """/bin, /lib and so on are links into /usr on merged systems."""
    for name in os.listdir(_OLD_ROOT):
        link = f"{_OLD_ROOT}/{name}"
        if os.path.islink(link) and (name in ("bin", "sbin") or name.startswith("lib")):
            os.symlink(os.readlink(link), f"/{name}")


def _make_dev() -> None:
    os.mkdir("/dev")
    for name in _DEVICES:
        _touch(f"/dev/{name}")
        kernel.mount(f"{_OLD_ROOT}/dev/{name}", f"/dev/{name}", "", kernel.MS_BIND)
    for name, target in _LINKS.items():
        os.symlink(target, f"/dev/{name}")


def _make_scratch(size_bytes: int, files: int, owner: int) -> None:
    os.mkdir(_SCRATCH)
    options = f"size={size_bytes},nr_inodes={files},mode=0755"
    kernel.mount("tmpfs", _SCRATCH, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)
    for target in WRITABLE:
        source = _SCRATCH + "/" + target.rpartition("/")[2]
        os.mkdir(source)
        os.chmod(source, 0o700)
        os.chown(source, owner, owner)
        os.makedirs(target, exist_ok=True)
        kernel.mount(source, target, "", kernel.MS_BIND)
    kernel.unmount(_SCRATCH)
    os.rmdir(_SCRATCH)


def _mount_proc() -> bool:
    """False where a container hides parts of /proc and the kernel therefore refuses."""
    os.mkdir("/proc")
    flags = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
    with suppress(PermissionError):
        kernel.mount("proc", "/proc", "proc", flags)
        return True
    return False


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o644)
    os.write(fd, text.encode())
    os.close(fd)
