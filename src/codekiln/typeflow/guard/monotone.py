"""Which errors of a prefix hold for every text that it can become.

What is covered: errors in finished statements, of the kinds that monotone.toml lists. What is not:
whatever a later line can cure, such as a name that is bound further down, a missing return, an
attribute that a class gets later, a type that a later assignment in the same loop widens.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codekiln.typeflow.guard.prefix import Prefix, Range
from codekiln.typeflow.oracles import Diagnostic


@dataclass(frozen=True, slots=True)
class MonotoneRules:
    """The rules of one language, see monotone.toml."""

    certain: Mapping[str, re.Pattern[str]]
    at_the_end: frozenset[str]
    all_at_the_end: bool
    unknown: frozenset[str]
    members: frozenset[str]
    widened: re.Pattern[str]
    never: re.Pattern[str]


@functools.cache
def rules_of(language: str) -> MonotoneRules:
    """The rules for a language."""
    found = tomllib.loads(Path(__file__).with_name("monotone.toml").read_text("utf-8"))[language]
    certain = {
        code: re.compile(pattern.replace("{T}", found["type"]))
        for code, pattern in found["certain"].items()
    }
    return MonotoneRules(
        certain,
        frozenset(found["at_the_end"]),
        found["all_at_the_end"],
        frozenset(found["unknown"]),
        frozenset(found["members"]),
        _any(found["widened"]),
        _any(found["never"]),
    )


def monotone(
    diagnostics: Sequence[Diagnostic], prefix: Prefix, rules: MonotoneRules
) -> list[Diagnostic]:
    """Those of `diagnostics` on `prefix.program` that stay whatever follows."""
    return [found for found in diagnostics if _stays(found, prefix, rules)]


def final_errors(
    diagnostics: Sequence[Diagnostic], prefix: Prefix, rules: MonotoneRules
) -> list[Diagnostic]:
    """The errors of a finished program: the monotone ones, and those that only its end shows."""
    return [
        found
        for found in diagnostics
        if rules.all_at_the_end or found.code in rules.at_the_end or _stays(found, prefix, rules)
    ]


def _stays(found: Diagnostic, prefix: Prefix, rules: MonotoneRules) -> bool:
    text = found.message.partition("\n")[0]
    pattern = rules.certain.get(found.code)
    if pattern is None or not pattern.match(text) or found.end > prefix.finished:
        return False
    if rules.never.search(text):
        return False
    if _inside(found, prefix.excused):
        return False
    if _inside(found, prefix.loops) and rules.widened.search(text):
        return False
    return prefix.made is None or found.start < prefix.made


def _inside(found: Diagnostic, ranges: Sequence[Range]) -> bool:
    return any(start <= found.start < end for start, end in ranges)


def _any(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
