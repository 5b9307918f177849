"""What a task implies about the types of the function it asks for, told to the model as inferred.

Reads the description, the signature and the examples with codekiln.typeflow; runs nothing.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterator
from dataclasses import replace

from codekiln.core import Task
from codekiln.core.errors import UsageError
from codekiln.typeflow import WRITTEN, KnownSignature, infer
from codekiln.typeflow.prose import stated_examples

# Names for parameters of which only the number is known; the model does not see them.
_UNNAMED = "argument"


def with_types(task: Task, signature: str | None) -> Task:
    """The task with one more constraint: the types that `inferred_signature` found, if any."""
    if signature is None:
        return task
    told = f"Types, inferred from the task: `{signature}`"
    return replace(task, constraints=(*task.constraints, told))


def inferred_signature(task: Task) -> str | None:
    """The signature of the entry point with the types that the user did not write but implied.

    None where nothing is known beyond what is declared.

    >>> merged = Example("", "merge([1], [2])", "[1, 2]")
    >>> task = Task("Merge.", "python", (merged,), (), "merge", "def merge(a, b):")
    >>> inferred_signature(task)
    'merge(a: list[int], b: list[int]) -> list[int]'
    """
    if task.language not in WRITTEN or not task.entry_point:
        return None
    are_named = bool(task.skeleton.strip() or task.signature.strip())
    header = _header(task)
    if header is None:
        return None
    # An answer does not fail for what is not understood here.
    for code in _closed(header, task.language):
        with contextlib.suppress(UsageError, RecursionError, MemoryError, ValueError):
            typed = infer(_module(task, code), task.language, bodies=False)
            found = next((s for s in typed.signatures if s.name == task.entry_point), None)
            conflicts = any(c.place.scope == task.entry_point for c in typed.conflicts)
            # A contradiction is the user's to solve; what rests on it would be a guess.
            if found is None:
                continue
            if conflicts or not _implied(found):
                return None
            return str(found) if are_named else _without_names(found)
    return None


def _implied(signature: KnownSignature) -> bool:
    known = [*signature.parameters.values(), signature.result]
    return any(found is not None and found.strength != "declared" for found in known)


def _without_names(signature: KnownSignature) -> str | None:
    """The signature of types alone; None where one of them is not known."""
    if None in signature.parameters.values():
        return None
    return re.sub(rf"{_UNNAMED}\d+: ", "", str(signature))


def _header(task: Task) -> str | None:
    """The function as far as the user wrote it; None where not even its arity is known."""
    given = task.skeleton if task.skeleton.strip() else task.signature
    if given.strip():
        return given.rstrip()
    arity = _arity(task)
    if arity is None:
        return None
    names = ", ".join(f"{_UNNAMED}{number}" for number in range(arity))
    python = f"def {task.entry_point}({names}):"
    return python if task.language == "python" else f"function {task.entry_point}({names})"


def _closed(header: str, language: str) -> Iterator[str]:
    """The code with what it may lack to parse: a body, or the ends of its blocks."""
    if language == "python":
        yield f"{header}\n    ..." if header.endswith(":") else header
        return
    yield header + "}" * (header.count("{") - header.count("}"))
    yield header.rstrip(";") + " { throw 0; }"


def _arity(task: Task) -> int | None:
    """How many arguments the examples give; None where they differ or cannot be told."""
    found: set[int | None] = set()
    for example in task.examples:
        in_text = next((stated.call for stated in stated_examples(example.text)), "")
        try:
            call = ast.parse(example.call or in_text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if isinstance(call, ast.Call) and ast.unparse(call.func) == task.entry_point:
            is_plain = not call.keywords and not any(isinstance(a, ast.Starred) for a in call.args)
            found.add(len(call.args) if is_plain else None)
    return found.pop() if len(found) == 1 else None


def _module(task: Task, header: str) -> str:
    """A module with the description above the function and examples around it."""
    sign = "#" if task.language == "python" else "//"
    lines = [f"{sign} {line}" for line in task.description.split("\n")]
    if task.language == "python":
        lines.append(header)
        # What fails or prints gives no value.
        lines += [f"assert {e.call} == {e.expected}" for e in task.checks if e.expected is not None]
    else:
        # They are read like those that stand in comments.
        lines += [f"{sign} {line}" for e in task.examples for line in e.text.split("\n")]
        lines.append(header)
    return "\n".join(lines) + "\n"
