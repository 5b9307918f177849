"""The decode-guard hook: look at each drawn token before it counts, accept it or roll back.

Only a rejection costs anything: an accepted token is decoded in the same batch as all others.
What is covered: every token of the sequence the guard was given to, in order. What is not:
tokens of the prompt, which a guard can read but not undo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Accept:
    """Keep the drawn token."""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Discard the drawn token and everything from generated position `to` on.

    `ban` are token ids that must not be drawn at position `to` while what precedes it stays the
    same; bans of one position add up over several rollbacks. An empty `ban` draws again with the
    next random number.
    """

    to: int
    ban: frozenset[int] = frozenset()


GuardDecision = Accept | RollBack


class DecodeGuard(Protocol):
    """Decides over the tokens of one sequence."""

    def inspect(self, generated: Sequence[int], drawn: int) -> GuardDecision:
        """Judge `drawn`, which would be generated position len(generated).

        `generated` are the tokens that were accepted so far, without the prompt.
        """
