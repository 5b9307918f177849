"""Between TypeScript's types (and those of JSDoc) and the type language; else UNKNOWN.

A small recursive descent over the type grammar that annotations use; conditional, mapped, indexed
and template types have no counterpart. `number` is float, which accepts int.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from codekiln.typeflow.types import (
    BIGINT,
    BOOL,
    CONTAINERS,
    FLOAT,
    NONE,
    OBJECT,
    SCALARS,
    STR,
    UNDEFINED,
    UNKNOWN,
    Type,
    list_of,
    members,
    optional,
    union,
)

_TOKEN = re.compile(
    r"\s*(=>|\.\.\.|[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*|-?\d[\w.]*n?|"
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|[\[\](){}<>|&,:;?=])"
)
_NAMES = {
    "number": FLOAT,
    "bigint": BIGINT,
    "string": STR,
    "String": STR,
    "boolean": BOOL,
    "Boolean": BOOL,
    "Number": FLOAT,
    "true": BOOL,
    "false": BOOL,
    "null": NONE,
    "undefined": UNDEFINED,
    "void": UNDEFINED,
    "object": OBJECT,
    "Object": OBJECT,
    "any": UNKNOWN,
    "unknown": UNKNOWN,
    "never": UNKNOWN,
    "symbol": Type("symbol"),
}
# Generic names with the container they mean; missing arguments are unknown.
_GENERIC = {
    "Array": "list",
    "ReadonlyArray": "list",
    "Set": "set",
    "ReadonlySet": "set",
    "Map": "Map",
    "ReadonlyMap": "Map",
    "Record": "Record",
    "Iterable": "iterable",
    "Iterator": "iterator",
    "IterableIterator": "iterator",
    "Generator": "iterator",
    "Promise": "awaitable",
    "PromiseLike": "awaitable",
}
_RESERVED = frozenset(
    {
        *(found.name for found in SCALARS),
        *CONTAINERS,
        *("unknown", "never", "object", "union", "tuple", "callable", "callable*", "symbol"),
    }
)
# What other languages mean by a word, which may be several things here.
_NOT_IN_SCRIPT = frozenset({"dict", "tuple*", "frozenset", "bytes", "complex", "iterator"})
_TRANSPARENT = ("Readonly", "Awaited", "NonNullable", "Required")
_PRINTED = {
    "unknown": "unknown",
    "never": "unknown",
    "object": "object",
    "None": "null",
    "bool": "boolean",
    "int": "number",
    "float": "number",
    "complex": "unknown",
    "str": "string",
    "bytes": "Uint8Array",
    "set": "Set",
    "frozenset": "ReadonlySet",
    "iterable": "Iterable",
    "iterator": "Iterator",
    "awaitable": "Promise",
}
# Last in a union, as people write it.
_ABSENT = ("null", "undefined")
_MOST_DEPTH = 50


class _NotOursError(Exception):
    """The text goes on in a way that the type language has nothing for."""


def parse_typescript(text: str, classes: Collection[str] = ()) -> Type:
    """The type that a TypeScript type or the braces of a JSDoc tag mean; UNKNOWN where it is none.

    `classes` are names that the code gives to types of its own, whatever they mean elsewhere.

    >>> str(parse_typescript("Map<string, number[]> | undefined"))
    'union[Map[str, list[float]], undefined]'
    """
    tokens: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return UNKNOWN
        tokens.append(match[1])
        at = match.end()
    parser = _Parser(tokens, classes)
    try:
        found = parser.type()
    except _NotOursError:
        return UNKNOWN
    return found if parser.at == len(tokens) else UNKNOWN


class _Parser:
    """One pass over the tokens; every method begins at `at` and leaves it behind what it read."""

    def __init__(self, tokens: list[str], classes: Collection[str]) -> None:
        self._tokens, self._classes = tokens, classes
        self.at = 0
        self._depth = 0

    def type(self) -> Type:
        """A type of any form."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise _NotOursError
        self._take("|")
        found = [self._postfix()]
        while self._take("|"):
            found.append(self._postfix())
        if self._peek() in ("&", "=", "?"):
            raise _NotOursError
        self._depth -= 1
        return union(found)

    def _postfix(self) -> Type:
        # JSDoc writes `?T` and `...T`; `readonly` says nothing about values.
        if self._take("?"):
            return optional(self._postfix())
        if self._peek() in ("readonly", "keyof", "typeof", "unique", "infer"):
            if self._next() != "readonly":
                raise _NotOursError
            return self._postfix()
        found = self._primary()
        while self._peek() == "[":
            self._next()
            if not self._take("]"):
                raise _NotOursError
            found = list_of(found)
        return found

    def _primary(self) -> Type:
        token = self._next()
        if token == "(":
            return self._parenthesis()
        if token == "[":
            return self._tuple()
        if token == "{":
            return self._object()
        if token[0] in "'\"`":
            return STR
        if token[0].isdigit() or token[0] == "-":
            return BIGINT if token.endswith("n") else FLOAT
        if not re.match(r"[A-Za-z_$]", token) or token == "new":
            raise _NotOursError
        args = self._arguments()
        if token in self._classes and token not in _RESERVED:
            return Type(token, tuple(args))
        return _named(token, args)

    def _arguments(self) -> list[Type]:
        if not self._take("<"):
            return []
        return self._until(">", self.type)

    def _until(self, end: str, one: Callable[[], Type]) -> list[Type]:
        found: list[Type] = []
        while not self._take(end):
            found.append(one())
            if not self._take(",") and self._peek() != end:
                raise _NotOursError
        return found

    def _parenthesis(self) -> Type:
        """A function type, or a type in parentheses."""
        start = self.at
        try:
            parameters = self._until(")", self._parameter)
            is_function = self._take("=>")
        except _NotOursError:
            is_function = False
        if is_function:
            return Type("callable", (*parameters, self.type()))
        self.at = start
        found = self.type()
        if not self._take(")"):
            raise _NotOursError
        return found

    def _parameter(self) -> Type:
        """`name: T` or `name?: T`; what takes the rest has no place of its own."""
        if self._peek() == "...":
            raise _NotOursError
        self._next()
        is_optional = self._take("?")
        if not self._take(":"):
            raise _NotOursError
        found = self.type()
        return union((found, UNDEFINED)) if is_optional and found != UNKNOWN else found

    def _tuple(self) -> Type:
        found = self._until("]", self._item)
        return Type("tuple", tuple(found))

    def _item(self) -> Type:
        # A labelled item: `[from: number, to: number]`.
        if self.at + 1 < len(self._tokens) and self._tokens[self.at + 1] == ":":
            self.at += 2
        if self._peek() == "...":
            raise _NotOursError
        return self.type()

    def _object(self) -> Type:
        """`{ [key: K]: V }` is a Record; with named members it is a shape, which has no name."""
        if self._take("["):
            self._next()
            if not self._take(":"):
                raise _NotOursError
            key = self.type()
            if not (self._take("]") and self._take(":")):
                raise _NotOursError
            value = self.type()
            _ = self._take(";") or self._take(",")
            if not self._take("}"):
                raise _NotOursError
            return Type("Record", (key, value))
        depth = 1
        while depth:
            token = self._next()
            depth += (token == "{") - (token == "}")
        return UNKNOWN

    def _peek(self) -> str:
        return self._tokens[self.at] if self.at < len(self._tokens) else ""

    def _next(self) -> str:
        if self.at >= len(self._tokens):
            raise _NotOursError
        self.at += 1
        return self._tokens[self.at - 1]

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self.at += 1
        return True


