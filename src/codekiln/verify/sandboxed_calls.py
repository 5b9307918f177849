"""Evaluates calls of a candidate in the sandbox and reads what each gave.

Takes source code and sessions of steps; gives one `StepResult` per step, whatever the candidate
does: steps without a believable result are failures. Knows no expected values. One process
serves all steps; after a death or a hard time-out only the steps behind it run again in a new
process.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import marshal
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Literal

from codekiln.sandbox.types import MIB, Isolation, Limits, Program, RunResult
from codekiln.verify.value_encoder import MAX_NODES
from codekiln.verify.values import DecodeError, Opaque, decode, one_line

# The plan and the compiled harness arrive together on stdin, so that no file exists that a
# candidate could read or overwrite. The harness gets builtins of its own.
BOOTSTRAP = (
    "import sys, marshal, builtins\n"
    "p = marshal.loads(sys.stdin.buffer.read())\n"
    "space = {'__name__': '__codekiln_harness__', 'plan': p,"
    " '__builtins__': dict(vars(builtins))}\n"
    "for part in p.pop('harness'): exec(part, space)\n"
)
MAX_PROCESSES_PER_RUN = 4
OUTPUT_BYTES = 16 * MIB

StepOutcome = Literal["value", "raised", "timeout", "out_of_memory", "died", "not_run"]


@dataclass(frozen=True, slots=True)
class Step:
    """One call or statement.

    Either `source`, which may depend on the steps before it in its session, with `callee`, the
    bare function name it calls, and `method`, the same call on `__instance__` (both empty when
    it has no such form); or `function` with the sources of its argument tuple and keyword dict,
    which stands alone: it runs even when steps before it died. Of a function that gives None the
    arguments are the value, since it may have changed them, unless `in_place` is False.
    """

    source: str = ""
    callee: str = ""
    method: str = ""
    function: str = ""
    args: str = "()"
    kwargs: str = "{}"
    in_place: bool = True

    @property
    def text(self) -> str:
        """The step as a person would write it."""
        if not self.function:
            return self.source
        inner = self.args[1:-1].removesuffix(",") if self.args != "()" else ""
        keywords = f", **{self.kwargs}" if self.kwargs != "{}" else ""
        return f"{self.function}({inner}{keywords})"


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception of the candidate. `line` is its last line in the candidate (0: none);
    `deliberate` means that this line raises or asserts; `name` is the missing name or module.
    """

    types: tuple[str, ...]
    message: str = ""
    line: int = 0
    deliberate: bool = False
    name: str = ""

    @property
    def kind(self) -> str:
        """The class name without its module."""
        return self.types[0].rpartition(".")[2] if self.types else "Exception"

    def __str__(self) -> str:
        return one_line(f"{self.kind}: {self.message}" if self.message else self.kind)


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step gave. `why` explains outcomes without a value; `kind` is the type's name.

    `changed_arguments` is told of steps with arguments of their own (`Step.function`).
    """

    outcome: StepOutcome
    value: object = None
    kind: str = ""
    raised: Raised | None = None
    printed: str = ""
    why: str = ""
    changed_arguments: bool = False
    watched: Watched | None = None


@dataclass(frozen=True, slots=True)
class Watched:
    """With what the last function of a step ended: its line, its name, its plain variables."""

    line: int
    function: str
    variables: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """Why the source does not compile: 1-based line (0: unknown), 0-based column."""

    message: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class CallsResult:
    """All that one run gave; `steps` is parallel to the sessions that were asked for.

    `syntax` or `load_error` is set when no step could run. `defined` are the names of the
    module, once it was `loaded`.
    """

    steps: tuple[tuple[StepResult, ...], ...]
    defined: tuple[str, ...] = ()
    loaded: bool = False
    syntax: SyntaxProblem | None = None
    load_error: Raised | None = None
    processes: int = 0
    isolation: str = ""
    seconds: float = 0.0
    cpu_s: float = 0.0


@dataclass(slots=True)
class _Progress:
    """What is known after some processes of one run."""

    results: dict[int, StepResult] = field(default_factory=dict)
    defined: tuple[str, ...] = ()
    syntax: SyntaxProblem | None = None
    load_error: Raised | None = None
    started: int | None = None
    loaded: bool = False
    finished: bool = False


def run_calls(
    code: str,
    sessions: Sequence[Sequence[Step]],
    isolation: Isolation,
    *,
    call_s: float = 2.0,
    load_s: float = 3.0,
    memory_bytes: int = 512 * MIB,
    hash_seed: int = 0,
    max_processes: int = MAX_PROCESSES_PER_RUN,
    watch: bool = False,
    cpu_s: float = 60.0,
    max_nodes: int = MAX_NODES,
) -> CallsResult:
    """Evaluate `sessions` against `code`; each session meets a newly loaded module.

    Without sessions the code is only compiled; one empty session also loads it.

    `call_s` and `load_s` bound the processor time of each call and each load. `watch` also gives
    the variables with which calls end, at the price of time. `cpu_s` bounds a whole process,
    `max_nodes` the size of a value that is reported. Raises SandboxError when the isolation
    itself fails.
    """
    numbered: list[list[tuple[int, Step]]] = []
    count = 0
    for session in sessions:
        numbered.append([(count + place, step) for place, step in enumerate(session)])
        count += len(session)
    progress = _Progress()
    pending, processes, seconds, used_s = numbered, 0, 0.0, 0.0
    while processes == 0 or (pending and processes < max_processes):
        progress.started, progress.finished = None, False
        calls = sum(map(len, pending))
        limits = Limits(
            cpu_s=min(2 + load_s * max(1, min(len(pending), 5)) + call_s * calls, cpu_s),
            wall_s=min(10 + 4 * (load_s + call_s * calls), 2 * cpu_s),
            memory_bytes=memory_bytes,
            output_bytes=OUTPUT_BYTES,
        )
        token = secrets.token_hex(16)
        plan = _plan(code, pending, token, call_s, load_s, hash_seed, watch, max_nodes)
        result = isolation.run(
            Program(
                argv=("python", "-s", "-P", "-W", "ignore", "-c", BOOTSTRAP),
                stdin=plan,
                env={"PYTHONHASHSEED": str(hash_seed)},
                limits=limits,
            )
        )
        processes += 1
        seconds += result.wall_s
        used_s += result.cpu_s
        honest = _read(result.stdout, token, progress)
        death = _death(result, honest)
        if not honest:
            # A run that tampered with the channel is not believed in anything, nor asked again.
            for number, _ in (step for session in pending for step in session):
                progress.results[number] = death
            break
        if progress.syntax or progress.load_error or progress.finished:
            break
        if not progress.loaded:
            progress.load_error = _as_load_error(death)
            break
        # The first step without a result is the one that the process died of.
        numbers = (number for session in pending for number, _ in session)
        culprit = next((n for n in numbers if n not in progress.results), None)
        if culprit is None:
            break
        progress.results[culprit] = death
        pending = _behind(pending, progress.results)
    missing = StepResult("not_run", why="an earlier call of its session did not end")
    return CallsResult(
        steps=tuple(
            tuple(progress.results.get(number, missing) for number, _ in session)
            for session in numbered
        ),
        defined=progress.defined,
        loaded=progress.loaded,
        syntax=progress.syntax,
        load_error=progress.load_error,
        processes=processes,
        isolation=f"L{int(isolation.level)} {isolation.name}",
        seconds=seconds,
        cpu_s=used_s,
    )


@functools.cache
def _harness() -> list[CodeType]:
    folder = importlib.resources.files("codekiln.verify")
    return [
        compile(
            folder.joinpath(name).read_text("utf-8"),
            "<harness>",
            "exec",
            dont_inherit=True,
            optimize=2,
        )
        for name in ("value_encoder.py", "watch.py", "harness.py")
    ]


def _plan(
    code: str,
    sessions: Sequence[Sequence[tuple[int, Step]]],
    token: str,
    call_s: float,
    load_s: float,
    seed: int,
    watch: bool,
    max_nodes: int,
) -> bytes:
    def as_data(number: int, step: Step) -> dict[str, object]:
        if step.function:
            return {
                "id": number,
                "fn": step.function,
                "args": step.args,
                "kwargs": step.kwargs,
                "in_place": step.in_place,
            }
        return {"id": number, "src": step.source, "callee": step.callee, "method": step.method}

    return marshal.dumps(
        {
            "harness": _harness(),
            "token": token,
            "code": code,
            "call_s": call_s,
            "load_s": load_s,
            "seed": seed,
            "watch": watch,
            "nodes": max_nodes,
            "sessions": [[as_data(*item) for item in session] for session in sessions],
        }
    )


def _read(stdout: bytes, token: str, progress: _Progress) -> bool:
    """Take in the token's messages; False when their order or form shows tampering."""
    prefix = token + " "
    for expected, line in enumerate(stdout.decode("ascii", "replace").split("\n")):
        if not line and expected == stdout.count(b"\n"):
            return True
        if not line.startswith(prefix):
            return False
        number, _, message = line[len(prefix) :].partition(" ")
        if number != str(expected) or progress.finished:
            return False
        try:
            _take(json.loads(message), progress)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # The last line of a killed process may be cut short: that step has no result.
            return not line.endswith("}")
    return True


