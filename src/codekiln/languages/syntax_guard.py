"""The guard of one text in any language that has a grammar: takes back what cannot be parsed.

A line is looked at when it is finished. What is not covered: code outside of a fence, languages
whose grammar has gaps, what `certain_error` cannot be sure of, all that comes behind the budget.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from codekiln.core.fences import fenced_code
from codekiln.core.text_guard import GuardReport, TakeBack
from codekiln.languages.first_error import Refused, certain_error, refused_token
from codekiln.languages.registry import Language, language_of_fence

# Longer code is no answer to a task, and each look at it takes longer.
_LONGEST = 30_000


@dataclass(frozen=True, slots=True)
class SyntaxLimits:
    """What one answer may cost: take-backs in all and at one line, and seconds of parsing.

    What is taken back in all is no longer than the text that was written, and `spare` characters.
    """

    take_backs: int = 12
    at_one_line: int = 4
    spare: int = 200
    seconds: float = 20.0


class SyntaxGuard:
    """See TextGuard. `before` stands in front of the text: a prefill, or code to go on with.

    With `greedy` drawing again gives the same, so that what is taken back is always to be
    different.
    """

    def __init__(
        self,
        language: Language,
        before: str = "",
        *,
        greedy: bool = False,
        limits: SyntaxLimits | None = None,
    ) -> None:
        self._language = language
        self._before = before
        self._greedy = greedy
        self._limits = limits or SyntaxLimits()
        self._seen = -1
        self._refused: Counter[int] = Counter()
        self.report = GuardReport()

    def wakes(self, added: str) -> bool:
        """See TextGuard."""
        return not self.report.abstained and ("\n" in added or "`" in added)

    def judge(self, text: str, *, ended: bool) -> TakeBack | None:
        """See TextGuard."""
        if not self._language.has_sure_grammar:
            name = self._language.display_name
            self.report.abstained = f"the grammar of {name} cannot be relied upon"
        if self.report.abstained:
            return None
        whole = self._before + text
        region = fenced_code(whole, self._fits)
        if region is None:
            return None
        start, end, is_closed = region
        code = whole[start:end]
        begun = time.perf_counter()
        error = self._look(code, is_finished=is_closed or ended)
        self.report.seconds += time.perf_counter() - begun
        if error is None:
            return None
        taken = self._take_back(error, code, len(self._before) - start)
        if taken is None:
            # Behind the first error nothing is known.
            self.report.abstained = self.report.abstained or "a line stayed wrong"
        return taken

    def _fits(self, tag: str) -> bool:
        return not tag or language_of_fence(tag) == self._language

    def _look(self, code: str, *, is_finished: bool) -> Refused | None:
        report, limits = self.report, self._limits
        finished = len(code) if is_finished else code.rfind("\n") + 1
        if len(code) > _LONGEST or not finished or (finished == self._seen and not is_finished):
            return None
        if report.seconds >= limits.seconds:
            report.abstained = f"parsing took {limits.seconds:g} s"
            return None
        self._seen = finished
        report.checks += 1
        if is_finished:
            return refused_token(self._language, code)
        return certain_error(self._language, code)

    def _take_back(self, error: Refused, code: str, written: int) -> TakeBack | None:
        """From the token that does not fit, then from its line, then from the line before it.

        `written` is where the text begins in `code`; what stands before cannot be taken back.
        """
        report, limits = self.report, self._limits
        line = code.rfind("\n", 0, error.start) + 1
        tries = self._refused[line]
        to = error.start
        if tries >= limits.at_one_line // 2:
            to = line
        if tries == limits.at_one_line - 1:
            to = code.rfind("\n", 0, max(0, line - 1)) + 1
        cost = len(code) - to
        if (
            tries >= limits.at_one_line
            or to < written
            or report.take_backs >= limits.take_backs
            or report.characters + cost > len(code) - written + limits.spare
        ):
            return None
        self._refused[line] += 1
        self._seen = -1
        report.take_backs += 1
        report.characters += cost
        report.rules["syntax"] = report.rules.get("syntax", 0) + 1
        return TakeBack(to - written, differently=self._greedy or to == error.start)
