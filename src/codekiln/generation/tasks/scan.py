"""Walks through text line by line and hands each example form to its reader.

Takes the examples section (every line is meant as an example) or prose (only what is clearly an
example counts). Gives drafts in order.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from codekiln.generation.tasks.arguments import bare_pair, find_named
from codekiln.generation.tasks.doctests import PROMPT, read_doctest
from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.labelled import (
    from_input_output,
    labelled_at,
    read_labelled,
    read_table,
    starts_labelled,
)
from codekiln.generation.tasks.pairs import (
    draft_of_condition,
    find_inline,
    leading_call,
    read_condition,
    read_line,
    read_remark,
    remark_on,
    value_line,
    with_result,
    without_bullet,
)
from codekiln.generation.tasks.source import (
    has_call,
    is_exception_name,
    is_stdlib_import,
    mask_strings,
    normalised,
    parse_statements,
    source_of,
)
from codekiln.generation.tasks.values import unwrapped
from codekiln.generation.tasks.wording import any_of, wording

MAX_JOINED_LINES = 60

_FENCE = re.compile(r"^\s*(`{3,}|~{3,})\s*([^\s`]*)")
# What shells and notebooks write before input and output, where no `>>>` is.
_SHELL = re.compile(r"^\s*(?:(?:In|Out)\s*\[\d+\]:|>{1,2}(?!>))\s*(?=\S)")
# Between a call and the value on the next line: `f(1) ->`, `f(1) returns:`.
_OPEN_END = re.compile(r"[`*]*\s*(?:[:：;]|-{1,3}>|={1,3}>?|→|➞|➜|returns?:?|gives:?)?\s*$", re.I)
_CALL_AT_START = re.compile(r"^`?[A-Za-z_][\w.]*[(（]")
_LINE_ONLY = re.compile(r"^[\s=~*_-]+$")


def scan(text: str, *, prose: bool, first_block: int = 1) -> list[Draft]:
    """Drafts of all examples in `text`; with `prose`, lines that are no example are passed over."""
    return _Scanner(text.splitlines(), prose, first_block).run()


class _Scanner:
    """A walk over lines; the block number rises at every "Example N" and blank-line group."""

    def __init__(self, lines: Sequence[str], prose: bool, block: int) -> None:
        self.lines = lines
        self.prose = prose
        self.block = block
        self.index = 0
        self.drafts: list[Draft] = []
        self.unread: list[str] = []
        # In prose: an "Examples:" was read, and since then nothing but examples.
        self.announced = False

    def run(self) -> list[Draft]:
        while self.index < len(self.lines):
            self._step()
        self._flush()
        return self.drafts

    def _step(self) -> None:
        rest = self.lines[self.index :]
        line = rest[0]
        if not line.strip():
            self._flush()
            self.index += 1
        elif PROMPT.match(line):
            self._add(*read_doctest(rest))
        elif fence := _FENCE.match(line):
            self._fenced(fence)
        elif "|" in line and (table := read_table(rest, headless=not self.prose))[1]:
            self._add(*table)
        elif heading := _example_heading().match(line):
            self._flush()
            self.block += 1
            self.index += 1
            self.announced = True
            # What follows the heading on its own line is a line of the example.
            if heading["rest"].strip(" *_#"):
                self.lines = [*self.lines[: self.index], heading["rest"], *rest[1:]]
        elif starts_labelled(line):
            drafts, count = read_labelled(rest)
            self._add([d for d in drafts if not (self.prose and _is_sentence(d))], count)
        elif self.prose:
            self._prose_line(rest)
        else:
            self._example_line(rest)

    def _add(self, drafts: Sequence[Draft], count: int) -> None:
        self._flush()
        self.drafts += [replace(draft, block=self.block) for draft in drafts]
        self.index += max(count, 1)

    def _flush(self) -> None:
        text = "\n".join(self.unread).strip()
        self.unread = []
        if text and not self.prose and not text.endswith((":", "：")):
            self.drafts.append(
                Draft(text, why_not="it is not of the form `call -> value`", block=self.block)
            )

    def _fenced(self, fence: re.Match[str]) -> None:
        end = self.index + 1
        while end < len(self.lines) and not self.lines[end].strip().startswith(fence[1]):
            end += 1
        inside = "\n".join(self.lines[self.index + 1 : end])
        drafts = None if ">>>" in inside else read_code(inside)
        if drafts is None and (not self.prose or ">>>" in inside):
            drafts = scan(inside, prose=self.prose, first_block=self.block)
        elif drafts is None:
            drafts = _if_all_are_examples(inside, self.block)
        self._flush()
        for draft in drafts or []:
            self.drafts.append(replace(draft, block=max(draft.block, self.block)))
        self.block = max([self.block, *(draft.block for draft in drafts or [])])
        self.index = end + 1

    def _prose_line(self, rest: Sequence[str]) -> None:
        drafts, count = self._read_prose(rest)
        line = rest[0].rstrip(" *_")
        if line.endswith((":", "：")) and _announcement().search(line):
            self.announced = True
        elif not drafts and not _LINE_ONLY.match(line):
            self.announced = False
        self._add(drafts, count)

    def _read_prose(self, rest: Sequence[str]) -> tuple[list[Draft], int]:
        line = without_bullet(rest[0])
        if line.startswith("assert ") or line.startswith("assert("):
            joined, count = _logical_line([line, *rest[1:]])
            condition = read_condition(joined)
            if condition is not None:
                return [condition], count
        start = labelled_at(rest[0])
        if start is not None:
            # "Write add(a, b). Input: add(1, 2) Output: 3"
            before = list(find_inline(rest[0][:start]))
            drafts, count = read_labelled([rest[0][start:], *rest[1:]])
            return [*before, *(d for d in drafts if not _is_sentence(d))], count
        line = _SHELL.sub("", line, count=1)
        if (below := _value_below([line, *rest[1:]])) is not None:
            return below
        if (remark := read_remark(line)) is not None:
            return [remark], 1
        if self.announced and (pair := bare_pair(line)) is not None:
            return [pair], 1
        if _CALL_AT_START.match(line):
            joined, count = _logical_line([line, *rest[1:]])
            drafts = read_line(joined) if count > 1 else []
            if drafts and all(draft.call for draft in drafts):
                return drafts, count
        return [*find_named(line), *find_inline(line)], 1

    def _explain(self) -> None:
        """An explanation goes with the example above it: it is for the model, not for a check."""
        told = [self.lines[self.index].strip()]
        self.index += 1
        while self.index < len(self.lines) and (line := self.lines[self.index]).strip():
            if starts_labelled(line) or PROMPT.match(line) or read_line(line):
                break
            told.append(line.strip())
            self.index += 1
        if self.unread or not self.drafts:
            self.unread += told
        else:
            last = self.drafts[-1]
            self.drafts[-1] = replace(last, text="\n".join([last.text, *told]).strip())

    def _example_line(self, rest: Sequence[str]) -> None:
        if re.match(
            rf"\s*[*_]*(?:{any_of(wording()['labels']['explanation'])})\d*\s*[*_]*[:：]",
            rest[0],
            re.I,
        ):
            self._explain()
            return
        line = _SHELL.sub("", without_bullet(rest[0]), count=1)
        if (below := _value_below([line, *rest[1:]])) is not None:
            self._add(*below)
            return
        joined, count = _logical_line([line, *rest[1:]])
        drafts = read_line(joined)
        if not drafts and (remark := read_remark(joined)) is not None:
            drafts = [remark]
        if not drafts:
            drafts = [replace(draft, unless_fit="text") for draft in find_named(joined)]
        if not drafts and (setup := _setup_line(joined)) is not None:
            drafts = [setup]
        if not drafts and (pair := _bare_pair(joined)) is not None:
            drafts = [pair]
        if drafts:
            self._add(drafts, count)
        else:
            self.unread.append(rest[0])
            self.index += 1


def _if_all_are_examples(text: str, block: int) -> list[Draft]:
    """Drafts of a fenced text in prose: other than a list of examples it is data or code."""
    if any(_example_heading().match(line) for line in text.splitlines()):
        return []
    drafts = scan(text, prose=False, first_block=block)
    return drafts if all(draft.call and not draft.is_setup for draft in drafts) else []


def _is_sentence(draft: Draft) -> bool:
    """ "Input: a list of numbers": a description of inputs, not one of them."""
    plain = re.sub(r"`[^`\n]*`", "", draft.text)
    return bool(draft.why_not) and len(plain.split()) > 6 and not re.search(r"[\d\"'\[{(]", plain)


def read_code(text: str) -> list[Draft] | None:
    """Drafts of a block of Python statements, or None when it is no such block of checks."""
    statements = parse_statements(text)
    if not statements:
        return None
    lines = text.splitlines()
    drafts: list[Draft] = []
    for statement in statements:
        drafts += _read_statement(text, lines, statement)
    if not any(draft.is_setup is False and draft.call for draft in drafts):
        return None
    shared = any(draft.is_setup for draft in drafts)
    return [replace(draft, shared=shared) for draft in drafts]


def _read_statement(text: str, lines: Sequence[str], statement: ast.stmt) -> list[Draft]:
    source = source_of(text, statement)
    if isinstance(statement, ast.Assert):
        return [replace(draft_of_condition(source, statement.test, text), text=source)]
    if isinstance(statement, ast.Import | ast.ImportFrom) and not is_stdlib_import(statement):
        return []
    if isinstance(statement, ast.With):
        return _read_raises(text, statement)
    if isinstance(statement, ast.Expr):
        if not has_call(statement.value):
            read = read_condition(source)
            return [read] if read else []
        last = lines[(statement.end_lineno or 1) - 1]
        after = last.encode()[statement.end_col_offset or 0 :].decode(errors="replace")
        if "#" in after:
            whole = f"{source}{after}"
            return [remark_on(source, after, whole) or Draft(whole, call=source)]
        condition = read_condition(source)
        return [condition or Draft(source, call=source)]
    return [Draft(source, call=source)]


def _read_raises(text: str, statement: ast.With) -> list[Draft]:
    source = source_of(text, statement)
    manager = statement.items[0].context_expr
    if (
        len(statement.body) == 1
        and isinstance(statement.body[0], ast.Expr)
        and isinstance(manager, ast.Call)
        and source_of(text, manager.func).endswith((".raises", "assertRaises"))
        and manager.args
    ):
        call = source_of(text, statement.body[0].value)
        error = source_of(text, manager.args[0])
        if is_exception_name(error):
            return [Draft(source, call=call, raises=error.rsplit(".", 1)[-1])]
    return [Draft(source, why_not="it is not of the form `call -> value`")]


def _setup_line(text: str) -> Draft | None:
    statements = parse_statements(unwrapped(text))
    if statements is None or len(statements) != 1:
        return None
    statement = statements[0]
    prepares = isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    )
    if not prepares or not has_call(statement):
        return None
    return Draft(text, call=unwrapped(text), shared=isinstance(statement, ast.Assign))


def _value_below(lines: Sequence[str]) -> tuple[list[Draft], int] | None:
    """A call on a line (or several) of its own and its value on the next: how many lines that is.

    The value may have `=>`, `#`, "returns" or "Output:" before it.
    """
    if not _CALL_AT_START.match(lines[0]):
        return None
    joined, count = _logical_line(lines)
    text = joined.lstrip("`")
    end = leading_call(text)
    if end is None or not _OPEN_END.match(text, end) or count == len(lines):
        return None
    below, more = _logical_line(
        [_SHELL.sub("", line, count=1) for line in lines[count : count + MAX_JOINED_LINES]]
    )
    shown = value_line(below)
    if shown is None:
        return None
    call = normalised(text[:end]) or text[:end]
    draft = with_result(f"{joined.strip()}\n{below.strip()}", call, "value", shown)
    return ([draft], count + more) if draft.call else None


def _bare_pair(text: str) -> Draft | None:
    """`[1, 2] -> 3`: arguments and a value without the function's name."""
    masked = mask_strings(text)
    match = re.search(r"\s*(?:->|=>|→|⇒)\s*", masked)
    if match is None or not match.start():
        return None
    drafts = from_input_output(text, text[: match.start()], text[match.end() :])
    return drafts[0] if len(drafts) == 1 and not drafts[0].why_not else None


def _logical_line(lines: Sequence[str]) -> tuple[str, int]:
    """lines[0] joined with what follows until its brackets close; unjoined when they never do."""
    depth = 0
    long_string = False
    for count, line in enumerate(lines[:MAX_JOINED_LINES], 1):
        if not line.strip():
            break
        long_string = long_string or '"""' in line or "'''" in line
        masked = mask_strings("\n".join(lines[:count]) if long_string else line)
        opened = sum(map(masked.count, "([{")) - sum(map(masked.count, ")]}"))
        depth = opened if long_string else depth + opened
        if depth <= 0:
            return "\n".join(lines[:count]), count
    return lines[0], 1


@cache
def _announcement() -> re.Pattern[str]:
    return re.compile(any_of(wording()["named"]["announcements"]), re.IGNORECASE)


@cache
def _example_heading() -> re.Pattern[str]:
    names = any_of(wording()["labels"]["example"])
    return re.compile(
        rf"^\s*(?:#{{1,6}}\s*)?[*_]*(?:{names})(?:\s*[(（]?#?\d+[)）]?|\s*[一二三四五六七八九十])?"
        rf"[*_]*\s*(?:[:：]|$)[*_]*(?P<rest>.*)$",
        re.IGNORECASE,
    )
