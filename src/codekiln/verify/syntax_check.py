"""Does the candidate parse? Python is compiled in the sandbox, the rest parsed by tree-sitter.

For Python a guarded parse in this process spares broken code the sandbox; only the real compiler
inside it says that code is right, since tree-sitter and `ast.parse` accept more than it does. Where
another language's own compiler or interpreter is here, the checks behind this one ask that.
"""

from __future__ import annotations

import time

from codekiln.core.task import Task
from codekiln.core.verdict import CheckReport, Finding, Severity, Span, Verdict
from codekiln.languages import get_language, syntax_errors
from codekiln.verify.checks import Trial
from codekiln.verify.python_source import parse
from codekiln.verify.toolchains import has_own_judge

MAX_FINDINGS = 5


class SyntaxCheck:
    """Fails a candidate that its language cannot parse, where the grammar can be relied upon."""

    name = "syntax"
    cost = 10

    def applies(self, task: Task) -> bool:
        """Languages that have a grammar."""
        return bool(get_language(task.language).grammar)

    def run(self, trial: Trial) -> CheckReport:
        """One finding per broken place."""
        started = time.monotonic()
        language = get_language(trial.task.language)
        if language.name == "python":
            findings, isolation = self._python(trial)
        elif has_own_judge(language, trial.isolation, has_examples=bool(trial.task.checks)):
            # Grammars refuse some right code, and what reads all of it comes next.
            findings, isolation = (), ""
        else:
            isolation = ""
            findings = tuple(
                self._finding(issue.message, issue.line, issue.column, is_sure=not language.gaps)
                for issue in syntax_errors(language, trial.code)[:MAX_FINDINGS]
            )
        verdict, detail = Verdict.SYNTAX_ERROR if findings else Verdict.PASSED, ""
        if findings and language.gaps:
            verdict, detail = Verdict.UNVERIFIED, f"it may not parse. {language.notes}"
        return CheckReport(
            check=self.name,
            verdict=verdict,
            findings=findings,
            isolation=isolation,
            detail=detail,
            seconds=time.monotonic() - started,
        )

    def _python(self, trial: Trial) -> tuple[tuple[Finding, ...], str]:
        tree = parse(trial.code)
        if isinstance(tree, SyntaxError):
            column = max((tree.offset or 1) - 1, 0)
            return (self._finding(tree.msg, tree.lineno or 0, column),), ""
        calls = trial.example_calls
        if calls.syntax is None:
            return (), calls.isolation
        problem = calls.syntax
        return (self._finding(problem.message, problem.line, problem.column),), calls.isolation

    def _finding(self, message: str, line: int, column: int, *, is_sure: bool = True) -> Finding:
        span = Span(line, column) if line else None
        severity: Severity = "error" if is_sure else "note"
        return Finding(self.name, severity, message, rule="syntax", span=span)
