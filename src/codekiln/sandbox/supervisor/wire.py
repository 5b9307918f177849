"""The messages between codekiln and the supervisor: one marshalled dict, prefixed by its size.

Both ends are the same version of Python and trust each other; marshal is built in and costs no
import. What the untrusted program writes travels only as opaque bytes inside.
"""

from __future__ import annotations

import marshal
import os
from typing import TypedDict

_PREFIX_BYTES = 8


class Request(TypedDict):
    """One program to run. Sizes in bytes, times in seconds, paths absolute."""

    level: int
    landlock_abi: int  # use no more than this Landlock version
    change_user: bool  # where the supervisor is root
    argv: list[str]
    files: dict[str, bytes]
    stdin: bytes
    env: dict[str, str]
    cpu_s: float
    wall_s: float
    memory_bytes: int
    processes: int
    file_bytes: int
    output_bytes: int
    open_files: int
    read_only: list[str]
    collect: list[str]
    scratch_parent: str


class Reply(TypedDict):
    """What happened. `error` is set when the isolation failed and nothing else counts."""

    error: str
    outcome: str
    exit_code: int | None
    signal: int | None
    stdout: bytes
    stderr: bytes
    stdout_truncated: bool
    stderr_truncated: bool
    cpu_s: float
    wall_s: float
    peak_memory_bytes: int
    collected: dict[str, bytes]
    denied: list[str]


def encode(message: Request | Reply) -> bytes:
    """The bytes of one message."""
    body = marshal.dumps(dict(message))
    return len(body).to_bytes(_PREFIX_BYTES, "big") + body


def decode_reply(data: bytes) -> Reply | None:
    """The reply in `data`, or None when it is incomplete."""
    if len(data) < _PREFIX_BYTES:
        return None
    size = int.from_bytes(data[:_PREFIX_BYTES], "big")
    body = data[_PREFIX_BYTES : _PREFIX_BYTES + size]
    if len(body) < size:
        return None
    reply: Reply = marshal.loads(body)
    return reply


def read_request(fd: int) -> Request | None:
    """Read one request from `fd`; None when the other end closed before all of it came."""
    prefix = _read_exactly(fd, _PREFIX_BYTES)
    if prefix is None:
        return None
    body = _read_exactly(fd, int.from_bytes(prefix, "big"))
    if body is None:
        return None
    request: Request = marshal.loads(body)
    return request


def write_all(fd: int, data: bytes) -> None:
    """Write everything to a blocking descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _read_exactly(fd: int, size: int) -> bytes | None:
    chunks = bytearray()
    while len(chunks) < size:
        chunk = os.read(fd, min(size - len(chunks), 1 << 20))
        if not chunk:
            return None
        chunks += chunk
    return bytes(chunks)
