"""What becomes of one task in one arm of `codekiln eval languages`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Arm = Literal["plain", "codekiln"]
PLAIN: Arm = "plain"
CHECKED: Arm = "codekiln"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far one answer got; None where a level does not apply or its tools are missing.

    `passes`: all examples, or all patterns of a task without any. `seconds` from the question to
    the answer, while other tasks are under way beside it; None where a part was remembered.
    `check_s` are the seconds of parsing and checking the answer once.
    """

    task: str
    language: str
    arm: Arm
    parses: bool
    compiles: bool | None
    runs: bool | None
    passes: bool
    verdict: str
    tokens: int
    seconds: float | None
    check_s: float
    code: str
