"""Reads examples written with labels (`Input: … Output: …`, `输入：… 输出：…`) and as tables."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Literal

from codekiln.generation.tasks.arguments import assignments
from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.pairs import with_result, without_bullet
from codekiln.generation.tasks.source import (
    called_names,
    mask_strings,
    normalised,
    parse_expression,
    parse_statements,
    source_of,
)
from codekiln.generation.tasks.values import Value, read_value, unwrapped
from codekiln.generation.tasks.wording import any_of, plain_heading, wording

Label = Literal["input", "output", "explanation"]

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_ROW = re.compile(r"^\s*\|?.*\|.*$")
# Printed output goes on like this where a single value was read from its first line.
_GOES_ON = re.compile(r"\n\s*(?:[-+]?\.?\d|['\"\[({]|\w+\s*(?:\n|$))")
_RULE = re.compile(r"^\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")


@dataclass(slots=True)
class _Pair:
    """An input with its output while lines are being read."""

    parts: dict[Label, list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Mark:
    """A label inside a line: what it says and where it and its content begin."""

    label: Label
    start: int
    end: int


def starts_labelled(line: str) -> bool:
    """True when a labelled input begins on this line."""
    marks = _marks(line)
    return bool(marks) and marks[0].label == "input" and not line[: marks[0].start].strip(" -*+•>#")


def labelled_at(line: str) -> int | None:
    """Where in running text an input begins that is followed by its output; None: nowhere."""
    marks = _marks(line)
    for mark, following in pairwise(marks):
        if (mark.label, following.label) == ("input", "output"):
            return mark.start
    return None


def read_labelled(lines: Sequence[str]) -> tuple[list[Draft], int]:
    """Drafts of the labelled examples that begin at lines[0], and how many lines they take."""
    pairs: list[_Pair] = []
    current: Label | None = None
    fenced = False
    index = 0
    while index < len(lines):
        line = lines[index]
        if _FENCE.match(line):
            if current is None:
                break
            fenced = not fenced
            pairs[-1].lines.append(line)
            index += 1
            continue
        marks = [] if fenced else _marks(without_bullet(line))
        text = line if fenced else without_bullet(line)
        if not line.strip() and not fenced:
            following = next((later for later in lines[index:] if later.strip()), "")
            continues = bool(_marks(without_bullet(following))) or (
                bool(_FENCE.match(following)) and not _content(pairs, current)
            )
            if not continues:
                break
        elif not fenced and index and not marks and _is_heading(line):
            break
        if current is not None and (before := text[: marks[0].start] if marks else text).strip():
            pairs[-1].parts[current].append(before)
        for number, mark in enumerate(marks):
            stop = marks[number + 1].start if number + 1 < len(marks) else len(text)
            if mark.label == "input" and (current != "input" or _content(pairs, current)):
                pairs.append(_Pair())
            if not pairs:
                pairs.append(_Pair())
            current = mark.label
            pairs[-1].parts.setdefault(current, []).append(text[mark.end : stop])
            if len(marks) > 2 or (pairs[-1].lines and mark.label == "input"):
                pairs[-1].lines.append(text[mark.start : stop].strip())
        if pairs and line.strip() and len(marks) <= 2:
            pairs[-1].lines.append(text.rstrip())
        index += 1
    return [draft for pair in pairs for draft in _read_pair(pair)], max(index, 1)


def read_table(lines: Sequence[str], *, headless: bool = True) -> tuple[list[Draft], int]:
    """Drafts of the Markdown table that begins at lines[0]; nothing when there is none.

    `headless`: two columns under any heading are inputs and outputs.
    """
    if len(lines) < 3 or not _ROW.match(lines[0]) or not _RULE.match(lines[1]):
        return [], 0
    header = [plain_heading(cell) for cell in _cells(lines[0])]
    labels = wording()["labels"]
    inputs = [i for i, name in enumerate(header) if name in labels["input"]]
    outputs = [i for i, name in enumerate(header) if name in labels["output"]]
    if not inputs and not outputs and len(header) == 2:
        if not headless:
            return [], 0
        inputs, outputs = [0], [1]
    count = 2
    while count < len(lines) and lines[count].strip() and _ROW.match(lines[count]):
        count += 1
    drafts: list[Draft] = []
    for line in lines[2:count]:
        cells = _cells(line)
        if len(inputs) == 1 and len(outputs) == 1 and len(cells) > max(*inputs, *outputs):
            drafts += from_input_output(line.strip(), cells[inputs[0]], cells[outputs[0]])
        else:
            drafts.append(
                Draft(line.strip(), why_not="the table has no single input and output column")
            )
    return drafts, count


def from_input_output(text: str, given: str, result: str) -> list[Draft]:
    """Drafts of one input with its output; the input is a call, or the arguments of one."""
    given = unwrapped(given.strip().rstrip("，,;；。、/|").removesuffix("->").removesuffix("→"))
    given, result = given.strip(), result.strip()
    calls = [unwrapped(line) for line in given.splitlines() if line.strip()]
    results = [line.strip() for line in result.splitlines() if line.strip()]
    if 1 < len(calls) == len(results) and all(_is_call(call) for call in calls):
        several: list[Draft] = []
        for call, line in zip(calls, results, strict=True):
            several += from_input_output(f"{call} -> {line}", call, line)
        return [replace(draft, shared=True) for draft in several]
    operations = _operations(calls, result, text)
    if operations:
        return operations
    statements = parse_statements(given) or parse_statements(normalised(given) or "")
    if statements and isinstance(statements[-1], ast.Expr) and called_names(statements[-1]):
        origin = given if parse_statements(given) else normalised(given) or ""
        setup = [Draft("", call=source_of(origin, s), shared=True) for s in statements[:-1]]
        check = with_result(text, source_of(origin, statements[-1].value), "value", result)
        if check.expected is not None and (why_not := _only_value(result).why_not):
            return [Draft(text, why_not=f"its output {why_not}")]
        return [*setup, replace(check, shared=bool(setup))]
    value = _only_value(result)
    if value.why_not:
        return [Draft(text, why_not=f"its output {value.why_not}")]
    arguments = ", ".join(call.rstrip(",，;；") for call in calls)
    named = None if parse_expression(f"f({arguments})") else assignments(arguments)
    if named is not None and not arguments[named[1] :].strip("`* .。"):
        arguments = named[0]
    return [Draft(text, arguments=arguments, expected=value.expected, raises=value.raises)]


def _only_value(result: str) -> Value:
    """The value of an output; none when a further line goes on with values."""
    value = read_value(result)
    rest = result[value.end :].strip("`*., \t")
    if not value.why_not and _GOES_ON.match(rest):
        return Value(0, why_not="has several lines, which may be printed")
    return value


def _read_pair(pair: _Pair) -> list[Draft]:
    text = "\n".join(dict.fromkeys(pair.lines)).strip()
    given = "\n".join(pair.parts.get("input", [])).strip()
    result = "\n".join(pair.parts.get("output", [])).strip()
    if "output" not in pair.parts:
        return [Draft(text, why_not="it has an input and no output")]
    if not result:
        return [Draft(text, why_not="its output is empty")]
    return from_input_output(text, given, result)


def _operations(lines: Sequence[str], result: str, text: str) -> list[Draft]:
    """The form `["Stack", "push"]`, `[[], [1]]` with output `[null, null]`: a class in use."""
    source = normalised(", ".join(lines)) or ""
    wanted = normalised(result) or ""
    both, values = parse_expression(source), parse_expression(wanted)
    if not isinstance(both, ast.Tuple) or len(both.elts) != 2 or not isinstance(values, ast.List):
        return []
    names, inputs = both.elts
    if not isinstance(names, ast.List) or not isinstance(inputs, ast.List):
        return []
    methods = [n.value for n in names.elts if isinstance(n, ast.Constant)]
    words = [m for m in methods if isinstance(m, str) and m.isidentifier()]
    if not 1 < len(words) == len(names.elts) == len(inputs.elts) == len(values.elts):
        return []
    drafts: list[Draft] = []
    for name, arguments, value in zip(words, inputs.elts, values.elts, strict=True):
        if not isinstance(arguments, ast.List):
            return []
        inner = source_of(source, arguments)[1:-1]
        if not drafts:
            drafts.append(Draft(text, call=f"instance = {name}({inner})", shared=True))
        else:
            expected = source_of(wanted, value)
            call = f"instance.{name}({inner})"
            drafts.append(Draft("", call=call, expected=expected, shared=True))
    return drafts


def _is_call(text: str) -> bool:
    node = parse_expression(normalised(text) or "")
    return isinstance(node, ast.Call) and bool(called_names(node))


def _content(pairs: Sequence[_Pair], current: Label | None) -> bool:
    return current is not None and any(part.strip() for part in pairs[-1].parts.get(current, []))


def _is_heading(line: str) -> bool:
    return (
        re.match(r"^\s{0,3}#{1,6}\s|^\s*(?:\*\*|__)[^*_]+(?:\*\*|__)\s*[:：]?\s*$", line)
        is not None
    )


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    masked = mask_strings(inner)
    cells, start = [], 0
    for index, char in enumerate(masked):
        if char == "|" and inner[index - 1 : index] != "\\":
            cells.append(inner[start:index])
            start = index + 1
    cells.append(inner[start:])
    return [unwrapped(cell.replace("\\|", "|")) for cell in cells]


def _marks(line: str) -> list[_Mark]:
    marks = []
    for match in _label().finditer(mask_strings(line)):
        alone = not line[: match.start()].strip(" -*#>") and not line[match.end() :].strip(" *_#")
        if match["colon"] or alone:
            label: Label = "explanation"
            if match["input"]:
                label = "input"
            elif match["output"]:
                label = "output"
            marks.append(_Mark(label, match.start(), match.end()))
    return marks


@cache
def _label() -> re.Pattern[str]:
    labels = wording()["labels"]
    names = "|".join(
        f"(?P<{name}>{any_of(labels[name])})" for name in ("input", "output", "explanation")
    )
    # A label stands at the beginning or behind a blank or punctuation, never inside a value.
    return re.compile(
        rf"(?:^|(?<=[\s,，;；。.、|>*_`)）#]))(?:#{{1,6}}\s*)?(?:\*\*|__|`)?(?:{names})\s*\d{{0,2}}"
        rf"(?:\*\*|__|`)?\s*(?P<colon>[:：])?(?:\*\*|__)?[^\S\n]*",
        re.IGNORECASE,
    )
