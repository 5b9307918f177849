"""An example on its way from the user's text to a core Example: what was read, not yet resolved.

A draft does not know the entry point nor its session; resolve.py adds both.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """One example, or one set-up statement, as it was read.

    Exactly one of `call`, `arguments` and `why_not` says how far reading got: a call in source
    form, the input alone (a call once the function's name is known), or the reason why the text
    stays text. `block` numbers what the user wrote as one example; `shared` is True when the
    lines of a block clearly continue each other.
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

    @property
    def is_setup(self) -> bool:
        """True for a statement that only prepares what follows."""
        return self.call is not None and not (
            self.expected is not None or self.raises is not None or self.stdout is not None
        )
