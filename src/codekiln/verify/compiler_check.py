"""Does the language's own compiler or interpreter take the answer, where nothing of it is run?

For languages that codekiln only compiles, and for tasks without examples in those that it runs.
What fails while it is loaded says nothing: a script may want input that is not there.
"""

from __future__ import annotations

import time

from codekiln.core.errors import SandboxError
from codekiln.core.task import Task
from codekiln.core.verdict import CheckReport, Finding, Verdict
from codekiln.languages.recipes import compiled_languages, recipe_languages, recipe_of
from codekiln.verify.absent_parts import absent_part
from codekiln.verify.checks import Trial
from codekiln.verify.programs.runner import build
from codekiln.verify.toolchains import missing_tools, toolchain_folder
from codekiln.verify.values import one_line

NAME = "compiler"
_TROUBLES = {"syntax": Verdict.SYNTAX_ERROR, "compile": Verdict.TYPE_ERROR}


class CompilerCheck:
    """Has the answer compiled, or loaded where there is no compiler."""

    name = NAME
    cost = 15

    def applies(self, task: Task) -> bool:
        """Languages with a recipe, where no example is run anyway."""
        name = task.language
        if name in compiled_languages():
            return True
        return name in recipe_languages() and not task.examples and not recipe_of(name).dialect

    def run(self, trial: Trial) -> CheckReport:
        """At most one finding: what the compiler says first. Raises SandboxError."""
        started = time.monotonic()
        recipe = recipe_of(trial.task.language)
        if missing := _missing(trial):
            return CheckReport(NAME, Verdict.UNVERIFIED, detail=missing)
        built = build(trial.code, recipe, trial.isolation, folder=toolchain_folder(recipe))
        verdict = _TROUBLES.get(built.trouble, Verdict.PASSED)
        said = one_line(built.why) if verdict is not Verdict.PASSED else ""
        if built.trouble == "limit":
            return CheckReport(NAME, Verdict.UNVERIFIED, detail=one_line(built.why))
        if absent := absent_part(built, recipe, trial.code):
            return CheckReport(NAME, Verdict.UNVERIFIED, detail=absent)
        return CheckReport(
            check=NAME,
            verdict=verdict,
            findings=(Finding(NAME, "error", said, rule=built.trouble),) if said else (),
            isolation=built.isolation,
            detail=said,
            seconds=time.monotonic() - started,
        )


def _missing(trial: Trial) -> str:
    """What compiling needs; a machine without a sandbox only parses."""
    try:
        return missing_tools(recipe_of(trial.task.language), trial.isolation)
    except SandboxError as error:
        return str(error)
