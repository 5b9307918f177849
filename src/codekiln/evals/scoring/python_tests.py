"""Scores Python code: the calls run in the sandbox, the values are compared here.

The program under test never sees an expected value, and no result counts but that of a call that
really returned: leaving early, printing what is expected and changing modules are failures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from codekiln.core import Verdict
from codekiln.evals.datasets import DataError
from codekiln.evals.scoring.comparison import same
from codekiln.evals.scoring.hidden import Case, PythonTests, Score
from codekiln.sandbox import Isolation
from codekiln.verify.expected_values import ExpectedValues
from codekiln.verify.sandboxed_calls import CallsResult, Step, StepResult, run_calls
from codekiln.verify.values import contains_opaque

MIB = 1 << 20
MEMORY_BYTES = 1024 * MIB
LOAD_S = 5.0
# A correct answer may well be slower than the reference; a call gets this many times its time.
SLOWER = 10.0
LEAST_CALL_S = 2.0
# Answers of extreme inputs are large; the channel of results holds 16 MiB.
MAX_NODES = 1_000_000
# Of one process with all its calls. A loop that never ends is stopped by the limit of its call.
PROCESS_CPU_S = 900.0
# Each new process costs a start; a program that dies this often has failed long before.
MAX_PROCESSES = 6


@dataclass(frozen=True, slots=True)
class Prepared:
    """Tests with the values that the reference gives, and the time that a call gets."""

    tests: PythonTests
    expected: tuple[object, ...]
    call_s: float
    reference_cpu_s: float
    trouble: tuple[str, ...] = field(default=())
    left_out: int = 0


def prepare(
    tests: PythonTests, reference: str, isolation: Isolation, *, speed: float = 1.0
) -> Prepared:
    """Run the reference once for its values and its time; evaluate what is given as source.

    `speed` is how many times slower this machine is than the one that the least limits are for.
    A case without a value of its own and on which the reference fails is told in `trouble`; where
    the tests leave such cases out, only when none is left.
    """
    calls = _run(reference, tests, isolation, LEAST_CALL_S * SLOWER * speed)
    if tests.leaves_out:
        results = zip(tests.cases, _last(tests, calls), strict=True)
        kept = tuple(case for case, result in results if not _is_too_large(case, result))
        if kept and len(kept) < len(tests.cases):
            # Again: what is too large may have kept others from being run.
            fewer = prepare(replace(tests, cases=kept), reference, isolation, speed=speed)
            return replace(fewer, left_out=fewer.left_out + len(tests.cases) - len(kept))
    values = ExpectedValues(isolation, LOAD_S)
    expected: list[object] = []
    trouble: list[str] = []
    for number, (case, result) in enumerate(zip(tests.cases, _last(tests, calls), strict=True)):
        if case.raises is not None:
            expected.append(None)
        elif case.expected is not None:
            found = values.value_of(case.expected, "")
            expected.append(found.value)
            if found.why_not:
                trouble.append(f"case {number}: {found.why_not}")
        else:
            expected.append(result.value)
            if result.outcome != "value":
                trouble.append(f"case {number}: the reference gives no value: {result.why}")
            elif contains_opaque(result.value):
                trouble.append(f"case {number}: the reference's value has no form to compare")
    call_s = max(LEAST_CALL_S * speed, SLOWER * calls.cpu_s)
    return Prepared(tests, tuple(expected), call_s, calls.cpu_s, tuple(trouble))


def _is_too_large(case: Case, result: StepResult) -> bool:
    """Whether the reference's own value does not fit the sandbox or has no form to compare."""
    if case.raises is not None or case.expected is not None:
        return False
    too_large = result.outcome == "value" and contains_opaque(result.value)
    return too_large or result.outcome in ("died", "out_of_memory")


