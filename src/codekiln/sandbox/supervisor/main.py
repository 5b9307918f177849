"""The supervisor as a process: request on standard input, reply on standard output."""

from __future__ import annotations

import os
import signal
import sys

from .errors import SetUpError
from .run import execute
from .wire import Reply, encode, read_request, write_all


def main() -> None:
    """Serve one request."""
    # The init of the sandbox inherits this: the first process of a namespace must not have a
    # handler that a process inside could trigger.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    request = read_request(sys.stdin.fileno())
    if request is None:
        return
    reply: Reply | None
    try:
        reply = execute(request, sys.stdin.fileno())
    except SetUpError as error:
        reply = _failed(str(error))
    except Exception as error:  # noqa: BLE001 - the process boundary
        reply = _failed(f"the supervisor failed: {type(error).__name__}: {error}")
    if reply is not None:
        write_all(sys.stdout.fileno(), encode(reply))
    os._exit(0)


def _failed(message: str) -> Reply:
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
