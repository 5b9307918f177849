"""The nouns of hidden tests. Only the scorer process ever holds one of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from codekiln.core import Verdict
from codekiln.verify.programs.neutral import NeutralCall
from codekiln.verify.sandboxed_calls import Step

MAX_DETAIL_CHARS = 200
Comparer = Callable[[object, object, tuple[object, ...]], bool]


@dataclass(frozen=True, slots=True)
class Case:
    """Steps that run in one namespace; the last one is judged.

    It has to raise `raises`, or to give the value of the source `expected`; where both are None
    it has to give what the reference gives. `args` are the call's arguments for comparers that
    look at them.
    """

    steps: tuple[Step, ...]
    expected: str | None = None
    raises: str | None = None
    args: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class PythonTests:
    """Cases for Python code. With `together`, all cases run in one loaded module, as EvalPlus does.

    `compare(observed, expected, args)` overrides the plain comparison; `setup` runs first.
    `leaves_out`: inputs on which even the reference's value is too large for the sandbox are not
    tried, as some that EvalPlus adds are.
    """

    cases: tuple[Case, ...]
    together: bool = True
    tolerance: float = 0.0
    compare: Comparer | None = None
    leaves_out: bool = False


@dataclass(frozen=True, slots=True)
class ProgramTests:
    """Tests as a text of the answer's own language, which is run together with the answer.

    `tests` call the function `entry_point`; where they begin with a brace, it is the one that
    ends the answer's last block. `prompt` goes in front of an answer that does not define
    `entry_point`, and its imports in front of any; both may be empty.
    """

    language: str
    entry_point: str
    prompt: str
    tests: str


@dataclass(frozen=True, slots=True)
class CallTests:
    """Calls of the function `entry_point`, each with the value that it must give.

    `within` is the difference that numbers may have.
    """

    language: str
    entry_point: str
    calls: tuple[tuple[NeutralCall, object], ...]
    within: float = 0.0


@dataclass(frozen=True, slots=True)
class HiddenProblem:
    """One problem: what may be shown, and what may not."""

    public: dict[str, Any]
    tests: PythonTests | ProgramTests | CallTests
    reference: str
    wrong: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The problem's own name in its suite."""
        return str(self.public["id"])


@dataclass(frozen=True, slots=True)
class Score:
    """What the hidden tests say about one program.

    `case` is the number of the first case that failed (-1: none), `cpu_s` the processor time of
    all that was run for it.
    """

    verdict: Verdict
    detail: str = ""
    case: int = -1
    cpu_s: float = 0.0
    extra: dict[str, Any] = field(default_factory=dict)


def shortened(text: str) -> str:
    """One line of a detail."""
    line = " ".join(text.split())
    return line if len(line) <= MAX_DETAIL_CHARS else line[: MAX_DETAIL_CHARS - 1] + "…"
