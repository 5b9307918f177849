"""Does the candidate bear the sizes that the task names? "Must work for lists of 20,000 numbers."

Recursion that is too deep and loops that are too slow show up only there. Calls the function with
its list or its text made that large. Whether so made an input is a valid one is not known; but what
works on a small one of the same make and breaks on the large one breaks by its size.
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
SMALL = 24
# Processor seconds for a large input: ten times what an ordinary program needs for it.
CALL_S = 6.0
_SMALL_CALL_S = 0.5
_PROMISE = r"\b(?:must|should|has to|needs to|works?|handles?|up to|as many as|at most)\b"
_NUMBER = (
    r"(?:(?:up to|at most|length|size)\s+)*(?P<size>10(?:\*\*|\^)[3-6]|\d{1,3}(?:,\d{3})+|\d+)"
)
_LIST = re.compile(
    rf"{_PROMISE}.*\b(?:lists?|arrays?|sequences?)\s+(?:of|with)\s+{_NUMBER}\b", re.IGNORECASE
)
_TEXT = re.compile(
    rf"{_PROMISE}.*\b(?:texts?|strings?|lines?)\s+(?:of|with)\s+{_NUMBER}\s+"
    r"(?:characters?|letters?|chars?)",
    re.IGNORECASE,
)
# A size of what comes out, or one that is not promised.
_OTHER = re.compile(r"\b(?:results?|returns?|gives?|outputs?|not|never|without)\b|n['’]t\b", re.I)
_SORTED = re.compile(r"\b(?:sorted|ascending|any order|in order)\b", re.IGNORECASE)
_REVERSED = re.compile(r"\b(?:reversed?|descending|any order)\b", re.IGNORECASE)
_EQUAL = re.compile(r"\b(?:all equal|all the same|identical|duplicates)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NamedSize:
    """What a sentence promises: items of a list, characters of a text; 0: it names none."""

    items: int = 0
    characters: int = 0
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same call with an input of the named size and with a small one of the same make."""

    small: Step
    large: Step


class SizeCheck:
    """Calls the function with inputs as large as the task says they may be."""

    name = CHECK
    cost = 40

    def applies(self, task: Task) -> bool:
        """Python tasks that name a size, with an example whose one list or text can grow."""
        return task.language == "python" and bool(size_pairs(task))

    def run(self, trial: Trial) -> CheckReport:
        """Up to the first input that breaks by its size."""
        started = time.monotonic()
        said = 0
        broken: tuple[Verdict, Finding] | None = None
        for pair in size_pairs(trial.task):
            small = self._call(trial, pair.small, _SMALL_CALL_S)
            if small.outcome != "value":
                continue
            large = self._call(trial, pair.large, CALL_S)
            verdict = _verdict(large)
            said += verdict is not None or large.outcome == "value"
            if verdict is not None:
                message = (
                    f"{pair.large.text} fails: {large.why}; the task names inputs of this size"
                )
                rule = large.raised.kind if large.raised else large.outcome
                broken = (verdict, Finding(CHECK, "error", message, rule=rule))
                break
        return CheckReport(
            check=CHECK,
            verdict=broken[0] if broken else Verdict.PASSED if said else Verdict.UNVERIFIED,
            findings=(broken[1],) if broken else (),
            isolation=trial.example_calls.isolation,
            detail=f"{said} large inputs" if said else "no input that could be made large works",
            seconds=time.monotonic() - started,
        )

    def _call(self, trial: Trial, step: Step, call_s: float) -> StepResult:
        calls = run_calls(
            trial.code,
            [[step]],
            trial.isolation,
            call_s=call_s,
            load_s=trial.limits.load_s,
            memory_bytes=trial.limits.memory_bytes,
            max_processes=1,
        )
        return calls.steps[0][0]


def _verdict(result: StepResult) -> Verdict | None:
    """What broke by size; None when nothing did, or an exception says that the input is no good."""
    if result.outcome == "timeout":
        return Verdict.TIMEOUT
    if result.outcome == "out_of_memory":
        return Verdict.OUT_OF_MEMORY
    deep = result.raised is not None and result.raised.kind == "RecursionError"
    return Verdict.RUNTIME_ERROR if deep or result.outcome == "died" else None


def named_size(task: Task) -> NamedSize:
    """The largest size of a list or a text that the task says must work.

    >>> named_size(Task("", constraints=("Must work for lists of 20,000 numbers.",))).items
    20000
    """
    found = NamedSize()
    for text in (task.description, *task.constraints):
        for part in re.split(r"[.;](?=\s)|\n\n|\n(?=\s*[-*])", text):
            sentence = " ".join(part.split())
            if not _OTHER.search(sentence):
                items, characters = _size(_LIST, sentence), _size(_TEXT, sentence)
                if max(items, characters) > max(found.items, found.characters):
                    found = NamedSize(items, characters, sentence)
    return found


def _size(pattern: re.Pattern[str], sentence: str) -> int:
    match = pattern.search(sentence)
    if match is None:
        return 0
    base, _, exponent = match["size"].replace("^", "**").replace(",", "").partition("**")
    size = int(base) ** int(exponent) if exponent else int(base)
    return min(size, MAX_SIZE) if size >= MIN_SIZE else 0


def size_pairs(task: Task) -> tuple[Pair, ...]:
    """Calls of the first example of the task's function whose one list or one text can grow."""
    size = named_size(task)
    if not size.items and not size.characters:
        return ()
    for session in example_sessions(task):
        for step in session.steps:
            call = parse_expression(step.source)
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id == (task.entry_point or call.func.id)
                and not call.keywords
            ):
                pairs = tuple(_grown(call, size))
                if pairs:
                    return pairs
    return ()


def _grown(call: ast.Call, size: NamedSize) -> Iterator[Pair]:
    lists = [place for place, arg in enumerate(call.args) if isinstance(arg, ast.List)]
    texts = [
        place
        for place, arg in enumerate(call.args)
        if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
    ]
    if size.items and len(lists) == 1:
        place, count = lists[0], size.items
    elif size.characters and len(texts) == 1 and not lists:
        place, count = texts[0], size.characters
    else:
        return
    for form in _forms(call.args[place], size.sentence):
        yield Pair(_with(call, place, form, SMALL), _with(call, place, form, count))


def _with(call: ast.Call, place: int, form: str, count: int) -> Step:
    args = [ast.unparse(arg) for arg in call.args]
    args[place] = form.replace("N", str(count))
    return Step(function=ast.unparse(call.func), args=f"({', '.join(args)},)")


def _forms(example: ast.expr, sentence: str) -> Iterator[str]:
    """Sources with N for the size: the example over and over, and the orders that are named."""
    if isinstance(example, ast.List) and all(map(_is_number, example.elts)) and example.elts:
        if _SORTED.search(sentence):
            yield "list(range(1, N + 1))"
        if _REVERSED.search(sentence):
            yield "list(range(N, 0, -1))"
        if _EQUAL.search(sentence):
            yield "[1] * N"
    text = ast.unparse(example)
    if text not in ("[]", "''", '""') and "N" not in text:
        yield f"({text} * N)[:N]"


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node = node.operand
    return isinstance(node, ast.Constant) and type(node.value) is int
