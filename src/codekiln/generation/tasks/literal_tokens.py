"""Cuts text into the tokens of literals, and knows by what manner each language writes them."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from codekiln.languages import Language

MAX_CHARS = 10_000
MAX_DIGITS = 300

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<number>0[xX][0-9a-fA-F_]+(?![\w.])
        |(?:\d[\d_]*(?:\.\d[\d_]*|\.(?![.\w]))?|\.\d[\d_]*)(?:[eE][-+]?\d+)?)
     (?P<suffix>(?:_?[iu](?:8|16|32|64|128|size)|_?f(?:32|64)|[a-zA-Z]{1,3}))?(?!\w)
    |(?P<name>[A-Za-z_][\w]*!?)
    |(?P<mark>=>|->|::|[][(){}<>,:;=&*+.@$?-])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_ESCAPES |= {"\\": "\\", '"': '"', "'": "'", "/": "/", "$": "$"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))(?P<next>\d?)", re.DOTALL)
_KINDS = (
    *("same", "text", "list", "vector", "copy", "tuple", "map", "alternating"),
    *("empty_list", "empty_map", "empty_text", "nothing"),
)
_WORDS: Mapping[str, object] = {"null": None, "true": True, "false": False}


class LiteralError(ValueError):
    """A text that is no value, or may be more than one."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text; `value` is that of a text or number."""

    kind: str
    text: str
    value: object = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How a language writes values; literals.toml explains the fields."""

    words: Mapping[str, object] = field(default_factory=lambda: {"true": True, "false": False})
    lists: str = ""
    maps: str = ""
    keys: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    pairs: tuple[str, ...] = ()
    tuples: bool = False
    casts: Mapping[str, str] = field(default_factory=dict)
    single: str = ""
    raw: bool = False
    escapes: str = ""
    filled: str = "$#@"
    marks: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    no_null: bool = False
    suffixes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arrays: str = ""
    real: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()
    constructors: Mapping[str, str] = field(default_factory=dict)


def manner_of(language: Language) -> Manner:
    """The manner of a language; one without a table has plain numbers, texts and truth values."""
    return _manners().get(language.name, Manner())


def tokens(text: str, manner: Manner) -> list[Token]:
    """The tokens of a text. Raises LiteralError."""
    if len(text) > MAX_CHARS:
        raise LiteralError("it is too long")
    text, found, at = text.strip(), [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise LiteralError(f"`{text[at : at + 20].strip()}` is no value")
        at = match.end()
        if match["text"]:
            found.append(Token("text", match["text"], _text(match["text"], manner)))
        elif match["number"]:
            suffix = match["suffix"] or ""
            found.append(Token("number", match[0], _number(match["number"], suffix, manner)))
        else:
            kind = "name" if match["name"] else "mark"
            found.append(Token(kind, match[kind]))
    return found


def _number(text: str, suffix: str, manner: Manner) -> int | float:
    plain, suffix = text.replace("_", ""), suffix.lstrip("_")
    if suffix and suffix not in (*manner.real, *manner.whole):
        raise LiteralError(f"a number with `{suffix}` behind it")
    if len(plain) > MAX_DIGITS:
        raise LiteralError("a number of too many digits")
    is_hex = plain[:2] in ("0x", "0X")
    is_real = suffix in manner.real or (not is_hex and re.search(r"[.eE]", plain) is not None)
    try:
        value = float(plain) if is_real else int(plain, 0)
    except ValueError:
        # A leading zero is octal to some languages.
        raise LiteralError(f"`{plain}` may be octal") from None
    if is_real and (suffix in manner.whole or not math.isfinite(value)):
        raise LiteralError(f"`{text}` is no number here")
    return value


def _text(quoted: str, manner: Manner) -> str:
    mark, inner = quoted[0], quoted[1:-1]
    if mark == "`" and (not manner.raw or "${" in inner or "\\" in inner):
        raise LiteralError("a text with values in it")
    if mark == "'" and not manner.single:
        raise LiteralError("single quotes hold no text here")
    if mark == '"' and any(sign in inner for sign in manner.filled):
        # An escaped sign is refused as well: what it escapes differs.
        raise LiteralError("a text with values in it")
    if mark == "'" and manner.single == "plain" and "\\" in inner:
        raise LiteralError("a backslash in single quotes")
    text = _ESCAPE.sub(lambda match: _escaped(match, manner), inner)
    if mark == "'" and manner.single == "char" and len(text) != 1:
        raise LiteralError("single quotes hold one character here")
    try:
        # Two escapes of UTF-16 are one character.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise LiteralError("half of a character") from error


def _escaped(match: re.Match[str], manner: Manner) -> str:
    behind = match["next"]
    if match[1]:
        if "u" not in manner.escapes:
            raise LiteralError("an escape that is not known here")
        return chr(int(match[1], 16)) + behind
    sign = match[2]
    # `\012` is octal.
    if sign not in manner.escapes or sign not in _ESCAPES or (sign == "0" and behind):
        raise LiteralError(f"the escape \\{sign} is not known here")
    return _ESCAPES[sign] + behind


@cache
def _manners() -> dict[str, Manner]:
    file = resources.files("codekiln.generation.tasks") / "literals.toml"
    tables = tomllib.loads(file.read_text(encoding="utf-8"))
    whole = {
        name: {**tables.get(table.get("like", ""), {}), **table} for name, table in tables.items()
    }
    return {name: _manner(table) for name, table in whole.items()}


def _manner(table: dict[str, Any]) -> Manner:
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in table.items()
        if name not in (*_KINDS, "like", "words", "casts", "suffixes")
    }
    given.setdefault("filled", "")
    return Manner(
        **given,
        words={name: _WORDS[word] for name, word in table.get("words", {}).items()},
        casts={name: kind for kind, names in table.get("casts", {}).items() for name in names},
        suffixes={kind: tuple(names) for kind, names in table.get("suffixes", {}).items()},
        constructors={name: kind for kind in _KINDS for name in table.get(kind, ())},
    )
