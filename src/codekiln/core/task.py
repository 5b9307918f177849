"""What the user wants: a Task with its examples, as plain data.

Knows nothing of how a task is read (codekiln.generation.tasks) or run (codekiln.verify).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One input/output example.

    `text` is what the user wrote. `call` is an expression (or, when `expected`, `raises` and
    `stdout` are all None, a set-up statement) in the task's language. `expected` is the source
    of the value it must have, `raises` the name of the exception it must raise, `stdout` the
    text it must print. When `call` is None the example could not be parsed and `why_not` says
    why; such an example still goes into the prompt.

    Examples that carry the same `session` run in order in one namespace, so that
    `put("a", 1)` can be followed by `get("a")`; each other example gets a fresh one.
    """

    text: str
    call: str | None = None
    expected: str | None = None
    raises: str | None = None
    stdout: str | None = None
    session: int = 0
    why_not: str = ""

    @property
    def is_check(self) -> bool:
        """True when running `call` can show a candidate to be wrong."""
        return self.call is not None and (
            self.expected is not None or self.raises is not None or self.stdout is not None
        )


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A file that the answer has to fit into; `path` is only a label for the prompt."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Task:
    """A request for code.

    `language` is a registry name ("python"). `entry_point` is the function or class that the
    answer must define, `signature` the line(s) that fix its interface, `skeleton` code that the
    user gave to be completed; each is empty when the user did not give it. `notes` are remarks
    of the reader for the user, for example examples that stayed text.
    """

    description: str
    language: str = "python"
    examples: tuple[Example, ...] = ()
    constraints: tuple[str, ...] = ()
    entry_point: str = ""
    signature: str = ""
    skeleton: str = ""
    context: tuple[ContextFile, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[Example, ...]:
        """The examples that can show a candidate to be wrong."""
        return tuple(example for example in self.examples if example.is_check)
