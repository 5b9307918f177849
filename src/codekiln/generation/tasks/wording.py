"""Loads wording.toml: the words by which headings, labels and separators are recognised."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import cast

MAX_HEADING_CHARS = 80

_NUMBERING = re.compile(r"^(?:\d+(?:\.\d+)*[.)、]?|[一二三四五六七八九十]+[、.]|[IVX]+\.)\s*(?=\S)")
_TRAILING_NUMBER = re.compile(r"\s*(?:#?\d+|[一二三四五六七八九十]+)$")
_IN_PARENTHESES = re.compile(r"\s*[(（][^()（）]*[)）]$")


@cache
def wording() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """The tables of wording.toml."""
    file = resources.files("codekiln.generation.tasks") / "wording.toml"
    data = cast(dict[str, dict[str, list[str]]], tomllib.loads(file.read_text(encoding="utf-8")))
    return {
        table: {key: tuple(words) for key, words in entries.items()}
        for table, entries in data.items()
    }


def any_of(words: Iterable[str]) -> str:
    """A regular expression for any of these words, the longest first."""
    return "|".join(_one_of(word) for word in sorted(words, key=len, reverse=True))


def section_of(heading: str) -> str | None:
    """The section ("description", "examples", ...) that a heading's words announce.

    >>> section_of("2. Input/Output Examples:")
    'examples'
    """
    if len(heading) > MAX_HEADING_CHARS:
        return None
    plain = plain_heading(heading)
    return _sections().get(plain) or _sections().get(_TRAILING_NUMBER.sub("", plain))


def plain_heading(heading: str) -> str:
    """A heading without numbering, emphasis, colon and case."""
    plain = heading.strip().strip("*_`#【】[]").strip()
    plain = _NUMBERING.sub("", plain).rstrip(":： ")
    plain = _IN_PARENTHESES.sub("", plain).strip("*_ ")
    return " ".join(plain.casefold().split())


@cache
def _sections() -> dict[str, str]:
    headings = wording()["headings"]
    return {word: section for section, words in headings.items() for word in words}


def _one_of(word: str) -> str:
    pattern = r"\s+".join(re.escape(part) for part in word.split())
    if not word.isascii() or not word[0].isalpha():
        return pattern
    return rf"(?<![A-Za-z0-9_]){pattern}(?![A-Za-z0-9_])"
