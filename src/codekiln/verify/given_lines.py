"""Puts the imports and types of a task's code into answers that leave them out.

For other languages than Python, whose models often answer with the function alone. Only single
lines in front of the function count, in languages where an import too many changes nothing, and in
C++ whole types; what it is not sure of it leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from codekiln.languages import Language
from codekiln.languages.headings import code_without_comments


@dataclass(frozen=True, slots=True)
class _Imports:
    """How a language imports on one line, and behind which lines of an answer that has to stand."""

    line: re.Pattern[str]
    behind: re.Pattern[str] | None = None
    at_end: bool = False


_PACKAGE = re.compile(r"\s*(?:package\s[\w.]+;?|//.*|/?\*.*|@file:.*)?\s*$")
_LANGUAGES: Mapping[str, _Imports] = {
    "c": _Imports(re.compile(r'#\s*include\s*[<"](?P<what>[\w./+-]+)[>"]\s*$')),
    "cpp": _Imports(re.compile(r'#\s*include\s*[<"](?P<what>[\w./+-]+)[>"]\s*$')),
    # At the end: inner attributes have to stay first.
    "rust": _Imports(re.compile(r"use\s+(?P<what>[\w:]+(?:::\*)?);\s*$"), at_end=True),
    "java": _Imports(
        re.compile(r"import\s+(?P<what>(?:static\s+)?[\w.]+(?:\.\*)?);\s*$"), _PACKAGE
    ),
    "csharp": _Imports(re.compile(r"using\s+(?P<what>(?:static\s+)?[\w.]+);\s*$")),
    "kotlin": _Imports(re.compile(r"import\s+(?P<what>[\w.]+(?:\.\*)?)\s*$"), _PACKAGE),
}
_TYPE = re.compile(r"(?:struct|class|union)\s+(?P<name>\w+)\s*\{")


def with_given_lines(code: str, given: str, language: Language) -> tuple[str, tuple[str, ...]]:
    """The code with the imports and types of `given` that it lacks, and those lines.

    >>> from codekiln.languages import get_language
    >>> with_given_lines("int f() { return 1; }", "#include <map>\\nint f() {", get_language("cpp"))
    ('#include <map>\\nint f() { return 1; }', ('#include <map>',))
    """
    imports = _LANGUAGES.get(language.name)
    if imports is None or not given.strip():
        return code, ()
    head = [line for line in code_without_comments(given, language).split("\n") if line.strip()]
    lines = code.split("\n")
    lacking = [line for line in _leading(head, imports) if not _is_there(line, lines, imports)]
    if language.name == "cpp":
        lacking += _types(head, code)
    if not lacking:
        return code, ()
    if imports.at_end:
        return "\n".join([code.rstrip("\n"), *lacking, ""]), tuple(lacking)
    place = 0
    if imports.behind is not None and any(line.startswith("package ") for line in lines):
        behind = imports.behind
        place = next((at for at, line in enumerate(lines) if not behind.match(line)), 0)
    return "\n".join([*lines[:place], *lacking, *lines[place:]]), tuple(lacking)


def _leading(head: list[str], imports: _Imports) -> Iterator[str]:
    """The imports in front of everything else."""
    for line in head:
        if not imports.line.match(line):
            return
        yield line


def _is_there(line: str, lines: list[str], imports: _Imports) -> bool:
    """True when the code imports this already, alone, with its whole package or among others."""
    match = imports.line.match(line)
    if match is None:
        return True
    what = match["what"]
    for other in lines:
        found = imports.line.match(other.strip())
        if found is not None and found["what"] == what:
            return True
    # `use a::{b, c};` has what `use a::b;` has, on however many lines.
    name = re.split(r"\W+", what)[-1]
    if not imports.at_end or not name:
        return False
    uses = " ".join(re.findall(r"\buse\s[^;]*;", "\n".join(lines)))
    return re.search(rf"\b{name}\b", uses) is not None


def _types(head: list[str], code: str) -> list[str]:
    """Whole definitions of types in front of the function, where the code has none of that name."""
    found: list[str] = []
    block: list[str] = []
    depth = 0
    for line in head:
        if not block and not _TYPE.match(line):
            continue
        block.append(line)
        depth += line.count("{") - line.count("}")
        if depth > 0:
            continue
        name = _TYPE.match(block[0])
        if name and not re.search(rf"\b(?:struct|class|union)\s+{name['name']}\b", code):
            found += block
        block = []
    return found
