"""Compares what a call gave with what its example wants.

Takes an Example, the sandbox's StepResult and the expected value; gives an ExampleRun and a
finding. The comparison happens here, in the parent process, on plain data.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from codekiln.core.task import Example, Task
from codekiln.core.verdict import ExampleRun, Finding, Span
from codekiln.verify.expected_values import Expected
from codekiln.verify.sandboxed_calls import Raised, StepResult
from codekiln.verify.values import Iterated, equal, hint, one_line, show

CHECK = "examples"
# Not "a password generator", and not `f(1) yields 2`.
_WANTS_ITERATOR = re.compile(
    r"\b(?:an?|the|as|returns?|gives?|is|be)\s+(?:lazy\s+|infinite\s+)?(?:generators?|iterators?)\b"
    r"|\blazily\b|\byield\b|\b(?:Generator|Iterator|Iterable)\[|生成器|迭代器",
    re.IGNORECASE,
)
_BUILTIN_ERROR = re.compile(r"[A-Z]\w*(?:Error|Exception|Exit|Interrupt|Iteration|Warning)")

Outcome = Literal["passed", "wrong_output", "runtime_error", "timeout", "out_of_memory", "not_run"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """One example's run and, unless it passed, what is wrong with it."""

    run: ExampleRun
    finding: Finding | None = None


def judge(example: Example, result: StepResult, expected: Expected | None, task: Task) -> Judgement:
    """Hold `result` against the example; `expected` is None when it names no value."""
    if result.outcome == "not_run":
        return _failed(example, "not_run", result.why)
    if result.outcome in ("timeout", "out_of_memory"):
        outcome: Outcome = "timeout" if result.outcome == "timeout" else "out_of_memory"
        return _failed(example, outcome, result.why, raised=result.raised)
    if result.outcome == "died":
        return _failed(example, "runtime_error", result.why)
    if result.raised is not None:
        if example.raises is not None and _is_a(result.raised, example.raises):
            return _passed(example, str(result.raised))
        observed = f"{result.raised}" + (
            f" (line {result.raised.line})" if result.raised.line else ""
        )
        return _failed(example, "runtime_error", observed, raised=result.raised)
    if example.raises is not None:
        return _failed(example, "wrong_output", f"{show(result.value)}, no exception")
    if expected is not None and expected.why_not:
        return _failed(example, "not_run", expected.why_not)
    return _compare(example, result, expected, task)


def _compare(
    example: Example, result: StepResult, expected: Expected | None, task: Task
) -> Judgement:
    observed = show(result.value)
    if expected is not None:
        value = result.value
        if isinstance(value, Iterated) and value.complete and _wants_iterator(task):
            value = tuple(value.items) if isinstance(expected.value, tuple) else list(value.items)
        if not equal(value, expected.value):
            return _failed(
                example, "wrong_output", observed, hint=hint(result.value, expected.value)
            )
    if example.stdout is not None:
        if _plain(result.printed) != _plain(example.stdout):
            printed = show(result.printed)
            why = "it prints nothing" if not result.printed.strip() else ""
            return _failed(example, "wrong_output", f"printed {printed}", hint=why)
        if expected is None:
            observed = f"printed {show(result.printed)}"
    return _passed(example, observed)


def _passed(example: Example, observed: str) -> Judgement:
    return Judgement(ExampleRun(example.call or "", wanted(example), observed, True, "passed"))


def _failed(
    example: Example,
    outcome: Outcome,
    observed: str,
    raised: Raised | None = None,
    hint: str = "",
) -> Judgement:
    call = example.call or example.text
    run = ExampleRun(call, wanted(example), observed, False, outcome)
    if outcome == "wrong_output":
        message = f"{call} gives {observed}, expected {wanted(example)}"
        message += f" ({hint})" if hint else ""
    elif outcome == "not_run":
        message = f"{call} could not be checked: {observed}"
    else:
        message = f"{call} fails: {observed}"
    line = raised.line if raised is not None else 0
    return Judgement(
        run,
        Finding(
            check=CHECK,
            severity="note" if outcome == "not_run" else "error",
            message=one_line(message),
            rule=raised.kind if raised is not None else outcome,
            span=Span(line) if line else None,
        ),
    )


def wanted(example: Example) -> str:
    """What the example wants, for people."""
    parts = []
    if example.expected is not None:
        parts.append(example.expected)
    if example.raises is not None:
        parts.append(f"raises {example.raises}")
    if example.stdout is not None:
        parts.append(f"prints {example.stdout!r}")
    return " and ".join(parts)


def _is_a(raised: Raised, wanted_name: str) -> bool:
    name = wanted_name.strip().rpartition(".")[2]
    for kind in raised.types:
        module, _, own = kind.rpartition(".")
        if own == name:
            # A class of the candidate that only borrows a builtin's name is another class.
            return module == "builtins" or not _is_builtin(name)
    return False


def _is_builtin(name: str) -> bool:
    return bool(_BUILTIN_ERROR.fullmatch(name)) and name in _BUILTIN_NAMES


_BUILTIN_NAMES = frozenset(
    name
    for name, value in vars(__import__("builtins")).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)


def _wants_iterator(task: Task) -> bool:
    return bool(_WANTS_ITERATOR.search(f"{task.description}\n{task.signature}\n{task.skeleton}"))


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n")).rstrip()
