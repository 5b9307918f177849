"""How an answer is to be made, as plain data: what a user may choose, checked when built."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

from codekiln.backends import Attention, as_attention
from codekiln.core.errors import UsageError

Strategy = Literal["auto", "one-shot", "stepwise"]
Guard = Literal["none", "syntax", "types"]
STRATEGIES: tuple[Strategy, ...] = ("auto", "one-shot", "stepwise")
MAX_SAMPLES = 256
SEED_BITS = 32
MAX_SEED = (1 << 62) - 1


@dataclass(frozen=True, slots=True)
class Options:
    """The choices behind one answer.

    At most `n` candidates are drawn, repairs included: one greedy, the rest at `temperature`.
    `seed` fixes all of them; None draws one, which the record names. Without `verify` one greedy
    draft is all there is. `unsafe` permits checks where only resource limits keep programs in.
    `strategy` "stepwise" writes function by function, "one-shot" never does, "auto" does where a
    task names several functions and whole drafts failed. `attention` is how the embedded engine
    reads prompts, see codekiln.backends. `guard` "types" has a type checker look at drafts while
    they are written, see codekiln.typeflow.guard; "syntax" the grammar of any language.
    """

    n: int = 8
    max_tokens: int = 1024
    temperature: float = 0.8
    seed: int | None = None
    verify: bool = True
    unsafe: bool = False
    strategy: Strategy = "auto"
    attention: Attention = "auto"
    guard: Guard = "none"

    def __post_init__(self) -> None:
        if not 1 <= self.n <= MAX_SAMPLES:
            raise UsageError(f"n is {self.n}", f"Ask for 1 to {MAX_SAMPLES} candidates")
        if self.max_tokens < 1:
            raise UsageError(f"max_tokens is {self.max_tokens}", "Use a positive number")
        if not 0.0 <= self.temperature <= 100.0:
            raise UsageError(f"temperature is {self.temperature}", "Use 0 to 100 (0.8 is usual)")
        if self.seed is not None and not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"seed is {self.seed}", f"Use a whole number from 0 to {MAX_SEED}")

        as_strategy(self.strategy)
        as_attention(self.attention)
        as_guard(self.guard)

    def with_drawn_seed(self) -> Options:
        """The same options with the seed fixed."""
        return self if self.seed is not None else replace(self, seed=secrets.randbits(SEED_BITS))

    @property
    def drafts(self) -> int:
        """How many candidates to draw at most: repeating a greedy one would only cost time."""
        return self.n if self.verify and self.temperature > 0.0 else 1


def as_strategy(name: str) -> Strategy:
    """The strategy of this name. Raises UsageError."""
    for strategy in STRATEGIES:
        if strategy == name:
            return strategy
    raise UsageError(f"strategy is {name!r}", f"Use one of: {', '.join(STRATEGIES)}")


def as_guard(name: str) -> Guard:
    """The guard of this name. Raises UsageError."""
    for guard in get_args(Guard):
        if guard == name:
            return cast(Guard, guard)
    raise UsageError(f"guard is {name!r}", f"Use one of: {', '.join(get_args(Guard))}")
