"""Reads values that the sandbox reported, compares them with expected ones, shows them.

Takes the JSON that `harness.Encoder` writes; gives plain Python values (and `Instance`,
`Iterated`, `Opaque` for what has no plain form). Nothing of the candidate is ever executed or
imported here. Equality follows Python's `==` on plain values (`3 == 3.0 == True + 2`, a list is
not a tuple, a dict has no order), with one tolerance: floats may differ by 1e-9 relative or
1e-12 absolute, and nan equals nan.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from fractions import Fraction

REL_TOL = 1e-9
ABS_TOL = 1e-12
SHOWN_CHARS = 400


class DecodeError(ValueError):
    """A report that no honest harness writes."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value without a plain form (a cycle, something huge): equal to nothing."""

    why: str


@dataclass(frozen=True, slots=True)
class Named:
    """A class, function or enum member, known by name only."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Iterated:
    """The items that an iterator gave; `complete` is False when there would have been more."""

    kind: str
    items: tuple[object, ...]
    complete: bool


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """An object of a class without a plain form: class name and fields."""

    kind: str
    fields: tuple[tuple[str, object], ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Instance) and equal(self, other)

    def __hash__(self) -> int:
        return hash((self.kind, len(self.fields)))


def decode(data: object) -> object:
    """The value that a report stands for. Raises DecodeError."""
    try:
        return _decode(data)
    except DecodeError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, RecursionError) as error:
        raise DecodeError(f"unreadable report: {error}") from error


def decode_json(text: str) -> object:
    """`decode` from JSON text."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"unreadable report: {error}") from error
    return decode(data)


def _decode(data: object) -> object:
    if data is None or isinstance(data, (bool, int, str)):
        return data
    if not isinstance(data, list) or not data or not isinstance(data[0], str):
        raise DecodeError("a report that is neither a scalar nor a tagged list")
    reader = _READERS.get(data[0])
    if reader is None:
        raise DecodeError(f"unknown tag {data[0]!r}")
    return reader(data[1:])


def _float(rest: list[object]) -> float:
    return float.fromhex(str(rest[0]))


def _decimal(rest: list[object]) -> Decimal:
    try:
        return Decimal(str(rest[0]))
    except InvalidOperation as error:
        raise DecodeError("not a decimal") from error


def _moment(rest: list[object]) -> object:
    readers: dict[object, Callable[[str], object]] = {
        "datetime": datetime.fromisoformat,
        "date": date.fromisoformat,
        "time": time.fromisoformat,
    }
    return readers[rest[0]](str(rest[1]))


def _pairs(rest: list[object]) -> dict[object, object]:
    if len(rest) % 2:
        raise DecodeError("a dict with half a pair")
    return {_decode(key): _decode(value) for key, value in zip(rest[::2], rest[1::2], strict=True)}


def _instance(rest: list[object]) -> Instance:
    fields = []
    for pair in rest[1:]:
        if not isinstance(pair, list):
            raise DecodeError("an object with a broken field")
        fields.append((str(pair[0]), _decode(pair[1])))
    return Instance(str(rest[0]), tuple(fields))


def _numpy(kind: str, value: object) -> object:
    # A numpy scalar equals the plain one; an array equals no list.
    return Instance("numpy.ndarray", (("value", value),)) if kind == "ndarray" else value


def _whole(values: Iterable[object]) -> list[int]:
    numbers = [_decode(value) for value in values]
    if not all(isinstance(number, int) for number in numbers):
        raise DecodeError("not a whole number")
    return [number for number in numbers if isinstance(number, int)]


