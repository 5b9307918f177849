"""One model server over HTTP: JSON requests and streams of chunks, with time limits and retries.

A request is repeated only while nothing of its answer has arrived: after 429 (as long as
Retry-After asks, within limits), after 500, 502, 503 and 504, and once after a connection that
closed without an answer. Redirects are refused, so that the key and the prompt go only where
the user said. Knows nothing of prompts, samples or prefills.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import random
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from codekiln.backends.openai_failures import (
    refusal,
    retry_after_s,
    transport_failure,
)
from codekiln.backends.openai_wire import Chunk, not_an_answer, parse_chunk
from codekiln.backends.sse import MAX_EVENT_BYTES, SseParser
from codekiln.core.errors import (
    CodekilnError,
    ContextOverflowError,
    RateLimitedError,
    UsageError,
)

ERROR_BODY_BYTES = 64 << 10
_RETRIED_STATUSES = frozenset({500, 502, 503, 504})
_BUSY_STATUSES = frozenset({429, 502, 503, 504})
_SERVER_ERROR_RETRIES = 2
_DRAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Time limits in seconds, attempts and parallel requests of one backend.

    `read_timeout_s` is the longest silence, so it must cover the queue of a busy server and the
    prefill of a long prompt. `max_wait_s` bounds each wait between attempts.
    """

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 300.0
    max_attempts: int = 5
    first_wait_s: float = 0.5
    max_wait_s: float = 60.0
    max_concurrency: int = 32


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is and how it knows us; the secrets are in no repr."""

    base: str
    api_key: str = field(default="", repr=False)
    user_info: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def root(self) -> str:
        """The base without its version, where servers keep what is not OpenAI's."""
        return self.base.removesuffix("/v1")

    @property
    def is_loopback(self) -> bool:
        """True for this machine itself, which no proxy should come before."""
        host = httpx.URL(self.base).host
        with contextlib.suppress(ValueError):
            return ipaddress.ip_address(host).is_loopback
        return host == "localhost" or host.endswith(".localhost")

    def redacted(self, error: CodekilnError) -> CodekilnError:
        """The same error without secrets that the server may have quoted."""
        secrets = [self.api_key, *((self.user_info or ("", ""))[1:])]
        message, remedy = error.message, error.remedy
        for secret in filter(None, secrets):
            message, remedy = message.replace(secret, "[key]"), remedy.replace(secret, "[key]")
        return error if message == error.message else type(error)(message, remedy)


def parse_address(api_base: str, api_key: str = "") -> ServerAddress:
    """A server's address from what users write: /v1 may be missing, a full path may be there.

    Raises UsageError for anything but an http or https URL and for a key no header can carry.
    """
    try:
        url = httpx.URL(api_base.strip())
        valid = url.scheme in ("http", "https") and bool(url.host)
    except httpx.InvalidURL:
        valid = False
    if not valid:
        shown = api_base.rpartition("@")[2]
        raise UsageError(
            f"The API base {shown!r} is not an http or https address",
            "Write it like http://127.0.0.1:8000/v1",
        )
    api_key = api_key.strip()
    if not (api_key.isascii() and api_key.isprintable()):
        raise UsageError(
            "The API key has characters that no HTTP header can carry",
            "Set CODEKILN_API_KEY to the key alone",
        )
    user_info = (url.username, url.password) if url.username or url.password else None
    path = url.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    base = url.copy_with(path=path, query=None, fragment=None, username=None, password=None)
    return ServerAddress(str(base).rstrip("/"), api_key, user_info)


