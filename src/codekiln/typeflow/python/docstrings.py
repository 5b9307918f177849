"""Types that docstrings state: Google's, NumPy's and Sphinx' forms. Text in, names and types out.

Only what stands where a form puts a type is read; prose is not guessed at.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codekiln.typeflow.facts import RETURN
from codekiln.typeflow.python.types import parse_annotation
from codekiln.typeflow.types import CONTAINERS, SCALARS, UNKNOWN, Type, list_of

_NAMES = {*CONTAINERS, "tuple", "callable", "callable*", "union", "object", "unknown"}
_SECTIONS = {
    "args": "parameters",
    "arguments": "parameters",
    "parameters": "parameters",
    "params": "parameters",
    "keyword args": "parameters",
    "other parameters": "parameters",
    "returns": "returns",
    "return": "returns",
    "yields": "other",
    "raises": "other",
    "attributes": "other",
    "examples": "other",
    "example": "other",
    "notes": "other",
    "note": "other",
    "see also": "other",
    "references": "other",
    "warnings": "other",
}
_GOOGLE_HEAD = re.compile(r"^([A-Z][A-Za-z ]*):\s*$")
_GOOGLE_PARAMETER = re.compile(r"^\s+\*{0,2}(\w+)\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\s*:")
_GOOGLE_RETURN = re.compile(r"^\s+([^:]+):(?:\s|$)")
_NUMPY_PARAMETER = re.compile(r"^\*{0,2}(\w+(?:\s*,\s*\w+)*)\s*:\s*(\S.*)$")
_SPHINX = re.compile(
    r"^\s*:(?:(?P<kind>type|rtype)(?:\s+\*{0,2}(?P<name>\w+))?|"
    r"param\s+(?P<type>[^:]*?\S)\s+\*{0,2}(?P<typed>\w+))\s*:(?P<rest>.*)$"
)
_ROLE = re.compile(r":\w+(?::\w+)?:`~?([^`]+)`|`+([^`]+)`+")
# What people write in place of a type's name.
_WORDS = {
    "string": "str",
    "strings": "str",
    "integer": "int",
    "integers": "int",
    "ints": "int",
    "floats": "float",
    "number": "float",
    "numbers": "float",
    "boolean": "bool",
    "booleans": "bool",
    "bools": "bool",
    "dictionary": "dict",
    "mapping": "dict",
    "lists": "list",
    "strs": "str",
    "nonetype": "None",
    "none": "None",
}
_MOST_OF = 8
_OF = re.compile(r"^(list|array|set|tuple|sequence|iterable|iterator)\s+of\s+(.+)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stated:
    """`name` of a parameter or RETURN; `line` of the docstring, from 0; the line's text."""

    name: str
    type: Type
    line: int
    text: str


def stated_types(docstring: str) -> tuple[Stated, ...]:
    """What a docstring says about parameters and the return, in its order."""
    lines = inspect.cleandoc(docstring).split("\n")
    return said_once([*_sphinx(lines), *_sections(lines)])


def said_once(found: Sequence[Stated]) -> tuple[Stated, ...]:
    """What is known and said once: several returns are parts of one, or alternatives."""
    once = Counter(stated.name for stated in found)
    return tuple(stated for stated in found if stated.type != UNKNOWN and once[stated.name] == 1)


def words_as_type(text: str) -> Type:
    """The type that a few words mean: `list of str`, `int, optional`, `str or None`.

    UNKNOWN unless every word of them is understood. `optional` says that there is a default, whose
    own type is another fact.

    >>> str(words_as_type("list of integers, optional"))
    'list[int]'
    """
    text = _ROLE.sub(lambda match: match[1] or match[2], text).strip().rstrip(".")
    parts = [part.strip() for part in _split(text)]
    parts = [
        part
        for part in parts
        if part and part != "optional" and not re.match(r"^(default|by default)\b", part)
    ]
    if len(parts) != 1:
        return UNKNOWN
    return _one(parts[0])


def _one(text: str) -> Type:
    of = _OF.match(text)
    # More is no type that anyone wrote.
    if of and text.count(" of ") <= _MOST_OF:
        element = _one(of[2])
        if element == UNKNOWN:
            return UNKNOWN
        kind = of[1].lower()
        if kind in ("list", "array", "set"):
            return Type("set", (element,)) if kind == "set" else list_of(element)
        if kind == "tuple":
            return Type("tuple*", (element,))
        return Type("iterator" if kind == "iterator" else "iterable", (element,))
    if " or " in text:
        text = text.replace(" or ", " | ")
    words = re.sub(r"[A-Za-z]+", lambda match: _WORDS.get(match[0].lower(), match[0]), text)
    found = parse_annotation(words)
    return found if _is_plausible(found) else UNKNOWN


def _is_plausible(found: Type) -> bool:
    """Prose parses as a name too; a class is written in capitals."""
    is_known = found in SCALARS or found.name in _NAMES or found.name[0].isupper()
    return is_known and all(map(_is_plausible, found.args))


def _split(text: str) -> Iterator[str]:
    """At commas outside of brackets."""
    depth, part = 0, ""
    for character in text:
        depth += (character in "[({") - (character in "])}")
        if character == "," and depth == 0:
            yield part
            part = ""
        else:
            part += character
    yield part


def _sphinx(lines: list[str]) -> Iterator[Stated]:
    for number, line in enumerate(lines):
        match = _SPHINX.match(line)
        if not match:
            continue
        if match["kind"] == "rtype":
            yield Stated(RETURN, words_as_type(match["rest"]), number, line.strip())
        elif match["kind"] == "type" and match["name"]:
            yield Stated(match["name"], words_as_type(match["rest"]), number, line.strip())
        elif match["typed"]:
            yield Stated(match["typed"], words_as_type(match["type"]), number, line.strip())


def _sections(lines: list[str]) -> Iterator[Stated]:
    section, is_numpy, indent = "", False, 0
    for number, line in enumerate(lines):
        underlined = number + 1 < len(lines) and re.fullmatch(r"\s*-{3,}\s*", lines[number + 1])
        head = _GOOGLE_HEAD.match(line)
        name = (head[1] if head else line).strip().lower()
        if name in _SECTIONS and (head or underlined):
            section, is_numpy, indent = _SECTIONS[name], bool(underlined), 0
            continue
        if not line.strip() or re.fullmatch(r"\s*-{3,}\s*", line):
            continue
        depth = len(line) - len(line.lstrip())
        if is_numpy:
            if depth == 0:
                yield from _numpy(section, line, number)
            continue
        if depth == 0:
            section = ""
            continue
        indent = indent or depth
        # Deeper lines go on with the description of the entry before.
        if depth == indent:
            yield from _google(section, line, number)


def _numpy(section: str, line: str, number: int) -> Iterator[Stated]:
    match = _NUMPY_PARAMETER.match(line)
    if section == "parameters" and match:
        for name in match[1].split(","):
            yield Stated(name.strip(), words_as_type(match[2]), number, line.strip())
    elif section == "returns":
        yield Stated(RETURN, words_as_type(match[2] if match else line), number, line.strip())


def _google(section: str, line: str, number: int) -> Iterator[Stated]:
    if section == "parameters" and (match := _GOOGLE_PARAMETER.match(line)):
        yield Stated(match[1], words_as_type(match[2]), number, line.strip())
    elif section == "returns" and (match := _GOOGLE_RETURN.match(line)):
        yield Stated(RETURN, words_as_type(match[1]), number, line.strip())
