"""The small type language that facts and the graph speak: one frozen tree, no checker.

It holds what Python's and TypeScript's annotations have in common. What it cannot hold is UNKNOWN,
which is never wrong; comparisons say "cannot tell" instead of guessing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Unions of more members say little and are given up.
MOST_MEMBERS = 5


@dataclass(frozen=True, slots=True)
class Type:
    """A type by name, with arguments.

    Built in are None, bool, int, float, complex, str, bytes, object, list, set, frozenset, dict,
    iterable, iterator and awaitable; `tuple` with one argument per place; `tuple*` for any number
    of one type; `callable` with the parameters and last the result, or the result alone where
    nothing is known of the parameters (`callable*`); `union`, its members sorted, at least two.
    TypeScript has besides undefined, bigint, symbol, Map and Record, and its number is a float.
    Any other name is that of a class.
    """

    name: str
    args: tuple[Type, ...] = ()

    def __str__(self) -> str:
        inside = ", ".join(map(str, self.args))
        return f"{self.name}[{inside}]" if self.args else self.name


UNKNOWN = Type("unknown")
# Of the elements of a literal that has none: it joins with any other.
NEVER = Type("never")
OBJECT = Type("object")
NONE = Type("None")
BOOL, INT, FLOAT, COMPLEX = Type("bool"), Type("int"), Type("float"), Type("complex")
STR, BYTES = Type("str"), Type("bytes")
UNDEFINED, BIGINT = Type("undefined"), Type("bigint")
NUMBERS = (BOOL, INT, FLOAT, COMPLEX)
SCALARS = frozenset({NONE, UNDEFINED, *NUMBERS, BIGINT, STR, BYTES})
# What stands for the absence of a value.
ABSENT = (NONE, UNDEFINED)
# Names with as many arguments, all of which a value of the type may give or take.
CONTAINERS = {
    "list": 1,
    "set": 1,
    "frozenset": 1,
    "dict": 2,
    "tuple*": 1,
    "iterable": 1,
    "iterator": 1,
    "awaitable": 1,
}
# What can be iterated over, and the place of the argument that it gives.
_LANGUAGE = (
    "unknown",
    "never",
    "object",
    "union",
    "tuple*",
    "callable*",
    "symbol",
    "Map",
    "Record",
)
_PROTOCOLS = ("iterable", "iterator", "awaitable")
ITERABLES = ("list", "set", "frozenset", "dict", "tuple*", "iterable", "iterator")


def list_of(element: Type) -> Type:
    """list[element]"""
    return Type("list", (element,))


def optional(inner: Type) -> Type:
    """`inner` or None."""
    return union((inner, NONE))


def union(members: Iterable[Type]) -> Type:
    """The smallest type of the language that holds all members; UNKNOWN where one is, or none is.

    >>> str(union([INT, NONE, INT]))
    'union[None, int]'
    """
    flat: set[Type] = set()
    for member in members:
        flat |= set(member.args) if member.name == "union" else {member}
    if len(flat) > 1:
        flat.discard(NEVER)
    if not flat or UNKNOWN in flat:
        return UNKNOWN
    if OBJECT in flat:
        return OBJECT
    if len(flat) == 1:
        return next(iter(flat))
    if len(flat) > MOST_MEMBERS:
        return OBJECT
    return Type("union", tuple(sorted(flat, key=str)))


def members(found: Type) -> tuple[Type, ...]:
    """The members of a union, or the type itself."""
    return found.args if found.name == "union" else (found,)


def element_of(container: Type) -> Type:
    """What iterating over it gives; UNKNOWN where that is not known."""
    if container.name in ITERABLES and container.args:
        return container.args[0]
    if container.name == "tuple":
        return union(container.args)
    if container.name == "Map":
        return Type("tuple", container.args)
    if container == STR:
        return STR
    if container == BYTES:
        return INT
    return UNKNOWN


def classes_in(found: Type) -> set[str]:
    """The names of classes in a type, without what the type language knows itself."""
    inside = {name for arg in found.args for name in classes_in(arg)}
    return inside if _is_builtin(found) or found.name in _LANGUAGE else inside | {found.name}


def join(a: Type, b: Type) -> Type:
    """One type for both pieces of evidence: what is unknown in one is taken from the other.

    int and float make float, as in Python's numeric tower; unlike types make a union.

    >>> str(join(list_of(INT), list_of(FLOAT)))
    'list[float]'
    """
    if a == b or b in (UNKNOWN, NEVER):
        return a
    if a in (UNKNOWN, NEVER):
        return b
    merged: list[Type] = []
    # Sorted, so that the order of the evidence does not matter.
    for new in sorted({*members(a), *members(b)}, key=str):
        for place, old in enumerate(merged):
            one = _merged(old, new)
            if one is not None:
                merged[place] = one
                break
        else:
            merged.append(new)
    return union(merged)


def join_strictly(a: Type, b: Type) -> Type:
    """Like `join`, but what is unknown in one is unknown in both: it may be anything.

    >>> str(join_strictly(list_of(UNKNOWN), list_of(INT)))
    'list[unknown]'
    """
    if UNKNOWN in (a, b):
        return UNKNOWN
    if NEVER in (a, b):
        return a if b == NEVER else b
    if a.name == b.name and a.name != "union" and len(a.args) == len(b.args):
        return Type(a.name, tuple(join_strictly(x, y) for x, y in zip(a.args, b.args, strict=True)))
    joined = join(a, b)
    lost = _unknown_parts(joined) < max(_unknown_parts(a), _unknown_parts(b))
    return UNKNOWN if lost else joined


def _unknown_parts(found: Type) -> int:
    return (found == UNKNOWN) + sum(map(_unknown_parts, found.args))


def _merged(a: Type, b: Type) -> Type | None:
    """One type in place of two that are alike but for their parts; None where they are not."""
    if a == b:
        return a
    # A bool among numbers is a value of its own more often than a number.
    if a in (INT, FLOAT, COMPLEX) and b in (INT, FLOAT, COMPLEX):
        return max(a, b, key=NUMBERS.index)
    if {a.name, b.name} == {"tuple", "tuple*"}:
        return Type("tuple*", (join(_element(a), _element(b)),))
    if a.name != b.name or a.name == "union" or not a.args:
        return None
    if len(a.args) == len(b.args):
        return Type(a.name, tuple(join(x, y) for x, y in zip(a.args, b.args, strict=True)))
    if a.name == "tuple":
        return Type("tuple*", (join(_element(a), _element(b)),))
    return None


def _element(container: Type) -> Type:
    found = UNKNOWN
    for arg in container.args:
        found = join(found, arg)
    return found


def accepts(target: Type, value: Type) -> bool | None:
    """Whether a value of type `value` may stand where `target` is declared; None: cannot tell.

    Classes with different names may be related, and so may protocols; only what holds in every
    program is said.

    >>> accepts(FLOAT, INT), accepts(INT, STR), accepts(Type("Shape"), Type("Circle"))
    (True, False, None)
    """
    if UNKNOWN in (target, value) or target == NEVER:
        return None
    if target in (value, OBJECT) or value == NEVER:
        return True
    if value.name == "union":
        return _all(accepts(target, member) for member in value.args)
    if target.name == "union":
        return _any(accepts(member, value) for member in target.args)
    if target in NUMBERS and value in NUMBERS:
        return NUMBERS.index(value) <= NUMBERS.index(target)
    if target.name in ("iterable", "iterator"):
        return _accepts_iteration(target, value)
    if value.name in _PROTOCOLS or (value.name == "tuple*" and target.name == "tuple"):
        # The value may be of any class that does this.
        return None
    if target.name == "tuple*" and value.name == "tuple":
        return _all(accepts(target.args[0], arg) for arg in value.args)
    if target.name == value.name and len(target.args) == len(value.args):
        return _accepts_parts(target, value)
    if _is_builtin(target) and _is_builtin(value):
        # Both are final as far as annotations go, but for what is duck-typed.
        return None if "callable" in f"{target.name} {value.name}" else False
    return None


def _accepts_iteration(target: Type, value: Type) -> bool | None:
    if target.name == "iterator":
        if value.name != "iterator":
            return False if _is_builtin(value) and value.name not in _PROTOCOLS else None
    elif value in SCALARS - {STR, BYTES}:
        return False
    element = element_of(value)
    return accepts(target.args[0], element)


def _accepts_parts(target: Type, value: Type) -> bool | None:
    """Same name and number of arguments. Empty literals and invariance make "no" uncertain."""
    if target.name.startswith("callable"):
        return None
    verdict = _all(accepts(x, y) for x, y in zip(target.args, value.args, strict=True))
    if verdict is True and target.name in ("list", "set", "dict"):
        # A list of int is no list of float to a strict checker, but is to most users.
        return True if target.args == value.args else None
    return verdict


def _is_builtin(found: Type) -> bool:
    return found in SCALARS or found.name in CONTAINERS or found.name in ("tuple", "callable")


def _all(verdicts: Iterable[bool | None]) -> bool | None:
    found = list(verdicts)
    if False in found:
        return False
    return None if None in found else True


def _any(verdicts: Iterable[bool | None]) -> bool | None:
    found = list(verdicts)
    if True in found:
        return True
    return None if None in found else False