class ModelServer:
    """The connections to one server; all methods run on one event loop."""

    def __init__(self, address: ServerAddress, limits: ServerLimits) -> None:
        self.address = address
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.max_concurrency)
        headers = {"Authorization": f"Bearer {address.api_key}"} if address.api_key else {}
        self._client = httpx.AsyncClient(
            headers=headers,
            auth=None if address.user_info is None else httpx.BasicAuth(*address.user_info),
            timeout=httpx.Timeout(limits.read_timeout_s, connect=limits.connect_timeout_s),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            follow_redirects=False,
            trust_env=not address.is_loopback,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def ask(
        self, method: str, url: str, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Status and JSON value (None when it is none) of a small request.

        Raises BackendError subclasses when the server cannot be reached, is silent, or stays
        too busy to say anything (429, 502, 503, 504); any other status is the caller's.
        """
        response = await self._send(method, url, body, any_status=True)
        try:
            text = await _read_text(response, MAX_EVENT_BYTES)
        except httpx.HTTPError as error:
            raise transport_failure(error, url, "the answer") from error
        finally:
            await response.aclose()
        try:
            return response.status_code, json.loads(text)
        except (ValueError, RecursionError):
            return response.status_code, None

    async def chunks(self, body: Mapping[str, Any]) -> AsyncGenerator[Chunk | None, None]:
        """The chunks of one chat completion; None when the server says that it is done.

        Close the iterator to end the request early (contextlib.aclosing).
        """
        url = f"{self.address.base}/chat/completions"
        async with self._slots:
            response = await self._send("POST", url, body)
            try:
                async with contextlib.aclosing(_chunks_of(response)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            except httpx.HTTPError as error:
                raise transport_failure(error, url, "the answer") from error
            finally:
                await response.aclose()

    async def _send(
        self, method: str, url: str, body: Mapping[str, Any] | None, *, any_status: bool = False
    ) -> httpx.Response:
        """An open response of status 200, or of `any_status` but those of a busy server."""
        server_errors = dropped = 0
        for attempt in range(1, self._limits.max_attempts + 1):
            request = self._client.build_request(method, url, json=body)
            asked_wait_s: float | None = None
            try:
                response = await self._client.send(request, stream=True)
                status = response.status_code
                if status == 200 or (any_status and status not in _BUSY_STATUSES):
                    return response
                failure, asked_wait_s = await self._refused(response, url)
                server_errors += status in _RETRIED_STATUSES
                again = isinstance(failure, RateLimitedError) or (
                    status in _RETRIED_STATUSES
                    and server_errors <= _SERVER_ERROR_RETRIES
                    and not isinstance(failure, ContextOverflowError)
                )
            except httpx.HTTPError as error:
                failure = transport_failure(error, url, "the request")
                failure.__cause__ = error
                # A kept-alive connection that the server closed just now looks like this.
                dropped += isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
                again = dropped == 1
            if not again or attempt == self._limits.max_attempts:
                break
            await asyncio.sleep(self._wait_s(attempt, asked_wait_s, failure))
        raise failure

    async def _refused(
        self, response: httpx.Response, url: str
    ) -> tuple[CodekilnError, float | None]:
        """The error for a response that is no answer, and how long it asks to wait."""
        try:
            body = await _read_text(response, ERROR_BODY_BYTES)
        finally:
            await response.aclose()
        failure = refusal(response.status_code, response.headers, body, url)
        return failure, retry_after_s(response.headers)

    def _wait_s(self, attempt: int, asked_s: float | None, failure: CodekilnError) -> float:
        """Seconds before the next attempt; spread, so that parallel requests do not march."""
        spread = random.random()
        if asked_s is None:
            doubled: float = self._limits.first_wait_s * 2 ** (attempt - 1)
            longest = min(self._limits.max_wait_s, doubled)
            return longest * (0.5 + spread / 2)
        if asked_s > self._limits.max_wait_s:
            raise type(failure)(
                f"{failure.message}; it asks to wait {asked_s:.0f} s", failure.remedy
            )
        return asked_s + spread * self._limits.first_wait_s / 2


async def _chunks_of(response: httpx.Response) -> AsyncGenerator[Chunk | None, None]:
    content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == "application/json":
        # Some proxies take no notice of "stream": one chunk then holds the whole answer.
        yield parse_chunk(await _read_text(response, MAX_EVENT_BYTES))
        yield None
        return
    if content_type != "text/event-stream":
        beginning = await _read_text(response, ERROR_BODY_BYTES)
        raise not_an_answer(content_type or "no content type", beginning)
    parser = SseParser()
    pieces = response.aiter_bytes()
    async for piece in pieces:
        for event in parser.feed(piece):
            if event.data.strip() == "[DONE]":
                await _drain(pieces)
                yield None
                return
            yield parse_chunk(event.data, event.event)
    for event in parser.close():
        yield None if event.data.strip() == "[DONE]" else parse_chunk(event.data, event.event)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read the end of a finished body, so that its connection can be used again."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in pieces:
                pass


async def _read_text(response: httpx.Response, limit_bytes: int) -> str:
    """At most `limit_bytes` of a body as text; broken UTF-8 is replaced."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > limit_bytes:
            break
    return bytes(body[:limit_bytes]).decode("utf-8", errors="replace")
