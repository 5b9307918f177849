"""Reads examples that give the arguments without the call: `x = 5, y = 3 -> 8`, `[1, 2] -> 3`.

Whether the names and their number are those of the parameters is not known here: the drafts count
only if so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.pairs import MAX_VALUE_CHARS, without_bullet
from codekiln.generation.tasks.source import is_literal, mask_strings, normalised
from codekiln.generation.tasks.values import read_value, unwrapped, value_end
from codekiln.generation.tasks.wording import any_of, wording

MAX_ARGUMENTS = 20
MAX_INLINE_DRAFTS = 200
MAX_CHARS_BEFORE = 40

_NAME = re.compile(r"[`*]*([A-Za-z_]\w*)[`*]*\s*=(?![=<>~])\s*`?")
_AND = re.compile(
    r"`?\s*(?:[,，;；&]\s*(?:and\b)?|and\b|和)\s*(?=[`*]*[A-Za-z_]\w*[`*]*\s*=)", re.I
)
_ARROW = re.compile(r"\s*(?:-{1,3}>|={1,3}>|[→⇒➜➞➔⟶⟹↦])\s*")


def assignments(text: str, start: int = 0) -> tuple[str, int] | None:
    """`a = [1] and b = 2` as `a=[1], b=2`, and where it ends; None when it does not begin so."""
    given: list[str] = []
    position = end = start
    while len(given) < MAX_ARGUMENTS and (name := _NAME.match(text, position)):
        rest = text[name.end() : name.end() + MAX_VALUE_CHARS]
        length = value_end(rest)
        source = normalised(rest[:length]) if length else None
        if length is None or source is None or not is_literal(source):
            break
        given.append(f"{name[1]}={source}")
        end = name.end() + length
        joint = _AND.match(text, end)
        if joint is None:
            return ", ".join(given), end
        position = joint.end()
    # What stands behind the last "and" is no assignment of a value: not all of them are known.
    return None


def find_named(text: str) -> Iterator[Draft]:
    """Drafts of every "for x = 5 and y = 3 the output should be 8" in a line of prose."""
    position = count = 0
    while (lead := _lead().search(text, position)) and count < MAX_INLINE_DRAFTS:
        position = max(lead.end(), position + 1)
        before = text[max(0, lead.start() - MAX_CHARS_BEFORE) : lead.start()]
        given = None if _exception().search(before) else assignments(text, lead.end())
        if given is None:
            continue
        arguments, end = given
        result = _result().match(text, end)
        if result is None:
            continue
        value = read_value(text[result.end() : result.end() + MAX_VALUE_CHARS])
        if value.why_not or (result["raises"] is not None and value.raises is None):
            continue
        position = result.end() + value.end
        count += 1
        yield Draft(
            text[lead.start() : position].strip(" \t,，;；。、"),
            arguments=arguments,
            expected=value.expected,
            raises=value.raises,
            unless_fit="drop",
        )


def bare_pair(line: str) -> Draft | None:
    """`[1, 2] -> 3`: literals, an arrow and a value, all of a line."""
    text = unwrapped(without_bullet(line))
    arrow = _ARROW.search(mask_strings(text))
    if arrow is None:
        return None
    given = normalised(unwrapped(text[: arrow.start()]))
    value = read_value(text[arrow.end() :])
    if not given or not is_literal(given) or value.why_not:
        return None
    if value.expected is not None and not is_literal(value.expected):
        return None
    return Draft(
        text, arguments=given, expected=value.expected, raises=value.raises, unless_fit="drop"
    )


@cache
def _lead() -> re.Pattern[str]:
    """The beginning of a line, or the word in front of the first name: "for", "given"."""
    leads = any_of(wording()["named"]["leads"])
    return re.compile(rf"(?:^\s*|(?:{leads})[\s:：]*)(?=[`*(]*[A-Za-z_]\w*[`*]*\s*=)[(]?", re.I)


@cache
def _exception() -> re.Pattern[str]:
    return re.compile(rf"(?:{any_of(wording()['prose']['denials'])})\s*$", re.IGNORECASE)


@cache
def _result() -> re.Pattern[str]:
    """What leads from the arguments to the result: "), the function should return"."""
    words = wording()
    subjects = any_of(words["named"]["subjects"])
    values = any_of(words["separators"]["value"])
    # "x = 5 is odd" and "n = 1 = k": these words need a subject in front of them.
    alone = any_of(set(words["separators"]["value"]) - set(words["named"]["not_alone"]))
    raises = any_of(words["separators"]["raises"])
    # The function with its parameters, as in "f(x) returns".
    shape = r"[`*]*[A-Za-z_]\w*\([A-Za-z_,\s]*\)[`*]*"
    return re.compile(
        rf"[`*)]*\s*[,，]?\s*(?:then\s+|时[，,]?\s*)?"
        rf"(?:(?:(?:{subjects}|{shape})\s*)?(?P<raises>{raises})|"
        rf"(?:{subjects}|{shape})\s*(?:{values})|{alone})(?!=)\s*",
        re.IGNORECASE,
    )
