"""Types and examples that comments state in words: `arr1[number]`, `返回：number[]`, `f(2) -> 4`.

Text in, names, types and expressions out, for any language. Only what is wholly understood is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codekiln.typeflow.facts import RETURN
from codekiln.typeflow.python.docstrings import Stated, said_once, words_as_type
from codekiln.typeflow.types import SCALARS, UNKNOWN, Type, classes_in, list_of
from codekiln.typeflow.typescript.types import parse_typescript

# What stands before the text of a comment's line.
_MARKS = re.compile(r"^[\s*#/!+-]*")
_RETURNS = re.compile(
    r"^(?:@?returns?|return (?:value|type)|output|返回值?|返回类型|输出)\s*[:：]\s*(?P<rest>\S.*)$",
    re.IGNORECASE,
)
# A type ends where the sentence goes on.
_END = re.compile(r"\s[-–—]\s|[,;，；。、]|\.(?:\s|$)")
_CLOSING = {"[": "]", "(": ")", "（": "）", "{": "}"}
# With these names `name[number]` says that it holds numbers; of others it says nothing for sure.
_COLLECTION = re.compile(r"arr|list|vec|seq|stack|queue|matrix|data|\w\ws\d*$", re.IGNORECASE)
_EXAMPLE = re.compile(
    r"^(?:e\.g\.|eg|for example|example|examples|例如|示例|例)?\s*[:：]?\s*"
    r"(?P<call>[A-Za-z_$][\w$.]*\(.*?\))[`;]*\s*(?:={2,3}|[-=]>|→|➞|//\s*(?:=>)?)\s*(?P<value>\S.*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class StatedExample:
    """A call and the value that it gives, as source; `line` of the comment, from 0."""

    call: str
    value: str
    line: int


def prose_types(comment: str, parameters: Collection[str]) -> tuple[Stated, ...]:
    """What the words of a comment say about these parameters and the return.

    >>> [(s.name, str(s.type)) for s in prose_types("arr1[number], n: int 返回", ["arr1", "n"])]
    [('arr1', 'list[float]')]
    """
    found: list[Stated] = []
    for number, line in enumerate(comment.split("\n")):
        text = _MARKS.sub("", line).rstrip(" */")
        returns = _RETURNS.match(text)
        if returns is not None:
            found.append(Stated(RETURN, type_in_words(returns["rest"]), number, text))
            continue
        for name, said in _about(text, parameters):
            found.append(Stated(name, said, number, text))
    return said_once(found)


def type_in_words(text: str) -> Type:
    """The type at the beginning of a sentence, if it is one of the language's own; else UNKNOWN.

    >>> str(type_in_words("number[] - the merged numbers"))
    'list[float]'
    """
    text = text.strip().strip("`")
    if text.startswith("{"):
        text = _bracketed(text, 0) or ""
    for end in (*_ends(text), len(text)):
        words = text[:end].strip().strip("`").rstrip(".")
        found = words_as_type(words)
        found = parse_typescript(words) if found == UNKNOWN else found
        if found != UNKNOWN and not classes_in(found):
            return found
    return UNKNOWN


def stated_examples(comment: str) -> Iterator[StatedExample]:
    """Calls with what they give, one per line: `f(2) == 4`, `f(2) -> 4`, or `>>> f(2)` above `4`.

    >>> [(e.call, e.value) for e in stated_examples("// merge([1], [2]) == [1, 2]")]
    [('merge([1], [2])', '[1, 2]')]
    """
    lines = [_MARKS.sub("", line).rstrip(" */") for line in comment.split("\n")]
    for number, line in enumerate(lines):
        if line.startswith(">>>"):
            value = lines[number + 1].strip() if number + 1 < len(lines) else ""
            if value and not value.startswith(">>>"):
                yield StatedExample(line[3:].strip().rstrip(";"), value.rstrip(";"), number)
            continue
        match = _EXAMPLE.match(line.strip().strip("`"))
        if match is not None:
            yield StatedExample(match["call"], match["value"].strip().rstrip(";`。"), number)


def _about(text: str, parameters: Collection[str]) -> Iterator[tuple[str, Type]]:
    """`name: type`, `name (type)` and `name[type]` in a line."""
    for match in re.finditer(r"(?<![\w$.])[A-Za-z_$][\w$]*", text):
        name = match[0]
        if name not in parameters:
            continue
        rest = text[match.end() :]
        behind = rest.lstrip(" `*'\"")
        if behind[:1] in (":", "："):
            yield name, type_in_words(behind[1:])
        elif behind[:1] in ("(", "（"):
            inner = _bracketed(behind, 0)
            yield name, type_in_words(inner) if inner else UNKNOWN
        elif rest[:1] == "[":
            inner = _bracketed(rest, 0)
            said = type_in_words(inner) if inner else UNKNOWN
            if said in SCALARS:
                said = list_of(said) if _COLLECTION.search(name) else UNKNOWN
            yield name, said


def _bracketed(text: str, at: int) -> str | None:
    """What is inside of the bracket at `at`; None where it is not closed."""
    opening = text[at]
    closing, depth = _CLOSING[opening], 0
    for place in range(at, len(text)):
        depth += (text[place] == opening) - (text[place] == closing)
        if depth == 0:
            return text[at + 1 : place]
    return None


def _ends(text: str) -> Iterator[int]:
    """Places outside of brackets where a sentence may go on after a type."""
    for match in _END.finditer(text):
        before = text[: match.start()]
        if all(before.count(a) <= before.count(b) for a, b in ("[]", "()", "<>", "{}")):
            yield match.start()
