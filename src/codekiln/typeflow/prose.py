"""Types and examples that comments state in words: `arr1[number]`, `返回：number[]`, `f(2) -> 4`.

Text in, names, types and expressions out, for any language. Only what is wholly understood is read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from codekiln.typeflow.facts import RETURN
from codekiln.typeflow.python.docstrings import Stated, said_once, words_as_type
from codekiln.typeflow.types import ABSENT, SCALARS, UNKNOWN, Type, classes_in, list_of
from codekiln.typeflow.typescript.types import parse_typescript

# What stands before the text of a comment's line.
_MARKS = re.compile(r"^[\s*#/!+-]*")
_RETURNS = re.compile(
    r"^(?:@?returns?|return (?:value|type)|output|返回值?|返回类型|输出)\s*[:：]\s*(?P<rest>\S.*)$",
    re.IGNORECASE,
)
# Chinese has no words that this could be a part of.
_RETURNS_BEHIND = re.compile(r"返回值?\s*[:：]\s*(?P<rest>\S.*)$")
# A type ends where the sentence goes on.
_END = re.compile(r"\s[-–—]\s|[,;，；。、]|\.(?:\s|$)")
# More is prose, and would take long to read.
_MOST_ENDS = 3
_LONGEST_LINE = 400
# A value where a type should be; digits may be part of a name.
_VALUE = re.compile(r"['\"]|(?<![A-Za-z_])\d|^-")
_ALTERNATIVE = re.compile(r"\b(?:or|otherwise|else|unless|if|when)\b|若|或|否则", re.IGNORECASE)
_CLOSING = {"[": "]", "(": ")", "（": "）", "{": "}"}
# With these names `name[number]` says that it holds numbers; of others it says nothing for sure.
_COLLECTION = re.compile(r"arr|list|vec|seq|stack|queue|matrix|data|\w\ws\d*$", re.IGNORECASE)
_NAME = re.compile(r"(?<![\w$.])[A-Za-z_$][\w$]*")
_EXAMPLE = re.compile(
    r"^(?:e\.g\.|eg|for example|example|examples|例如|示例|例)?\s*[:：]?\s*"
    r"(?P<call>[A-Za-z_$][\w$.]*\(.*?\))[`;]*\s*(?:={2,3}|[-=]>|→|➞|//\s*=>)\s*(?P<value>\S.*)$",
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
        if len(text) > _LONGEST_LINE:
            continue
        returns = _RETURNS.match(text) or _RETURNS_BEHIND.search(text)
        if returns is not None:
            found.append(Stated(RETURN, type_in_words(returns["rest"]), number, line.strip()))
            text = text[: returns.start()]
        for name, said in _about(text, parameters):
            found.append(Stated(name, said, number, line.strip()))
    return said_once(found)


def type_in_words(text: str) -> Type:
    """The type at the beginning of a sentence, if it is one of the language's own; else UNKNOWN.

    Values are no types, and what goes on with an alternative is not known.

    >>> str(type_in_words("number[] - the merged numbers"))
    'list[float]'
    """
    text = text.strip().strip("`")
    if text.startswith("{"):
        text = _bracketed(text, 0) or ""
    for end in itertools.islice(_ends(text), _MOST_ENDS):
        words = text[:end].strip().strip("`").rstrip(".")
        found = UNKNOWN if _VALUE.search(words) else words_as_type(words)
        if found == UNKNOWN and not _VALUE.search(words):
            found = parse_typescript(words)
        if found == UNKNOWN or found in ABSENT or classes_in(found):
            continue
        return UNKNOWN if _goes_on(text[end:]) else found
    return UNKNOWN


def _goes_on(text: str) -> bool:
    """Whether what stands behind a type names another one, or when it is one."""
    if _ALTERNATIVE.search(text):
        return True
    return any(words_as_type(word) != UNKNOWN for word in re.findall(r"[A-Za-z]+", text))


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
        if len(line) > _LONGEST_LINE:
            continue
        match = _EXAMPLE.match(line.strip().strip("`"))
        if match is not None:
            yield StatedExample(match["call"], match["value"].strip().rstrip(";`。"), number)


def _about(text: str, parameters: Collection[str]) -> Iterator[tuple[str, Type]]:
    """`name: type`, `name (type)` and `name[type]` in a line."""
    found = [match for match in _NAME.finditer(text) if match[0] in parameters]
    for number, match in enumerate(found):
        name = match[0]
        before = text[: match.start()]
        # A member of an object that is described.
        if before.count("{") > before.count("}"):
            continue
        after = found[number + 1].start() if number + 1 < len(found) else len(text)
        rest = text[match.end() :]
        behind = rest.lstrip(" `*'\"")
        if behind[:1] in (":", "："):
            yield name, type_in_words(text[text.index(behind[0], match.end()) + 1 : after])
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
    """Places outside of brackets where a sentence may go on after a type, and its end."""
    for match in _END.finditer(text):
        before = text[: match.start()]
        if all(before.count(a) <= before.count(b) for a, b in ("[]", "()", "<>", "{}")):
            yield match.start()
    yield len(text)
