"""The guards of one answer: one type checker for all of its drafts, and what they did.

Asked from the thread that writes the drafts, one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Self

from codekiln.core import Prompt
from codekiln.core.text_guard import TextGuard
from codekiln.typeflow.guard import GuardReport, TypeGuard
from codekiln.typeflow.oracles import open_oracle

Guards = Callable[[int], TextGuard]


def require_checker(language: str) -> None:
    """Raises OracleError or UsageError where there can be no guard, before minutes are spent."""
    open_oracle(language).close()


class TypeGuards:
    """Makes guards for prompts in one language. Raises OracleError where its checker is missing,
    and UsageError for a language that has none."""

    def __init__(self, language: str, *, is_standalone: bool) -> None:
        self._language = language
        self._is_standalone = is_standalone
        self._oracle = open_oracle(language)
        self.reports: list[GuardReport] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._oracle.close()

    def of(self, prompt: Prompt, *, greedy: bool = False) -> Guards:
        """What makes the guard of each sample of a prompt."""

        def make(_: int) -> TextGuard:
            guard = TypeGuard(
                self._oracle,
                self._language,
                prompt.prefill,
                greedy=greedy,
                is_standalone=self._is_standalone,
            )
            self.reports.append(guard.report)
            return guard

        return make

    def summary(self) -> dict[str, object]:
        """What the guards did, for the record."""
        rules: Counter[str] = Counter()
        for report in self.reports:
            rules.update(report.rules)
        return {
            "checker": self._oracle.name,
            "starts": self._oracle.starts,
            "drafts": len(self.reports),
            "checks": sum(report.checks for report in self.reports),
            "seconds": round(sum(report.seconds for report in self.reports), 3),
            "taken_back": dict(rules),
            "restarts": sum(report.restarts for report in self.reports),
            "abstained": sorted({report.abstained for report in self.reports if report.abstained}),
        }

    def notes(self) -> list[str]:
        """What the user should know: how much was taken back, and where the guard gave up."""
        taken = sum(report.take_backs for report in self.reports)
        abstained = sorted({report.abstained for report in self.reports if report.abstained})
        notes = []
        if taken:
            notes.append(f"{taken} type errors were taken back while drafts were written")
        notes += [f"the type guard stopped looking in some drafts: {why}" for why in abstained]
        return notes
