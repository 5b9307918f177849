"""Remembers the local variables with which the candidate's last functions ended.

Part of the harness: runs inside the sandbox, in one namespace with harness.py, on the standard
library alone, and only in a run that is made to explain a failure: watching costs time. Values are
shown only where they are plain builtins, so no code of the candidate runs for it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from typing import Any, Self

if __name__ != "__codekiln_harness__":
    from codekiln.verify.value_encoder import quote, text_of

WATCHED_FILE = "<candidate>"
MAX_VARIABLES = 8
MAX_SHOWN = 60
_SCALARS = (int, float, complex, bool, str, bytes, type(None))
_CONTAINERS = (list, tuple, set, frozenset, dict)


class Watch:
    """A context manager around one step."""

    def __init__(self) -> None:
        self._line = 0
        self._function = ""
        self._variables: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._line, self._function, self._variables = 0, "", {}
        sys.setprofile(self._event)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: Any) -> None:
        sys.setprofile(None)
        # Of nested calls the innermost one fails, and the outermost returns last.
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == WATCHED_FILE:
                self._keep(trace.tb_frame, trace.tb_lineno)
            trace = trace.tb_next

    def _event(self, frame: types.FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code.co_filename == WATCHED_FILE:
            self._keep(frame, frame.f_lineno)

    def _keep(self, frame: types.FrameType, line: int) -> None:
        if frame.f_code.co_name.startswith("<"):
            return
        self._line, self._function, self._variables = line, frame.f_code.co_name, {}
        for name, value in list(frame.f_locals.items())[:MAX_VARIABLES]:
            text = shown(value)
            if text:
                self._variables[name] = text

    def report(self) -> str:
        """A further member of a step's JSON object."""
        names = ",".join(
            f"{quote(text_of(name))}:{quote(text_of(value))}"
            for name, value in self._variables.items()
        )
        where = f'"line":{self._line},"function":{quote(text_of(self._function))}'
        return f',"watched":{{{where},"variables":{{{names}}}}}'


def shown(value: object, depth: int = 0) -> str:
    """A short text of a plain value; empty for everything else."""
    kind = type(value)
    if kind in _SCALARS:
        try:
            text = repr(value)
        except ValueError:  # an integer with too many digits
            return ""
        return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."
    if kind not in _CONTAINERS or depth > 2:
        return ""
    items = list(value.items()) if kind is dict else list(value)  # type: ignore[attr-defined,call-overload]
    if len(items) > 20:
        return ""
    if not all(shown(item, depth + 1) for item in items):
        return ""
    text = repr(value)
    return text if len(text) <= 2 * MAX_SHOWN else text[: 2 * MAX_SHOWN] + "..."
