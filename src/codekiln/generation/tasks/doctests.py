"""Reads doctest blocks (`>>>`) into drafts.

A literal behind a prompt is the value; anything else is what was printed, unless it looks like
the repr of an object, which is compared as a repr. Output with `...` cannot be compared. What
people write in place of real output is read too: `>>> f(1) -> 2`, a value behind a blank line,
text without its quotes, a remark behind the value.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.pairs import (
    leading_call,
    read_condition,
    read_line,
    remark_on,
    value_line,
    with_result,
)
from codekiln.generation.tasks.source import (
    bound_names,
    is_exception_name,
    is_literal,
    is_stdlib_import,
    needed_names,
    normalised,
    parse_expression,
    parse_statements,
    source_of,
)
from codekiln.generation.tasks.value_shapes import is_plain_value
from codekiln.generation.tasks.values import is_aside, is_hedged, read_value

PROMPT = re.compile(r"^\s*>>>(?:\s|$|(?=[A-Za-z_]\w*\())")
_CONTINUED = re.compile(r"^\s*\.\.\.(?:\s|$)")
_REPR_OF_OBJECT = re.compile(r"(?:[a-z_]\w*\.)*[A-Z]\w*\(|(?:[a-z_]\w*\.)+\w+\(|[a-z]+\(\[")
# A value between the call and the end of its line, without a separator: `>>> f(1) [2]`.
_VALUE_BESIDE = re.compile(r"\s+(?=[\[({'\"\w]|[-+]?[\d.])")
_APPROXIMATELY = re.compile(r"\s*(?:~|≈|about\b|approximately\b)", re.IGNORECASE)
_SENTENCE = re.compile(r"\s*(?:[(#]|[A-Z][\w']*[,:]?(?:\s+[\w'`\"(),:-]+){2,})")
_EXCEPTION_LINE = re.compile(r"^((?:\w+\.)*[A-Za-z_]\w*)(?::|$)")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One prompt: its source, the text that must follow, and both as the user wrote them."""

    source: str
    want: str
    text: str


def read_doctest(lines: Sequence[str]) -> tuple[list[Draft], int]:
    """Drafts of the doctest that begins at lines[0], and how many lines it takes.

    It ends at the first blank line that no further prompt follows.
    """
    entries: list[_Entry] = []
    index = 0
    while index < len(lines):
        if not lines[index].strip():
            following = _next_text(lines, index)
            if following is None or not PROMPT.match(lines[following]):
                break
            index = following
        if not PROMPT.match(lines[index]):
            break
        entry, index = _read_entry(lines, index)
        entries.append(entry)
    drafts = [draft for entry in entries for draft in _drafts(entry)]
    bound = {
        name
        for draft in drafts
        if draft.is_setup
        for name in bound_names(parse_statements(draft.call or "") or [])
    }
    shared = (any(draft.is_setup for draft in drafts) and bool(bound)) or _continues(drafts)
    return [replace(draft, shared=shared) for draft in drafts], index


def _continues(drafts: Sequence[Draft]) -> bool:
    return any(draft.is_setup for draft in drafts) and len(drafts) > 1


def _next_text(lines: Sequence[str], index: int) -> int | None:
    return next((i for i in range(index, len(lines)) if lines[i].strip()), None)


def _read_entry(lines: Sequence[str], start: int) -> tuple[_Entry, int]:
    indent = len(lines[start]) - len(lines[start].lstrip())
    source = [lines[start].strip()[3:].lstrip()]
    index = start + 1
    # A line of dots alone may also be elided output; it continues only unfinished source.
    while index < len(lines) and _CONTINUED.match(lines[index]):
        source.append(lines[index].strip()[3:].removeprefix(" "))
        index += 1
    want: list[str] = []
    while (
        index < len(lines)
        and lines[index].strip()
        and not PROMPT.match(lines[index])
        and not lines[index].strip().startswith("```")
        and not (_is_value(want) and leading_call(lines[index].strip()))
    ):
        line = lines[index]
        want.append(line[indent:] if not line[:indent].strip() else line.lstrip())
        index += 1
    if not want and (below := _value_behind_blank(lines, index)) is not None:
        want, index = [lines[below].strip()], below + 1
    text = "\n".join(line[indent:] for line in lines[start:index])
    return _Entry("\n".join(source), "\n".join(want).rstrip(), text), index


def _is_value(want: Sequence[str]) -> bool:
    """True when these lines are a value; a call below it begins the next example."""
    return bool(want) and is_literal(normalised("\n".join(want)) or "")


def _value_behind_blank(lines: Sequence[str], index: int) -> int | None:
    """The line of a value that stands alone between blank lines below a call."""
    below = _next_text(lines, index)
    if below is None or below == index or not is_literal(normalised(lines[below]) or ""):
        return None
    alone = (
        below + 1 == len(lines) or not lines[below + 1].strip() or PROMPT.match(lines[below + 1])
    )
    return below if alone else None


