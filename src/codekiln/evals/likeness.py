"""Says in what two runs are unlike, and refuses what was not meant to differ. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from codekiln.core.errors import UsageError
from codekiln.evals.outcomes import Run

# Settings that every run has; a run of another version may have more.
_SETTINGS = (
    "n",
    "temperature",
    "top_p",
    "max_tokens",
    "seed",
    "form",
    "limit",
    "topic",
    "problem",
    "repeat",
)
# Which problems were asked is compared by the problems themselves.
_NOT_COMPARED = ("mode", "problems")


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that the two runs disagree in, as text."""

    field: str
    a: str
    b: str


def differences(a: Run, b: Run) -> list[Difference]:
    """Every field, setting included, in which two runs are unlike."""
    of_a, of_b = _fields(a), _fields(b)
    found = []
    for name in dict.fromkeys((*of_a, *of_b)):
        left, right = of_a.get(name), of_b.get(name)
        if left != right:
            found.append(Difference(name, *_told(left, right)))
    return found


def refuse_unlike(a: Run, b: Run, differing: Collection[str]) -> tuple[Difference, ...]:
    """The differences that were named. Raises UsageError for others, and for unknown names."""
    valid = list(dict.fromkeys((*_fields(a), *_fields(b))))
    unknown = [name for name in differing if name not in valid]
    if unknown:
        raise UsageError(
            f"runs have no field {', '.join(map(repr, unknown))}", f"Valid are: {', '.join(valid)}"
        )
    found = differences(a, b)
    unlike = [item for item in found if item.field not in differing]
    if unlike:
        told = "; ".join(f"{item.field} ({item.a} / {item.b})" for item in unlike)
        raise UsageError(
            f"{a.id} and {b.id} are not alike: {told}",
            f"Name what differs on purpose: {', '.join(item.field for item in unlike)}",
        )
    return tuple(found)


def _fields(run: Run) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "suite": run.suite,
        "language": run.language,
        "dataset": run.dataset,
        "model": run.model,
        "weights_sha256": run.weights_sha256,
        "backend": run.backend,
        "codekiln": run.codekiln,
        "code": run.code,
        # The device and its number format change answers as much as the processor does.
        "processor": run.machine.get("processor"),
        "hardware": run.machine.get("hardware"),
        "threads": run.machine.get("threads"),
        "system": run.machine.get("system"),
        "isolation": run.machine.get("isolation"),
        "tools": run.tools,
        "mode": run.mode,
    }
    fields |= {name: run.settings.get(name) for name in _SETTINGS}
    extra = {name: v for name, v in run.settings.items() if name not in _NOT_COMPARED}
    return fields | extra


def _told(a: object, b: object) -> tuple[str, str]:
    """Both values as text; of mappings only the entries that differ."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        unlike = [key for key in sorted({*a, *b}) if a.get(key) != b.get(key)]
        of_a, of_b = (
            ", ".join(f"{key} {side.get(key, 'absent')}" for key in unlike) for side in (a, b)
        )
        return of_a, of_b
    return _text(a), _text(b)


def _text(value: object) -> str:
    return "none" if value is None else str(value) or "unknown"
