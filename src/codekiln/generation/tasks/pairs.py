"""Reads `call -> value` in its many spellings: one line of an examples list, or inside prose.

Takes text, gives drafts; what the value is called and which name is tested is not known here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Literal

from codekiln.generation.tasks.call_context import stands_alone
from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.source import (
    has_call,
    has_ellipsis,
    is_constant,
    is_literal,
    normalised,
    parse_expression,
    parse_statements,
    source_of,
    undefined_names,
)
from codekiln.generation.tasks.value_shapes import has_placeholder
from codekiln.generation.tasks.values import (
    Value,
    balanced_end,
    is_aside,
    read_value,
    shortened,
    unwrapped,
)
from codekiln.generation.tasks.wording import any_of, wording

# More separators than this in one line is no example, and trying each of them costs time.
MAX_SEPARATORS = 40
# Bounds that keep reading linear in the length of the text.
MAX_VALUE_CHARS = 2_000
MAX_INLINE_DRAFTS = 200
# Within longer text a value is taken to end at the first comma, not at the end of the line.
MAX_WHOLE_LINE = 200

Relation = Literal["value", "raises", "prints", "outputs"]

_CALL_START = re.compile(r"(?<![\w.\"'])[A-Za-z_][A-Za-z0-9_.]*\(")
_BULLET = re.compile(r"^\s*(?:[-*+•·]|\(?\d{1,3}[.)、]|[①-⑳])\s+")
# `f(1)  # 2`, `f(1): 2`, `f(1); // 2`: marks that only count behind a call on its own line.
_REMARK = re.compile(r"[`*;. \t]*(?:#|//|[:：])[`* \t]*")


def without_bullet(line: str) -> str:
    """A line without its list marker and the blanks around it."""
    return _BULLET.sub("", line, count=1).strip()


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
    valueless = -1  # where a call ends that was only mentioned
    while (match := _CALL_START.search(text, position)) and count < MAX_INLINE_DRAFTS:
        end = call_end(text, match.end() - 1)
        if end is None or not (call := normalised(text[match.start() : end])):
            position = match.end()
            continue
        draft, position = None, end
        if stands_alone(text, match.start(), valueless):
            draft, position = _inline_at(text, match.start(), end, call)
        valueless = end if draft is None else -1
        if draft is not None:
            count += 1
            setup = _setup_before(text[told : match.start()])
            yield from setup
            yield replace(draft, shared=draft.shared or bool(setup))
            told = position


def read_remark(line: str) -> Draft | None:
    """A draft of a line whose value is a remark on the call: `f(1): 2`, `f(1)  # 2`."""
    text = without_bullet(line)
    bare = text.lstrip("`*")
    end = leading_call(bare)
    return None if end is None else remark_on(bare[:end], bare[end:], text)


def remark_on(call: str, after: str, text: str) -> Draft | None:
    """A draft of `call` when the text `after` it is a remark that says its value."""
    mark = _REMARK.match(after)
    if mark is None:
        return None
    separator = _separator().match(after, mark.end())
    relation = _relation(separator) if separator else "value"
    shown = after[separator.end() if separator else mark.end() :]
    value = read_value(shown)
    if value.why_not or not is_aside(shown[value.end :]) or relation == "prints":
        return None
    draft = _draft(text, normalised(call) or call, value, relation)
    return draft if draft.call else None


def leading_call(text: str) -> int | None:
    """Where the call ends that `text` begins with, if it says all of its arguments."""
    start = _CALL_START.match(text)
    end = call_end(text, start.end() - 1) if start else None
    node = parse_expression(normalised(text[:end]) or "") if end else None
    if not isinstance(node, ast.Call) or undefined_names(node) or has_ellipsis(node):
        return None
    return None if has_placeholder(node) else end


def value_line(line: str) -> str | None:
    """The value that a line below a call is, with or without `=>`, `#` or "returns" before it."""
    text = without_bullet(line) if not is_literal(line.strip()) else line.strip()
    mark = re.compile(r"#?\s*").match(text)
    separator = _separator().match(text, mark.end() if mark else 0)
    if separator is None and not text.startswith("#"):
        return text if is_literal(normalised(text) or "") else None
    shown = text[separator.end() :] if separator else text.lstrip("# ")
    if separator and _relation(separator) != "value":
        return None
    value = read_value(shown)
    return shown if not value.why_not and is_aside(shown[value.end :]) else None


def with_result(text: str, call: str, relation: Relation, value_text: str) -> Draft:
    """A draft of `call` with the result that `value_text` describes."""
    node = parse_expression(call)
    if relation == "prints" or (relation != "raises" and _is_print(node)):
        return Draft(text, call=call, stdout=_printed(value_text))
    value = read_value(value_text)
    if value.why_not and relation == "outputs":
        return Draft(text, call=call, stdout=_printed(value_text))
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
    if not has_call(last) or has_placeholder(last):
        return []
    if has_ellipsis(last):
        return [Draft(text, why_not="`...` in the call leaves something out")]
    right = text[match.end() :]
    call = source_of(left, last)
    check = with_result(text, normalised(call) or call, relation, right)
    if match[0][0].isalpha() and _is_loose_tuple(check.expected):
        return [Draft(text, why_not="it shows several values, which may be one tuple")]
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


def _inline_at(text: str, start: int, end: int, call: str) -> tuple[Draft | None, int]:
    node = parse_expression(call)
    if node is None or undefined_names(node) or has_ellipsis(node) or has_placeholder(node):
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
    if match[0][0].isalpha() and _is_loose_tuple(value.expected):
        return None, end
    if value.why_not:
        # Without arguments it is prose: "`size()` returns how many there are".
        told = isinstance(node, ast.Call) and bool(node.args) and not match[0][0].isalpha()
        return (
            Draft(shortened(text[start:line_end]), why_not=value.why_not) if told else None
        ), end
    stop = match.end() + value.end
    fragment = text[start:stop].strip(" \t,，;；。、")
    if relation == "prints":
        return Draft(fragment, call=call, stdout=_printed(line[: value.end])), stop
    draft = _draft(fragment, call, value, relation)
    return (None, end) if draft.call is None else (draft, stop)


def _is_loose_tuple(source: str | None) -> bool:
    """`0, 1` behind "yields" or "gives" may be two values, one after the other."""
    node = parse_expression(source or "")
    return isinstance(node, ast.Tuple) and not (source or "").startswith("(")


def _draft(text: str, call: str, value: Value, relation: Relation) -> Draft:
    if value.raises is not None:
        return Draft(text, call=call, raises=value.raises)
    expected = value.expected or ""
    if relation == "raises":
        return Draft(text, why_not=f"`{shortened(expected)}` is not the name of an exception")
    # "f(1) outputs 2": only the rest of the task says whether it prints or returns.
    printed = _printed(expected) if relation == "outputs" else None
    return Draft(text, call=call, expected=expected, stdout=printed)


@cache
def _separator() -> re.Pattern[str]:
    groups = []
    for relation, words in wording()["separators"].items():
        groups.append(f"(?P<{relation}>{any_of(words)})")
    # A lone "=" must not be found inside a comparison; "==" and "=>" are entries of their own.
    # What raises or prints comes first: "should raise" must not be read as a shorter word.
    ordered = sorted(groups, key=lambda group: "P<value>" in group)
    # "returns: 2" is the same as "returns 2".
    return re.compile(
        rf"(?<![=<>!:])(?:{'|'.join(ordered)})(?:(?<=[^\W\d_])\s?[:：])?(?!=)", re.IGNORECASE
    )


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
    if match["outputs"] is not None:
        return "outputs"
    return "prints" if match["prints"] is not None else "value"


def call_end(text: str, opening: int) -> int | None:
    """Where the call ends whose bracket opens at `opening`, with what is called on its result."""
    end = balanced_end(text, opening)
    while end is not None:
        chained = re.compile(r"\.[A-Za-z_]\w*\(|\(|\[").match(text, end)
        if chained is None:
            return end
        longer = balanced_end(text, chained.end() - 1)
        if longer is None:
            return end
        end = longer
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
