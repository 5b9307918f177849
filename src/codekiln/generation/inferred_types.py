"""What a task implies about the types of the function it asks for, told to the model as inferred.

Reads the description, the signature and the examples with codekiln.typeflow; runs nothing.
"""

from __future__ import annotations

import ast
import re
from dataclasses import replace

from codekiln.core import Task
from codekiln.core.errors import UsageError
from codekiln.typeflow import WRITTEN, KnownSignature, infer
from codekiln.typeflow.prose import stated_examples

# Names for parameters of which only the number is known; the model does not see them.
_UNNAMED = "argument"


def with_inferred_types(task: Task) -> Task:
    """The task with one more constraint: the types that the user did not write but implied.

    The same task where nothing is known beyond what is declared.

    >>> task = Task("Merge.", entry_point="merge", signature="def merge(a, b):")
    >>> task = replace(task, examples=(Example("", "merge([1], [2])", "[1, 2]"),))
    >>> with_inferred_types(task).constraints
    ('Types, inferred from the task: `merge(a: list[int], b: list[int]) -> list[int]`',)
    """
    found = inferred_signature(task)
    if found is None:
        return task
    return replace(
        task, constraints=(*task.constraints, f"Types, inferred from the task: `{found}`")
    )


def inferred_signature(task: Task) -> str | None:
    """The signature of the entry point with its types; None where all of them are declared."""
    if task.language not in WRITTEN or not task.entry_point:
        return None
    header, are_named = _header(task)
    try:
        typed = infer(_module(task, header), task.language)
    except UsageError:
        return None
    found = next((s for s in typed.signatures if s.name == task.entry_point), None)
    if found is None or not _implied(found):
        return None
    # A contradiction is the user's to solve; what rests on it would be a guess.
    if any(conflict.place.scope == task.entry_point for conflict in typed.conflicts):
        return None
    return str(found) if are_named else re.sub(rf"{_UNNAMED}\d+: ", "", str(found))


def _implied(signature: KnownSignature) -> bool:
    known = [*signature.parameters.values(), signature.result]
    return any(found is not None and found.strength != "declared" for found in known)


def _header(task: Task) -> tuple[str, bool]:
    """The function as far as the user wrote it, closed; and whether its parameters have names."""
    given = task.skeleton or task.signature
    is_python = task.language == "python"
    if given.strip():
        body = "\n    ..." if is_python else " { throw 0; }"
        is_header = is_python and given.rstrip().endswith(":")
        if is_header or (not is_python and "{" not in given):
            return given.rstrip().rstrip(";") + body, True
        # What a skeleton leaves open.
        return given + "}" * (0 if is_python else given.count("{") - given.count("}")), True
    names = ", ".join(f"{_UNNAMED}{number}" for number in range(_arity(task)))
    if is_python:
        return f"def {task.entry_point}({names}):\n    ...", False
    return f"function {task.entry_point}({names}) {{ throw 0; }}", False


def _arity(task: Task) -> int:
    """How many arguments the examples give; 0 where they differ or cannot be told."""
    found = set()
    for example in task.examples:
        in_text = next((stated.call for stated in stated_examples(example.text)), "")
        try:
            call = ast.parse(example.call or in_text, mode="eval").body
        except SyntaxError:
            continue
        if isinstance(call, ast.Call) and ast.unparse(call.func) == task.entry_point:
            found.add(len(call.args))
    return found.pop() if len(found) == 1 else 0


def _module(task: Task, header: str) -> str:
    """A module with the description above the function and examples around it."""
    sign = "#" if task.language == "python" else "//"
    lines = [f"{sign} {line}" for line in task.description.split("\n")]
    lines.append(header)
    if task.language != "python":
        # They stay text, and are read like those that stand in comments.
        lines[:0] = [f"{sign} {line}" for e in task.examples for line in e.text.split("\n")]
    # What fails or prints gives no value.
    lines += [f"assert {e.call} == {e.expected}" for e in task.checks if e.expected is not None]
    return "\n".join(lines) + "\n"
