"""Which problems of a suite a run asks for, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from codekiln.core.errors import UsageError
from codekiln.evals.problems import Problem

# Between a problem's id and the number of its repetition.
_REPEATED = "#"
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Choice:
    """The first `limit` of those with the word `topic` in their topic and `problem` as their id.

    `problem` may leave out what all ids of the suite begin with ("7" for "HumanEval/7"). With
    `repeat` each is asked so many times, every time with a seed of its own.
    """

    limit: int | None = None
    topic: str | None = None
    problem: str | None = None
    repeat: int = 1

    def __post_init__(self) -> None:
        for name, value in (("limit", self.limit), ("repeat", self.repeat)):
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}", "Use a positive number")

    @property
    def is_part(self) -> bool:
        """True when a suite may have more problems than these."""
        return self != Choice()

    def of(self, problems: Sequence[Problem]) -> list[Problem]:
        """The chosen problems. Raises UsageError, with what there is, when none is left."""
        chosen = [p for p in problems if self.topic is None or self.topic in p.topic]
        if not chosen:
            topics = sorted({problem.topic for problem in problems} - {""})
            raise UsageError(
                f"no problem has the topic {self.topic!r}",
                f"Topics of this suite: {', '.join(topics) or 'none'}",
            )
        named = [p for p in chosen if self.problem in (None, p.id, p.id.rpartition("/")[2])]
        if not named:
            some = ", ".join(problem.id for problem in chosen[:_SHOWN])
            more = f" and {len(chosen) - _SHOWN} more" if len(chosen) > _SHOWN else ""
            raise UsageError(f"no problem is called {self.problem!r}", f"There are {some}{more}")
        named = named[: self.limit if self.limit is not None else len(named)]
        if self.repeat == 1:
            return named
        return [
            replace(problem, id=f"{problem.id}{_REPEATED}{number}")
            for problem in named
            for number in range(1, self.repeat + 1)
        ]


def id_in_suite(problem: str) -> str:
    """The id that the suite knows, without the number of a repetition."""
    return problem.partition(_REPEATED)[0]
