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
    normalised,
    parse_expression,
    parse_statements,
    source_of,
    undefined_names,
)
from codekiln.generation.tasks.wording import any_of, wording

# More separators than this in one line is no example, and trying each of them costs time.
MAX_SEPARATORS = 40
# Bounds that keep reading linear in the length of the text.
MAX_CALL_CHARS = 1_000
MAX_VALUE_CHARS = 2_000
MAX_INLINE_DRAFTS = 200
# Within longer text a value is taken to end at the first comma, not at the end of the line.
MAX_WHOLE_LINE = 200

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
    while len(plain) > 2 and plain[0] == plain[-1] and plain[0] in "`*":
        mark = plain[0]
        run = min(len(plain) - len(plain.lstrip(mark)), len(plain) - len(plain.rstrip(mark)))
        inner = plain[run:-run]
        # Backticks in between: two pieces of code side by side, not one.
        if not inner.strip() or "`" in inner:
            break
        plain = inner.strip()
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
    position = count = told = 0
    while (match := _CALL_START.search(text, position)) and count < MAX_INLINE_DRAFTS:
        end = _call_end(text, match.end() - 1)
        if end is None:
            position = match.end()
            continue
        draft, position = _inline_at(text, match.start(), end)
        if draft is not None:
            count += 1
            setup = _setup_before(text[told : match.start()])
            yield from setup
            yield replace(draft, shared=draft.shared or bool(setup))
            told = position
        else:
            position = match.end()


def read_value(text: str, *, whole: bool = True) -> Value:
    """The value that all of `text` is (unless not `whole`), or that it begins with.

    What follows a value at the beginning must not look like a part of it.
    """
    if whole and (value := _whole_value(text)) is not None:
        return replace(value, end=len(text))
    start = text.lstrip("`* \t")
    failed = Value(0, why_not=f"`{_short(text)}` is not a Python value")
    end = _value_end(start)
    if end is None:
        return failed
    value = _whole_value(start[:end])
    after = start[end:].lstrip("`*")
    if value is None or not _ends_value(after):
        return failed
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


def _setup_before(text: str) -> list[Draft]:
    """The statements in `s = Stack(); s.push(1); ` before a call, with words in front of them."""
    setup: list[Draft] = []
    if not text.rstrip().endswith(";"):
        return setup
    for piece in reversed(text.rstrip()[:-1].split(";")):
        for source in (piece.strip(), re.split(r"[.:,]\s|[。：，`]", piece)[-1].strip()):
            statements = parse_statements(source)
            if statements and has_call(statements[0]):
                setup.insert(0, Draft("", call=source, shared=True))
                break
        if not setup or setup[0].call != piece.strip():
            break
    return setup


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
    line_end = line_end if line_end >= 0 else len(text)
    line = text[match.end() : min(line_end, match.end() + MAX_VALUE_CHARS)]
    relation = _relation(match)
    if _is_print(node):
        relation = "prints"
    value = read_value(line, whole=len(line) <= MAX_WHOLE_LINE)
    if value.why_not:
        # Without arguments it is prose: "`size()` returns how many there are".
        told = isinstance(node, ast.Call) and bool(node.args) and not match[0][0].isalpha()
        return (Draft(_short(text[start:line_end]), why_not=value.why_not) if told else None), end
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
    if undefined_names(node) or any(map(_is_condition, ast.walk(node))):
        return None
    return Value(0, expected=source)


def _is_condition(node: ast.AST) -> bool:
    """`2, f(2) == 3` after `f(1) ==` is the next example, not a part of the value."""
    return isinstance(node, ast.Compare | ast.BoolOp) or (
        isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)
    )


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
    window = text[opening : opening + MAX_CALL_CHARS]
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
