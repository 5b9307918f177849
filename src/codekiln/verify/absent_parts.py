"""Tells when an answer is refused for a library, header or module that is not on this machine."""

from __future__ import annotations

import re

from codekiln.languages.recipes import Recipe
from codekiln.verify.programs.runner import ProgramRun
from codekiln.verify.values import one_line

# How compilers tell that a library, a header or a module is missing.
_ABSENT = re.compile(
    r"no such file|cannot (?:find|open|load) (?:package|module|crate|file|source)"
    r"|unresolved import|undeclared crate|package \S+ (?:does not exist|is not in)"
    r"|finding module for package|no required module|could not find (?:module|include)"
    r"|unbound module|unable to read module|(?:file|import) \S+ (?:was )?not found|file to import",
    re.IGNORECASE,
)
# A part of a standard library that is not there is there nowhere.
_STANDARD = re.compile(
    r"\b(?:java|javax|std|core|alloc)(?:[.]\w|::)|`(?:fmt|io|collections|cmp|mem|env|fs|thread|time"
    r"|sync|rc|cell|iter|str|string|vec|hash|ops|num|char|process|f32|f64)`"
)
_NAME = re.compile(r"cannot find symbol|package \S+ does not exist", re.IGNORECASE)


def absent_part(built: ProgramRun, recipe: Recipe, code: str) -> str:
    """What the answer needs and is not here, in words; empty when that is not why it is refused.

    It may be a part of the user's project, or a library of theirs: nothing says that it is wrong.
    """
    if built.trouble != "compile":
        return ""
    if _ABSENT.search(built.why) and not _STANDARD.search(built.why):
        return f"it needs what is not here: {one_line(built.why)}"
    dropped = recipe.dropped(code)
    if dropped and _NAME.search(built.why):
        # The name may be one of the package's.
        return f"it needs what is not here: {dropped}"
    return ""
