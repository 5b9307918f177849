"""Puts what a task's code begins with into answers that leave it out: imports and types.

For other languages than Python, whose models often answer with the function alone. Works on
lines; what it is not sure of it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from codekiln.languages import Language

_IMPORT = re.compile(
    r"\s*(?:#\s*include\b|(?:use|using|import|from|open|require|library)\b)(?P<what>.*)$"
)
_TYPES = "struct|class|union|enum|interface|trait|type"
_TYPE = re.compile(rf"\s*(?:{_TYPES})\s+(\w+)")
# What has to stay first: inner attributes, a shebang, PHP's tag, a package's name.
_FIRST = re.compile(r"\s*(?:#!.*|<\?php.*|package\b.*|#lang\b.*|module\b.*)?$")


def with_given_lines(code: str, given: str, language: Language) -> tuple[str, tuple[str, ...]]:
    """The code with the imports and types of `given` that it lacks, and those lines.

    >>> from codekiln.languages import get_language
    >>> with_given_lines("int f() { return 1; }", "#include <map>\\nint f() {", get_language("cpp"))
    ('#include <map>\\nint f() { return 1; }', ('#include <map>',))
    """
    head = list(_head(given, language))
    imported = "\n".join(line for line in code.split("\n") if _IMPORT.match(line))
    imports = [line for line in head if _IMPORT.match(line) and not _is_there(line, imported)]
    types = _types([line for line in head if not _IMPORT.match(line)], code)
    lacking = [*imports, *types]
    if not lacking:
        return code, ()
    lines = code.split("\n")
    place = next((at for at, line in enumerate(lines) if not _FIRST.match(line)), len(lines))
    return "\n".join([*lines[:place], *lacking, *lines[place:]]), tuple(lacking)


def _head(given: str, language: Language) -> Iterator[str]:
    """The lines in front of the first comment behind which no more imports and types come."""
    mark, (opening, closing) = language.line_comment, language.block_comment or ("\0", "\0")
    inside = False
    for line in given.split("\n"):
        plain = line.strip()
        if inside or plain.startswith(opening):
            inside = closing not in plain.removeprefix(opening)
        elif plain and not (mark and plain.startswith(mark) and not _IMPORT.match(line)):
            yield line


def _is_there(line: str, imported: str) -> bool:
    """True when the code imports this already, alone or among others."""
    match = _IMPORT.match(line)
    what = re.sub(r"\s", "", match["what"]) if match else ""
    if what in re.sub(r"\s", "", imported):
        return True
    # `use a::{b, c}` has what `use a::b` has; a header and a whole package go by all of their name.
    names = re.findall(r"\w+", re.sub(r"\bas\s+\w+", "", line))
    is_whole = "include" in line or "*" in line
    return not is_whole and re.search(rf"\b{names[-1]}\b", imported) is not None


def _types(lines: list[str], code: str) -> list[str]:
    """Whole definitions of types among lines, where the code has none of these names."""
    found: list[str] = []
    block: list[str] = []
    depth = 0
    for line in lines:
        if not block and not _TYPE.match(line):
            continue
        block.append(line)
        depth += line.count("{") - line.count("}")
        if depth > 0:
            continue
        name = _TYPE.match(block[0])
        if name and not re.search(rf"\b(?:{_TYPES})\s+{name[1]}\b", code):
            found += block
        block = []
    return found
