"""A real HTTP server that says exactly the bytes a test gives it: it injects faults, no more."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

CHUNKED_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Seen:
    """One request as it came in; `at` is monotonic seconds."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    at: float = field(default_factory=time.monotonic)


Answer = Callable[["Connection", Seen], None]


class Connection:
    """What an answer may do with the client's socket."""

    def __init__(self, server: RawServer, sock: socket.socket) -> None:
        self._server = server
        self._sock = sock

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._sock.sendall(data)

    def stall(self) -> None:
        """Say nothing more until the client goes away or the test ends."""
        self._sock.settimeout(0.02)
        while not self._server.closing.is_set():
            try:
                if not self._sock.recv(4096):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            return
        self._server.client_gone.set()

    def reset(self) -> None:
        """Break the connection without a farewell."""
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._sock.close()


class RawServer:
    """Answers the i-th chat completion with `answers[i]`, further ones with the last.

    Any other path gets what `routes` says for it, else 404.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.routes: dict[str, Answer] = {}
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self.client_gone = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.base = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    @property
    def completions(self) -> list[Seen]:
        """The chat completion requests so far."""
        return [seen for seen in self.seen if seen.path.endswith("/chat/completions")]

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(ConnectionError):
            seen = _read_request(sock)
            if seen is None:
                return
            with self._lock:
                position = len(self.completions)
                self.seen.append(seen)
            if seen.path.endswith("/chat/completions"):
                answer = self.answers[min(position, len(self.answers) - 1)]
            else:
                answer = self.routes.get(seen.path, reply(404, b"no such page", "text/plain"))
            answer(Connection(self, sock), seen)
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_WR)


Start = Callable[..., RawServer]


def _read_request(sock: socket.socket) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    method, path, _ = lines[0].split(" ")
    pairs = (line.partition(": ") for line in lines[1:])
    headers = {name.lower(): value for name, _, value in pairs}
    while len(body) < int(headers.get("content-length", "0")):
        body += sock.recv(65536)
    return Seen(method, path, headers, json.loads(body) if body else None)


def reply(
    status: int, body: bytes, content_type: str = "application/json", **headers: str
) -> Answer:
    """A whole response; `Retry_After` as a keyword becomes the header Retry-After."""
    lines = [
        f"HTTP/1.1 {status} Said",
        f"Content-Type: {content_type}" if content_type else "X-None: 0",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return say("\r\n".join(lines).encode() + b"\r\n\r\n" + body)


def say(data: bytes) -> Answer:
    """Exactly these bytes, then the end of the connection."""
    return lambda connection, _: connection.send(data)


def event(value: object) -> bytes:
    """One event whose data is `value` as JSON (or as it is, when it is text)."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def piece(text: str, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    """One chunk of a chat completion."""
    delta = {"content": text} if text else {}
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def stream(*events: object) -> Answer:
    """A stream of these events, then the end of the connection."""
    return say(CHUNKED_STREAM + b"".join(event(value) for value in events))


def text_answer(text: str) -> Answer:
    """A complete, well-formed streamed answer."""
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    return stream(piece(text), piece("", "stop"), usage, "[DONE]")
