"""Values on their way to a driver and back: one token per line, simple enough for any language.

n            nothing (null, nil, None)
b 0 | b 1    false, true
i DIGITS     a whole number of any size
d NUMBER     a floating-point number: decimal or exponent form, or inf, -inf, nan
f NUMBER     a floating-point number of single precision
s HEX        text, its UTF-8 bytes in hexadecimal digits
l COUNT      a list: that many values follow
t COUNT      a tuple likewise
m COUNT      a map: that many pairs of key and value follow
o HEX        something that none of these is, as the driver's language shows it
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

MOST_DEPTH = 64
_MOST_ITEMS = 1_000_000


class NotNeutralError(ValueError):
    """A value that has no neutral form, or text that is no value on the wire."""


@dataclass(frozen=True, slots=True)
class Other:
    """A value of which only its look is known."""

    text: str


class Single(float):
    """A floating-point number of single precision: seven digits of it mean something."""


def encode(value: object, depth: int = 0) -> Iterator[str]:
    """The lines of a value. Raises NotNeutralError."""
    if depth > MOST_DEPTH:
        raise NotNeutralError("nested too deeply")
    match value:
        case None:
            yield "n"
        case bool():
            yield f"b {int(value)}"
        case int():
            yield f"i {value}"
        case float():
            yield f"d {value!r}"
        case str():
            yield f"s {value.encode('utf-8', 'surrogatepass').hex()}"
        case list() | tuple():
            yield f"{'l' if isinstance(value, list) else 't'} {len(value)}"
            for item in value:
                yield from encode(item, depth + 1)
        case dict():
            yield f"m {len(value)}"
            for key, item in value.items():
                yield from encode(key, depth + 1)
                yield from encode(item, depth + 1)
        case _:
            raise NotNeutralError(f"{type(value).__name__} has no neutral form")


def decode(lines: Iterator[str], depth: int = 0) -> object:
    """The value that the next lines are. Raises NotNeutralError.

    A map whose keys are not hashable is a list of pairs.
    """
    if depth > MOST_DEPTH:
        raise NotNeutralError("nested too deeply")
    kind, _, rest = next(lines, "").partition(" ")
    try:
        if kind in _SCALARS:
            return _SCALARS[kind](rest)
        count = int(rest)
    except (ValueError, OverflowError) as error:
        raise NotNeutralError(f"{kind} {rest[:40]!r}: {error}") from error
    if kind not in ("l", "t", "m") or not 0 <= count <= _MOST_ITEMS:
        raise NotNeutralError(f"{kind[:20]} {rest[:20]!r} begins no value")
    if kind == "m":
        pairs = [(decode(lines, depth + 1), decode(lines, depth + 1)) for _ in range(count)]
        try:
            return dict(pairs)
        except TypeError:
            return [list(pair) for pair in pairs]
    items = [decode(lines, depth + 1) for _ in range(count)]
    return items if kind == "l" else tuple(items)


def _text(digits: str) -> str:
    return bytes.fromhex(digits).decode("utf-8", "replace")


_SCALARS: Mapping[str, Callable[[str], object]] = {
    "n": lambda _: None,
    "b": lambda digit: bool(int(digit)),
    "i": int,
    "d": float,
    "f": Single,
    "s": _text,
    "o": lambda digits: Other(_text(digits)),
}
