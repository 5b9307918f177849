"""Builds an answer with its language's driver and runs cases in the sandbox.

Takes code and calls, gives what each call did. Neither it nor the driver knows what was expected.
One process runs the cases in order. Where it dies or is stopped in one, another begins with that
case, which gets a limit to itself, and goes on behind it where that fails too.
"""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast

from codekiln.core.errors import SandboxError
from codekiln.languages.recipes import Recipe
from codekiln.languages.recipes.reading import fill
from codekiln.sandbox import Isolation, Limits, Program, RunResult
from codekiln.sandbox.types import MIB
from codekiln.verify.programs.neutral import NeutralCall
from codekiln.verify.programs.warm import warm_folder
from codekiln.verify.programs.wire import NotNeutralError, Other, decode, encode

COMPILE_S = 60.0
# The clock is only there for programs that sleep: a busy machine gets three times the limit.
WALL_FACTOR = 3.0
_FILE_BYTES = 256 * MIB
_OUTPUT_BYTES = 8 * MIB
_OPEN_FILES = 1024
_HOST_S = 20.0
# Varied inputs may be invalid, and each that does not end costs seconds.
_MOST_CUT = 2
_SHOWN_ALREADY = ("/usr", "/usr/local")
_LIMITS: Mapping[str, CaseKind] = {
    "cpu_limit": "timeout",
    "wall_limit": "timeout",
    "memory_limit": "out_of_memory",
    "output_limit": "died",
}
CaseKind = Literal["value", "raised", "timeout", "out_of_memory", "died"]
Trouble = Literal["", "syntax", "compile", "load", "limit"]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one call did. `why` is the error, or how the process ended; `name` an exception's."""

    kind: CaseKind
    value: object = None
    printed: str = ""
    name: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class ProgramRun:
    """What all cases did; where the program cannot be run at all, `trouble` and `why` say so."""

    cases: tuple[CaseResult, ...]
    trouble: Trouble = ""
    why: str = ""
    isolation: str = ""


def run_cases(
    code: str,
    calls: Sequence[NeutralCall],
    recipe: Recipe,
    isolation: Isolation,
    *,
    call_s: float,
    folder: str = "",
    needed: int | None = None,
) -> ProgramRun:
    """Build the program and make the calls. Raises SandboxError, and NotNeutralError for arguments
    that cannot be sent.

    `call_s` is the processor time of one call; `folder` that of the recipe's own toolchain. The
    first `needed` calls are made in any case; of the others not those behind a few that do not end.
    """
    laid = _Laid.of(code, calls, recipe, folder, isolation)
    files = laid.files(recipe.files)
    if recipe.compile:
        built = _compile(laid, recipe, isolation)
        if isinstance(built, ProgramRun):
            return built
        files = built
    needed = len(calls) if needed is None else needed
    found: list[CaseResult] = []
    asked, cut = calls, 0
    while len(found) < len(asked):
        token = secrets.token_hex(12)
        result = isolation.run(
            Program(
                argv=laid.command(recipe.run),
                files={**files, "cases.txt": "\n".join(_lines(asked)).encode() + b"\n"},
                stdin=f"{token}\n{len(found)}\n".encode(),
                limits=_limits(recipe, recipe.load_s + call_s),
                read_only=laid.shown,
            )
        )
        parsed = _Output(result, token, exit_raises=recipe.exit_raises)
        if parsed.trouble:
            return ProgramRun((), parsed.trouble, parsed.why, isolation.name)
        if not parsed.cases and len(asked) == needed:
            return ProgramRun((), "load", _how(result), isolation.name)
        # What the cases before it left over, or took from it, is not its fault.
        is_cut = parsed.is_cut and len(parsed.cases) > 1
        found += parsed.cases[:-1] if is_cut else parsed.cases
        cut += parsed.is_cut and not is_cut and len(found) > needed
        if cut >= _MOST_CUT or not parsed.cases:
            # A driver may stumble over arguments that its language cannot have.
            asked = calls[: max(needed, len(found))] if found else calls[:needed]
    left = [CaseResult("died", why="it was not tried")] * (len(calls) - len(found))
    return ProgramRun((*found, *left), isolation=isolation.name)


def build(code: str, recipe: Recipe, isolation: Isolation, *, folder: str = "") -> ProgramRun:
    """Have the compiler look at an answer; where there is none, the interpreter loads it.

    `trouble` "load" says that it was read and then failed as it ran. Raises SandboxError.
    """
    laid = _Laid.of(code, (), recipe, folder, isolation)
    if recipe.compile:
        built = _compile(laid, recipe, isolation)
        return built if isinstance(built, ProgramRun) else ProgramRun((), isolation=isolation.name)
    token = secrets.token_hex(12)
    result = isolation.run(
        Program(
            argv=laid.command(recipe.run),
            files={**laid.files(recipe.files), "cases.txt": b""},
            stdin=f"{token}\n0\n".encode(),
            limits=_limits(recipe, 2 * recipe.load_s),
            read_only=laid.shown,
        )
    )
    parsed = _Output(result, token, exit_raises=recipe.exit_raises)
    return ProgramRun((), parsed.trouble, parsed.why, isolation.name)


