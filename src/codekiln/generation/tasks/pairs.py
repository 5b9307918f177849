"""Reads `call -> value` in its many spellings: one line of an examples list, or inside prose.

Takes text, gives drafts; what the value is called and which name is tested is not known here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.source import (
    has_call,
    has_ellipsis,
    is_constant,
    is_exception_name,
    mask_strings,
    needed_names,
    normalised,
    parse_expression,
    parse_statements,
    source_of,
    undefined_names,
)
from codekiln.generation.tasks.wording import any_of, wording

# More separators than this in one line is no example, and trying each of them costs time.
MAX_SEPARATORS = 40
MAX_CALL_CHARS = 2_000

Relation = Literal["value", "raises", "prints"]

_CALL_START = re.compile(r"(?<![\w.\"'])[A-Za-z_][A-Za-z0-9_.]*\(")
_BULLET = re.compile(r"^\s*(?:[-*+•·]|\(?\d{1,3}[.)、]|[①-⑳])\s+")
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|(?:\d[\d_]*(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?j?)(?![\w])"
)
_NAME = re.compile(r"[-+]?[A-Za-z_][\w.]*(?<!\.)")
_STRING_START = re.compile(r"(?:[rRbBuUfF]{1,2})?(?=['\"])")


@dataclass(frozen=True, slots=True)
class Value:
    """What stands behind a separator; `end` is where the text goes on."""

    end: int
    expected: str | None = None
    raises: str | None = None
    why_not: str = ""


def without_bullet(line: str) -> str:
    """A line without its list marker and the blanks around it."""
    return _BULLET.sub("", line, count=1).strip()


def unwrapped(text: str) -> str:
    """Text without the backticks or the emphasis around all of it."""
    plain = text.strip()
    while len(plain) > 1 and plain[0] == plain[-1] and plain[0] in "`*":
        plain = plain[1:-1].strip()
    return plain


def read_line(line: str) -> list[Draft]:
    """Drafts of one line of an examples list; empty when it is not of any known form."""
    text = unwrapped(without_bullet(line))
    condition = read_condition(text)
    if condition is not None:
        return [condition]
    for match in _separators(text):
        drafts = _read_split(text, match)
        if drafts:
            return drafts
    return list(find_inline(text))


def read_condition(text: str) -> Draft | None:
    """A draft of an `assert` statement or of a bare comparison that calls something."""
    statements = parse_statements(text)
    if statements is None or len(statements) != 1:
        return None
    (statement,) = statements
    if isinstance(statement, ast.Assert):
        return draft_of_condition(text, statement.test)
    if (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Compare)
        and has_call(statement.value)
        and not undefined_names(statement.value)
    ):
        return draft_of_condition(text, statement.value)
    return None


def draft_of_condition(text: str, test: ast.expr, whole: str | None = None) -> Draft:
    """A draft of something that must be true; `whole` is the text that `test` was parsed from."""
    origin = text if whole is None else whole
    if not has_call(test):
        return Draft(text, why_not="it calls nothing")
    condition = source_of(origin, test)
    # Parentheses around a condition over several lines are not part of the node.
    if parse_expression(condition) is None:
        condition = f"({condition})"
    if has_ellipsis(test):
        return Draft(text, why_not="`...` leaves something out")
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        left, right = test.left, test.comparators[0]
        if isinstance(test.ops[0], ast.Eq):
            for call, value in ((left, right), (right, left)):
                source = source_of(origin, value)
                if has_call(call) and is_constant(value):
                    return Draft(text, call=_bare(origin, call), expected=source)
        if isinstance(test.ops[0], ast.Is) and source_of(origin, right) == "None":
            return Draft(text, call=_bare(origin, left), expected="None")
    boolean = isinstance(test, ast.Compare) or (
        isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
    )
    return Draft(text, call=condition if boolean else f"bool({condition})", expected="True")


def find_inline(text: str) -> Iterator[Draft]:
    """Drafts of every `call -> value` inside running text, in order."""
    position = 0
    while match := _CALL_START.search(text, position):
        end = _call_end(text, match.end() - 1)
        if end is None:
            position = match.end()
            continue
        draft, position = _inline_at(text, match.start(), end)
        if draft is not None:
            yield draft
        else:
            position = match.end()


def read_value(text: str, start: int = 0) -> Value:
    """The value that begins at `start`; what follows it must not be part of a longer one."""
    rest = text[start:]
    whole = _whole_value(rest)
    if whole is not None:
        return replace(whole, end=len(text))
    lead = len(rest) - len(rest.lstrip("`* \t"))
    skipped = rest[lead:]
    end = _value_end(skipped)
    if end is None:
        return Value(start, why_not=f"`{_short(rest)}` is not a Python value")
    value = _whole_value(skipped[:end])
    after = skipped[end:].lstrip("`*")
    if value is None or not _ends_value(after):
        return Value(start, why_not=f"`{_short(rest)}` is not a Python value")
    return replace(value, end=len(text) - len(after))


def with_result(text: str, call: str, relation: Relation, value_text: str) -> Draft:
    """A draft of `call` with the result that `value_text` describes."""
    node = parse_expression(call)
    if relation == "prints" or (relation == "value" and _is_print(node)):
        return Draft(text, call=call, stdout=_printed(value_text))
    value = read_value(value_text)
    if value.why_not:
        return Draft(text, why_not=value.why_not)
    return _draft(text, call, value, relation)


def _read_split(text: str, match: re.Match[str]) -> list[Draft]:
    left = unwrapped(text[: match.start()]).rstrip(",，;；:：、 ")
    relation = _relation(match)
    statements = parse_statements(left)
    if statements is None:
        plain = normalised(left)
        statements = parse_statements(plain) if plain else None
        left = plain or left
    if not statements or not isinstance(statements[-1], ast.Expr):
        return []
    last = statements[-1].value
    if not has_call(last):
        return []
    if has_ellipsis(last):
        return [Draft(text, why_not="`...` in the call leaves something out")]
    right = text[match.end() :]
    call = source_of(left, last)
    check = with_result(text, normalised(call) or call, relation, right)
    if check.call is None:
        inline = list(find_inline(text))
        return inline or [check]
    setup = [
        Draft("", call=source_of(left, statement), shared=True) for statement in statements[:-1]
    ]
    if not setup and relation == "value" and read_value(right).end < len(text[match.end() :]):
        # Something follows the value: perhaps the next pair.
        return list(find_inline(text)) or [check]
    return [*setup, replace(check, shared=bool(setup))]


def _inline_at(text: str, start: int, end: int) -> tuple[Draft | None, int]:
    call = normalised(text[start:end])
    node = parse_expression(call) if call else None
    if call is None or node is None or undefined_names(node) or has_ellipsis(node):
        return None, end
    gap = re.compile(r"[`*]*\s*[,，]?\s*").match(text, end)
    match = _separator().match(text, gap.end() if gap else end)
    if match is None:
        return None, end
    line_end = text.find("\n", match.end())
    line = text[match.end() : line_end if line_end >= 0 else len(text)]
    relation = _relation(match)
    if _is_print(node):
        relation = "prints"
    value = read_value(line)
    if value.why_not:
        return None, end
    stop = match.end() + value.end
    fragment = text[start:stop].strip(" \t,，;；。、")
    if relation == "prints":
        return Draft(fragment, call=call, stdout=_printed(line[: value.end])), stop
    draft = _draft(fragment, call, value, relation)
    return (None, end) if draft.call is None else (draft, stop)


def _draft(text: str, call: str, value: Value, relation: Relation) -> Draft:
    if value.raises is not None:
        return Draft(text, call=call, raises=value.raises)
    expected = value.expected or ""
    if relation == "raises":
        return Draft(text, why_not=f"`{_short(expected)}` is not the name of an exception")
    return Draft(text, call=call, expected=expected)


def _whole_value(text: str) -> Value | None:
    plain = unwrapped(text.strip().rstrip(",，;；。、"))
    plain = re.sub(r"^\s*(?:an?\s+)?(?:raises?\s+|抛出\s*|引发\s*)", "", plain)
    if re.fullmatch(r"[-+]?\d+\.|.*[^\d.]\.", plain, re.DOTALL):
        plain = plain[:-1].rstrip()
    if plain.casefold() in wording()["values"]["none"]:
        return Value(0, expected="None")
    source = normalised(unwrapped(plain))
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
    if undefined_names(node) or (isinstance(node, ast.Compare) and needed_names(node)):
        return None
    return Value(0, expected=source)


def _value_end(text: str) -> int | None:
    string = _STRING_START.match(text)
    masked = mask_strings(text)
    if string is not None:
        quote = string.end()
        hidden = re.compile(r"(['\"])\x00*\1?").match(masked, quote)
        return hidden.end() if hidden else None
    if text[:1] in ("“", "‘"):
        closing = text.find("”" if text[0] == "“" else "’", 1)
        return closing + 1 if closing > 0 else None
    if text[:1] in ("[", "(", "{"):
        return _balanced(text, 0)
    number = _NUMBER.match(text)
    if number is not None:
        return number.end()
    name = _NAME.match(text)
    if name is None:
        return None
    if text[name.end() : name.end() + 1] == "(":
        return _balanced(text, name.end())
    return name.end()


def _ends_value(after: str) -> bool:
    return re.match(_value_stop(), after, re.IGNORECASE) is not None


@cache
def _value_stop() -> str:
    words = any_of(wording()["values"]["continuations"])
    return rf"\s*(?:$|[,，;；。、)）(（#\n\"'”]|[.:!?](?:\s|$)|//|--|—|–|(?:{words}))"


@cache
def _separator() -> re.Pattern[str]:
    groups = []
    for relation, words in wording()["separators"].items():
        groups.append(f"(?P<{relation}>{any_of(words)})")
    # A lone "=" must not be found inside a comparison; "==" and "=>" are entries of their own.
    # What raises or prints comes first: "should raise" must not be read as a shorter word.
    ordered = sorted(groups, key=lambda group: "P<value>" in group)
    return re.compile(rf"(?<![=<>!:])(?:{'|'.join(ordered)})(?!=)", re.IGNORECASE)


def _separators(text: str) -> list[re.Match[str]]:
    found = []
    for match in _separator().finditer(text):
        found.append(match)
        if len(found) == MAX_SEPARATORS:
            break
    return found


def _relation(match: re.Match[str]) -> Relation:
    if match["raises"] is not None:
        return "raises"
    return "prints" if match["prints"] is not None else "value"


def _call_end(text: str, opening: int) -> int | None:
    end = _balanced(text, opening)
    while end is not None:
        chained = re.compile(r"\.[A-Za-z_]\w*\(|\(|\[").match(text, end)
        if chained is None:
            return end
        longer = _balanced(text, chained.end() - 1)
        if longer is None:
            return end
        end = longer
    return None


def _balanced(text: str, opening: int) -> int | None:
    window = mask_strings(text[opening : opening + MAX_CALL_CHARS])
    depth = 0
    for index, char in enumerate(window):
        if char in "([{（【":
            depth += 1
        elif char in ")]}）】":
            depth -= 1
            if depth == 0:
                return opening + index + 1
    return None


def _bare(text: str, node: ast.expr) -> str:
    source = source_of(text, node)
    return source if parse_expression(source) is not None else f"({source})"


def _printed(text: str) -> str:
    plain = unwrapped(text.strip())
    node = parse_expression(plain)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        plain = node.value
    return plain if plain.endswith("\n") else plain + "\n"


def _is_print(node: ast.expr | None) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"


__all__ = [
    "Value",
    "draft_of_condition",
    "find_inline",
    "read_condition",
    "read_line",
    "read_value",
    "unwrapped",
    "with_result",
    "without_bullet",
]
