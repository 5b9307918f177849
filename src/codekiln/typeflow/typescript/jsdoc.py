"""Types that JSDoc tags state: `@param {number[]} items`, `@returns {string}`, `@type {Map}`.

Text in, names and types out. Forms: jsdoc.app and TypeScript's JSDoc reference.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codekiln.typeflow.facts import RETURN
from codekiln.typeflow.types import UNKNOWN, Type
from codekiln.typeflow.typescript.types import parse_typescript

_TAG = re.compile(r"@(param|arg|argument|returns?|type)\b[ \t]*\{")
_NAME = re.compile(r"[ \t]*(?:\r?\n[ \t]*\*?[ \t]*)?\[?\s*(?:\.\.\.)?([A-Za-z_$][\w$]*)(?![\w$.])")
# What people write in place of a type's name.
_WORDS = {
    "int": "number",
    "integer": "number",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "str": "string",
}
# The name under which `@type` is told: that of what stands behind the comment.
ITSELF = "type"


@dataclass(frozen=True, slots=True)
class Tag:
    """`name` of a parameter, RETURN or ITSELF; the type, and as it is `written`; line from 0."""

    name: str
    type: Type
    written: str
    line: int


def jsdoc_tags(comment: str, classes: Collection[str] = ()) -> Iterator[Tag]:
    """What a comment's tags say, in its order. Properties of parameters are left out.

    `classes` are names that the code gives to types of its own.

    >>> [(t.name, str(t.type)) for t in jsdoc_tags("/** @param {string} [name='x'] who */")]
    [('name', 'str')]
    """
    for match in _TAG.finditer(comment):
        inner = _inside(comment, match.end())
        if inner is None:
            continue
        line = comment.count("\n", 0, match.start())
        written = _plain(inner)
        kind = match[1]
        if kind == "type":
            name = ITSELF
        elif kind.startswith("return"):
            name = RETURN
        else:
            named = _NAME.match(comment, match.end() + len(inner) + 1)
            if named is None or "..." in inner:
                continue
            name = named[1]
        found = parse_typescript(written, classes)
        if found != UNKNOWN:
            yield Tag(name, found, written, line)


def _inside(comment: str, start: int) -> str | None:
    """The text up to the brace that closes the one before `start`."""
    depth = 1
    for place in range(start, len(comment)):
        depth += (comment[place] == "{") - (comment[place] == "}")
        if depth == 0:
            return comment[start:place]
    return None


def _plain(text: str) -> str:
    """The type as TypeScript writes it; that a parameter may be left out is another fact."""
    text = re.sub(r"\s*\n\s*\*?\s*", " ", text).strip().removeprefix("!").removesuffix("=")
    text = re.sub(r"\bObject<", "Record<", text.replace(".<", "<"))
    return re.sub(r"\b[a-z]+\b", lambda word: _WORDS.get(word[0], word[0]), text)
