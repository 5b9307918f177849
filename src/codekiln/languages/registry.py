"""Reads languages.toml into Language values; finds them by name, path, fence or first line.

Knows nothing of parsers or toolchains; `validity` only says how far other packages check.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import PurePath
from typing import Literal, cast, get_args

from codekiln.core.errors import CodekilnError, UsageError

Kind = Literal["programming", "shell", "query", "markup", "data"]
Style = Literal["indentation", "braces", "end", "expressions", "lines", "markup", "data"]


class Validity(StrEnum):
    """How far codekiln checks code of a language, weakest first."""

    PARSE = "parse"
    COMPILE = "compile"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Language:
    """One entry of the registry; languages.toml explains the fields."""

    name: str
    display_name: str
    aliases: tuple[str, ...]
    extensions: tuple[str, ...]
    fences: tuple[str, ...]
    grammar: str
    line_comment: str
    kind: Kind
    style: Style
    validity: Validity
    filenames: tuple[str, ...] = ()
    shebangs: tuple[str, ...] = ()
    block_comment: tuple[str, str] | None = None
    prompt: str = ""
    notes: str = ""
    gaps: bool = False
    hangs: bool = False

    @property
    def fence(self) -> str:
        """The tag to write behind an opening code fence."""
        return self.fences[0]

    @property
    def has_sure_grammar(self) -> bool:
        """True when what its grammar refuses can be taken for wrong while it is being written."""
        return bool(self.grammar) and not self.gaps and not self.hangs

    @property
    def has_tools(self) -> bool:
        """True when a compiler or interpreter of this language looks at answers."""
        return self.validity is not Validity.PARSE

    @property
    def can_run(self) -> bool:
        """True when examples of this language can be run."""
        return self.validity is Validity.RUN


# "#!/usr/bin/env -S NAME=value interpreter", and without env.
_SHEBANG = re.compile(
    r"#!\s*(?:\S*/env\s+(?:(?:-\S*|\w+=\S*)\s+)*)?(?P<interpreter>[^\s=-]\S*)",
)
_VERSION = re.compile(r"-?\d+(?:\.\d+)*$")

_TEXT_FIELDS = frozenset(
    {"name", "display_name", "grammar", "line_comment", "kind", "style", "validity"},
)
_LIST_FIELDS = frozenset({"aliases", "extensions", "fences"})
_OPTIONAL_FIELDS = frozenset(
    {"filenames", "shebangs", "block_comment", "prompt", "notes", "gaps", "hangs"}
)


def read_registry(text: str) -> tuple[Language, ...]:
    """Languages of a registry file in its order.

    Raises CodekilnError naming the entry for an unknown, missing or ill-typed field, and for a
    name, suffix, file name, interpreter or fence that two entries claim.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CodekilnError(f"the language registry is not valid TOML: {error}") from error
    entries = data.get("language")
    if set(data) != {"language"} or not isinstance(entries, list):
        raise CodekilnError("the language registry holds something besides [[language]] tables")
    languages = tuple(_read_entry(index, entry) for index, entry in enumerate(entries, 1))
    _index(languages, "name", _names)
    _index(languages, "extension", lambda language: language.extensions)
    _index(languages, "file name", lambda language: language.filenames)
    _index(languages, "interpreter", lambda language: language.shebangs)
    _index(languages, "fence", lambda language: language.fences)
    return languages


def all_languages() -> tuple[Language, ...]:
    """Every language, in the order of the registry."""
    return _registry()


def get_language(name: str) -> Language:
    """The language of this name or alias; case and surrounding blanks do not matter.

    Raises UsageError that lists the nearest names.

    >>> get_language("Py").name
    'python'
    """
    known = _by_name()
    language = known.get(_fold(name))
    if language is not None:
        return language
    near = difflib.get_close_matches(_fold(name), known, n=5, cutoff=0.5)
    suggestions = dict.fromkeys(known[match].name for match in near)
    remedy = f"Did you mean {' or '.join(list(suggestions)[:3])}?" if suggestions else ""
    if not remedy:
        remedy = "Known are: " + ", ".join(language.name for language in _registry())
    raise UsageError(f"the language {name!r} is not known", remedy)


def language_of_path(path: str | PurePath) -> Language | None:
    """The language that a file's name or suffix says, None when it says none.

    >>> language_of_path("src/main.rs").name
    'rust'
    """
    pure = PurePath(path)
    by_filename = _by_filename().get(_fold(pure.name))
    return by_filename or _by_extension().get(_fold(pure.suffix))


def language_of_shebang(first_line: str) -> Language | None:
    """The language of the interpreter that a `#!` line names, None when it names none.

    >>> language_of_shebang("#!/usr/bin/env -S python3.12 -u").name
    'python'
    """
    shebang = _SHEBANG.match(first_line)
    if shebang is None:
        return None
    interpreter = PurePath(shebang["interpreter"]).name
    known = _by_interpreter()
    unversioned = _VERSION.sub("", interpreter)
    return known.get(_fold(interpreter)) or known.get(_fold(unversioned))


