"""What may be shown of a problem, and the core Task that codekiln makes of it.

Takes the public fields that the scorer process gave out. Reads tasks with the same reader as
`codekiln generate`, so that an evaluation measures what a user gets.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from codekiln.core import Task
from codekiln.generation import read_task

# The prompt form that a shape of problem has by convention; others take the form of the run.
_FORMS = {"completion": "multipl-e", "fix": "fix"}


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem as a generator may see it. `form` is set where only one prompt form fits."""

    id: str
    language: str
    task: Task
    form: str = ""
    topic: str = ""
    functions: int = 1


def problem_of(public: dict[str, Any]) -> Problem:
    """The problem in the public fields of a suite."""
    shape = public["shape"]
    return Problem(
        id=public["id"],
        language=public["language"],
        task=_READERS[shape](public),
        form=_FORMS.get(shape, ""),
        topic=public.get("topic", ""),
        functions=public.get("functions", 1),
    )


def _stub(public: dict[str, Any]) -> Task:
    return _named(read_task(public["text"], language=public["language"]), public)


def _docstring(public: dict[str, Any]) -> Task:
    inner = public["text"].strip().removeprefix('"""').removesuffix('"""').strip()
    return _named(read_task(inner, language=public["language"]), public)


def _markdown(public: dict[str, Any]) -> Task:
    return read_task(public["text"])


def _completion(public: dict[str, Any]) -> Task:
    task = _named(read_task(public["text"], language=public["language"]), public)
    if task.skeleton:
        return task
    return Task(
        description=f"Complete `{public['entry_point']}`.",
        language=public["language"],
        skeleton=public["text"],
        entry_point=public["entry_point"],
    )


def _fix(public: dict[str, Any]) -> Task:
    text = f"{public['text']}\n\n" + "\n".join(_asserts(public))
    task = read_task(text, language=public["language"])
    return replace(_named(task, public), skeleton=public["buggy"])


def _asserts(public: dict[str, Any]) -> list[str]:
    """The asserts of the visible example test, one per line."""
    if public["language"] != "python":
        return [public["example_test"]]
    try:
        tree = ast.parse(public["example_test"])
    except SyntaxError:
        return []
    return [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Assert)]


def _named(task: Task, public: dict[str, Any]) -> Task:
    return replace(task, entry_point=public["entry_point"] or task.entry_point)


_READERS: dict[str, Callable[[dict[str, Any]], Task]] = {
    "stub": _stub,
    "docstring": _docstring,
    "markdown": _markdown,
    "completion": _completion,
    "fix": _fix,
}
