"""The guard of one text: asks a type checker about every finished statement, and takes back errors.

What is covered: errors of the kinds in monotone.toml in finished statements, and every error of the
finished code of a language whose compiler refuses them. What is not: code that does not parse far
enough, code outside of a fence, modules that the checker does not find, all that comes behind the
budget. Then the guard abstains, and its report says so.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace

from codekiln.core.fences import fenced_code
from codekiln.core.text_guard import GuardReport, TakeBack
from codekiln.typeflow.guard.braces_prefix import braces_prefix
from codekiln.typeflow.guard.monotone import final_errors, monotone, rules_of
from codekiln.typeflow.guard.prefix import Prefix
from codekiln.typeflow.guard.python_prefix import python_prefix
from codekiln.typeflow.oracles import Diagnostic, Oracle, OracleError

_TAGS = {
    "python": {"python", "py", "python3"},
    "typescript": {"typescript", "ts"},
    "javascript": {"javascript", "js", "node"},
}
# Longer code is no answer to a task, and each look at it takes longer.
_LONGEST = 60_000
_SETTLING = {"python": "\n", "typescript": ";}\n", "javascript": ";}\n"}


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """What one answer may cost: take-backs in all and at one place, checks, seconds of checking.

    What is taken back in all is no longer than the text that was written, and `spare` characters:
    so a guarded answer costs at most about twice as much. An error that would cost more, or that
    comes again and again at one place, has the whole text written anew, once; then it is let be.
    """

    take_backs: int = 16
    spare: int = 400
    at_one_place: int = 4
    checks: int = 400
    seconds: float = 30.0


class TypeGuard:
    """See TextGuard. `before` stands in front of the text: a prefill, or code to go on with.

    `is_code`: the text is code from its first character; else code is what stands in a fence. With
    `greedy` drawing again gives the same, so that what is taken back is always to be different.
    `is_standalone`: there is no project around, so that a module that is not found is an error.
    """

    def __init__(
        self,
        oracle: Oracle,
        language: str,
        before: str = "",
        *,
        is_code: bool = False,
        greedy: bool = False,
        is_standalone: bool = False,
        limits: GuardLimits | None = None,
    ) -> None:
        self._oracle = oracle
        self._language = language
        self._before = before
        self._is_code = is_code
        self._greedy = greedy
        self._is_standalone = is_standalone
        self._limits = limits or GuardLimits()
        self._rules = rules_of(language)
        self._wakers = _SETTLING[language] + "`"
        self._seen: tuple[int, bool] | None = None
        self._refused: Counter[int] = Counter()
        self._tolerated: set[tuple[str, int]] = set()
        self.report = GuardReport()

    def wakes(self, added: str) -> bool:
        """See TextGuard."""
        return not self.report.abstained and any(sign in added for sign in self._wakers)

    def judge(self, text: str, *, ended: bool) -> TakeBack | None:
        """See TextGuard."""
        if self._is_spent():
            return None
        # A lone surrogate is no text that a checker could be sent.
        whole = (self._before + text).encode("utf-8", "replace").decode()
        region = self._code(whole)
        if region is None:
            return None
        start, end, is_closed = region
        code = whole[start:end]
        begun = time.perf_counter()
        try:
            errors = self._look(code, is_finished=is_closed or ended)
        except (OracleError, RecursionError) as error:
            self.report.abstained = str(error)
            return None
        finally:
            self.report.seconds += time.perf_counter() - begun
        written = len(self._before) - start
        for found, statement in errors:
            taken = self._take_back(found, statement, code, written)
            if taken is not None:
                return taken
        return None

    def _code(self, whole: str) -> tuple[int, int, bool] | None:
        """Where the code is, and whether its fence is closed."""
        if self._is_code:
            return 0, len(whole), False
        return fenced_code(whole, _TAGS[self._language].__contains__)

    def _look(self, code: str, *, is_finished: bool) -> list[tuple[Diagnostic, int]]:
        """The errors that stay and where their statement begins."""
        if is_finished and not code.endswith("\n"):
            code += "\n"
        prefix = self._prefix(code)
        if is_finished:
            if self._language == "python" and not _is_whole(code, prefix):
                return []
            known = prefix or Prefix("", 0, 0)
            prefix = replace(known, program=code, finished=len(code), top=0, made=None)
        if prefix is None or (prefix.finished, is_finished) == self._seen:
            return []
        self._seen = prefix.finished, is_finished
        self.report.checks += 1
        diagnostics = self._oracle.check(prefix.program)
        unknown = [found for found in diagnostics if found.code in self._rules.unknown]
        if unknown and not self._is_standalone:
            # What it imports is not here: then the checker guesses.
            return []
        stays = (
            final_errors(diagnostics, prefix, self._rules)
            if is_finished
            else monotone(diagnostics, prefix, self._rules)
        )
        missing = unknown if self._rules.all_final else []
        return [
            (found, prefix.statement)
            for found in (*missing, *stays)
            if (found.code, found.start) not in self._tolerated
        ]

    def _is_spent(self) -> bool:
        limits, report = self._limits, self.report
        if report.abstained:
            return True
        if report.checks >= limits.checks:
            report.abstained = f"{limits.checks} checks were made"
        elif report.seconds >= limits.seconds:
            report.abstained = f"checking took {limits.seconds:g} s"
        elif report.take_backs >= limits.take_backs:
            report.abstained = f"{limits.take_backs} errors were taken back"
        return bool(report.abstained)

    def _take_back(
        self, found: Diagnostic, statement: int, code: str, written: int
    ) -> TakeBack | None:
        """From the error's own expression on, then from its statement on, then let it be.

        `written` is where the text begins in `code`; what stands before cannot be taken back.
        """
        line = max(self._statement_of(found, statement, code), written)
        tries, report = self._refused[line], self.report
        is_module = found.code in self._rules.unknown
        start = found.start
        if found.code in self._rules.members:
            # The checker tells the whole expression, of which the member is wrong.
            start = max(start, code.rfind(".", start, found.end) + 1)
        to = line if is_module or tries >= self._limits.at_one_place // 2 else start
        # An error behind the last character: what ended the text must not end it there.
        to = min(to, len(code))
        # Without another first word the same module comes again. Where the whole statement is
        # wrong, its first word (`return`) is not what is wrong with it: another draw decides.
        differently = is_module or to > line or self._greedy
        cost = len(code) - to
        if (
            tries >= self._limits.at_one_place
            or found.start < written
            or report.characters + cost > len(code) - written + self._limits.spare
        ):
            # Drawn again greedily it would be the same but for its first word.
            if report.restarts or self._greedy or found.start < written:
                self._tolerated.add((found.code, found.start))
                return None
            report.restarts += 1
            # The new draft has a budget of its own.
            report.characters = 0
            self._refused.clear()
            self._tolerated.clear()
            return self._taken(found, max(0, -written), differently=False)
        self._refused[line] += 1
        report.characters += cost
        return self._taken(found, to - written, differently=differently)

    def _taken(self, found: Diagnostic, to: int, *, differently: bool) -> TakeBack:
        self.report.take_backs += 1
        self.report.rules[found.code] = self.report.rules.get(found.code, 0) + 1
        self._seen = None
        return TakeBack(to, differently)

    def _statement_of(self, found: Diagnostic, statement: int, code: str) -> int:
        """Where the statement with the error begins; for an earlier one, its line."""
        if found.start >= statement:
            return statement
        line = code.rfind("\n", 0, found.start) + 1
        return line + len(code[line:]) - len(code[line:].lstrip())

    def _prefix(self, code: str) -> Prefix | None:
        if len(code) > _LONGEST:
            return None
        if self._language == "python":
            return python_prefix(code)
        return braces_prefix(code, self._language)


def _is_whole(code: str, prefix: Prefix | None) -> bool:
    """Whether nothing but comments stands behind the last finished statement of Python.

    Else the text broke off, or what looked like the end of a fence stood in a string.
    """
    rest = code[prefix.finished :] if prefix is not None else code
    return all(not line.strip() or line.lstrip()[0] == "#" for line in rest.splitlines())
