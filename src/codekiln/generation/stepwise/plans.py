"""The plan of a long task: the functions to write, in their order.

It is read from the task where that names its functions by signature, else asked of the model.
Python only.
"""

from __future__ import annotations

import ast
import builtins
import re
from dataclasses import dataclass, replace

from codekiln.core import Task
from codekiln.generation.drafting import Round, draw
from codekiln.generation.prompt_forms import prompt_form
from codekiln.generation.prompts import build_prompt
from codekiln.generation.workbench import Workbench

MOST_STEPS = 8
_SIGNATURE = re.compile(r"`(?:def\s+)?([A-Za-z_]\w*)\(([^`()]*(?:\([^`()]*\)[^`()]*)*)\)([^`]*)`")
_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d+[.)])[ \t]+", re.MULTILINE)
_PLAN_LINE = re.compile(
    r"^[\s\-*\d.`]*(?:def\s+)?([A-Za-z_]\w*)\(([^()]*)\)"
    r"(?:\s*->\s*[\w\[\], .|]+)?`?\s*[:–-]?\s*(.*)$"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One function to write: its name, the signature line, and what is said about it.

    `item` is the list item of the task that describes it and no other.
    """

    name: str
    signature: str
    purpose: str = ""
    item: str = ""


def named_steps(task: Task) -> tuple[Step, ...]:
    """The functions that a task names by signature, in its order, the one asked for last."""
    text = "\n".join([task.description, *task.constraints])
    steps: dict[str, Step] = {}
    for match in _SIGNATURE.finditer(text):
        name, arguments, rest = match.groups()
        returns = rest.strip().rstrip(":")
        signature = f"def {name}({arguments}) {returns}".strip() + ":"
        if name not in steps and _parses(signature) and _are_parameters(arguments):
            steps[name] = Step(name, signature, item=_item_at(text, match.start()))
    if task.entry_point not in steps:
        return ()
    last = steps.pop(task.entry_point)
    return (*list(steps.values())[: MOST_STEPS - 1], last)


def _item_at(text: str, place: int) -> str:
    """The list item that begins at `place`; empty for running text."""
    line_start = text.rfind("\n", 0, place) + 1
    if not _ITEM.fullmatch(text[line_start:place]):
        return ""
    ends = [text.find("\n\n", place)]
    if (following := _ITEM.search(text, place)) is not None:
        ends.append(following.start())
    end = min((end for end in ends if end >= 0), default=len(text))
    return "\n".join(line.strip() for line in text[place:end].strip().splitlines())


def without_items(text: str) -> str:
    """The text without its list items; empty where it has none."""
    lines = text.splitlines()
    kept: list[str] = []
    inside = found = False
    for line in lines:
        starts = bool(_ITEM.match(line))
        inside = starts or (inside and line[:1].isspace() and bool(line.strip()))
        found = found or starts
        if not inside:
            kept.append(line)
    return "\n".join(kept).strip() if found else ""


def planned_steps(bench: Workbench) -> tuple[Step, ...]:
    """The model's own plan; empty when it gives none."""
    task = bench.task
    if not task.entry_point:
        return ()
    form = prompt_form("plan")
    prompt = build_prompt(
        task,
        form="plan",
        count_tokens=bench.backend.count_tokens,
        budget_tokens=bench.prompt_tokens,
    )
    options = replace(bench.options, max_tokens=min(300, bench.options.max_tokens))
    drafts = Round(prompt, 1, first_index=900, greedy=True, form=form.name)
    with bench.clock("sample"):
        drawn = draw(task, drafts, options, bench.backend, bench.on_event, bench.cancel)
    bench.side_tokens += drawn[0].completion_tokens
    steps: dict[str, Step] = {}
    for line in (prompt.prefill + drawn[0].completion).splitlines():
        match = _PLAN_LINE.match(line)
        if match is None or match[1] == task.entry_point or hasattr(builtins, match[1]):
            continue
        if _parses(f"def {match[1]}({match[2]}):"):
            steps[match[1]] = Step(match[1], f"def {match[1]}({match[2]}):", match[3].strip())
    if not steps:
        return ()
    own = task.signature.strip() or f"def {task.entry_point}(...)"
    return (*list(steps.values())[:MOST_STEPS], Step(task.entry_point, own))


def head_of(step: Step) -> str:
    """What its definition begins with: the whole signature where it can stand in code."""
    signature = step.signature.strip()
    return signature if _parses(signature) else f"def {step.name}("


def _parses(signature: str) -> bool:
    try:
        ast.parse(f"{signature}\n    pass\n")
    except (SyntaxError, ValueError):
        return False
    return True


def _are_parameters(arguments: str) -> bool:
    """False for a call such as `f(1, "a")`."""
    return bool(re.fullmatch(r"[\w\s,:=\[\]|.*\"'()]*", arguments)) and not re.search(
        r"(?:^|,)\s*(?:\d|['\"\[{(])", arguments
    )