def _take(message: dict[str, object], progress: _Progress) -> None:
    if "start" in message:
        progress.started = _number(message["start"])
    elif "loaded" in message:
        names = message["loaded"]
        progress.loaded = True
        progress.defined = tuple(map(one_line, map(str, names))) if isinstance(names, list) else ()
    elif "syntax" in message:
        progress.syntax = SyntaxProblem(
            one_line(str(message["syntax"])), _number(message["line"]), _number(message["column"])
        )
    elif "load" in message:
        progress.load_error = _raised(message["load"])
    elif "done" in message:
        progress.finished = True
    else:
        number = _number(message["id"])
        if number != progress.started or number in progress.results:
            raise ValueError("a result for another step than the one that was started")
        progress.results[number] = _step_result(message)


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError("not a number")
    return value


def _raised(data: object) -> Raised:
    if not isinstance(data, dict):
        raise ValueError("not an exception")
    return Raised(
        types=tuple(map(str, data["types"])),
        message=str(data["message"]),
        line=_number(data["line"]),
        deliberate=data.get("deliberate") is True,
        name=str(data.get("name", "")),
    )


def _step_result(message: dict[str, object]) -> StepResult:
    printed = str(message.get("out", ""))
    if "timeout" in message:
        return StepResult("timeout", why="it did not end within the time limit")
    if "impossible" in message:
        return StepResult("not_run", why=str(message["impossible"]))
    if "raised" in message:
        raised = _raised(message["raised"])
        memory = "builtins.MemoryError" in raised.types
        outcome: StepOutcome = "out_of_memory" if memory else "raised"
        return StepResult(
            outcome, raised=raised, printed=printed, why=str(raised), watched=_watched(message)
        )
    try:
        value = decode(message["value"])
    except DecodeError as error:
        value = Opaque(str(error))
    return StepResult(
        "value",
        value=value,
        kind=str(message["type"]),
        printed=printed,
        changed_arguments=message.get("changed") is True,
        watched=_watched(message),
    )