def _named(name: str, args: list[Type]) -> Type:
    if name in _NAMES:
        return _NAMES[name] if not args else UNKNOWN
    if name in _TRANSPARENT:
        return args[0] if len(args) == 1 else UNKNOWN
    if name in _GENERIC:
        kind = _GENERIC[name]
        wanted = 2 if kind in ("Map", "Record") else 1
        if name == "Generator":
            args = args[:1]
        if args and len(args) != wanted:
            return UNKNOWN
        return Type(kind, tuple(args) or (UNKNOWN,) * wanted)
    # A class of the code that has the name of something that the type language means.
    return UNKNOWN if name in _RESERVED else Type(name, tuple(args))


def in_script(found: Type) -> Type:
    """A type that words mean, in JavaScript: its numbers are all of one kind."""
    if found.name in ("int", "float"):
        return FLOAT
    if found.name in _NOT_IN_SCRIPT:
        return UNKNOWN
    parts = tuple(map(in_script, found.args))
    return union(parts) if found.name == "union" else Type(found.name, parts)


def to_typescript(found: Type) -> str:
    """The type as TypeScript writes it; `unknown` for what is not known.

    >>> to_typescript(Type("dict", (STR, list_of(INT))))
    'Map<string, number[]>'
    """
    args = [to_typescript(arg) for arg in found.args]
    match found.name:
        case "union":
            # int and float are one.
            return " | ".join(sorted(set(args), key=lambda text: (text in _ABSENT, text)))
        case "list" | "tuple*":
            return f"({args[0]})[]" if _is_compound(found.args[0]) else f"{args[0]}[]"
        case "tuple":
            return f"[{', '.join(args)}]"
        case "dict":
            return f"Map<{args[0]}, {args[1]}>"
        case "callable":
            parameters = ", ".join(f"arg{place}: {arg}" for place, arg in enumerate(args[:-1]))
            return f"(({parameters}) => {args[-1]})"
        case "callable*":
            return f"((...args: unknown[]) => {args[0]})"
        case name:
            printed = _PRINTED.get(name, name)
            return f"{printed}<{', '.join(args)}>" if args else printed


def _is_compound(found: Type) -> bool:
    return len({to_typescript(member) for member in members(found)}) > 1
