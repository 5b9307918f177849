"""The guards of one answer: what looks at its drafts while they are written, and what it did.

Asked from the thread that writes the drafts, one after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Self

from codekiln.core import Prompt, Task
from codekiln.core.text_guard import GuardReport, TextGuard
from codekiln.generation.options import Guard
from codekiln.languages import get_language
from codekiln.languages.syntax_guard import SyntaxGuard
from codekiln.typeflow.guard import TypeGuard
from codekiln.typeflow.oracles import open_oracle

Guards = Callable[[int], TextGuard]


def open_guards(kind: Guard, task: Task) -> DraftGuards | None:
    """The guards of a task, to be closed; None for "none".

    Raises OracleError where the type checker is missing, and UsageError for a language that has
    none. A language without a reliable grammar is told in the notes.
    """
    if kind == "types":
        return TypeGuards(task.language, is_standalone=not task.context)
    return SyntaxGuards(task.language) if kind == "syntax" else None


def require_guard(kind: Guard, language: str) -> None:
    """Raises what `open_guards` raises, before minutes are spent."""
    if kind == "types":
        open_oracle(language).close()


class DraftGuards(ABC):
    """Makes guards for prompts in one language. `errors` is what they take back, in words."""

    errors = "errors"

    def __init__(self) -> None:
        self.reports: list[GuardReport] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    @abstractmethod
    def of(self, prompt: Prompt, *, greedy: bool = False) -> Guards:
        """What makes the guard of each sample of a prompt."""

    @abstractmethod
    def checker(self) -> dict[str, object]:
        """What looks, for the record."""

    def summary(self) -> dict[str, object]:
        """What the guards did, for the record."""
        rules: Counter[str] = Counter()
        for report in self.reports:
            rules.update(report.rules)
        return {
            **self.checker(),
            "drafts": len(self.reports),
            "checks": sum(report.checks for report in self.reports),
            "seconds": round(sum(report.seconds for report in self.reports), 3),
            "taken_back": dict(rules),
            "restarts": sum(report.restarts for report in self.reports),
            "abstained": self._abstained(),
        }

    def notes(self) -> list[str]:
        """What the user should know: how much was taken back, and where the guard gave up."""
        taken = sum(report.take_backs for report in self.reports)
        notes = []
        if taken:
            notes.append(f"{taken} {self.errors} were taken back while drafts were written")
        return notes + [f"the guard stopped looking in some drafts: {w}" for w in self._abstained()]

    def _abstained(self) -> list[str]:
        return sorted({report.abstained for report in self.reports if report.abstained})


class TypeGuards(DraftGuards):
    """One type checker for all drafts."""

    errors = "type errors"

    def __init__(self, language: str, *, is_standalone: bool) -> None:
        super().__init__()
        self._language = language
        self._is_standalone = is_standalone
        self._oracle = open_oracle(language)

    def __exit__(self, *_: object) -> None:
        self._oracle.close()

    def of(self, prompt: Prompt, *, greedy: bool = False) -> Guards:
        """See DraftGuards."""

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

    def checker(self) -> dict[str, object]:
        """See DraftGuards."""
        return {"checker": self._oracle.name, "starts": self._oracle.starts}


class SyntaxGuards(DraftGuards):
    """The grammar of any language."""

    errors = "syntax errors"

    def __init__(self, language: str) -> None:
        super().__init__()
        self._language = get_language(language)

    def of(self, prompt: Prompt, *, greedy: bool = False) -> Guards:
        """See DraftGuards."""

        def make(_: int) -> TextGuard:
            guard = SyntaxGuard(self._language, prompt.prefill, greedy=greedy)
            self.reports.append(guard.report)
            return guard

        return make

    def checker(self) -> dict[str, object]:
        """See DraftGuards."""
        return {"checker": "grammar"}
