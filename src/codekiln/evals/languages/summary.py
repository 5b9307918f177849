"""What came of a language's tasks, counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from codekiln.evals.languages.outcomes import Arm, Outcome


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """How many of `tasks` got how far; `built` of `compiled` that could be, `ran` of `run`.

    `seconds`: the median from question to answer, None where nothing was timed.
    """

    tasks: int
    parse: int
    compiled: int
    built: int
    run: int
    ran: int
    passed: int
    tokens: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class LanguageCounts:
    """Both arms of one language. `check_ms` is the median of checking one answer, milliseconds."""

    language: str
    plain: ArmCounts
    codekiln: ArmCounts
    check_ms: float


def count_languages(outcomes: Sequence[Outcome]) -> list[LanguageCounts]:
    """The counts of each language, in the order of its first outcome; tasks that both arms have."""
    both = {o.task for o in outcomes if o.arm == "plain"} & {
        o.task for o in outcomes if o.arm == "codekiln"
    }
    by_language: dict[str, list[Outcome]] = {}
    for outcome in (outcome for outcome in outcomes if outcome.task in both):
        by_language.setdefault(outcome.language, []).append(outcome)
    return [
        LanguageCounts(
            language,
            _counts(own, "plain"),
            _counts(own, "codekiln"),
            round(1000 * median(outcome.check_s for outcome in own), 1),
        )
        for language, own in by_language.items()
    ]


def counts_from_json(stored: Mapping[str, Any]) -> LanguageCounts:
    """What `dataclasses.asdict` made of them."""
    return LanguageCounts(
        stored["language"],
        ArmCounts(**stored["plain"]),
        ArmCounts(**stored["codekiln"]),
        stored["check_ms"],
    )


def total(counts: Iterable[ArmCounts]) -> ArmCounts:
    """The sum over languages; of seconds there is none."""
    found = list(counts)
    return ArmCounts(
        tasks=sum(one.tasks for one in found),
        parse=sum(one.parse for one in found),
        compiled=sum(one.compiled for one in found),
        built=sum(one.built for one in found),
        run=sum(one.run for one in found),
        ran=sum(one.ran for one in found),
        passed=sum(one.passed for one in found),
        tokens=sum(one.tokens for one in found),
        seconds=None,
    )


def _counts(outcomes: Sequence[Outcome], arm: Arm) -> ArmCounts:
    own = [outcome for outcome in outcomes if outcome.arm == arm]
    timed = [outcome.seconds for outcome in own if outcome.seconds is not None]
    return ArmCounts(
        tasks=len(own),
        parse=sum(outcome.parses for outcome in own),
        compiled=sum(outcome.compiles is not None for outcome in own),
        built=sum(bool(outcome.compiles) for outcome in own),
        run=sum(outcome.runs is not None for outcome in own),
        ran=sum(bool(outcome.runs) for outcome in own),
        passed=sum(outcome.passes for outcome in own),
        tokens=sum(outcome.tokens for outcome in own),
        seconds=median(timed) if timed else None,
    )
