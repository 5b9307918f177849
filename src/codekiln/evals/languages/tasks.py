"""The tasks of `codekiln eval languages`: data, read and checked.

A task asks for a function with examples in the neutral form, or for a text that patterns describe.
Tasks are written for this evaluation; no model was trained or tuned on them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from codekiln.core import Example, Task
from codekiln.core.errors import CodekilnError, UsageError
from codekiln.languages import all_languages, get_language

_FIELDS = {"id", "languages", "description", "entry_point", "examples", "must"}


@dataclass(frozen=True, slots=True)
class LanguageTask:
    """One task in one language; `must` are patterns that every right answer matches."""

    id: str
    task: Task
    must: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Unique among the tasks of all languages."""
        return f"{self.id}.{self.task.language}"

    def fits(self, code: str) -> bool:
        """Whether a text matches all patterns."""
        flags = re.IGNORECASE | re.MULTILINE
        return all(re.search(pattern, code, flags) for pattern in self.must)


def language_tasks(names: Sequence[str] = ()) -> tuple[LanguageTask, ...]:
    """The tasks of these languages, all of them if none is named. Raises UsageError."""
    wanted = {get_language(name).name for name in names}
    found = tuple(t for t in _tasks() if not wanted or t.task.language in wanted)
    if not found:
        raise UsageError("there are no tasks in these languages", "See: codekiln languages")
    return found


def read_tasks(text: str) -> tuple[LanguageTask, ...]:
    """The tasks of a data file, language by language. Raises CodekilnError naming what is wrong."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CodekilnError(f"the language tasks are not valid TOML: {error}") from error
    groups: Mapping[str, list[str]] = data.get("groups", {})
    found: dict[str, LanguageTask] = {}
    for table in data.get("task", ()):
        for language in _languages(table, groups):
            one = _task(table, language)
            if one.key in found:
                raise CodekilnError(f"the language task {one.key} is there twice")
            found[one.key] = one
    order = {language.name: place for place, language in enumerate(all_languages())}
    return tuple(sorted(found.values(), key=lambda one: order[one.task.language]))


def _languages(table: Mapping[str, Any], groups: Mapping[str, list[str]]) -> list[str]:
    label = f"the language task {table.get('id', 'without an id')}"
    if not {"id", "languages", "description"} <= set(table) <= _FIELDS:
        raise CodekilnError(f"{label} has other fields than {', '.join(sorted(_FIELDS))}")
    if bool(table.get("examples")) != bool(table.get("entry_point")):
        raise CodekilnError(f"{label} has examples without an entry point, or the other way")
    if not table.get("examples") and not table.get("must"):
        raise CodekilnError(f"{label} has neither examples nor patterns")
    found: list[str] = []
    for name in table["languages"]:
        found += groups.get(name[1:], [name]) if name.startswith("@") else [name]
    return [get_language(name).name for name in dict.fromkeys(found)]


def _task(table: Mapping[str, Any], language: str) -> LanguageTask:
    examples = []
    for text in table.get("examples", ()):
        call, _, expected = text.partition(" == ")
        examples.append(Example(text, call=call, expected=expected))
    shown = get_language(language).display_name
    return LanguageTask(
        table["id"],
        Task(
            description=table["description"].replace("{language}", shown),
            language=language,
            examples=tuple(examples),
            entry_point=table.get("entry_point", ""),
        ),
        tuple(table.get("must", ())),
    )


@cache
def _tasks() -> tuple[LanguageTask, ...]:
    file = resources.files("codekiln.evals.languages") / "tasks.toml"
    return read_tasks(file.read_text(encoding="utf-8"))
