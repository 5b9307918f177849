"""Talk to the supervisor server of this process: one request, one reply, from any thread.

The server is started on first use without forking this process by hand (threads of a numeric
library may hold locks) and in a session of its own, so that a Ctrl-C on the terminal reaches
only the caller; an exception while waiting cancels the run. A server that went away is replaced.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import socket
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from codekiln.core.errors import SandboxError
from codekiln.sandbox.supervisor.wire import Reply, Request, decode_reply, encode

_BOOT = "import sys; sys.path.append(sys.argv[1]); from supervisor.main import serve; serve()"
_PID_BYTES = 8
# Beyond the wall limit: set-up, killing the tree, reading back.
_GRACE_S = 30.0
_CANCEL_S = 15.0
_STDERR_BYTES = 2000


class SupervisorServer:
    """The process that forks supervisors; at most one is alive per instance."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._door: socket.socket | None = None
        atexit.register(self.close)

    def exchange(self, request: Request) -> Reply:
        """Have one request carried out; raises SandboxError when the supervisor breaks."""
        received = self._attempt(request)
        if not received:
            # Not even a pid: the server died before it could fork, so nothing was run.
            self.close()
            received = self._attempt(request)
        reply = decode_reply(received[_PID_BYTES:])
        if reply is None:
            raise SandboxError(
                f"The sandbox supervisor broke down ({self._last_words()})",
                "Run it again; `codekiln doctor` shows what works on this machine",
            )
        return reply

    def _attempt(self, request: Request) -> bytes:
        """All that a supervisor said, its pid first."""
        deadline = time.monotonic() + request["wall_s"] + _GRACE_S
        received = bytearray()
        with self._connect() as connection:
            try:
                _send(connection, encode(request), deadline)
                _receive(connection, received, deadline)
            finally:
                # Tells a supervisor that still works to kill the program and go; it is gone
                # when the connection ends on its side, too.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
                _receive(connection, received, time.monotonic() + _CANCEL_S)
                if not _ended(connection):
                    _kill(received)
        return bytes(received)

    def close(self) -> None:
        """End the server; runs in progress are cancelled. Idempotent."""
        with self._lock:
            self._close()

    def _connect(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            for _ in range(2):
                try:
                    socket.send_fds(self._open_door(), [b"run"], [theirs.fileno()])
                except (BrokenPipeError, ConnectionResetError):
                    self._close()
                else:
                    return ours
        ours.close()
        raise SandboxError(
            f"The sandbox supervisor does not start ({self._last_words()})",
            "`codekiln doctor` shows what works on this machine",
        )

    def _open_door(self) -> socket.socket:
        if self._door is None or self._process is None or self._process.poll() is not None:
            self._close()
            door, inside = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with inside:
                self._process = subprocess.Popen(
                    [self._python, "-I", "-S", "-c", _BOOT, str(Path(__file__).parent)],
                    stdin=inside.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    cwd="/",
                    env={"LANG": "C.UTF-8"},
                    start_new_session=True,
                )
            self._door = door
        return self._door

    def _close(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None
        if self._process is not None:
            try:
                self._process.wait(1.0)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            if self._process.stderr is not None:
                self._process.stderr.close()
            self._process = None

    def _last_words(self) -> str:
        process = self._process
        if process is None or process.stderr is None:
            return "no message"
        fd = process.stderr.fileno()
        if not select.select([fd], [], [], 0.2)[0]:
            return "no message"
        lines = os.read(fd, _STDERR_BYTES).decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"


def _send(connection: socket.socket, data: bytes, deadline: float) -> None:
    connection.settimeout(max(deadline - time.monotonic(), 0.1))
    # A supervisor that died is noticed when its reply is missing.
    with suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
        connection.sendall(data)


def _receive(connection: socket.socket, received: bytearray, deadline: float) -> None:
    """Append what comes until the other end closes or the deadline passes."""
    while (left_s := deadline - time.monotonic()) > 0:
        connection.settimeout(left_s)
        try:
            chunk = connection.recv(1 << 20)
        except (TimeoutError, ConnectionResetError):
            return
        if not chunk:
            return
        received += chunk


def _ended(connection: socket.socket) -> bool:
    connection.settimeout(0.0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def _kill(received: bytearray) -> None:
    if len(received) >= _PID_BYTES:
        with suppress(ProcessLookupError):
            os.kill(int.from_bytes(received[:_PID_BYTES], "big"), signal.SIGKILL)