@cache
def host_folder(command: tuple[str, ...], needs: str) -> str:
    """What a command says is the folder of a toolchain. Raises SandboxError where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_HOST_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(
            f"{' '.join(command)!r} does not work here: {error}", f"Install {needs}"
        ) from error
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class _Laid:
    """What the placeholders of a recipe stand for, and folders that its programs may read."""

    values: Mapping[str, str]
    shown: tuple[str, ...]

    @classmethod
    def of(
        cls,
        code: str,
        calls: Sequence[NeutralCall],
        recipe: Recipe,
        folder: str,
        isolation: Isolation,
    ) -> _Laid:
        host = host_folder(recipe.host, recipe.needs) if recipe.host else ""
        kinds = dict.fromkeys((call.name, len(call.arguments)) for call in calls)
        places = {"FOLDER": folder, "HOST": host}
        shown = tuple(path for path in (folder, host) if path and path not in _SHOWN_ALREADY)
        if warm := warm_folder(recipe, isolation, places, shown):
            places["WARM"] = warm
            shown = (*shown, warm)
        values = {
            **places,
            "CODE": recipe.assembled(code),
            "UNIT": recipe.unit_of(code),
            "CALLS": "\n".join(
                fill(recipe.call, {"NAME": name, "ARITY": str(arity)}) for name, arity in kinds
            ),
        }
        return cls(values, shown)

    def command(self, words: Sequence[str]) -> tuple[str, ...]:
        return tuple(fill(word, self.values) for word in words)

    def files(self, files: Mapping[str, str]) -> dict[str, bytes]:
        return {
            fill(name, self.values): fill(text, self.values).encode("utf-8", "replace")
            for name, text in files.items()
        }


def _compile(laid: _Laid, recipe: Recipe, isolation: Isolation) -> dict[str, bytes] | ProgramRun:
    """The files for the run; where the compiler refuses, the run that there is not."""
    built = isolation.run(
        Program(
            argv=laid.command(recipe.compile),
            files=laid.files(recipe.files),
            limits=_limits(recipe, COMPILE_S),
            read_only=laid.shown,
            collect=recipe.products,
        )
    )
    if built.exit_code != 0 or any(name not in built.collected for name in recipe.products):
        return _not_built(built, recipe, isolation.name)
    return {**laid.files(recipe.run_files or {}), **built.collected}


def _limits(recipe: Recipe, cpu_s: float) -> Limits:
    return Limits(
        cpu_s=cpu_s,
        wall_s=cpu_s * WALL_FACTOR,
        memory_bytes=recipe.memory_mib * MIB,
        processes=recipe.processes,
        file_bytes=_FILE_BYTES,
        output_bytes=_OUTPUT_BYTES,
        open_files=_OPEN_FILES,
    )


def _lines(calls: Sequence[NeutralCall]) -> Iterator[str]:
    for call in calls:
        yield f"c {call.name} {len(call.arguments)}"
        for argument in call.arguments:
            yield from encode(argument)


def _not_built(built: RunResult, recipe: Recipe, name: str) -> ProgramRun:
    if built.outcome in _LIMITS:
        return ProgramRun((), "limit", f"compiling it ended by {built.outcome}", name)
    said = (built.stderr + b"\n" + built.stdout).decode("utf-8", "replace")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    first = next((line for line in lines if "error" in line.lower()), lines[0] if lines else "")
    is_syntax = re.search(recipe.syntax_error, first) is not None
    return ProgramRun((), "syntax" if is_syntax else "compile", first, name)


def _how(result: RunResult) -> str:
    said = result.stderr.decode("utf-8", "replace").strip().splitlines()
    last = f": {said[-1].strip()}" if said else ""
    if result.outcome in _LIMITS:
        return f"it ended by {result.outcome}{last}"
    if result.signal is not None:
        return f"it was ended by signal {result.signal}{last}"
    return f"it ended with exit code {result.exit_code}{last}"


class _Output:
    """What one process said about the cases that it began."""

    def __init__(self, result: RunResult, token: str, *, exit_raises: bool) -> None:
        self.cases: list[CaseResult] = []
        self.trouble: Trouble = ""
        self.why = ""
        self.is_cut = False
        # Bytes of a text that is no UTF-8 are shown, and cost nothing else.
        parts = result.stdout.decode("utf-8", "replace").split(f"\n{token} ")
        printed = None
        for part in parts[1:]:
            head, _, rest = part.partition("\n")
            word, *said = head.split(" ")
            match word:
                case "begin":
                    printed = rest
                case "value" if printed is not None:
                    self.cases.append(_of_value(rest, printed))
                case "raised" if printed is not None:
                    name, message = (_text(text) for text in [*said, "", ""][:2])
                    self.cases.append(CaseResult("raised", None, printed, name, message))
                case "end":
                    printed = None
                case "syntax" | "compile" | "load":
                    name, message = (_text(text) for text in [*said, "", ""][:2])
                    self.trouble = cast(Trouble, word)
                    self.why = f"{name}: {message}" if name else message
                case _:
                    pass
        if printed is not None:
            kind: CaseKind = _LIMITS.get(result.outcome, "died")
            if exit_raises and result.exit_code:
                kind = "raised"
            self.cases.append(CaseResult(kind, None, printed, "", _how(result)))
            self.is_cut = True


def _of_value(lines: str, printed: str) -> CaseResult:
    try:
        value = decode(iter(lines.split("\n")))
    except NotNeutralError as error:
        value = Other(f"unreadable ({error})")
    return CaseResult("value", value, printed)


def _text(digits: str) -> str:
    try:
        return bytes.fromhex(digits).decode("utf-8", "replace")
    except ValueError:
        return digits
