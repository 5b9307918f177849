"""Turns one value of a candidate into JSON text, by its real type and within bounds.

Part of the harness: runs inside the sandbox, in one namespace with harness.py, on the standard
library alone. The reader is codekiln.verify.values. Covered: subclasses of builtins and objects
that lie about their class, value, length or items; cycles; huge and endless values. Encoding may
run the candidate's code (iterators, properties); the caller bounds its time.
"""

from __future__ import annotations

import types

# typing, collections.abc and json would cost as much as starting the interpreter does.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    def quote(text: str, /) -> str:
        """JSON string literal of `text`, ASCII only."""
else:
    from _json import encode_basestring_ascii as quote

MAX_NODES = 20_000
MAX_TEXT = 200_000
MAX_DEPTH = 60
MAX_ITEMS = 2_000
MAX_INT_BITS = 200_000

# The C-level getter: a metaclass cannot lie to it.
mro_of: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__


def text_of(value: object) -> str:
    """The real text of a string, whatever its class; "?" for anything else."""
    return str.__str__(value)[:200_000] if issubclass(type(value), str) else "?"


class Encoder:
    """Turns one value into JSON text by its real type, within bounds.

    Scalars and strings are JSON's own; everything else is a list whose first item is a tag
    (see codekiln.verify.values for the reader). Values of subclasses of builtins are read with
    the builtin's own methods, so overridden ones are never asked.
    """

    def __init__(self, nodes: int = MAX_NODES) -> None:
        self._nodes = nodes
        # Text in proportion, so that one limit tells how large a value may be.
        self._text = MAX_TEXT * nodes // MAX_NODES
        self._path: list[int] = []

    def encode(self, value: object) -> str:
        """JSON text of `value`; may run the candidate's code (iterators, properties)."""
        self._nodes -= 1
        if self._nodes < 0:
            return '["x","too large"]'
        kind = type(value)
        if value is None:
            return "null"
        if value is True:
            return "true"
        if value is False:
            return "false"
        if kind is str:
            return self._string(value)  # type: ignore[arg-type]
        if kind is int:
            return self._integer(value)  # type: ignore[arg-type]
        if kind is float:
            return f'["f","{float.hex(value)}"]'  # type: ignore[arg-type]
        identity = id(value)
        if identity in self._path:
            return f'["cy",{len(self._path) - self._path.index(identity)}]'
        if len(self._path) >= MAX_DEPTH:
            return '["x","too deep"]'
        self._path.append(identity)
        try:
            return self._structured(value, kind)
        finally:
            self._path.pop()

    def _string(self, text: str) -> str:
        if len(text) > self._text:
            self._text = -1
            return '["x","too large"]'
        quoted = quote(text)
        # An escape takes six characters; the budget is for what is sent.
        self._text -= len(quoted)
        return quoted if self._text >= 0 else '["x","too large"]'

    def _integer(self, number: int) -> str:
        bits = int.bit_length(number)
        if bits <= 52:
            return int.__repr__(number)
        self._text -= bits // 4
        if bits > MAX_INT_BITS or self._text < 0:
            return '["x","too large"]'
        return f'["i","{int.__format__(number, "x")}"]'

    def _structured(self, value: Any, kind: type) -> str:
        for base, encode in (
            (int, lambda v: self._integer(int.__int__(v))),
            (float, lambda v: f'["f","{float.hex(float.__float__(v))}"]'),
            (complex, self._complex),
            (str, lambda v: self._string(str.__str__(v))),
            (bytes, lambda v: self._bytes("b", bytes.hex(v))),
            (bytearray, lambda v: self._bytes("ba", bytearray.hex(v))),
            (list, lambda v: self._items("l", list.__iter__(v))),
            (tuple, lambda v: self._items("t", tuple.__iter__(v))),
            (dict, self._dict),
            (set, lambda v: self._unordered("s", set.__iter__(v))),
            (frozenset, lambda v: self._unordered("fs", frozenset.__iter__(v))),
        ):
            if issubclass(kind, base):
                return encode(value)
        return self._other(value, kind)

    def _complex(self, value: complex) -> str:
        real = complex.__dict__["real"].__get__(value)
        imag = complex.__dict__["imag"].__get__(value)
        return f'["c","{float.hex(real)}","{float.hex(imag)}"]'

    def _bytes(self, tag: str, text: str) -> str:
        self._text -= len(text)
        return f'["{tag}","{text}"]' if self._text >= 0 else '["x","too large"]'

    def _items(self, tag: str, items: Iterator[object]) -> str:
        parts = [f'"{tag}"']
        for item in items:
            parts.append(self.encode(item))
            if self._nodes < 0:
                return '["x","too large"]'
        return "[" + ",".join(parts) + "]"

    def _unordered(self, tag: str, items: Iterator[object]) -> str:
        parts = []
        for item in items:
            parts.append(self.encode(item))
            if self._nodes < 0:
                return '["x","too large"]'
        return "[" + ",".join([f'"{tag}"', *sorted(parts)]) + "]"

    def _dict(self, value: dict[object, object]) -> str:
        parts = ['"d"']
        for key, item in dict.items(value):
            parts.append(self.encode(key))
            parts.append(self.encode(item))
            if self._nodes < 0:
                return '["x","too large"]'
        return "[" + ",".join(parts) + "]"

    def _other(self, value: Any, kind: type) -> str:
        module, name = text_of(kind.__module__), text_of(kind.__qualname__)
        full = f"{module}.{name}"
        if kind is range:
            return self._items("r", iter((value.start, value.stop, value.step)))
        if full == "collections.deque":
            return self._items("dq", iter(value))
        if full == "decimal.Decimal":
            return f'["dec",{self._string(text_of(str(value)))}]'
        if full == "fractions.Fraction":
            return self._items("frac", iter((value.numerator, value.denominator)))
        if full == "datetime.timedelta":
            return self._items("td", iter((value.days, value.seconds, value.microseconds)))
        if full in ("datetime.datetime", "datetime.date", "datetime.time"):
            return f'["dt","{name}",{self._string(text_of(value.isoformat()))}]'
        if full == "uuid.UUID" or module.startswith("pathlib"):
            return f'["v",{quote(name)},{self._string(text_of(str(value)))}]'
        if module == "numpy" and hasattr(kind, "tolist"):
            return f'["np",{quote(name)},{self.encode(value.tolist())}]'
        if kind is type({}.keys()):
            return self._unordered("ks", iter(value))
        if issubclass(kind, type):
            return f'["n","class",{quote(text_of(value.__qualname__))}]'
        if issubclass(kind, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
            return f'["n","function",{quote(text_of(value.__qualname__))}]'
        bases = mro_of(kind)
        if any(text_of(base.__module__) + base.__name__ == "enumEnum" for base in bases):
            return f'["e",{quote(name)},{quote(text_of(value.name))}]'
        if any("__next__" in base.__dict__ for base in bases) or kind in (
            type({}.values()),
            type({}.items()),
        ):
            return self._iterator(value, name)
        return self._instance(value, name, bases)

    def _iterator(self, value: Any, name: str) -> str:
        parts, done = ['"it"', quote(name)], True
        for count, item in enumerate(value):
            if count >= MAX_ITEMS or self._nodes < 0:
                done = False
                break
            parts.append(self.encode(item))
        parts.insert(2, "true" if done else "false")
        return "[" + ",".join(parts) + "]"

    def _instance(self, value: Any, name: str, bases: tuple[type, ...]) -> str:
        fields: dict[str, object] = {}
        if issubclass(type(value), BaseException):
            fields["args"] = BaseException.__dict__["args"].__get__(value)
        for base in reversed(bases):
            slots = base.__dict__.get("__slots__", ())
            for slot in (slots,) if isinstance(slots, str) else tuple(slots):
                if slot not in ("__dict__", "__weakref__"):
                    try:
                        fields[slot] = object.__getattribute__(value, slot)
                    except AttributeError:
                        continue
        try:
            own = object.__getattribute__(value, "__dict__")
        except AttributeError:
            own = {}
        if type(own) is dict:
            fields.update((key, item) for key, item in own.items() if type(key) is str)
        parts = ['"o"', quote(name)]
        parts.extend(f"[{quote(key)},{self.encode(fields[key])}]" for key in sorted(fields))
        return "[" + ",".join(parts) + "]"
