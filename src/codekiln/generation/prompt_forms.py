"""Loads prompt_forms.toml: the words and the layout by which a task is put to a model."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import cast

from codekiln.core.errors import CodekilnError, UsageError

_BLOCKS = (
    "context",
    "description",
    "signature",
    "skeleton",
    "examples",
    "constraints",
    "advice",
    "stub",
)


@dataclass(frozen=True, slots=True)
class PromptForm:
    """One way to put a task; prompt_forms.toml explains the fields."""

    name: str
    system: str
    blocks: Mapping[str, str]
    request: Mapping[str, str]
    prefill: str
    stop: tuple[str, ...]
    repair: Mapping[str, str]


def prompt_form(name: str) -> PromptForm:
    """The form of this name; UsageError when there is none."""
    forms = _forms()
    if name not in forms:
        raise UsageError(f"the prompt form {name!r} is not known", f"Use {' or '.join(forms)}")
    return forms[name]


@cache
def _forms() -> dict[str, PromptForm]:
    file = resources.files("codekiln.generation") / "prompt_forms.toml"
    return read_forms(file.read_text(encoding="utf-8"))


def read_forms(text: str) -> dict[str, PromptForm]:
    """The forms of a prompt_forms.toml; CodekilnError names the form and field that is wrong."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CodekilnError(f"the prompt forms are not valid TOML: {error}") from error
    return {name: _read_form(name, fields) for name, fields in data.items()}


def _read_form(name: str, fields: object) -> PromptForm:
    wanted = {"system", "blocks", "request", "prefill", "stop", "repair"}
    if not isinstance(fields, dict) or set(fields) != wanted:
        raise CodekilnError(f"the prompt form {name!r} must have {', '.join(sorted(wanted))}")
    blocks = cast(dict[str, str], fields["blocks"])
    if not set(blocks) <= set(_BLOCKS) or not set(blocks) & {"description", "stub"}:
        raise CodekilnError(
            f"the prompt form {name!r} has unknown blocks", f"Use {', '.join(_BLOCKS)}"
        )
    for block, template in blocks.items():
        if f"{{{block}}}" not in template:
            raise CodekilnError(
                f"the block {block!r} of the prompt form {name!r} lacks {{{block}}}"
            )
    for table, keys in (("request", {"named", "unnamed"}), ("repair", {"code", "no_code"})):
        if not set(fields[table]) >= keys:
            raise CodekilnError(
                f"{table!r} of the prompt form {name!r} must have {', '.join(sorted(keys))}"
            )
    return PromptForm(
        name=name,
        system=fields["system"],
        blocks=blocks,
        request=fields["request"],
        prefill=fields["prefill"],
        stop=tuple(fields["stop"]),
        repair=fields["repair"],
    )
