"""Scores programs of any language: the answer and its tests become one program in the sandbox.

A program passes when it ends with exit code 0 and the tests print, last and on a line of its own,
a token that was drawn for this run. The answer does not get to know it, so that leaving early,
printing and redefining assertions are failures. Covered besides: values that agree with
everything. Not covered: an answer that searches the memory of its own process for the token.
Messages of a failed assertion are not told, since they would tell what was expected.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Any

from codekiln.core import Verdict
from codekiln.core.errors import CodekilnError
from codekiln.evals.scoring.assembly import assemble, last_function
from codekiln.evals.scoring.hidden import ProgramTests, Score, shortened
from codekiln.evals.scoring.toolchains import Toolchain, toolchain
from codekiln.languages import get_language
from codekiln.sandbox import Isolation, RunResult, open_isolation

_PROBE_SPEED = 4.0
_LIMITS = {
    "cpu_limit": (Verdict.TIMEOUT, "takes too much processor time"),
    "wall_limit": (Verdict.TIMEOUT, "does not end"),
    "memory_limit": (Verdict.OUT_OF_MEMORY, "takes too much memory"),
    "output_limit": (Verdict.RUNTIME_ERROR, "writes too much"),
}
_WORDS = {
    "passed": Verdict.PASSED,
    "wrong": Verdict.WRONG_OUTPUT,
    "syntax": Verdict.SYNTAX_ERROR,
    "error": Verdict.RUNTIME_ERROR,
}


def multipl_e_tests(language: str, row: dict[str, Any]) -> ProgramTests:
    """The tests of one row of MultiPL-E's data, for a language by its registry name."""
    prompt: str = row["prompt"]
    tests: str = row["test"]
    return ProgramTests(language, last_function(prompt, toolchain(language)), prompt, tests)


def pack_javascript_tests(test: str) -> ProgramTests:
    """The tests of HumanEvalPack's JavaScript; the answer is the whole function there."""
    return ProgramTests("javascript", "", "", test)


def score_program(
    code: str, tests: ProgramTests, isolation: Isolation, *, speed: float = 1.0
) -> Score:
    """The verdict of the tests on one answer's code. Raises SandboxError.

    `speed` is how many times slower this machine is than the one that the limits are for.
    """
    if not code.strip():
        return Score(Verdict.NO_CODE, "there is no code")
    chain = toolchain(tests.language)
    token = secrets.token_hex(16)
    # Of letters alone: it has to be a name in every language, and a class in Java.
    space = "K" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(16))
    values = {**assemble(code, tests, chain, space), "TOKEN": token}
    products: Mapping[str, bytes] = {}
    cpu_s = 0.0
    if chain.compile:
        compiled = isolation.run(chain.compile_program(values, speed))
        products, cpu_s = compiled.collected, compiled.cpu_s
        if compiled.exit_code != 0 or any(name not in products for name in chain.products):
            return _not_compiled(compiled, chain, space)
    result = isolation.run(chain.run_program(values, products, speed))
    return _judge(result, chain, token, cpu_s + result.cpu_s)


@cache
def missing_toolchain(language: str) -> str:
    """Empty where programs of the language really run in the sandbox, else what is missing.

    A small program is compiled and run there; the answer is kept for the life of the process.
    """
    chain = toolchain(language)
    tests = ProgramTests(language, "twice", "", chain.probe["tests"])
    try:
        found = score_program(chain.probe["code"], tests, open_isolation(), speed=_PROBE_SPEED)
        why_not = "" if found.verdict is Verdict.PASSED else f"{found.verdict}: {found.detail}"
    except CodekilnError as error:
        why_not = error.message
    name = get_language(language).display_name
    return why_not and (
        f"{name} programs do not work in the sandbox ({why_not}). They need {chain.needs}"
    )


def _not_compiled(result: RunResult, chain: Toolchain, space: str) -> Score:
    if result.outcome in _LIMITS:
        verdict, what = _LIMITS[result.outcome]
        return Score(verdict, f"compiling it {what}", cpu_s=result.cpu_s)
    text = (result.stderr + b"\n" + result.stdout).decode(errors="replace").replace(space, "Tests")
    first = next((line.strip() for line in text.splitlines() if "error" in line), "")
    syntax = chain.syntax_error.search(first) is not None
    if first.startswith(chain.unseen):
        first = "the tests do not compile with it"
    verdict = Verdict.SYNTAX_ERROR if syntax else Verdict.TYPE_ERROR
    return Score(verdict, shortened(first or "it does not compile"), cpu_s=result.cpu_s)


def _judge(result: RunResult, chain: Toolchain, token: str, cpu_s: float) -> Score:
    lines = result.stdout.decode(errors="replace").rstrip("\n").split("\n")
    mark, _, report = lines[-1].partition(" ")
    word, _, detail = report.partition(" ")
    stderr = result.stderr.decode(errors="replace")
    if result.outcome in _LIMITS:
        verdict, what = _LIMITS[result.outcome]
        return Score(verdict, f"it {what}", 0, cpu_s)
    if mark != token or word not in _WORDS:
        mark = detail = ""
        word = "error"
    verdict = _WORDS[word]
    if verdict is Verdict.PASSED:
        if result.exit_code == 0:
            return Score(verdict, cpu_s=cpu_s)
        verdict = Verdict.RUNTIME_ERROR
    if verdict is Verdict.RUNTIME_ERROR and chain.out_of_memory.search(detail + stderr):
        verdict = Verdict.OUT_OF_MEMORY
    if verdict is Verdict.WRONG_OUTPUT:
        number = re.fullmatch(r"assertion (\d+)", detail)
        case = int(number[1]) - 1 if number else 0
        return Score(verdict, shortened(detail and f"{detail} fails") or "fails", case, cpu_s)
    return Score(verdict, shortened(detail or _last_words(result, stderr)), 0, cpu_s)


def _last_words(result: RunResult, stderr: str) -> str:
    how = (
        f"ended by signal {result.signal}"
        if result.signal is not None
        else f"ended with exit code {result.exit_code} before the tests were over"
    )
    said = [line.strip() for line in stderr.splitlines() if line.strip()]
    return f"{how}: {said[0]}" if said else how
