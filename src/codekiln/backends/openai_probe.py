"""What a model server can do, found out by asking it: family, models, tokens, prefill.

Everything here is optional for a server; what it does not offer is answered with "unknown" or
with the way that works everywhere.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from codekiln.backends.answer_text import PrefillHandling
from codekiln.backends.openai_failures import RequestRefusedError, refusal
from codekiln.backends.openai_server import ModelServer
from codekiln.backends.openai_wire import (
    Family,
    PrefillWay,
    chat_messages,
    completion_body,
    template_options,
)
from codekiln.core import Message, Prompt, Sampling
from codekiln.core.errors import UsageError

_FAMILIES: dict[str, Family] = {"vllm": "vllm", "llamacpp": "llamacpp", "llama.cpp": "llamacpp"}

# A server that continues the prefill goes on with " 8". One that starts a new message does not
# begin with that blank, and cannot repeat the prefill within the tokens allowed, so a prefill
# that comes back whole is an echo.
_PROBE = Prompt(
    messages=(
        Message(
            "user",
            "Write the whole numbers from 1 to 20 in order, separated by a comma and a blank. "
            "Write nothing else.",
        ),
    ),
    prefill="1, 2, 3, 4, 5, 6, 7,",
)
_PROBE_ANSWER = " 8"
_PROBE_SAMPLING = Sampling(max_tokens=6, seed=0)


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What /v1/models tells. `models` maps each name to its context window, None if unknown."""

    family: Family
    owner: str
    models: dict[str, int | None]

    def resolve(self, model: str) -> str:
        """The name to send: `model`, or the server's first when it is empty."""
        if model:
            return model
        if not self.models:
            raise UsageError(
                "No model was named and the server lists none", "Name the model, like openai:NAME"
            )
        return next(iter(self.models))

    def context_tokens(self, model: str) -> int | None:
        """Context window of `model`; llama.cpp answers to any name with the one it has."""
        if self.family == "llamacpp" and model not in self.models and len(self.models) == 1:
            return next(iter(self.models.values()))
        return self.models.get(model)


@dataclass(frozen=True, slots=True)
class PrefillSupport:
    """How to send a prefill, and how it comes back."""

    way: PrefillWay
    handling: PrefillHandling


NO_PREFILL = PrefillSupport("none", "searched")


async def read_profile(server: ModelServer) -> ServerProfile:
    """The server's models and family.

    Raises BackendError subclasses when it cannot be reached or refuses the key; a server
    without such a list is of family "other".
    """
    url = f"{server.address.base}/models"
    status, value = await server.ask("GET", url)
    if status in (401, 403):
        raise refusal(status, {}, "" if value is None else str(value), url)
    listed = value.get("data") if status == 200 and isinstance(value, dict) else None
    entries = [
        entry
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("id"), str)
    ]
    owner = str(entries[0].get("owned_by", "")) if entries else ""
    models = {entry["id"]: _context_tokens(entry) for entry in entries}
    return ServerProfile(_FAMILIES.get(owner.lower(), "other"), owner, models)


def _context_tokens(entry: dict[str, Any]) -> int | None:
    meta = entry.get("meta")
    fields = [entry.get("max_model_len"), entry.get("context_length")]
    if isinstance(meta, dict):
        fields.append(meta.get("n_ctx"))
    return next((value for value in fields if isinstance(value, int) and value > 0), None)


async def probe_prefill(server: ModelServer, model: str, family: Family) -> PrefillSupport:
    """Ask for a few tokens behind a known prefill and look at what comes back.

    A server (or a model) that does not pass counts as one that cannot continue a message.
    """
    ways: tuple[PrefillWay, ...] = ("continue", "plain")
    for way in ways:
        body = completion_body(model, _PROBE, _PROBE_SAMPLING, 1, family, way)
        text = ""
        try:
            async with contextlib.aclosing(server.chunks(body)) as chunks:
                async for chunk in chunks:
                    text += "".join(c.text for c in chunk.choices) if chunk else ""
        except RequestRefusedError:
            continue
        echoed = text.startswith(_PROBE.prefill)
        if text.removeprefix(_PROBE.prefill).startswith(_PROBE_ANSWER):
            return PrefillSupport(way, "echoed" if echoed else "silent")
    return NO_PREFILL


async def count_tokens(
    server: ModelServer, model: str, family: Family, prompt: Prompt, way: PrefillWay
) -> int | None:
    """Tokens of the prompt in the model's template; None when the server cannot tell."""
    messages = chat_messages(prompt, way)
    options = template_options(prompt, way)
    root = server.address.root
    if family != "llamacpp":
        body = {"model": model, "messages": messages, **options}
        status, value = await server.ask("POST", f"{root}/tokenize", body)
        if status == 200 and isinstance(value, dict) and isinstance(value.get("count"), int):
            return int(value["count"])
    if family == "vllm":
        return None
    body = {"messages": messages, **options}
    status, value = await server.ask("POST", f"{root}/apply-template", body)
    if status != 200 or not isinstance(value, dict) or not isinstance(value.get("prompt"), str):
        return None
    body = {"content": value["prompt"], "add_special": True, "parse_special": True}
    status, value = await server.ask("POST", f"{root}/tokenize", body)
    tokens = value.get("tokens") if status == 200 and isinstance(value, dict) else None
    return len(tokens) if isinstance(tokens, list) else None
