"""Finished statements of a Python text that is still being written, closed into a whole program.

A statement is finished when its logical line has ended. What is open behind it is closed by the
least that makes a program: a body for a header, a handler for a `try`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from codekiln.typeflow.guard.prefix import Prefix, Range

_TOKEN = re.compile(
    r"""
    (?P<comment> \#[^\n]* )
  | (?P<string> [rRbBfFuU]{0,2} (?: \"\"\" | ''' | " | ' ) )
  | (?P<open> [(\[{] )
  | (?P<close> [)\]}] )
  | (?P<joined> \\\r?\n )
  | (?P<end> \n )
    """,
    re.VERBOSE,
)
_STRING_END = {
    '"""': re.compile(r'(?:[^"\\]|\\.|"(?!""))*"""', re.DOTALL),
    "'''": re.compile(r"(?:[^'\\]|\\.|'(?!''))*'''", re.DOTALL),
    '"': re.compile(r'(?:[^"\\\n]|\\.)*"', re.DOTALL),
    "'": re.compile(r"(?:[^'\\\n]|\\.)*'", re.DOTALL),
}
_WORD = re.compile(r"(?:async\s+)?(\w+)")
_STEP = "    "
# What is written into these may be meant to fail.
_EXCUSING = re.compile(r"try\b|(?:async\s+)?with\b(?!\s*open\()")
_MEANT_TO_FAIL = re.compile(r"[rR]aises")
# Parts of a statement that began before.
_LOOPS = {"for", "while"}
_GOES_ON = {"elif", "else", "except", "finally", "case"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A logical line, text[start:end] without indentation and comments."""

    start: int
    end: int
    indent: str
    first: str
    is_header: bool


@dataclass(slots=True)
class _Block:
    indent: str
    kind: str
    start: int
    is_excusing: bool


def python_prefix(text: str) -> Prefix | None:
    """The finished part of `text` as a program; None where there is none, or it is unclear."""
    lines, blocks = _logical_lines(text), list[_Block]()
    if not lines or lines[-1].first == "@":
        return None
    excused: list[Range] = []
    loops: list[Range] = []
    for line in lines:
        around = [block for block in blocks if len(block.indent) < len(line.indent)]
        code = text[line.start : line.end]
        if (
            any(block.is_excusing for block in around)
            or _EXCUSING.match(code)
            or _MEANT_TO_FAIL.search(code)
        ):
            excused.append((line.start, line.end))
        if line.first in _LOOPS or any(block.kind in _LOOPS for block in around):
            loops.append((line.start, line.end))
        _enter(line, blocks, text)
    last = lines[-1]
    if not last.is_header:
        blocks = [block for block in blocks if len(block.indent) < len(last.indent)]
    return Prefix(
        program=text[: last.end] + "\n" + "".join(f"{line}\n" for line in _closers(last, blocks)),
        finished=last.end,
        statement=last.start,
        top=next(line.start for line in reversed(lines) if not line.indent.strip("\f")),
        loops=tuple(loops),
        made=next((block.start for block in blocks if block.kind == "class"), None),
        excused=tuple(excused),
    )


def _enter(line: _Line, blocks: list[_Block], text: str) -> None:
    """What is open behind a line."""
    while blocks and len(blocks[-1].indent) > len(line.indent):
        blocks.pop()
    if blocks and blocks[-1].indent == line.indent:
        if line.first in _GOES_ON:
            # A `try` with a handler needs nothing more.
            blocks[-1].kind = line.first if blocks[-1].kind == "try" else blocks[-1].kind
            blocks[-1].is_excusing = False
            return
        blocks.pop()
    if line.is_header:
        is_excusing = bool(_EXCUSING.match(text[line.start : line.end]))
        blocks.append(_Block(line.indent, line.first, line.start, is_excusing))


def _closers(last: _Line, blocks: list[_Block]) -> list[str]:
    """The lines that make a program of what is open behind the last one."""
    closers: list[str] = []
    if last.is_header:
        inside = last.indent + _STEP
        if last.first == "match":
            closers += [f"{inside}case _:", f"{inside}{_STEP}..."]
        else:
            closers.append(f"{inside}...")
    for block in reversed(blocks):
        if block.kind == "try":
            closers += [f"{block.indent}finally:", f"{block.indent}{_STEP}..."]
    return closers


def _logical_lines(text: str) -> list[_Line]:
    """The logical lines that have ended; blank ones and comments alone are none."""
    lines: list[_Line] = []
    depth, at, begin = 0, 0, 0
    while (found := _TOKEN.search(text, at)) is not None:
        at = found.end()
        if found["string"] is not None:
            quote = found["string"].lstrip("rRbBfFuU")
            closed = _STRING_END[quote].match(text, at)
            if closed is None:
                # An unfinished string, or one that a line end broke off: then nothing is sure.
                break
            at = closed.end()
        elif found["open"]:
            depth += 1
        elif found["close"]:
            depth = max(0, depth - 1)
        elif found["end"] and depth == 0:
            if (line := _line(text, begin, found.start())) is not None:
                lines.append(line)
            begin = at
    return lines


def _line(text: str, begin: int, end: int) -> _Line | None:
    raw = text[begin:end]
    code = raw.lstrip(" \t\f\r\n")
    # Comments before the code, on lines of their own, are inside brackets only.
    if not code.strip() or code.startswith("#"):
        return None
    start = begin + len(raw) - len(code)
    bare = _without_comment(code).rstrip()
    word = _WORD.match(code)
    first = word[1] if word else code[:1]
    # `match` and `case` are names too.
    is_header = bare.endswith(":") and first not in ("lambda",)
    return _Line(start, begin + len(raw.rstrip()), text[begin:start], first, is_header)


def _without_comment(code: str) -> str:
    at = 0
    while (found := _TOKEN.search(code, at)) is not None:
        at = found.end()
        if found["comment"]:
            return code[: found.start()]
        if found["string"] is not None:
            closed = _STRING_END[found["string"].lstrip("rRbBfFuU")].match(code, at)
            if closed is None:
                return code
            at = closed.end()
    return code