def score(code: str, prepared: Prepared, isolation: Isolation) -> Score:
    """The verdict of the hidden tests on one program.

    Raises SandboxError, and DataError for tests whose right values are not known.
    """
    if prepared.trouble:
        raise DataError(
            f"the tests cannot be scored: {prepared.trouble[0]}",
            "See 'codekiln eval calibrate' for this suite",
        )
    if not code.strip():
        return Score(Verdict.NO_CODE, "there is no code")
    tests = prepared.tests
    calls = _run(code, tests, isolation, prepared.call_s)
    if calls.syntax is not None:
        return Score(Verdict.SYNTAX_ERROR, calls.syntax.message, 0, calls.cpu_s)
    if calls.load_error is not None:
        verdict = {"OverTime": Verdict.TIMEOUT, "MemoryError": Verdict.OUT_OF_MEMORY}.get(
            calls.load_error.kind, Verdict.RUNTIME_ERROR
        )
        return Score(verdict, f"loading it fails: {calls.load_error.kind}", 0, calls.cpu_s)
    sessions = calls.steps if not tests.together else [(result,) for result in calls.steps[0]]
    for number, (case, results) in enumerate(zip(tests.cases, sessions, strict=True)):
        failure = _judge(case, results, prepared.expected[number], tests)
        if failure is not None:
            return replace(failure, case=number, cpu_s=calls.cpu_s)
    return Score(Verdict.PASSED, cpu_s=calls.cpu_s)


def literal(value: object) -> str:
    """Python source that gives `value` again, infinities and empty sets included."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        return f"({''.join(literal(item) + ', ' for item in value)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{literal(k)}: {literal(v)}' for k, v in value.items())}}}"
    if isinstance(value, set | frozenset):
        return f"{type(value).__name__}([{', '.join(map(literal, value))}])"
    return repr(value)


def call_case(function: str, args: Sequence[object]) -> Case:
    """The case of one call whose right value is the reference's."""
    step = Step(function=function, args=literal(tuple(args)), in_place=False)
    return Case((step,), args=tuple(args))


def _run(code: str, tests: PythonTests, isolation: Isolation, call_s: float) -> CallsResult:
    sessions = (
        [[step for case in tests.cases for step in case.steps]]
        if tests.together
        else [list(case.steps) for case in tests.cases]
    )
    return run_calls(
        code,
        sessions,
        isolation,
        call_s=call_s,
        load_s=LOAD_S,
        memory_bytes=MEMORY_BYTES,
        max_processes=MAX_PROCESSES,
        cpu_s=PROCESS_CPU_S,
        max_nodes=MAX_NODES,
    )


def _last(tests: PythonTests, calls: CallsResult) -> list[StepResult]:
    return list(calls.steps[0]) if tests.together else [session[-1] for session in calls.steps]


def _judge(
    case: Case, results: Sequence[StepResult], expected: object, tests: PythonTests
) -> Score | None:
    """None for a pass."""
    for result in results[:-1]:
        if result.outcome != "value":
            return _failed(result)
    result = results[-1]
    if case.raises is not None:
        kinds = result.raised.types if result.raised is not None else ()
        if any(kind.rpartition(".")[2] == case.raises for kind in kinds):
            return None
        if result.outcome == "value":
            return Score(Verdict.WRONG_OUTPUT, "another value or exception")
        return _failed(result)
    if result.outcome != "value":
        return _failed(result)
    return None if _accepted(tests, case, result.value, expected) else _WRONG


def _accepted(tests: PythonTests, case: Case, observed: object, expected: object) -> bool:
    if contains_opaque(observed):
        return False
    if tests.compare is None:
        return same(observed, expected, tests.tolerance)
    try:
        return tests.compare(observed, expected, case.args)
    # A candidate may give a value of any type and size where another one is right.
    except (TypeError, ValueError, ArithmeticError, AssertionError, RecursionError):
        return False


# What a program gave may echo a hidden input, so only its kind leaves this process.
_WRONG = Score(Verdict.WRONG_OUTPUT, "another value or exception")


def _failed(result: StepResult) -> Score:
    verdict = {"timeout": Verdict.TIMEOUT, "out_of_memory": Verdict.OUT_OF_MEMORY}.get(
        result.outcome, Verdict.RUNTIME_ERROR
    )
    return Score(verdict, result.raised.kind if result.raised is not None else result.why)
