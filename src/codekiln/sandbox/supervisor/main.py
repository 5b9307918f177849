"""The supervisor as processes: a server that forks one supervisor per request.

The server holds nothing but loaded code. Each message on its standard input carries one
connected socket; the fork that gets it reads one request there, answers with its own pid, then
with the reply, and ends. The server ends when its input does; a supervisor cancels its run when
its socket does.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from .errors import SetUpError
from .run import execute
from .wire import Reply, encode, read_request, write_all


def serve() -> None:
    """Serve until standard input ends."""
    # The init of a sandbox inherits this: the first process of a namespace must not have a
    # handler that a process inside could trigger.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    door = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    while True:
        message, fds, _, _ = socket.recv_fds(door, 16, 1)
        if not message:
            return
        connection = fds[0]
        if os.fork() == 0:
            door.close()
            os.dup2(os.open(os.devnull, os.O_RDWR), sys.stdin.fileno())
            os.setsid()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            supervise(connection)
            os._exit(0)
        os.close(connection)


def supervise(connection: int) -> None:
    """Serve one request on a connected socket."""
    write_all(connection, os.getpid().to_bytes(8, "big"))
    request = read_request(connection)
    if request is None:
        return
    reply: Reply | None
    try:
        reply = execute(request, connection)
    except SetUpError as error:
        reply = failed(str(error))
    except Exception as error:  # noqa: BLE001 - the process boundary
        reply = failed(f"the supervisor failed: {type(error).__name__}: {error}")
    if reply is not None:
        try:
            write_all(connection, encode(reply))
        except (BrokenPipeError, ConnectionResetError):
            return  # nobody waits any more


def failed(message: str) -> Reply:
    """The reply when the isolation failed."""
    return Reply(
        error=message,
        outcome="",
        exit_code=None,
        signal=None,
        stdout=b"",
        stderr=b"",
        stdout_truncated=False,
        stderr_truncated=False,
        cpu_s=0.0,
        wall_s=0.0,
        peak_memory_bytes=0,
        collected={},
        denied=[],
    )
