"""An example on its way from the user's text to a core Example: what was read, not yet resolved.

A draft does not know the entry point nor its session; resolve.py adds both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Draft:
    """One example, or one set-up statement, as it was read.

    Exactly one of `call`, `arguments` and `why_not` says how far reading got: a call in source
    form, the input alone (a call once the function's name is known), or the reason why the text
    stays text. `block` numbers what the user wrote as one example; `shared` is True when the
    lines of a block clearly continue each other.

    Where `unless_fit` says something, the draft is no example unless its arguments are just the
    parameters of the entry point ("for x = 5 the output is 8" may speak of another x): then it is
    dropped or stays text. One with both `expected` and
    `stdout` is read in one of the two ways, the `likely` one when the task does not say which.
    """

    text: str
    call: str | None = None
    arguments: str | None = None
    expected: str | None = None
    raises: str | None = None
    stdout: str | None = None
    why_not: str = ""
    block: int = 0
    shared: bool = False
    session: int | None = None
    unless_fit: Literal["", "drop", "text"] = ""
    likely: Literal["", "expected", "stdout"] = ""

    @property
    def is_setup(self) -> bool:
        """True for a statement that only prepares what follows."""
        return self.call is not None and not (
            self.expected is not None or self.raises is not None or self.stdout is not None
        )