def detect_language(path: str = "", text: str = "") -> Language | None:
    """The language of a file: by its name, then its suffix, then the `#!` line of its text.

    >>> detect_language("bin/deploy", "#!/bin/sh\\necho done\\n").name
    'bash'
    """
    return language_of_path(path) or language_of_shebang(text.split("\n", 1)[0])


def language_of_fence(tag: str) -> Language | None:
    """The language that a code fence's tag says, None when it says none."""
    return _by_fence().get(_fold(tag)) or _by_name().get(_fold(tag))


def _fold(name: str) -> str:
    return name.strip().casefold()


def _names(language: Language) -> Iterable[str]:
    return dict.fromkeys(
        _fold(name) for name in (language.name, language.display_name, *language.aliases)
    )


def _index(
    languages: tuple[Language, ...], what: str, keys_of: Callable[[Language], Iterable[str]]
) -> dict[str, Language]:
    index: dict[str, Language] = {}
    for language in languages:
        for key in map(_fold, keys_of(language)):
            other = index.setdefault(key, language)
            if other is not language:
                raise CodekilnError(
                    f"the language registry gives the {what} {key!r} "
                    f"to both {other.name} and {language.name}"
                )
    return index


def _read_entry(index: int, entry: object) -> Language:
    if not isinstance(entry, dict):
        raise CodekilnError(f"language {index} of the registry is not a table")
    fields = cast(Mapping[str, object], entry)
    label = f"language {index} ({fields.get('name', 'without a name')}) of the registry"
    required = _TEXT_FIELDS | _LIST_FIELDS
    for key in sorted(required - set(fields)):
        raise CodekilnError(f"{label} lacks {key!r}")
    for key in sorted(set(fields) - required - _OPTIONAL_FIELDS):
        raise CodekilnError(f"{label} has an unknown field {key!r}")

    def text(key: str) -> str:
        value = fields[key]
        if not isinstance(value, str) or (not value and key not in ("line_comment", "grammar")):
            raise CodekilnError(f"{label}: {key!r} must be a text, not {value!r}")
        return value

    def optional_text(key: str) -> str:
        return text(key) if key in fields else ""

    def texts(key: str) -> tuple[str, ...]:
        value = fields.get(key, [])
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise CodekilnError(f"{label}: {key!r} must be a list of texts, not {value!r}")
        return tuple(value)

    def choice(key: str, choices: tuple[str, ...]) -> str:
        if text(key) not in choices:
            raise CodekilnError(
                f"{label}: {key!r} is {text(key)!r}", f"Use one of {', '.join(choices)}"
            )
        return text(key)

    for flag in ("gaps", "hangs"):
        if not isinstance(fields.get(flag, False), bool):
            raise CodekilnError(f"{label}: {flag!r} must be true or false, not {fields[flag]!r}")
    block = texts("block_comment")
    if len(block) not in (0, 2):
        raise CodekilnError(f"{label}: 'block_comment' must be an opening and a closing text")
    if text("name") != _fold(text("name")):
        raise CodekilnError(f"{label}: the name must be lower case")
    if not text("grammar") and text("validity") != Validity.RUN:
        raise CodekilnError(f"{label} has no grammar and is not run: nothing would check it")
    if not texts("fences"):
        raise CodekilnError(f"{label}: 'fences' must hold at least one tag")
    for interpreter in texts("shebangs"):
        if "/" in interpreter or " " in interpreter:
            raise CodekilnError(f"{label}: the interpreter {interpreter!r} must be a bare name")
    for extension in texts("extensions"):
        if not extension.startswith(".") or extension != extension.lower():
            raise CodekilnError(f"{label}: the extension {extension!r} must look like '.py'")
    return Language(
        name=text("name"),
        display_name=text("display_name"),
        aliases=texts("aliases"),
        extensions=texts("extensions"),
        fences=texts("fences"),
        grammar=text("grammar"),
        line_comment=text("line_comment"),
        kind=cast(Kind, choice("kind", get_args(Kind))),
        style=cast(Style, choice("style", get_args(Style))),
        validity=Validity(choice("validity", tuple(Validity))),
        filenames=texts("filenames"),
        shebangs=texts("shebangs"),
        block_comment=(block[0], block[1]) if block else None,
        prompt=optional_text("prompt"),
        notes=optional_text("notes"),
        gaps=bool(fields.get("gaps", False)),
        hangs=bool(fields.get("hangs", False)),
    )


@cache
def _registry() -> tuple[Language, ...]:
    file = resources.files("codekiln.languages") / "languages.toml"
    return read_registry(file.read_text(encoding="utf-8"))


@cache
def _by_name() -> dict[str, Language]:
    return _index(_registry(), "name", _names)


@cache
def _by_extension() -> dict[str, Language]:
    return _index(_registry(), "extension", lambda language: language.extensions)


@cache
def _by_filename() -> dict[str, Language]:
    return _index(_registry(), "file name", lambda language: language.filenames)


@cache
def _by_interpreter() -> dict[str, Language]:
    return _index(_registry(), "interpreter", lambda language: language.shebangs)


@cache
def _by_fence() -> dict[str, Language]:
    return _index(_registry(), "fence", lambda language: language.fences)
