"""Terms: what an expression's type depends on, to be evaluated when the places are known.

A term is plain data; `evaluate` gives its type from the types of places. Builtins are data
(`builtins.toml` of each language).
"""

from __future__ import annotations

import functools
import importlib.resources
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from codekiln.typeflow.facts import Place
from codekiln.typeflow.python.types import parse_annotation
from codekiln.typeflow.types import (
    ABSENT,
    BIGINT,
    BOOL,
    BYTES,
    FLOAT,
    INT,
    NEVER,
    NONE,
    NUMBERS,
    SCALARS,
    STR,
    UNKNOWN,
    Type,
    element_of,
    join,
    join_strictly,
    members,
    union,
)
from codekiln.typeflow.typescript.types import parse_typescript


@dataclass(frozen=True, slots=True)
class Known:
    """A type that is known already."""

    type: Type


@dataclass(frozen=True, slots=True)
class Of:
    """The type of a place."""

    place: Place


@dataclass(frozen=True, slots=True)
class Built:
    """A container, by name, of what the terms give: one for each argument of its type."""

    name: str
    args: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Any of several."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Out of a container: what iterating, indexing (`at` where it is known) or unpacking gives."""

    of: Term
    by: str  # "iteration", "index", "slice" or "unpacking"
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A name that a test asks about: its type may be narrower here.

    `drops_none`: what is left without None counts, as where it is given to a function.
    """

    of: Term
    drops_none: bool = False


@dataclass(frozen=True, slots=True)
class Called:
    """The result of a builtin function, or of a method of what `receiver` gives."""

    name: str
    receiver: Term | None
    first: Term | None
    language: str = "python"


@dataclass(frozen=True, slots=True)
class Put:
    """What a place holds after `element` was put into it by a method of `container`.

    Only where the place holds such a container: other classes have methods of the same name.
    """

    place: Place
    container: str
    element: Term


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """left operator right, by the operator's name in Python's syntax tree (`Add`, `Div`).

    JavaScript's rules are those of `JS+` and of `JS`, all its other operators on numbers.
    """

    operator: str
    left: Term
    right: Term


Term = Known | Of | Built | Joined | Part | Narrowed | Called | Put | Arithmetic
NOTHING = Known(UNKNOWN)
# The elements of a literal that has none.
EMPTY = Known(NEVER)
# The name under which a JavaScript subscript is called, with the index as its argument.
INDEXED = "[]"


@dataclass(frozen=True, slots=True)
class Flow:
    """What `term` gives goes into `target`, at `line` (1-based), where the text is.

    Not `certain` where control may never come there.
    """

    target: Place
    term: Term
    line: int
    text: str
    certain: bool = True


def filled_later(term: Term) -> Term:
    """A term for a name: what starts empty there is filled in places that may not be seen."""
    if isinstance(term, Built) and EMPTY in term.args:
        return Built(term.name, tuple(NOTHING if part == EMPTY else part for part in term.args))
    return term


def places(term: Term) -> Iterator[Place]:
    """The places that a term depends on."""
    match term:
        case Of(place):
            yield place
        case Built(_, terms) | Joined(terms):
            for part in terms:
                yield from places(part)
        case Part(inner) | Narrowed(inner):
            yield from places(inner)
        case Called(_, receiver, first, _):
            for inside in (receiver, first):
                if inside is not None:
                    yield from places(inside)
        case Put(place, _, element):
            yield place
            yield from places(element)
        case Arithmetic(_, left, right):
            yield from places(left)
            yield from places(right)


def evaluate(
    term: Term,
    type_of: Callable[[Place], Type],
    *,
    strict: bool = False,
    certain: bool = False,
) -> Type:
    """The type of a term; UNKNOWN where it depends on what is not known.

    `strict`: one of several that is unknown makes all of them unknown. `certain`: so does what a
    test may have narrowed.
    """

    def part_of(part: Term) -> Type:
        return evaluate(part, type_of, strict=strict or certain, certain=certain)

    match term:
        case Known(found):
            return found
        case Of(place):
            return type_of(place)
        case Built(name, terms):
            return Type(name, tuple(map(part_of, terms)))
        case Joined(terms):
            first, *others = map(part_of, terms)
            return functools.reduce(join_strictly if strict or certain else join, others, first)
        case Part(inner, by, at):
            found = _part(part_of(inner), by, at)
            return UNKNOWN if found == NEVER else found
        case Narrowed(inner, drops_none):
            found = UNKNOWN if certain else part_of(inner)
            if not drops_none:
                return found
            return union(part for part in members(found) if part not in ABSENT)
        case Called(name, receiver, first_argument, language):
            return _called(
                language,
                name,
                part_of(receiver) if receiver is not None else None,
                part_of(first_argument) if first_argument is not None else UNKNOWN,
            )
        case Put(place, container, element):
            is_one = type_of(place).name == container
            return Type(container, (part_of(element),)) if is_one else UNKNOWN
        case Arithmetic(operator, left, right):
            compute = _script_arithmetic if operator.startswith("JS") else _arithmetic
            return compute(operator, part_of(left), part_of(right))


def _part(container: Type, by: str, at: int | None) -> Type:
    if by == "iteration":
        return element_of(container)
    if by == "slice":
        return _slice(container)
    if by == "unpacking" and container.name != "tuple":
        return element_of(container)
    if container.name in ("dict", "Record"):
        return container.args[1]
    if container.name == "tuple" and at is not None:
        return container.args[at] if -len(container.args) <= at < len(container.args) else UNKNOWN
    if container.name in ("list", "tuple", "tuple*") or container in (STR, BYTES):
        return element_of(container)
    return UNKNOWN


def _slice(container: Type) -> Type:
    if container.name == "tuple":
        return Type("tuple*", (element_of(container),))
    is_sequence = container.name in ("list", "tuple*") or container in (STR, BYTES)
    return container if is_sequence else UNKNOWN


def _called(language: str, name: str, receiver: Type | None, first: Type) -> Type:
    functions, methods = _builtins(language)
    if name == INDEXED and receiver is not None:
        # A property's name gives the property, not an element.
        is_fit = first == FLOAT or (receiver.name == "Record" and first == STR)
        return _part(receiver, "index", None) if is_fit else UNKNOWN
    if receiver is None:
        template = functions.get(name)
        names = {"A": first, "AE": element_of(first)}
    else:
        template = methods.get(receiver.name, {}).get(name)
        args = receiver.args
        names = {"E": element_of(receiver), "K": args[0] if args else UNKNOWN}
        names["V"] = args[1] if len(args) > 1 else UNKNOWN
    return _filled(template, names) if template is not None else UNKNOWN


def _filled(template: Type, names: Mapping[str, Type]) -> Type:
    if template.name in names:
        return names[template.name]
    return Type(template.name, tuple(_filled(arg, names) for arg in template.args))


@functools.cache
def _builtins(language: str) -> tuple[dict[str, Type], dict[str, dict[str, Type]]]:
    folder = importlib.resources.files(__package__).joinpath(language)
    data = tomllib.loads(folder.joinpath("builtins.toml").read_text("utf-8"))
    parse = parse_annotation if language == "python" else parse_typescript

    def read(table: Mapping[str, str]) -> dict[str, Type]:
        return {name: parse(annotation) for name, annotation in table.items()}

    return read(data["functions"]), {name: read(t) for name, t in data["methods"].items()}


def _script_arithmetic(operator: str, left: Type, right: Type) -> Type:
    both = (left, right)
    if operator == "JS+" and STR in both:
        return STR
    if left == right == BIGINT:
        return BIGINT
    if operator == "JS+":
        return FLOAT if all(side in (FLOAT, BOOL) for side in both) else UNKNOWN
    # Numbers and bigints do not mix; what else there is becomes a number.
    known = all(side in SCALARS - {BIGINT} for side in both)
    return FLOAT if FLOAT in both or known else UNKNOWN


def _arithmetic(operator: str, left: Type, right: Type) -> Type:
    if operator == "Mod" and left in (STR, BYTES):
        return left
    if operator == "Compare":
        # Classes may give anything; those of numpy give arrays.
        return BOOL if left in SCALARS and right in SCALARS else UNKNOWN
    if UNKNOWN in (left, right) or NONE in (*members(left), *members(right)):
        return UNKNOWN
    if left in NUMBERS and right in NUMBERS:
        if operator.startswith("Bit"):
            return BOOL if (left, right) == (BOOL, BOOL) else INT
        if operator == "Div":
            return max(left, right, FLOAT, key=NUMBERS.index)
        if operator == "Pow":
            # 2 ** -1 is a float, and (-8) ** 0.5 is complex.
            return UNKNOWN
        return max(left, right, INT, key=NUMBERS.index)
    if operator == "Add" and left.name == right.name and left.name in ("list", "tuple*", "str"):
        return join_strictly(left, right)
    if operator == "Mult" and INT in (left, right):
        other = right if left == INT else left
        return other if other.name in ("list", "str", "bytes", "tuple*") else UNKNOWN
    if operator in ("BitOr", "BitAnd", "Sub") and left.name == right.name == "set":
        return join_strictly(left, right) if operator == "BitOr" else left
    return UNKNOWN