_READERS: Mapping[str, Callable[[list[object]], object]] = {
    "f": _float,
    "i": lambda rest: int(str(rest[0]), 16),
    "c": lambda rest: complex(float.fromhex(str(rest[0])), float.fromhex(str(rest[1]))),
    "b": lambda rest: bytes.fromhex(str(rest[0])),
    "ba": lambda rest: bytes.fromhex(str(rest[0])),
    "l": lambda rest: [_decode(item) for item in rest],
    "t": lambda rest: tuple(_decode(item) for item in rest),
    "s": lambda rest: {_decode(item) for item in rest},
    "ks": lambda rest: {_decode(item) for item in rest},
    "fs": lambda rest: frozenset(_decode(item) for item in rest),
    "dq": lambda rest: deque(_decode(item) for item in rest),
    "d": _pairs,
    "r": lambda rest: range(*_whole(rest)),
    "dec": _decimal,
    "frac": lambda rest: Fraction(*_whole(rest)),
    "td": lambda rest: timedelta(*_whole(rest)),
    "dt": _moment,
    "e": lambda rest: Named(str(rest[0]), str(rest[1])),
    "n": lambda rest: Named(str(rest[0]), str(rest[1])),
    "v": lambda rest: Instance(str(rest[0]), (("value", rest[1]),)),
    "np": lambda rest: _numpy(str(rest[0]), _decode(rest[1])),
    "it": lambda rest: Iterated(str(rest[0]), tuple(map(_decode, rest[2:])), rest[1] is True),
    "o": _instance,
    "x": lambda rest: Opaque(str(rest[0])),
    "cy": lambda rest: Opaque("a reference to itself"),
}


def equal(observed: object, expected: object) -> bool:
    """True when the two values are the same in the sense of the module docstring."""
    try:
        return _equal(observed, expected)
    except (ArithmeticError, TypeError, RecursionError):
        return False


def _equal(left: object, right: object) -> bool:
    if isinstance(left, (float, complex)) or isinstance(right, (float, complex)):
        return _close(left, right)
    for kind in (list, tuple, deque):
        if isinstance(left, kind) and isinstance(right, kind):
            return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return _equal_dicts(left, right)
    if isinstance(left, (set, frozenset)) and isinstance(right, (set, frozenset)):
        return left == right or _equal_unordered(list(left), list(right))
    if isinstance(left, Instance) and isinstance(right, Instance):
        return (
            left.kind == right.kind
            and [name for name, _ in left.fields] == [name for name, _ in right.fields]
            and all(
                _equal(mine, theirs)
                for (_, mine), (_, theirs) in zip(left.fields, right.fields, strict=True)
            )
        )
    if isinstance(left, Iterated) and isinstance(right, Iterated):
        return (
            left.complete
            and right.complete
            and len(left.items) == len(right.items)
            and all(map(_equal, left.items, right.items))
        )
    if isinstance(left, Opaque) or isinstance(right, Opaque):
        return False
    return bool(left == right)


def _close(left: object, right: object) -> bool:
    if left == right:
        return True
    if isinstance(left, complex) or isinstance(right, complex):
        if not isinstance(left, (int, float, complex)) or not isinstance(
            right, (int, float, complex)
        ):
            return False
        one, two = complex(left), complex(right)
        return _close(one.real, two.real) and _close(one.imag, two.imag)
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return False
    if math.isnan(left) and math.isnan(right):
        return True
    return math.isclose(left, right, rel_tol=REL_TOL, abs_tol=ABS_TOL)


def _equal_dicts(left: dict[object, object], right: dict[object, object]) -> bool:
    if len(left) != len(right):
        return False
    if left.keys() == right.keys():
        return all(_equal(value, right[key]) for key, value in left.items())
    return _equal_unordered(list(left.items()), list(right.items()))


def _equal_unordered(left: list[object], right: list[object]) -> bool:
    # Quadratic, but only reached by sets of floats that are not equal bit by bit.
    if len(left) != len(right) or len(left) > 1000:
        return False
    rest = list(right)
    for item in left:
        for place, other in enumerate(rest):
            if _equal(item, other):
                del rest[place]
                break
        else:
            return False
    return True