def _watched(message: dict[str, object]) -> Watched | None:
    data = message.get("watched")
    if not isinstance(data, dict):
        return None
    return Watched(
        _number(data["line"]),
        str(data["function"]),
        tuple((str(name), str(value)) for name, value in data["variables"].items()),
    )


def _death(result: RunResult, honest: bool) -> StepResult:
    """What became of the step that was running when the process ended."""
    if not honest:
        return StepResult("died", why="the program wrote to the channel of its results")
    # 24 is SIGXCPU: the harness sets a processor-time limit around each call.
    if result.outcome in ("cpu_limit", "wall_limit") or result.signal == 24:
        return StepResult("timeout", why="it did not end within the time limit")
    if result.outcome == "memory_limit":
        return StepResult("out_of_memory", why="it used more memory than allowed")
    if result.outcome == "output_limit":
        return StepResult("died", why="it wrote more output than allowed")
    if result.outcome == "signalled":
        return StepResult("died", why=f"the interpreter died of signal {result.signal}")
    return StepResult("died", why=f"the program ended itself (exit code {result.exit_code})")


def _as_load_error(death: StepResult) -> Raised:
    kinds = {"timeout": "OverTime", "out_of_memory": "builtins.MemoryError"}
    return Raised((kinds.get(death.outcome, "SystemExit"),), death.why)


def _behind(
    sessions: Sequence[Sequence[tuple[int, Step]]], results: dict[int, StepResult]
) -> list[list[tuple[int, Step]]]:
    """The sessions that have not begun yet, and the rest of those whose steps stand alone."""
    pending = []
    for session in sessions:
        rest = [(number, step) for number, step in session if number not in results]
        if rest and (len(rest) == len(session) or all(step.function for _, step in rest)):
            pending.append(rest)
    return pending
