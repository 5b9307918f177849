"""From what a user writes as a model to an open Backend.

`NAME` runs in this process, unless an API base is given; `openai:NAME@http://HOST:PORT/v1`
names model and server in one; `local:NAME` runs here whatever the environment says.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from codekiln.backends.protocol import Attention, Backend, as_attention
from codekiln.core.errors import UsageError

if TYPE_CHECKING:
    from codekiln.backends.openai_server import ServerLimits
    from codekiln.models import Progress

_REMOTE = re.compile(r"openai:(?P<name>.*?)(?:@(?P<base>https?://.+))?", re.IGNORECASE)


def open_backend(
    model: str,
    *,
    api_base: str | None = None,
    api_key: str | None = None,
    limits: ServerLimits | None = None,
    progress: Progress | None = None,
    attention: Attention = "auto",
) -> Backend:
    """A backend for `model`; close it, or use it in a `with` block.

    An API base, from `api_base`, the model itself or CODEKILN_API_BASE in this order, selects a
    server; `api_key` (or CODEKILN_API_KEY) and `limits` are for it. Otherwise the weights are
    found, fetched with `progress` and loaded here; `attention` is for them. A server is first
    contacted when it is used.

    Raises UsageError for a malformed address and for an attention that a server cannot be asked
    for, and what codekiln.models raises for local weights.
    """
    remote = _REMOTE.fullmatch(model.strip())
    is_local = model.startswith("local:")
    name = remote["name"] if remote else model.removeprefix("local:")
    base = api_base or (remote and remote["base"])
    if not base and not is_local:
        base = os.environ.get("CODEKILN_API_BASE")
    if is_local and api_base:
        raise UsageError(
            f"The model {model!r} is local, but an API base was given", "Give only one of them"
        )
    as_attention(attention)
    if base and attention != "auto":
        raise UsageError(
            f"{attention} attention was asked for, but the model runs on a server ({base})",
            "Only the embedded engine can be told how to attend",
        )
    if base:
        # httpx and torch take their time to import; `codekiln --version` needs neither.
        from codekiln.backends.openai import OpenAIBackend
        from codekiln.backends.openai_server import parse_address

        key = os.environ.get("CODEKILN_API_KEY", "") if api_key is None else api_key
        return OpenAIBackend(name, parse_address(base, key), limits)
    if remote:
        raise UsageError(
            f"The model {model!r} names no server", "Write it like openai:NAME@http://HOST:PORT/v1"
        )
    from codekiln.backends.local import open_local

    return open_local(name, progress, attention)
