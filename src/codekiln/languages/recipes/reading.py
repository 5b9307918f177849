"""Reads the data files of recipes; see the package for their fields."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from typing import Any

from codekiln.core.errors import CodekilnError, UsageError

_EMPTY = "null|true|false|text|list|map"
_ALIKE = re.compile(
    "keys|bits|texts|lines|json|vectors|flat|values|found|pairs|names|indices|codes|letters|"
    f"({_EMPTY})=({_EMPTY})"
)
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
SOURCES = ("debian", "npm", "pypi")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a language's programs are built and run; the package explains the fields."""

    language: str
    needs: str
    tools: tuple[tuple[str, ...], ...]
    files: Mapping[str, str]
    install: Mapping[str, tuple[str, ...]]
    run: tuple[str, ...] = ()
    call: str = ""
    compile: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    run_files: Mapping[str, str] | None = None
    warm: tuple[str, ...] = ()
    warm_files: Mapping[str, str] = field(default_factory=dict)
    warm_products: tuple[str, ...] = ()
    memory_mib: int = 512
    processes: int = 32
    load_s: float = 1.0
    syntax_error: str = r"(?!)"
    alike: tuple[str, ...] = ()
    prints: bool = False
    failure: bool = False
    dialect: bool = False
    exit_raises: bool = False
    folder: str = ""
    host: tuple[str, ...] = ()
    unit: str = r"(?!)"
    whole: str = ""
    hoist: str = r"(?!)"
    drop: str = r"(?!)"
    wrap: tuple[str, ...] = ("", "")

    def assembled(self, code: str) -> str:
        """The answer as a whole unit of its language."""
        code = re.sub(self.drop, "", code, flags=re.MULTILINE)
        if not self.whole or re.search(self.whole, code, re.MULTILINE):
            return code
        lines = code.split("\n")
        above = [line for line in lines if re.match(self.hoist, line)]
        rest = [line for line in lines if not re.match(self.hoist, line)]
        return "\n".join([*above, self.wrap[0], *rest, self.wrap[1]])

    def dropped(self, code: str) -> str:
        """The first line of the answer that is left out; empty when none is."""
        found = re.search(self.drop, code, re.MULTILINE)
        return found[0].strip() if found else ""

    def unit_of(self, code: str) -> str:
        """The name of the unit that the answer's file has to have."""
        found = re.search(self.unit, code, re.MULTILINE)
        return found[1] if found else "Answer"


def recipe_of(language: str) -> Recipe:
    """The recipe of a language by its registry name. Raises UsageError where there is none."""
    known = _recipes()
    if language not in known:
        raise UsageError(
            f"programs in {language} are neither built nor run",
            f"Known are: {', '.join(sorted(known))}",
        )
    return known[language]


def recipe_languages() -> tuple[str, ...]:
    """Names of the languages whose programs can be run."""
    return tuple(name for name, recipe in sorted(_recipes().items()) if recipe.run)


def compiled_languages() -> tuple[str, ...]:
    """Names of the languages whose programs a compiler looks at, and nothing runs."""
    return tuple(name for name, recipe in sorted(_recipes().items()) if not recipe.run)


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its placeholders replaced, in one pass: values are not looked into."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template)


def read_recipe(language: str, text: str, others: Mapping[str, str] | None = None) -> Recipe:
    """The recipe in a data file; `others` are those that it may be like.

    Raises CodekilnError naming what is wrong with it.
    """
    table = _table(language, text)
    model = table.pop("like", None)
    if model is not None:
        if model not in (others or {}):
            raise CodekilnError(f"the recipe of {language} is like {model!r}, which there is none")
        base = _table(model, (others or {})[model])
        # What runs is the other language's driver.
        kept = {name: text for name, text in base["files"].items() if not name.startswith("answer")}
        table = {**base, "run_files": kept, **table}
    known = {known.name for known in fields(Recipe)}
    for name in table:
        if name not in known or name == "language":
            raise CodekilnError(f"the recipe of {language} has an unknown field {name!r}")
    for name in ("needs", "tools", "files", "install"):
        if name not in table:
            raise CodekilnError(f"the recipe of {language} lacks {name!r}")
    if not table.get("run") and not table.get("compile"):
        raise CodekilnError(f"the recipe of {language} neither compiles nor runs anything")
    if not set(table["install"]) <= set(SOURCES):
        raise CodekilnError(f"the recipe of {language} installs from {sorted(table['install'])}")
    for word in table.get("alike", ()):
        if not _ALIKE.fullmatch(word):
            raise CodekilnError(f"the recipe of {language} has an unknown word {word!r} in alike")
    for name in ("warm_products", "warm_files"):
        if table.get(name) and not table.get("warm"):
            raise CodekilnError(f"the recipe of {language} has {name!r} but no step 'warm'")
    for name in ("products", "run_files"):
        if name in table and not table.get("compile"):
            raise CodekilnError(f"the recipe of {language} has {name!r} but compiles nothing")
    for name in ("syntax_error", "unit", "whole", "hoist", "drop"):
        try:
            re.compile(table.get(name, ""))
        except re.error as error:
            raise CodekilnError(f"{name} in the recipe of {language}: {error}") from error
    return Recipe(language=language, **{name: _frozen(value) for name, value in table.items()})


def _table(language: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CodekilnError(f"the recipe of {language} is not valid TOML: {error}") from error


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return {name: _frozen(item) for name, item in value.items()}
    return value


@cache
def _recipes() -> dict[str, Recipe]:
    folder = resources.files("codekiln.languages.recipes")
    texts = {
        file.name.removesuffix(".toml"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }
    return {name: read_recipe(name, text, texts) for name, text in texts.items()}
