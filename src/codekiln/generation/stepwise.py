"""Stepwise generation: a long task is written function by function, each checked on its own.

The plan comes from the task where it names its functions, else from the model. A function that a
list item of the task describes is put as a small task of its own, any other one with the whole
task and all finished functions. It is drawn several times, checked with those examples that need
nothing unwritten, and the best is kept; while none passes, more are drawn, then small changes are
tried. The last function is the one that was asked for, and the whole is checked with all examples.
Python only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace

from codekiln.core import Assessment, Candidate, Message, Prompt, Task, Verdict
from codekiln.core.errors import ContextOverflowError
from codekiln.generation.drafting import Round, draw
from codekiln.generation.mutation import find_change, remark
from codekiln.generation.plans import Step, named_steps, planned_steps
from codekiln.generation.prompt_forms import prompt_form
from codekiln.generation.prompts import build_prompt
from codekiln.generation.schedule import form_of
from codekiln.generation.selection import select, standing
from codekiln.generation.workbench import Workbench
from codekiln.verify import (
    DEFAULT_CHECKS,
    PART_CHECKS,
    Check,
    assess_many,
    normalise,
    parse_python,
)

FORM = "stepwise"
DRAFTS_PER_STEP = 3
# While none passes, more rounds follow: a function is short, and a wrong one spoils all after it.
ROUNDS_PER_STEP = 3
DRAFTS_OF_LAST = 4


def is_worthwhile(bench: Workbench) -> bool:
    """True for a task that names several functions to write and was not written so yet."""
    written = any(candidate.form == FORM for candidate in bench.candidates)
    return bench.task.language == "python" and not written and len(named_steps(bench.task)) >= 2


def write_stepwise(bench: Workbench) -> tuple[str, ...]:
    """Write the task's functions one by one; the finished modules join the bench's candidates.

    The modules count against the budget; single functions come on top, and their tokens are told
    apart. Gives remarks for the user. Raises what drawing and checking raise.
    """
    try:
        return _write(bench)
    except ContextOverflowError:
        return ("it was not written function by function: that would not fit the context window",)


def _write(bench: Workbench) -> tuple[str, ...]:
    count = min(DRAFTS_OF_LAST, bench.budget)
    steps = named_steps(bench.task) or planned_steps(bench)
    if not steps or not count:
        return ()
    remarks: list[str] = []
    finished: list[str] = []
    done: set[str] = set()
    for number, step in enumerate(steps[:-1], 1):
        versions, told = _versions(bench, step, finished, done, DRAFTS_PER_STEP, number)
        remarks += told
        if not versions:
            continue
        finished.append(versions[0])
        done.add(step.name)
        bench.spare_parts += versions[1:]
    versions, told = _versions(bench, steps[-1], finished, done, count, len(steps))
    before = "\n\n".join(finished)
    wholes = [f"{before}\n\n{version}".strip() + "\n" for version in versions[:count]]
    # What was mended is judged as a repair is: it was made to fit the examples.
    mended = len(wholes) if remarks else min(len(told), len(wholes))
    _offer(bench, wholes, mended)
    return (*remarks, *told)


def _versions(
    bench: Workbench,
    step: Step,
    finished: Sequence[str],
    done: set[str],
    count: int,
    number: int,
) -> tuple[list[str], tuple[str, ...]]:
    """Versions of the function of step `number`, the best first; each is only what is new.

    With remarks when the first of them is one that was mended.
    """
    sub = _sub_task(bench.task, step, done)
    if step.item and not _names_in(step.item) & done:
        prompt = _own_prompt(bench, replace(sub, description=step.item))
    else:
        prompt = _step_prompt(bench, step, finished)
    before = "\n\n".join(finished)
    drawn: list[Candidate] = []
    parts: list[str] = []
    assessments: list[Assessment] = []
    # Without warmth every round would give the same again.
    rounds, count = (ROUNDS_PER_STEP, count) if bench.options.temperature > 0 else (1, 1)
    while len(drawn) < rounds * count and not _is_written(assessments, sub):
        # Far from the numbers of whole candidates, so that no two draws share a seed.
        first = 1000 * number + len(drawn)
        drafts = Round(prompt, count, first_index=first, greedy=not drawn, form=FORM)
        with bench.clock("sample"):
            new = draw(sub, drafts, bench.options, bench.backend, bench.on_event, bench.cancel)
        bench.side_tokens += sum(candidate.completion_tokens for candidate in new)
        new_parts = [_new_part(candidate.code, step.name, done) for candidate in new]
        codes = [f"{before}\n\n{part}".strip() + "\n" if part else "" for part in new_parts]
        with bench.clock("check"):
            assessments += assess_many(
                codes, sub, isolation=bench.isolation, checks=_checks_of(bench.task, step)
            )
        drawn += new
        parts += new_parts
    ranked = _ranked(drawn, parts, assessments)
    # A function is checked by its own examples as a whole answer is, and mended in the same way.
    if sub.examples and not any(a.verdict is Verdict.PASSED for a in assessments):
        change = find_change(
            bench,
            ranked,
            task=sub,
            before=f"{before}\n\n" if before else "",
            checks=_checks_of(bench.task, step),
        )
        if change is not None:
            return [change.code, *ranked], (remark(ranked[change.parent], change.code),)
    return ranked, ()


def _checks_of(task: Task, step: Step) -> Sequence[Check]:
    return DEFAULT_CHECKS if step.name == task.entry_point else PART_CHECKS


def _is_written(assessments: Sequence[Assessment], sub: Task) -> bool:
    """True when a version passes, or none of those drawn can be told to be wrong."""
    passes = any(assessment.verdict is Verdict.PASSED for assessment in assessments)
    return bool(assessments) and (passes or not sub.examples)


def _ranked(
    drawn: Sequence[Candidate], parts: Sequence[str], assessments: Sequence[Assessment]
) -> list[str]:
    usable = [place for place, part in enumerate(parts) if part]
    if not usable:
        return []
    numbered = [replace(drawn[place], index=place, code=parts[place]) for place in usable]
    best = select(numbered, [assessments[place] for place in usable]).index
    order = sorted(usable, key=lambda p: (p == best, standing(assessments[p]), -p), reverse=True)
    found: dict[str, str] = {}
    for place in order:
        found.setdefault(normalise(parts[place]), parts[place])
    return list(found.values())


def _offer(bench: Workbench, codes: Sequence[str], mended: int) -> None:
    """Check whole modules and keep those that may be the answer; the first `mended` are repairs."""
    first = len(bench.candidates)
    wholes = [
        Candidate(first + number, code, code, sample=number, round=int(number < mended), form=FORM)
        for number, code in enumerate(codes)
    ]
    if wholes:
        bench.add(wholes)


def _sub_task(task: Task, step: Step, done: set[str]) -> Task:
    """The task of one function: the examples that need nothing that is not written yet."""
    known = done | {step.name}
    named = {other.name for other in named_steps(task)}
    examples = tuple(
        example
        for example in task.examples
        if example.call
        and (used := _names(example.call)) & {step.name}
        and not (used & named) - known
    )
    return replace(
        task, entry_point=step.name, signature=step.signature, skeleton="", examples=examples
    )


def _names(source: str) -> set[str]:
    try:
        return {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    except SyntaxError:
        return set()


def _names_in(prose: str) -> set[str]:
    return set(re.findall(r"\w+", prose))


def _own_prompt(bench: Workbench, task: Task) -> Prompt:
    """The function as a task of its own, put like any other function."""
    return build_prompt(
        task,
        form=form_of(task),
        count_tokens=bench.backend.count_tokens,
        budget_tokens=bench.prompt_tokens,
    )


def _step_prompt(bench: Workbench, step: Step, finished: Sequence[str]) -> Prompt:
    """The task, what is written, and the one function to write now."""
    form = prompt_form("step")
    base = build_prompt(
        bench.task,
        form="step",
        count_tokens=bench.backend.count_tokens,
        budget_tokens=bench.prompt_tokens,
    )
    written = "\n\n".join(finished)
    said = form.request["written" if written else "first"].format(
        written=written, signature=step.signature, name=step.name, purpose=step.purpose
    )
    user = base.messages[-1]
    prompt = replace(
        base,
        messages=(*base.messages[:-1], Message("user", f"{user.content}\n\n{said}")),
        prefill=f"{base.prefill}def {step.name}(",
    )
    counted = bench.backend.count_tokens(prompt)
    if counted is not None and counted > bench.prompt_tokens:
        raise ContextOverflowError(
            f"the functions written so far and the task take {counted} tokens, "
            f"{bench.prompt_tokens} are there for the prompt",
            "Use a model with a larger context, or ask for fewer new tokens",
        )
    return prompt


def _new_part(code: str, name: str, done: set[str]) -> str:
    """What a completion adds: the function, its own helpers and imports, nothing that is done."""
    tree = parse_python(code)
    if not isinstance(tree, ast.Module):
        return ""
    _InnerCopies(done).visit(tree)
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            # Behind a finished function of that name the import would hide it.
            node.names = [name for name in node.names if (name.asname or name.name) not in done]
    body: list[ast.stmt] = [
        node
        for node in tree.body
        if not isinstance(node, ast.Expr)
        and getattr(node, "name", "") not in done
        # It has to be at the top of a module, where the part may not come to stand.
        and not (
            isinstance(node, ast.ImportFrom) and (node.module == "__future__" or not node.names)
        )
    ]
    if not any(getattr(node, "name", "") == name for node in body):
        return ""
    return ast.unparse(ast.Module(body, []))


class _InnerCopies(ast.NodeTransformer):
    """Takes functions that are written already out of those that define them once more inside.

    Small models repeat what they are shown, and the copy would hide the one that was checked.
    """

    def __init__(self, done: set[str]) -> None:
        self._done = done

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = [
            inner
            for inner in node.body
            if not (isinstance(inner, ast.FunctionDef) and inner.name in self._done)
        ] or [ast.Pass()]
        self.generic_visit(node)
        return node