def hint(observed: object, expected: object) -> str:
    """In plain words what kind of difference this is, when it is a common one; else empty."""
    if isinstance(observed, Iterated):
        return f"it returns an iterator ({observed.kind}), not {_article(expected)}"
    if isinstance(observed, range) and isinstance(expected, list):
        return "it returns a range, not a list"
    if isinstance(observed, Opaque):
        return f"the value is {observed.why}"
    if isinstance(observed, (list, tuple)) and isinstance(expected, (list, tuple)):
        if type(observed) is not type(expected) and _equal(list(observed), list(expected)):
            return f"same items, but {_article(observed)} where {_article(expected)} is wanted"
        if len(observed) == len(expected) and _equal_unordered(list(observed), list(expected)):
            return "same items in another order"
    if isinstance(expected, (bool, int, float)) and isinstance(observed, str):
        return "it returns text, not a number" if observed == str(expected) else ""
    if isinstance(expected, float) and isinstance(observed, (int, float)):
        digits = len(repr(expected).partition(".")[2])
        if round(observed, digits) == expected:
            return f"equal only after rounding to {digits} decimals"
    if observed is None and expected is not None:
        return "it returns nothing"
    return ""


def _article(value: object) -> str:
    name = "None" if value is None else type(value).__name__
    return f"an {name}" if name[0] in "aeio" else f"a {name}"


def show(value: object, limit: int = SHOWN_CHARS) -> str:
    """Python-like text of a decoded value, at most `limit` characters."""
    try:
        text = _show(value)
    except (ValueError, RecursionError):  # an int of more digits than str() prints
        text = f"<{type(value).__name__} too large to show>"
    text = one_line(text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str) -> str:
    """Text of a candidate made safe for a terminal: no line ends, no control characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def _show(value: object) -> str:
    if isinstance(value, Named):
        return f"<{value.kind} {value.name}>"
    if isinstance(value, Opaque):
        return f"<{value.why}>"
    if isinstance(value, Iterated):
        items = [_show(item) for item in value.items[:50]]
        dots = [] if value.complete and len(value.items) <= 50 else ["…"]
        return f"<{value.kind}: {', '.join(items + dots)}>"
    if isinstance(value, Instance):
        return f"{value.kind}({', '.join(f'{name}={_show(item)}' for name, item in value.fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_show, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_show, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_show(key)}: {_show(item)}' for key, item in value.items())}}}"
    if isinstance(value, set):
        return f"{{{', '.join(sorted(map(_show, value)))}}}" if value else "set()"
    return repr(value)


def canonical(value: object) -> str:
    """Text that is equal for equal values; floats count to nine digits."""
    if isinstance(value, bool) or value is None:
        return repr(value)
    if isinstance(value, float):
        return f"{value:.9g}" if not value.is_integer() else f"{value:.0f}"
    if isinstance(value, int):
        return f"{value:x}" if value.bit_length() > 64 else str(value)
    if isinstance(value, (date, time)):
        return f"{type(value).__name__}({value.isoformat()})"
    if isinstance(value, (list, tuple, deque)):
        return f"{type(value).__name__}({','.join(map(canonical, value))})"
    if isinstance(value, (set, frozenset)):
        return f"set({','.join(sorted(map(canonical, value)))})"
    if isinstance(value, dict):
        pairs = sorted(f"{canonical(key)}:{canonical(item)}" for key, item in value.items())
        return f"dict({','.join(pairs)})"
    if isinstance(value, Iterated):
        return f"iterator({','.join(map(canonical, value.items))},{value.complete})"
    if isinstance(value, Instance):
        fields = ",".join(f"{name}={canonical(item)}" for name, item in value.fields)
        return f"{value.kind}({fields})"
    return repr(value)


def contains_opaque(value: object) -> bool:
    """True when some part of the value has no plain form, so that nothing can equal it."""
    if isinstance(value, Opaque):
        return True
    if isinstance(value, (list, tuple, deque)):
        return any(map(contains_opaque, value))
    if isinstance(value, dict):
        return any(contains_opaque(part) for pair in value.items() for part in pair)
    if isinstance(value, Iterated):
        return not value.complete or any(map(contains_opaque, value.items))
    if isinstance(value, Instance):
        return any(contains_opaque(item) for _, item in value.fields)
    return False
