"""What of the host a program may read: the system's programs and libraries, and one Python.

Covered: /usr without its source trees and games, /lib* and /bin where they are not links, the
loader's files in /etc, and of the base interpreter only `bin` and `lib`. A checkout, a home
directory, weights and the virtual environment are not in it.
"""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from codekiln.core.errors import SandboxError

# /usr is not taken whole: /usr/src is where container images put the application itself.
_CANDIDATES = (
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/include",
    "/usr/share",
    "/usr/local/bin",
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/local/include",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/gnu/store",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/etc/ssl/openssl.cnf",
    # Debian keeps here what these need to start.
    "/etc/R",
    "/etc/mono",
    "/etc/nim",
    "/etc/racket",
)
_PYTHON_FOLDERS = ("bin", "lib", "lib64")


@dataclass(frozen=True, slots=True)
class HostPaths:
    """The interpreter to run as "python" and all paths to show, free of links and nesting."""

    python: str
    read_only: tuple[str, ...]


@functools.cache
def host_paths() -> HostPaths:
    """Find them once for this process."""
    base = str(getattr(sys, "_base_executable", "") or sys.executable)
    if not base or not Path(base).exists():
        raise SandboxError(
            "This Python does not say where its executable is",
            "Run codekiln with an interpreter that was started from a file",
        )
    python = Path(base).resolve()
    prefix = Path(sys.base_prefix).resolve()
    folders = [prefix / name for name in _PYTHON_FOLDERS]
    java_settings = Path("/etc").glob("java-*")
    wanted = [*map(Path, _CANDIDATES), *java_settings, python, *folders]
    # A link such as /lib -> usr/lib is recreated inside; the place it leads to is shown anyway.
    shown = [str(path) for path in wanted if path.exists() and not path.is_symlink()]
    return HostPaths(str(python), without_nested(shown))


def without_nested(paths: list[str]) -> tuple[str, ...]:
    """Drop duplicates and paths below another one of the list."""
    kept: list[str] = []
    for path in sorted(set(paths)):
        if not kept or not path.startswith(kept[-1].rstrip(os.sep) + os.sep):
            kept.append(path)
    return tuple(kept)
