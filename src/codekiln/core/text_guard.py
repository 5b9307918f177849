"""The contract between whoever writes a text bit by bit and whoever may take some of it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Write again from character `to` of the text on.

    With `differently`, what stood there must not come again at once; without, another draw decides.
    """

    to: int
    differently: bool = True


@dataclass(slots=True)
class GuardReport:
    """What a guard did; `abstained` says why it stopped, empty while it did not.

    `characters` were taken back, `seconds` went into looking; `rules` counts what was refused.
    """

    checks: int = 0
    take_backs: int = 0
    characters: int = 0
    seconds: float = 0.0
    restarts: int = 0
    abstained: str = ""
    rules: dict[str, int] = field(default_factory=dict)


class TextGuard(Protocol):
    """Judges one text while it is being written; knows no tokens."""

    def wakes(self, added: str) -> bool:
        """Whether a text that grew by `added` is worth a look."""

    def judge(self, text: str, *, ended: bool) -> TakeBack | None:
        """None to go on. `ended`: the writer takes the text as finished.

        `text` is all that was written so far, without what was taken back.
        """
