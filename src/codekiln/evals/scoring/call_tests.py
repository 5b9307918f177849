"""Scores answers by single calls and their values: for languages without a scorer of their own.

The assertions of a test program are read as calls with plain values. The answer is built with the
driver that runs examples of its language (codekiln.verify.programs), which gets the calls alone:
what is expected stays here, so that no answer can find it or claim to have met it.

Values are compared as those of examples are: what a language cannot tell apart is the same, such as
R's 3 and 3L, which MultiPL-E's own tests of R tell apart.
"""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from functools import cache
from typing import Any

from codekiln.core import Verdict
from codekiln.evals.scoring.hidden import CallTests, Score, shortened
from codekiln.generation.tasks.language_stub import read_call_of, read_value_of
from codekiln.generation.tasks.literal_tokens import LiteralError
from codekiln.languages import get_language
from codekiln.languages.headings import open_heading
from codekiln.languages.recipes import Recipe, recipe_of
from codekiln.sandbox import Isolation
from codekiln.verify.program_check import TROUBLES, failure_of, result_of
from codekiln.verify.programs.comparison import same
from codekiln.verify.programs.neutral import NeutralCall
from codekiln.verify.programs.runner import CaseResult, run_cases
from codekiln.verify.toolchains import toolchain_folder

CALL_S = 5.0


def read_call_tests(language: str, prompt: str, tests: str) -> CallTests | None:
    """The calls of a test program; None where one of its assertions cannot be read."""
    table = _tables()[language]
    name = open_heading(prompt, get_language(language))
    found: list[tuple[NeutralCall, object]] = []
    for line in map(str.strip, tests.split("\n")):
        if not (line.startswith(table["begins"]) and line.endswith(table["ends"])):
            continue
        inner = line[len(table["begins"]) : len(line) - len(table["ends"])]
        read = _read(inner, table["between"], language)
        if read is None:
            return None
        call, value = read
        found.append((NeutralCall(name, call.arguments), value))
    if not name or not found:
        return None
    return CallTests(language, name, tuple(found), table.get("within", 0.0))


def score_calls(code: str, tests: CallTests, isolation: Isolation, *, speed: float) -> Score:
    """The verdict of the calls on one answer's code. Raises SandboxError."""
    if not code.strip():
        return Score(Verdict.NO_CODE, "there is no code")
    recipe = recipe_of(tests.language)
    run = run_cases(
        code,
        [call for call, _ in tests.calls],
        recipe,
        isolation,
        call_s=CALL_S * speed,
        folder=toolchain_folder(recipe),
    )
    if run.trouble:
        return Score(TROUBLES[run.trouble], shortened(run.why), 0)
    for number, (case, (_, expected)) in enumerate(zip(run.cases, tests.calls, strict=True)):
        if case.kind != "value":
            said = f"{case.name}: {case.why}" if case.name else case.why
            return Score(failure_of(case), shortened(said), number)
        if not _is_right(case, expected, recipe, tests.within):
            return Score(Verdict.WRONG_OUTPUT, f"assertion {number + 1} fails", number)
    return Score(Verdict.PASSED)


def _read(inner: str, between: str, language: str) -> tuple[NeutralCall, object] | None:
    """The call and the value. No part of a call is a call, so there is one way to read both."""
    known = get_language(language)
    for match in re.finditer(re.escape(between), inner):
        call, value = inner[: match.start()], inner[match.end() :]
        try:
            name, values = read_call_of(call.replace("$candidate->(", "candidate("), known)
            return NeutralCall(name, values), read_value_of(value, known)
        except LiteralError:
            continue
    return None


def _is_right(case: CaseResult, expected: object, recipe: Recipe, within: float) -> bool:
    value = result_of(case, recipe)
    return same(value, expected, recipe.alike) or (within > 0 and _is_near(value, expected, within))


def _is_near(value: object, expected: object, within: float) -> bool:
    if isinstance(value, list | tuple) and isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(
            _is_near(one, other, within) for one, other in zip(value, expected, strict=True)
        )
    if isinstance(value, bool) or isinstance(expected, bool):
        return value is expected
    if isinstance(value, int | float) and isinstance(expected, int | float):
        return abs(value - expected) <= within
    return value == expected


@cache
def _tables() -> dict[str, dict[str, Any]]:
    folder = importlib.resources.files("codekiln.evals.scoring")
    return tomllib.loads(folder.joinpath("call_tests.toml").read_text("utf-8"))
