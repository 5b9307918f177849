"""Tells whether a call in running text is an example of its own, by the text in front of it.

It is none as a part of a formula or phrase ("1 + f(2) = 3", "the sum of f(1) and f(2) is 3"), nor
where the text denies or supposes what follows ("never f(2) == 3", "if f(2) == 3").
"""

from __future__ import annotations

import re
from functools import cache

from codekiln.generation.tasks.wording import any_of, wording

MAX_CHARS_BEFORE = 80

# The operand is a number, a closing bracket or a short name; behind a word, "-" is a dash.
_OPERATOR = re.compile(r"(?:[\d)\]²³!]|(?<![A-Za-z])[A-Za-z_]{1,2})\s*(?:[-+*/%^×·&]|\*\*|//)\s*$")
_EMPHASIS = re.compile(r"(?:^|\s)\*{1,2}$")
_SIGN = re.compile(r"(?:^|[\s(=])[-+~|]$")
_RELATION = re.compile(r"(?:[<>=]|→|⇒|➞|➜|⟶|⟹|≈|≠|≤|≥|\|)\s*$")
# Inside of another call's brackets, but for `assert(...)`: "P(f(1) = 2) = 0.5".
_WITHIN_CALL = re.compile(r"(?<![A-Za-z])(?!assert\()[A-Za-z_]\w*\($")
_PROMPT = re.compile(r"^[\s>]*$")
_NUMBER = re.compile(r"(?:^|[\s(=+*/-])\d+(?:\.\d+)?\s*$")


def stands_alone(text: str, start: int, valueless: int) -> bool:
    """False when the call at `start` is a part of something or not meant as true.

    `valueless` is where the call before it ends if that was only mentioned, else -1.
    """
    before = text[max(0, start - MAX_CHARS_BEFORE) : start].rsplit("\n", 1)[-1]
    plain = before.rstrip("`\"'“‘( \t") if before.endswith(tuple("`\"'“‘( \t")) else before
    if valueless >= 0 and _joiner().fullmatch(text[valueless:start]):
        return False
    if _WITHIN_CALL.search(before):
        return False
    if _PROMPT.match(plain):
        return True
    if (
        _RELATION.search(plain)
        or _NUMBER.search(plain)
        or (plain == before and _SIGN.search(plain))
    ):
        return False
    if _OPERATOR.search(plain) and not _EMPHASIS.search(before):
        return False
    if _denial().search(plain):
        return False
    return _part().search(plain) is None or _whole().search(plain) is not None


@cache
def _joiner() -> re.Pattern[str]:
    return re.compile(rf"[\s`*,]*(?:{any_of(wording()['prose']['joiners'])})?[\s`*,]*", re.I)


@cache
def _denial() -> re.Pattern[str]:
    return re.compile(rf"(?:{any_of(wording()['prose']['denials'])})[\s:：,*_]*$", re.IGNORECASE)


@cache
def _part() -> re.Pattern[str]:
    return re.compile(rf"(?:{any_of(wording()['prose']['parts'])})\s*$", re.IGNORECASE)


@cache
def _whole() -> re.Pattern[str]:
    return re.compile(rf"(?:{any_of(wording()['prose']['wholes'])})\s*$", re.IGNORECASE)
