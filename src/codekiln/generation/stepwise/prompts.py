"""The prompts for one function of a long task, and the small task that it is.

A function whose list item names no other one is put as a task of its own, then with the whole task
as an answer that has been begun; any other one so at once, then as a request to go on.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from codekiln.core import Message, Prompt, Task
from codekiln.core.errors import ContextOverflowError
from codekiln.generation.prompt_forms import prompt_form
from codekiln.generation.prompts import build_prompt, shown_example
from codekiln.generation.schedule import form_of
from codekiln.generation.stepwise.plans import Step, head_of, named_steps, without_items
from codekiln.generation.workbench import Workbench

# Where an answer that was begun goes on to the function after the one that is wanted.
_NEXT_DEFINITION = ("\ndef ", "\nclass ", "\nif __name__")


def sub_task(task: Task, step: Step, done: Collection[str]) -> Task:
    """The task of one function: the examples that need nothing that is not written yet.

    Its description is that of the whole unless the step has a list item that says enough.
    """
    known = {*done, step.name}
    named = {other.name for other in named_steps(task)}
    examples = tuple(
        example
        for example in task.examples
        if example.call
        and (used := _names(example.call)) & {step.name}
        and not (used & named) - known
    )
    alone = step.item and not _names_in(step.item) & (named - {step.name})
    return replace(
        task,
        description=step.item if alone else task.description,
        entry_point=step.name,
        signature=step.signature,
        skeleton="",
        examples=examples,
    )


def _names(source: str) -> set[str]:
    try:
        return {n.id for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Name)}
    except SyntaxError:
        return set()


def _names_in(prose: str) -> set[str]:
    """Names in code marks or before an argument list; other words are words."""
    return set(re.findall(r"(?<=`)\w+|\w+(?=\()", prose))


def step_prompts(
    bench: Workbench, step: Step, sub: Task, finished: Sequence[str]
) -> Iterator[Prompt]:
    """Two ways to put the function: what one of them leads astray the other may not.

    `sub` is its `sub_task`, `finished` the functions before it. Raises ContextOverflowError.
    """
    if sub.description != bench.task.description:
        yield _own_prompt(bench, sub)
        yield _begun_prompt(bench, step, sub, finished)
    else:
        yield _begun_prompt(bench, step, sub, finished)
        yield _next_prompt(bench, step, finished)


def _own_prompt(bench: Workbench, task: Task) -> Prompt:
    """The function as a task of its own, put like any other function."""
    return build_prompt(
        task,
        form=form_of(task),
        count_tokens=bench.backend.count_tokens,
        budget_tokens=bench.prompt_tokens,
    )


def _begun_prompt(bench: Workbench, step: Step, sub: Task, finished: Sequence[str]) -> Prompt:
    """The whole task with an answer that has got as far as this function."""
    base = build_prompt(
        bench.task,
        form=form_of(bench.task),
        count_tokens=bench.backend.count_tokens,
        budget_tokens=bench.prompt_tokens,
    )
    written = "".join(f"{part}\n\n\n" for part in finished)
    return _fitting(
        bench,
        replace(
            base,
            prefill=f"{base.prefill}{written}{begun(bench.task, step, sub)}",
            stop=(*base.stop, *_NEXT_DEFINITION),
        ),
    )


def begun(task: Task, step: Step, sub: Task) -> str:
    """What its definition begins with: what is said of it and its examples, then its first line.

    What matters stands right above the body that is to come. It is a comment, since behind a
    docstring small models leave the body out. Only `def name(` where the signature can not stand
    in code.
    """
    said = step.item or without_items(task.description)
    text = "\n".join(part for part in (said, *map(shown_example, sub.examples)) if part)
    comment = "".join(f"# {line}\n" if line else "#\n" for line in text.splitlines())
    return f"{comment}{head_of(step)}"


def _next_prompt(bench: Workbench, step: Step, finished: Sequence[str]) -> Prompt:
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
    return _fitting(bench, prompt)


def _fitting(bench: Workbench, prompt: Prompt) -> Prompt:
    counted = bench.backend.count_tokens(prompt)
    if counted is not None and counted > bench.prompt_tokens:
        raise ContextOverflowError(
            f"the functions written so far and the task take {counted} tokens, "
            f"{bench.prompt_tokens} are there for the prompt",
            "Use a model with a larger context, or ask for fewer new tokens",
        )
    return prompt