def _drafts(entry: _Entry) -> list[Draft]:
    if re.search(r"#\s*doctest:.*\+SKIP", entry.source):
        return []
    statements = parse_statements(entry.source)
    if statements is None:
        beside = None if entry.want else _value_beside(entry)
        return [beside or Draft(entry.text, why_not="the line behind >>> is not Python")]
    if not statements:
        return []
    if not entry.want:
        # The module under test has another name here: its own import is dropped.
        if isinstance(statements[0], ast.Import | ast.ImportFrom) and not all(
            is_stdlib_import(statement) for statement in statements
        ):
            return []
        check = read_condition(entry.source) or _value_beside(entry)
        return [replace(check, text=entry.text) if check else Draft(entry.text, call=entry.source)]
    *before, last = statements
    setup = [Draft("", call=source_of(entry.source, statement)) for statement in before]
    return [*setup, _check(entry, last)]


def _value_beside(entry: _Entry) -> Draft | None:
    """The check of a prompt whose line says the value too: `>>> f(1) -> 2`, `>>> f(1)  # 2`."""
    end = leading_call(entry.source)
    if end is None:
        return None
    call, after = entry.source[:end], entry.source[end:]
    # Python reads `f(1) [2]` as one expression: the call is what stands before the blank.
    apart = re.match(r"(.*?\))\s+([\[(].*)$", call, re.DOTALL)
    if apart and not after.strip() and leading_call(apart[1]) == len(apart[1]):
        call, after = apart[1], f" {apart[2]}"
    if (remark := remark_on(call, after, entry.text)) is not None:
        return remark
    read = read_line(entry.source)
    if len(read) == 1 and read[0].call and not read[0].is_setup:
        return replace(read[0], text=entry.text)
    if _VALUE_BESIDE.match(after) and is_literal(normalised(after) or ""):
        return with_result(entry.text, call, "value", after)
    return None


def _check(entry: _Entry, last: ast.stmt) -> Draft:
    raised = _raised(entry.want)
    is_expression = isinstance(last, ast.Expr)
    node = last.value if isinstance(last, ast.Expr) else last
    source = source_of(entry.source, node)
    if parse_expression(source) is None and is_expression:
        source = f"({source})"
    # The contract of an example is an expression; a statement that prints becomes one.
    call = source if is_expression else f"exec({source!r})"
    if raised:
        return Draft(entry.text, call=call, raises=raised)
    if "..." in entry.want or re.search(r"<.* at 0x[0-9a-fA-F]+>", entry.want):
        return Draft(entry.text, why_not="the expected output leaves something open")
    printed = "\n".join(
        "" if line.strip() == "<BLANKLINE>" else line for line in entry.want.split("\n")
    )
    prints = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    )
    want = normalised(entry.want)
    if prints or not is_expression:
        return Draft(entry.text, call=call, stdout=printed + "\n")
    if want is not None and is_literal(want):
        return Draft(entry.text, call=call, expected=want)
    want_node = parse_expression(want) if want else None
    if want is not None and want_node is not None and _REPR_OF_OBJECT.match(want):
        return Draft(entry.text, call=f"repr({source})", expected=repr(entry.want))
    if isinstance(want_node, ast.Name) and want in ("inf", "nan"):
        return Draft(entry.text, call=f"repr({source})", expected=repr(want))
    is_value = want_node and not needed_names(want_node) and is_plain_value(want_node)
    if re.match(r"<.*>$", entry.want, re.DOTALL) or is_value:
        return Draft(entry.text, call=f"repr({source})", expected=repr(entry.want))
    return _loosely_written(entry, call, printed)


def _loosely_written(entry: _Entry, call: str, printed: str) -> Draft:
    """What is no output of Python's: a value with something around it, or printed text."""
    first = entry.want.split("\n")[0]
    if (shown := value_line(entry.want)) is not None:
        return with_result(entry.text, call, "value", shown)
    value = read_value(entry.want)
    if value.expected is not None and value.end < len(entry.want.rstrip()):
        rest = entry.want[value.end :]
        if is_aside(rest) or (rest.startswith("\n") and _SENTENCE.match(rest[1:])):
            source = value.expected
            return Draft(
                entry.text, call=call, expected=source, stdout=f"{printed}\n", likely="expected"
            )
    if _APPROXIMATELY.match(first) or is_hedged(entry.want):
        return Draft(entry.text, why_not="the expected output is only approximate")
    # Printed, or a text that is returned and stands there without its quotes.
    return Draft(
        entry.text, call=call, stdout=f"{printed}\n", expected=repr(printed), likely="stdout"
    )


def _raised(want: str) -> str | None:
    lines = want.split("\n")
    if not lines[0].startswith("Traceback (most recent call last)"):
        match = _EXCEPTION_LINE.match(lines[0])
        named = len(lines) == 1 and match is not None and is_exception_name(match[1])
        return match[1].rsplit(".", 1)[-1] if named and match else None
    # The exception is the first line behind the stack that is not indented.
    for line in lines[1:]:
        match = _EXCEPTION_LINE.match(line)
        if match and line.strip() != "...":
            return match[1].rsplit(".", 1)[-1]
    return "Exception"
