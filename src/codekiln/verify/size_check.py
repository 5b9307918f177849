"""Does the candidate bear the sizes that the task names? "Must work for lists of 20,000 numbers."

Recursion that is too deep and loops that are too slow show up only there. Calls an example's
function with its list or its text made that large. What such an input means is not known, so that
only what is wrong for every input fails a candidate: recursion without room, memory, time.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from codekiln.core.task import Task
from codekiln.core.verdict import CheckReport, Finding, Verdict
from codekiln.verify.checks import Trial
from codekiln.verify.python_source import parse_expression
from codekiln.verify.sandboxed_calls import Step, StepResult, run_calls
from codekiln.verify.steps import example_sessions

CHECK = "size"
# A larger input says no more about recursion, and much about this machine.
MAX_SIZE = 200_000
# Below this nothing breaks by size.
MIN_SIZE = 1_000
# Processor seconds for one call: ten times what an ordinary program needs for such an input.
CALL_S = 10.0
_PROMISE = r"(?:must|should|has to|needs to|will|works?|handles?|up to|as many as|at most)\b"
_NUMBER = r"(?P<size>\d{1,3}(?:,\d{3})+|\d+|10(?:\*\*|\^)[3-6])"
_LIST = re.compile(
    rf"{_PROMISE}.*\b(?:lists?|arrays?|sequences?)\s+(?:of|with)\s+(?:up to\s+)?{_NUMBER}\s+\w+",
    re.IGNORECASE,
)
_TEXT = re.compile(
    rf"{_PROMISE}.*\b(?:texts?|strings?|lines?)\s+(?:of|with)\s+(?:up to\s+)?{_NUMBER}\s+"
    r"(?:characters?|letters?|chars?)",
    re.IGNORECASE,
)
_DEEP = "RecursionError"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many items a list, and how many characters a text may have; 0: nothing is said."""

    items: int = 0
    characters: int = 0


class SizeCheck:
    """Calls the function with inputs as large as the task says they may be."""

    name = CHECK
    cost = 40

    def applies(self, task: Task) -> bool:
        """Python tasks that name a size, with an example whose one list or text can grow."""
        return task.language == "python" and bool(large_calls(task))

    def run(self, trial: Trial) -> CheckReport:
        """One run for all large inputs."""
        started = time.monotonic()
        steps = large_calls(trial.task)
        calls = run_calls(
            trial.code,
            [(step,) for step in steps],
            trial.isolation,
            call_s=CALL_S,
            load_s=trial.limits.load_s,
            memory_bytes=trial.limits.memory_bytes,
        )
        results = [result for (result,) in calls.steps]
        broken = next(filter(None, map(_verdict, results)), Verdict.PASSED)
        findings = [
            Finding(
                CHECK,
                "error",
                f"{step.text} fails: {result.why}; the task names inputs of this size",
                rule=result.raised.kind if result.raised else result.outcome,
            )
            for step, result in zip(steps, results, strict=True)
            if _verdict(result) is not None
        ]
        return CheckReport(
            check=CHECK,
            verdict=broken,
            findings=tuple(findings),
            isolation=calls.isolation,
            detail=f"{len(steps)} large inputs",
            seconds=time.monotonic() - started,
        )


def _verdict(result: StepResult) -> Verdict | None:
    """What is wrong whatever the input means; None when nothing is."""
    if result.outcome == "timeout":
        return Verdict.TIMEOUT
    if result.outcome == "out_of_memory":
        return Verdict.OUT_OF_MEMORY
    deep = result.raised is not None and result.raised.kind == _DEEP
    return Verdict.RUNTIME_ERROR if deep else None


def named_sizes(task: Task) -> Sizes:
    """The largest sizes of lists and of texts that the task says must work.

    >>> named_sizes(Task("", constraints=("Must work for lists of 20,000 numbers.",))).items
    20000
    """
    sentences = [
        sentence
        for text in (task.description, *task.constraints)
        for sentence in re.split(r"[.;]\s|\n\n", text)
    ]
    return Sizes(_largest(_LIST, sentences), _largest(_TEXT, sentences))


def _largest(pattern: re.Pattern[str], sentences: list[str]) -> int:
    found = [match["size"] for match in map(pattern.search, sentences) if match]
    sizes = [_number(text) for text in found]
    return min(MAX_SIZE, max((size for size in sizes if size >= MIN_SIZE), default=0))


def _number(text: str) -> int:
    base, _, exponent = text.replace("^", "**").partition("**")
    return int(base) ** int(exponent) if exponent else int(text.replace(",", ""))


def large_calls(task: Task) -> tuple[Step, ...]:
    """Calls of the first example that has exactly one list, or one text, which can grow."""
    sizes = named_sizes(task)
    if not sizes.items and not sizes.characters:
        return ()
    for session in example_sessions(task):
        for step in session.steps:
            call = parse_expression(step.source)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.keywords:
                found = tuple(_grown(call, sizes))
                if found:
                    return found
    return ()


def _grown(call: ast.Call, sizes: Sizes) -> Iterator[Step]:
    lists = [place for place, arg in enumerate(call.args) if isinstance(arg, ast.List)]
    texts = [
        place
        for place, arg in enumerate(call.args)
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
    ]
    if sizes.items and len(lists) == 1:
        place = lists[0]
        sources = _large_lists(call.args[place], sizes.items)
    elif sizes.characters and len(texts) == 1 and not lists:
        place = texts[0]
        text = ast.unparse(call.args[place])
        size = sizes.characters
        sources = (f"({text} * {size})[:{size}]",) if text not in ("''", '""') else ()
    else:
        return
    rest = [ast.unparse(arg) for arg in call.args]
    for source in sources:
        args = [*rest[:place], source, *rest[place + 1 :]]
        yield Step(function=ast.unparse(call.func), args=f"({', '.join(args)},)")


def _large_lists(example: ast.expr, size: int) -> tuple[str, ...]:
    """Numbers in order, in reverse and all equal; other items over and over."""
    assert isinstance(example, ast.List)
    if not example.elts:
        return ()
    if all(_is_number(item) for item in example.elts):
        return (f"list(range({size}))", f"list(range({size}, 0, -1))", f"[1] * {size}")
    return (f"({ast.unparse(example)} * {size})[:{size}]",)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) is int
