"""Values on their way to a driver and back: one token per line, simple enough for any language.

n            nothing (null, nil, None)
b 0 | b 1    false, true
i DIGITS     a whole number of any size
d NUMBER     a floating-point number: decimal or exponent form, or inf, -inf, nan
s HEX        text, its UTF-8 bytes in hexadecimal digits
l COUNT      a list: that many values follow
t COUNT      a tuple likewise
m COUNT      a map: that many pairs of key and value follow
o HEX        something that none of these is, as the driver's language shows it
"""

from __future__ import annotations

import math
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
    "s": _text,
    "o": lambda digits: Other(_text(digits)),
}


def same(got: object, wanted: object, *, text_keys: bool = False, bits: bool = False) -> bool:
    """Whether a value is the one that was wanted, as far as languages can tell them apart.

    Numbers are compared by value, floats to nine digits; lists and tuples are sequences.
    `text_keys`: keys of maps are texts. `bits`: there are no truth values but 0 and 1.
    """
    if isinstance(got, bool) or isinstance(wanted, bool):
        if bits and isinstance(wanted, bool):
            return got in (int(wanted), wanted)
        return isinstance(got, bool) and isinstance(wanted, bool) and got == wanted
    if isinstance(got, int | float) and isinstance(wanted, int | float):
        if isinstance(got, int) and isinstance(wanted, int):
            return got == wanted
        if math.isnan(got) or math.isnan(wanted):
            return math.isnan(got) and math.isnan(wanted)
        return got == wanted or math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(got, list | tuple) and isinstance(wanted, list | tuple):
        return len(got) == len(wanted) and all(
            same(a, b, text_keys=text_keys, bits=bits) for a, b in zip(got, wanted, strict=True)
        )
    if isinstance(got, dict) and isinstance(wanted, dict):
        mine = {_key(key, text_keys): value for key, value in got.items()}
        theirs = {_key(key, text_keys): value for key, value in wanted.items()}
        return mine.keys() == theirs.keys() and all(
            same(mine[key], theirs[key], text_keys=text_keys, bits=bits) for key in mine
        )
    return type(got) is type(wanted) and got == wanted


def _key(key: object, text_keys: bool) -> object:
    if not text_keys:
        return key
    return str(key).lower() if isinstance(key, bool) else str(key)
