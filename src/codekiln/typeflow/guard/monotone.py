"""Which errors of a prefix hold for every text that it can become.

What is covered: errors in finished statements, of the kinds that monotone.toml lists. What is not:
whatever a later line can cure, such as a name that is bound further down, a missing return, an
attribute that a class gets later, a type that a later assignment widens.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codekiln.typeflow.guard.prefix import Prefix, Range
from codekiln.typeflow.guard.python_scopes import is_bound_once, names_are_local
from codekiln.typeflow.oracles import Diagnostic

# Longer messages speak of types that nobody would write down.
_LONGEST_MESSAGE = 500
_TYPE = r"([^`']*(?:'[^`']*'[^`']*)*)"
_STRING = re.compile(r'"[^"]*"|`[^`]*`')
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_OTHER = re.compile(r"[\w$\s\[\](){}<>,.:;|&~*+?=-]*")


@dataclass(frozen=True, slots=True)
class MonotoneRules:
    """The rules of one language, see monotone.toml."""

    language: str
    known: frozenset[str]
    certain: Mapping[str, re.Pattern[str]]
    final: Mapping[str, re.Pattern[str]]
    all_final: bool
    widened: re.Pattern[str]
    never: re.Pattern[str]
    unless: re.Pattern[str]
    members: frozenset[str]
    unknown: frozenset[str]
    ignored: frozenset[str]


@functools.cache
def rules_of(language: str) -> MonotoneRules:
    """The rules for a language."""
    found = tomllib.loads(Path(__file__).with_name("monotone.toml").read_text("utf-8"))[language]
    return MonotoneRules(
        language=language,
        known=frozenset(found["known"]),
        certain=_patterns(found["certain"]),
        final=_patterns(found["final"]),
        all_final=found["all_final"],
        widened=_any(found["widened"]),
        never=_any(found["never"]),
        unless=_any(found["unless"]),
        members=frozenset(found["members"]),
        unknown=frozenset(found["unknown"]),
        ignored=frozenset(found["ignored"]),
    )


def monotone(
    diagnostics: Sequence[Diagnostic], prefix: Prefix, rules: MonotoneRules
) -> list[Diagnostic]:
    """Those of `diagnostics` on `prefix.program` that stay whatever follows."""
    if rules.unless.search(prefix.program):
        return []
    return [
        found
        for found in diagnostics
        if prefix.top <= found.start
        and found.end <= prefix.finished
        and (prefix.made is None or found.start < prefix.made)
        and _is_listed(found, prefix, rules, rules.certain)
    ]


def final_errors(
    diagnostics: Sequence[Diagnostic], prefix: Prefix, rules: MonotoneRules
) -> list[Diagnostic]:
    """The errors of a finished program: the monotone ones, and those that only its end shows."""
    counting = [found for found in diagnostics if found.code not in rules.ignored]
    if rules.all_final:
        return counting
    if rules.unless.search(prefix.program):
        return []
    return [
        found
        for found in counting
        if _is_listed(found, prefix, rules, rules.certain)
        or _is_listed(found, prefix, rules, rules.final)
    ]


def _is_listed(
    found: Diagnostic,
    prefix: Prefix,
    rules: MonotoneRules,
    listed: Mapping[str, re.Pattern[str]],
) -> bool:
    text = found.message.partition("\n")[0]
    pattern = listed.get(found.code)
    if pattern is None or len(text) > _LONGEST_MESSAGE or rules.never.search(text):
        return False
    matched = pattern.match(text)
    if matched is None:
        return False
    function = matched.groupdict().get("function")
    types = [part for part in matched.groups() if part != function]
    if not all(_is_known(part, rules.known) for part in types):
        return False
    if rules.language == "python" and not _is_sure_in_python(found, prefix.program, function):
        return False
    if _inside(found, prefix.excused):
        return False
    return not (_inside(found, prefix.loops) and rules.widened.search(text))


def _is_sure_in_python(found: Diagnostic, program: str, function: str | None) -> bool:
    if function is not None:
        return is_bound_once(program, function)
    return found.code == "invalid-syntax" or names_are_local(program, found.start, found.end)


def _is_known(written: str | None, known: frozenset[str]) -> bool:
    """Whether a type is made of known names alone. None: of another branch of the pattern."""
    if written is None:
        return True
    bare = _STRING.sub(" 0 ", written)
    return bool(_OTHER.fullmatch(bare)) and set(_WORD.findall(bare)) <= known


def _inside(found: Diagnostic, ranges: Sequence[Range]) -> bool:
    return any(start <= found.start < end for start, end in ranges)


def _patterns(found: Mapping[str, str]) -> Mapping[str, re.Pattern[str]]:
    return {code: re.compile(pattern.replace("{T}", _TYPE)) for code, pattern in found.items()}


def _any(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)")
