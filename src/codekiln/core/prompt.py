"""What a model is asked: messages with an assistant prefill, and how to sample the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from codekiln.core.errors import UsageError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Messages plus the text that the assistant's answer is made to begin with.

    `stop` are the strings at which this form of prompt ends its answer. `cuts` names in plain
    words everything that was left out to fit the context window.
    """

    messages: tuple[Message, ...]
    prefill: str = ""
    stop: tuple[str, ...] = ()
    cuts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn.

    `temperature` 0 is greedy. Filters apply in this order to the repetition-penalised,
    temperature-scaled logits: top-k, top-p, min-p (0, 1.0 and 0.0 switch them off).
    `seed` fixes the request's own random stream; None draws one and reports it.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    seed: int | None = None
    logprobs: bool = False

    def __post_init__(self) -> None:
        def require(ok: bool, field: str, value: object, wanted: str) -> None:
            if not ok:
                raise UsageError(f"sampling.{field} is {value!r}", f"Use {wanted}")

        require(0.0 <= self.temperature <= 100.0, "temperature", self.temperature, "0 to 100")
        require(0.0 < self.top_p <= 1.0, "top_p", self.top_p, "a number above 0, at most 1")
        require(self.top_k >= 0, "top_k", self.top_k, "0 (off) or a positive number")
        require(0.0 <= self.min_p < 1.0, "min_p", self.min_p, "a number from 0, below 1")
        require(
            self.repetition_penalty > 0.0,
            "repetition_penalty",
            self.repetition_penalty,
            "a positive number (1 is off)",
        )
        require(self.max_tokens >= 1, "max_tokens", self.max_tokens, "at least 1")
        require(all(self.stop), "stop", self.stop, "non-empty strings")

    def with_seed(self, seed: int) -> Sampling:
        """The same sampling with its random stream fixed."""
        return replace(self, seed=seed)
