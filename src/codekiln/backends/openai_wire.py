"""The JSON of chat completions: request bodies out, stream chunks in, as typed values.

Knows how servers of the families in `Family` differ in their fields; knows nothing of sockets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from codekiln.backends.openai_failures import answered_error, excerpt
from codekiln.core import Prompt, Sampling
from codekiln.core.errors import BackendError

Family = Literal["vllm", "llamacpp", "other"]
PrefillWay = Literal["continue", "plain", "none"]

# OpenAI refuses more; codekiln.backends.answer_text cuts at the others.
_STOP_STRINGS_EVERYWHERE = 4
# llama.cpp takes 2**32 - 1, and others take negative numbers, for "draw a seed".
_SEED_MASK = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Choice:
    """What one chunk adds to answer `index`."""

    index: int
    text: str
    finish: str | None
    logprobs: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the server gives them."""

    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of the stream; a chunk may hold only usage."""

    choices: tuple[Choice, ...]
    usage: Usage | None


def chat_messages(prompt: Prompt, way: PrefillWay) -> list[dict[str, str]]:
    """The messages, the prefill as a last assistant message unless `way` is "none"."""
    messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
    if prompt.prefill and way != "none":
        messages.append({"role": "assistant", "content": prompt.prefill})
    return messages


def template_options(prompt: Prompt, way: PrefillWay) -> dict[str, Any]:
    """The fields that leave the last assistant message open (vLLM, SGLang, new llama.cpp)."""
    if prompt.prefill and way == "continue":
        return {"continue_final_message": True, "add_generation_prompt": False}
    return {}


def completion_body(
    model: str, prompt: Prompt, sampling: Sampling, n: int, family: Family, way: PrefillWay
) -> dict[str, Any]:
    """The body of a streamed request for `n` answers with seeds `sampling.seed` + i."""
    body: dict[str, Any] = {
        "model": model,
        "messages": chat_messages(prompt, way),
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "stream": True,
        "stream_options": {"include_usage": True},
        **template_options(prompt, way),
        **_family_fields(sampling, family),
    }
    if n > 1:
        body["n"] = n
        if family == "vllm":
            # Without it vLLM reports only the sum over the n answers.
            body["stream_options"]["continuous_usage_stats"] = True
    if sampling.seed is not None:
        body["seed"] = sampling.seed & _SEED_MASK
    stop = sampling.stop + (prompt.stop if way != "none" or not prompt.prefill else ())
    if stop:
        body["stop"] = list(stop if family != "other" else stop[:_STOP_STRINGS_EVERYWHERE])
    if sampling.logprobs:
        # llama.cpp sends 20 alternatives per token unless told otherwise.
        body |= {"logprobs": True, "top_logprobs": 1}
    return body


def _family_fields(sampling: Sampling, family: Family) -> dict[str, Any]:
    """Sampling fields outside the OpenAI API.

    Known servers get all of them, because their own defaults are not ours (llama.cpp: top-k 40
    and min-p 0.05; vLLM: what the model's generation_config.json says). Others might refuse an
    unknown field, so they get only what differs from "off".
    """
    if family == "llamacpp":
        fields: dict[str, Any] = {
            "top_k": sampling.top_k,
            "min_p": sampling.min_p,
            "repeat_penalty": sampling.repetition_penalty,
            # llama.cpp scales by temperature last; codekiln's Sampling says first.
            "samplers": ["penalties", "temperature", "top_k", "top_p", "min_p"],
        }
        if sampling.repetition_penalty != 1.0:
            fields["repeat_last_n"] = -1
        return fields
    fields = {
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if family == "vllm":
        return fields
    off = {"top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    return {name: value for name, value in fields.items() if value != off[name]}


def parse_chunk(data: str, event: str = "message") -> Chunk:
    """One event's data as a Chunk.

    Raises ContextOverflowError or BackendError for an error object, BackendError for anything
    that is not a chunk.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise not_an_answer("malformed JSON", data) from None
    if not isinstance(value, dict):
        raise not_an_answer("JSON that is not an object", data)
    if event == "error" or value.get("error") or value.get("object") == "error":
        raise answered_error("The server broke off its answer", data)
    try:
        choices = tuple(_choice(item) for item in value.get("choices") or ())
        usage = _usage(value.get("usage"))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise not_an_answer("a chunk of unknown form", data) from None
    return Chunk(choices, usage)


def _choice(item: dict[str, Any]) -> Choice:
    # "message" is the form of an answer that was not streamed.
    delta = item.get("delta") or item.get("message") or {}
    text = delta.get("content") or ""
    if not isinstance(text, str):
        raise TypeError("content is not text")
    finish = item.get("finish_reason")
    return Choice(
        index=int(item.get("index") or 0),
        text=text,
        finish=None if finish is None else str(finish),
        logprobs=_logprobs(item.get("logprobs")),
    )


def _logprobs(value: dict[str, Any] | None) -> tuple[float, ...] | None:
    content = value.get("content") if value else None
    return tuple(float(token["logprob"]) for token in content) if content else None


def _usage(value: dict[str, Any] | None) -> Usage | None:
    if not value:
        return None
    return Usage(int(value.get("prompt_tokens") or 0), int(value.get("completion_tokens") or 0))


def not_an_answer(what: str, data: str) -> BackendError:
    """The error for something that is no chat completion, with the beginning of it."""
    return BackendError(
        f"The server answered with {what}: {excerpt(data)}",
        "Check that the address is that of a chat completion server",
    )
