"""What went wrong with a model server, as an error of codekiln.core with its remedy.

Takes status codes, headers, bodies and httpx exceptions. Covers the texts by which vLLM,
llama.cpp and OpenAI say that a prompt is too long; another server's wording becomes a plain
BackendError. Error texts quote the server, so callers redact secrets (`ServerAddress.redact`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from codekiln.core.errors import (
    BackendError,
    BackendTimeoutError,
    BackendUnavailableError,
    CodekilnError,
    ContextOverflowError,
    RateLimitedError,
)

EXCERPT_CHARACTERS = 240
_TOO_LONG = re.compile(
    r"exceed_context_size|context_length_exceeded|maximum context length"
    r"|exceeds? the available context size|longer than the maximum model length"
    r"|context (?:length|window|size) (?:is |was )?exceeded|exceeds? the (?:model's )?context",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.IGNORECASE | re.DOTALL)


class RequestRefusedError(BackendError):
    """The server understood a request and refused it as malformed or unsupported (400, 422)."""


class NotFoundError(BackendError):
    """The server has no such page or no such model (404)."""


def excerpt(body: str) -> str:
    """One line of a body that a person can read: its error message, its text without markup."""
    text = _error_message(body) or body
    if "<" in text:
        text = _MARKUP.sub(" ", text) if _MARKUP.search(text) else text
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if len(text) > EXCERPT_CHARACTERS:
        text = text[:EXCERPT_CHARACTERS].rstrip() + "…"
    return text or "(nothing)"


def answered_error(what: str, body: str) -> CodekilnError:
    """The error for an error object or an error body that carries no more specific status."""
    if _TOO_LONG.search(body):
        return ContextOverflowError(
            f"The prompt does not fit the server's context window: {excerpt(body)}",
            "Shorten the context or ask for fewer tokens, or start the server with a larger one",
        )
    return BackendError(f"{what}: {excerpt(body)}", "See the server's log")


def refusal(status: int, headers: Mapping[str, str], body: str, url: str) -> CodekilnError:
    """The error for a response whose status is not 200."""
    said = excerpt(body)
    if 300 <= status < 400:
        return BackendError(
            f"{url} redirects ({status}) to {excerpt(headers.get('location', ''))}",
            "Give the address it points to as the API base, if you trust it",
        )
    if status in (401, 403):
        return BackendError(
            f"{url} refused the API key ({status}): {said}",
            "Set CODEKILN_API_KEY to a key that this server accepts",
        )
    if status in (404, 405):
        return NotFoundError(
            f"{url} was not found ({status}): {said}",
            "Check the API base (it usually ends in /v1) and the model's name",
        )
    if status == 429:
        return RateLimitedError(
            f"{url} keeps refusing for too many requests (429): {said}",
            "Try again later or ask for fewer samples",
        )
    if status in (502, 503, 504):
        return BackendUnavailableError(
            f"{url} is not ready ({status}): {said}",
            "Wait until the server has loaded its model, or see its log",
        )
    error = answered_error(f"{url} answered {status}", body)
    if status in (400, 422) and not isinstance(error, ContextOverflowError):
        return RequestRefusedError(error.message, "See which of the request's options it names")
    return error


def transport_failure(error: httpx.HTTPError, url: str, during: str) -> BackendError:
    """The error for a connection that failed `during` "the request" or "the answer"."""
    cause = str(error) or type(error).__name__
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return BackendUnavailableError(
            f"Cannot reach {url}: {cause}", "Start the model server or correct the API base"
        )
    if isinstance(error, httpx.TimeoutException):
        return BackendTimeoutError(
            f"{url} was silent for too long during {during}",
            "Allow a longer read timeout, ask for fewer samples at once, or see the server's load",
        )
    if isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError | httpx.ProxyError):
        return BackendUnavailableError(
            f"The connection to {url} broke during {during}: {cause}",
            "See whether the server is still running, then ask again",
        )
    return BackendError(f"{url} could not be used: {cause}", "Check the API base")


def retry_after_s(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for (number or HTTP date), None without one."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _error_message(body: str) -> str:
    """The message inside the error objects that OpenAI, vLLM, llama.cpp and FastAPI send."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    error = value.get("error", value)
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or ""
    return error if isinstance(error, str) else json.dumps(error)
