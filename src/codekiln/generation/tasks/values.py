"""Reads the value an example shows: text behind a separator becomes the source of a value.

Says where the text goes on behind it. What may be no exact value (approximate, one of several, a
formula, a date, a type) is none.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from functools import cache

from codekiln.generation.tasks.source import (
    has_ellipsis,
    is_exception_name,
    is_literal,
    mask_strings,
    normalised,
    parse_expression,
    source_of,
    undefined_names,
)
from codekiln.generation.tasks.value_shapes import is_plain_value
from codekiln.generation.tasks.wording import any_of, wording

# Bounds that keep reading linear in the length of the text.
MAX_BRACKET_CHARS = 1_000
MAX_CHAIN_CHARS = 200

_NUMBER = re.compile(
    r"[-+\u2212]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?j?)"
    r"(?![\w])"
)
_NAME = re.compile(r"[-+]?[A-Za-z_][\w.]*(?<!\.)")
_STRING_START = re.compile(r"(?:[rRbBuUfF]{1,2})?(?=['\"])")
# "1,000" is one number to people and a pair to Python; "2020-10-11" is a date and no subtraction.
_NOT_ARITHMETIC = re.compile(r"\d{1,3}(?:,\d{3})+|\d+(?:[-/]\d+)+")
# What may stand between `=` and `=` in "1 + f(2) * 3! = 7": operands with operators between them.
_OPERAND = r"(?:[-+]\s*)?(?:\d[\d.]*|[A-Za-z_]\w*\([^()\n]*\)|\([^()\n]*\))[!²³]*"
_FORMULA = rf"\s*{_OPERAND}(?:\s*(?:\*\*|//|[-+*/^×·%])\s*(?:{_OPERAND}|\.\.\.))*\s*"
_CHAIN = re.compile(rf"(?:{_FORMULA}={{1,2}}(?![=<>]))+")
# A value behind the value, as in "returns 3 and 1": what was read is not all of it.
_ANOTHER = re.compile(r"\s*(?:[,，&]|and\b|和|以及)\s*(?:[-+]?\.?\d|['\"“‘\[{])")
# Behind a value in a remark only its reason may stand: "# 2 (even)"; "# 2. then" is no value.
_ASIDE = re.compile(r"[`*]*\.?\s*(?:$|\(|#|//|/\*|--|—|–|[,;]?\s*(?:because|since|as)\b)")
# How each kind of value begins that words announce: "returns the list [1, 2]".
_KIND_STARTS = {"text": "['\"“‘]", "list": r"\[", "tuple": r"\(", "braces": r"\{"}
_KIND_STARTS |= {"number": r"[-+]?\.?\d", "any": r"[-+]?[\d.'\"“‘\[({]"}


@dataclass(frozen=True, slots=True)
class Value:
    """What stands behind a separator; `end` is where the text goes on."""

    end: int
    expected: str | None = None
    raises: str | None = None
    why_not: str = ""


def unwrapped(text: str) -> str:
    """Text without the backticks or the emphasis around all of it."""
    plain = text.strip()
    while len(plain) > 2 and plain[0] == plain[-1] and plain[0] in "`*":
        mark = plain[0]
        run = min(len(plain) - len(plain.lstrip(mark)), len(plain) - len(plain.rstrip(mark)))
        inner = plain[run:-run]
        # Backticks in between: two pieces of code side by side, not one.
        if not inner.strip() or "`" in inner:
            break
        plain = inner.strip()
    return plain


def read_value(text: str, *, whole: bool = True) -> Value:
    """The value that all of `text` is (unless not `whole`), or that it begins with.

    What follows a value at the beginning must not look like a part of it.
    """
    kind = _announced_kind().match(text)
    body = text[kind.end() :] if kind else text
    if whole and (value := _value_with_comment(body)) is not None:
        return replace(value, end=len(text))
    value = _chained(body) or _at_start(body)
    if value is None:
        return Value(0, why_not=f"`{shortened(text)}` is not a Python value")
    return replace(value, end=len(text) - len(body) + value.end)


def is_aside(text: str) -> bool:
    """True when behind a value nothing follows but a reason or a comment."""
    return _ASIDE.match(text) is not None


def is_hedged(text: str) -> bool:
    """True when text begins with a value that the words behind it make one of several, or near."""
    start = text.lstrip("`* \t")
    end = value_end(start)
    return end is not None and _hedge().match(start, end) is not None


def balanced_end(text: str, opening: int) -> int | None:
    """Where the bracket at `opening` is closed (the position behind it); None: nowhere near."""
    window = text[opening : opening + MAX_BRACKET_CHARS]
    if not any(closing in window for closing in ")]}）】"):
        return None
    window = mask_strings(window)
    depth = 0
    for index, char in enumerate(window):
        if char in "([{（【":
            depth += 1
        elif char in ")]}）】":
            depth -= 1
            if depth == 0:
                return opening + index + 1
    return None


def value_end(text: str) -> int | None:
    """Where the string, number, name or bracketed value ends that `text` begins with."""
    if (string := _STRING_START.match(text)) is not None:
        hidden = re.compile(r"(['\"])\x00*\1?").match(mask_strings(text), string.end())
        return hidden.end() if hidden else None
    if text[:1] in ("“", "‘"):
        closing = text.find("”" if text[0] == "“" else "’", 1)
        return closing + 1 if closing > 0 else None
    if text[:1] in ("[", "(", "{"):
        return balanced_end(text, 0)
    number = _NUMBER.match(text)
    if number is not None:
        return number.end()
    name = _NAME.match(text)
    if name is None:
        return None
    if text[name.end() : name.end() + 1] == "(":
        return balanced_end(text, name.end())
    return name.end()


def shortened(text: str) -> str:
    """One line of at most 40 characters, for messages."""
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"


def _value_with_comment(text: str) -> Value | None:
    last = text.rfind("\n") + 1
    comment = mask_strings(text).find("#", last)
    if comment < 0:
        return _whole_value(text)
    if _hedge().search(text, comment):
        return None
    return _whole_value(text[:comment])


def _at_start(text: str) -> Value | None:
    start = text.lstrip("`* \t")
    end = value_end(start)
    if end is None:
        return None
    value = _whole_value(start[:end])
    after = start[end:].lstrip("`*")
    if value is None or not _ends_value(after, start[end - 1]):
        return None
    return replace(value, end=len(text) - len(after))


def _chained(text: str) -> Value | None:
    """The last value of `1 + 2 = 3`, or the plain one of `3 = 1 + 2`."""
    chain = _CHAIN.match(text[:MAX_CHAIN_CHARS])
    if chain is None:
        return None
    last = _at_start(text[chain.end() :])
    if last is not None and last.expected is not None and is_literal(last.expected):
        return replace(last, end=chain.end() + last.end)
    first = chain[0].split("=")[0].strip()
    rest = re.compile(_FORMULA).match(text, chain.end(), MAX_CHAIN_CHARS)
    if rest is None or not is_literal(first) or not _ends_value(text[rest.end() :], ")"):
        return None
    return Value(rest.end(), expected=first)


def _whole_value(text: str) -> Value | None:
    plain = unwrapped(text.strip().rstrip(",，;；。、"))
    plain = re.sub(r"^\s*(?:an?\s+)?(?:raises?\s+|抛出\s*|引发\s*)", "", plain)
    if re.fullmatch(r"[-+]?\d+\.|.*[^\d.]\.", plain, re.DOTALL):
        plain = plain[:-1].rstrip()
    if plain.casefold() in wording()["values"]["none"]:
        return Value(0, expected="None")
    source = None if _NOT_ARITHMETIC.fullmatch(plain) else normalised(unwrapped(plain))
    node = parse_expression(source) if source else None
    if source is None or node is None:
        return None
    named = node.func if isinstance(node, ast.Call) else node
    if isinstance(named, ast.Name | ast.Attribute) and is_exception_name(source_of(source, named)):
        return Value(0, raises=source_of(source, named).rsplit(".", 1)[-1])
    if has_ellipsis(node):
        return None
    if isinstance(node, ast.Name):
        special = source.casefold()
        return Value(0, expected=f"float('{special}')") if special in ("inf", "nan") else None
    if undefined_names(node) or not is_plain_value(node):
        return None
    return Value(0, expected=source)


def _ends_value(after: str, last: str) -> bool:
    # "4!" is a factorial; behind other values the mark only ends the sentence.
    if (last.isdigit() and after.startswith("!")) or _ANOTHER.match(after):
        return False
    return _value_stop().match(after) is not None and _hedge().match(after) is None


@cache
def _value_stop() -> re.Pattern[str]:
    words = any_of(wording()["values"]["continuations"])
    return re.compile(
        rf"\s*(?:$|[,，;；。、)）(（#\n\"'”]|[.:!?](?:\s|$)|//|/\*|--|—|–|(?:{words}))",
        re.IGNORECASE,
    )


@cache
def _hedge() -> re.Pattern[str]:
    """Words behind a value that make it one of several, or only near: "(in any order)"."""
    return re.compile(rf"[\s,，#/(（\[]*(?:{any_of(wording()['values']['hedges'])})", re.IGNORECASE)


@cache
def _announced_kind() -> re.Pattern[str]:
    kinds = [
        rf"(?:{any_of(wording()['value_kinds'][kind])})\s*[:：]?\s*(?=`?{start})"
        for kind, start in _KIND_STARTS.items()
    ]
    return re.compile(rf"\s*(?:(?:the|an?)\s+)?(?:{'|'.join(kinds)})", re.IGNORECASE)
