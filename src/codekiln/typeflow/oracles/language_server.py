"""One language server process, spoken to over its standard streams; knows no language.

Every request has a deadline. A server that dies, hangs or answers nonsense raises ServerError and
is of no further use; starting another is the caller's business.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# More than a checker ever says about one file; a server that says more is broken.
_MOST_BYTES = 64 << 20


class ServerError(Exception):
    """The server went away, did not answer in time, or answered with an error."""


class LanguageServer:
    """A started and initialised server whose workspace is `folder`."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        timeout_s: float,
    ) -> None:
        self._timeout_s = timeout_s
        self._received = bytearray()
        self._numbers = 0
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=folder,
                env=dict(environment),
                # Ctrl-C is for codekiln, which then closes its servers: they and what they start
                # (npm's scripts are only a door to the real one) are one process group.
                start_new_session=True,
            )
        except OSError as error:
            raise ServerError(f"{command[0]} does not start: {error}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._out, self._in = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        try:
            self._initialise(folder.as_uri())
        except BaseException:
            self.close()
            raise

    def _initialise(self, uri: str) -> None:
        self.request(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": uri,
                "workspaceFolders": [{"uri": uri, "name": "answer"}],
                "capabilities": {
                    "general": {"positionEncodings": ["utf-16"]},
                    "textDocument": {"diagnostic": {}},
                },
            },
        )
        self.notify("initialized", {})

    def request(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """The result that the server answers with."""
        self._numbers += 1
        number = self._numbers
        deadline = time.monotonic() + self._timeout_s
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
        self._send(message, deadline)
        while True:
            got = self._receive(deadline)
            if "method" in got:
                if "id" in got:
                    self._send(_reply(got), deadline)
            elif got.get("id") == number:
                if "error" in got:
                    raise ServerError(f"{method}: {got['error']}")
                return got.get("result")

    def notify(self, method: str, parameters: Mapping[str, Any]) -> None:
        """Tell the server something that it does not answer."""
        message = {"jsonrpc": "2.0", "method": method, "params": parameters}
        self._send(message, time.monotonic() + self._timeout_s)

    def close(self) -> None:
        """End the process and what it started, whatever they are doing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _send(self, message: Mapping[str, Any], deadline: float) -> None:
        body = json.dumps(message).encode()
        data = memoryview(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        while data:
            self._wait(self._out, selectors.EVENT_WRITE, deadline)
            try:
                data = data[os.write(self._out, data) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ServerError(f"the language server went away: {error}") from error

    def _receive(self, deadline: float) -> dict[str, Any]:
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            self._read_some(deadline)
        size = _content_length(bytes(self._received[:end]))
        while len(self._received) < end + 4 + size:
            self._read_some(deadline)
        body = bytes(self._received[end + 4 : end + 4 + size])
        del self._received[: end + 4 + size]
        try:
            message = json.loads(body)
        except ValueError as error:
            raise ServerError("the language server sent no JSON") from error
        if not isinstance(message, dict):
            raise ServerError("the language server sent no message")
        return message

    def _read_some(self, deadline: float) -> None:
        self._wait(self._in, selectors.EVENT_READ, deadline)
        try:
            part = os.read(self._in, 1 << 16)
        except BlockingIOError:
            return
        if not part:
            raise ServerError(f"the language server ended with {self._process.poll()}")
        self._received += part
        if len(self._received) > _MOST_BYTES:
            raise ServerError("the language server does not stop talking")

    def _wait(self, stream: int, event: int, deadline: float) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(stream, event)
            # Also where more is there at once: a server that never stops talking is no answer.
            left_s = deadline - time.monotonic()
            if left_s <= 0 or not selector.select(left_s):
                raise ServerError(f"the language server gave no answer for {self._timeout_s:g} s")


def _content_length(header: bytes) -> int:
    for line in header.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            size = int(value)
            if size <= _MOST_BYTES:
                return size
    raise ServerError("the language server sent no length")


def _reply(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What a server that asks back is told: nothing is configured, everything is done."""
    parameters = asked.get("params")
    items = parameters.get("items", ()) if isinstance(parameters, dict) else ()
    result = [None] * len(items) if asked["method"] == "workspace/configuration" else None
    return {"jsonrpc": "2.0", "id": asked["id"], "result": result}
