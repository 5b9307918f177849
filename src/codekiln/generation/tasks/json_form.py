"""Reads a task from a JSON object with the fields of core.Task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from codekiln.core import ContextFile
from codekiln.core.errors import UsageError
from codekiln.generation.tasks.draft import Draft
from codekiln.generation.tasks.labelled import from_input_output
from codekiln.generation.tasks.pairs import with_result
from codekiln.generation.tasks.scan import scan
from codekiln.generation.tasks.source import (
    has_call,
    normalised,
    parse_expression,
    undefined_names,
)
from codekiln.generation.tasks.values import read_value

_TEXTS = ("description", "language", "entry_point", "signature", "skeleton")
_FIELDS = (*_TEXTS, "examples", "constraints", "context", "notes")
_EXAMPLE_FIELDS = (
    *("call", "input", "args", "kwargs", "expected", "output", "raises", "stdout"),
    *("text", "session", "why_not"),
)


@dataclass(frozen=True, slots=True)
class JsonTask:
    """The fields as they were given, examples as drafts."""

    texts: Mapping[str, str]
    drafts: tuple[Draft, ...]
    constraints: tuple[str, ...]
    context: tuple[ContextFile, ...]
    notes: tuple[str, ...]


def read_json(text: str, origin: str) -> JsonTask:
    """Raises UsageError naming the line and column, or the field that is wrong."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{origin} is not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}",
            "Correct it, or write the task as plain text or Markdown",
        ) from error
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{origin} cannot be read as JSON: {error}") from error
    if not isinstance(data, dict):
        raise UsageError(
            f"{origin} holds a JSON {_kind(data)}", 'Use an object: {"description": "..."}'
        )
    fields = cast(Mapping[str, object], data)
    _require_known(fields, _FIELDS, origin)
    texts = {name: _text(fields, name, origin) for name in _TEXTS}
    drafts: list[Draft] = []
    for index, example in enumerate(_list(fields, "examples", origin), 1):
        drafts += _example(example, f"{origin}: example {index}", index)
    return JsonTask(
        texts=texts,
        drafts=tuple(drafts),
        constraints=_strings(fields, "constraints", origin),
        context=tuple(
            _context(item, f"{origin}: context {index}")
            for index, item in enumerate(_list(fields, "context", origin), 1)
        ),
        notes=_strings(fields, "notes", origin),
    )


def _example(example: object, origin: str, block: int) -> list[Draft]:
    if isinstance(example, str):
        return scan(example, prose=False, first_block=1)
    if not isinstance(example, dict):
        raise UsageError(
            f"{origin} is a JSON {_kind(example)}", "Use a text or an object with call and expected"
        )
    fields = cast(Mapping[str, object], example)
    _require_known(fields, _EXAMPLE_FIELDS, origin)
    given = [name for name in ("call", "input", "args", "kwargs") if fields.get(name) is not None]
    if given not in ([], ["call"], ["input"], ["args"], ["kwargs"], ["args", "kwargs"]):
        raise UsageError(f"{origin} has {' and '.join(given)}", "Give only one of them")
    session = fields.get("session")
    if session is not None and (not isinstance(session, int) or isinstance(session, bool)):
        raise UsageError(f"{origin}: session is {session!r}", "Use a whole number")
    text = _text(fields, "text", origin) or _as_text(fields)
    drafts = _read_fields(fields, given, text, origin)
    shown = [draft.text for draft in drafts]
    return [
        _placed(draft, draft.text or ("" if any(shown) else text), block, session)
        for draft in drafts
    ]


def _placed(draft: Draft, text: str, block: int, session: int | None) -> Draft:
    return replace(draft, text=text, block=block, session=session)


def _read_fields(
    fields: Mapping[str, object], given: list[str], text: str, origin: str
) -> list[Draft]:
    raises = _text(fields, "raises", origin) or None
    stdout = fields.get("stdout")
    if stdout is not None and not isinstance(stdout, str):
        raise UsageError(f"{origin}: stdout is a JSON {_kind(stdout)}", "Use a text")
    result = next((name for name in ("expected", "output") if name in fields), None)
    # A Task that was written out has null for what is not there.
    if result == "expected" and fields["expected"] is None and (raises or stdout is not None):
        result = None
    if "why_not" in fields and not given:
        return [Draft(text, why_not=_text(fields, "why_not", origin) or "it has no call")]
    if not given:
        return [Draft(text, why_not="it has neither a call nor an input")]
    call, arguments = _given(fields, given, origin)
    if result is None:
        if call is None and raises is None and stdout is None:
            return [Draft(text, why_not="it has an input and no output")]
        return [Draft(text, call=call, arguments=arguments, raises=raises, stdout=stdout)]
    value = fields[result]
    source = value if isinstance(value, str) else repr(value)
    # A text is source where it can be ("[1, 2]"), and otherwise the value itself ("olleh").
    if isinstance(value, str) and read_value(value).why_not:
        source = repr(value)
    if call is not None:
        return [with_result(text, call, "value", source)]
    return from_input_output(text, arguments or "", source)


def _given(
    fields: Mapping[str, object], given: list[str], origin: str
) -> tuple[str | None, str | None]:
    if given == ["call"]:
        return _text(fields, "call", origin), None
    if given == ["input"]:
        value = fields["input"]
        if isinstance(value, dict) and value and all(_is_keyword(key) for key in value):
            return None, ", ".join(f"{key}={item!r}" for key, item in value.items())
        if not isinstance(value, str):
            return None, repr(value)
        node = parse_expression(value)
        if node is not None and has_call(node):
            return value, None
        plain = parse_expression(f"f({normalised(value) or value})")
        is_source = plain is not None and not undefined_names(plain)
        return None, value if is_source else repr(value)
    positional = [repr(item) for item in _list(fields, "args", origin)]
    keywords = fields.get("kwargs") or {}
    if not isinstance(keywords, dict) or not all(_is_keyword(key) for key in keywords):
        raise UsageError(f"{origin}: kwargs is no object of parameter names")
    return None, ", ".join([*positional, *(f"{k}={v!r}" for k, v in keywords.items())])


def _is_keyword(key: object) -> bool:
    return isinstance(key, str) and key.isidentifier()


def _as_text(fields: Mapping[str, object]) -> str:
    shown = {key: value for key, value in fields.items() if key != "session"}
    given = shown.get("call") or shown.get("input")
    result = shown.get("expected", shown.get("output"))
    if isinstance(given, str) and len(shown) == 2 and result is not None:
        return f"{given} -> {result}"
    return json.dumps(shown, ensure_ascii=False)


def _context(item: object, origin: str) -> ContextFile:
    if not isinstance(item, dict):
        raise UsageError(f"{origin} is a JSON {_kind(item)}", "Use an object with path and text")
    fields = cast(Mapping[str, object], item)
    _require_known(fields, ("path", "text"), origin)
    return ContextFile(_text(fields, "path", origin), _text(fields, "text", origin))


def _require_known(fields: Mapping[str, object], known: tuple[str, ...], origin: str) -> None:
    unknown = [repr(key) for key in fields if key not in known]
    if unknown:
        raise UsageError(
            f"{origin} has unknown keys: {', '.join(unknown)}", f"Known are: {', '.join(known)}"
        )


def _text(fields: Mapping[str, object], name: str, origin: str) -> str:
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UsageError(f"{origin}: {name} is a JSON {_kind(value)}", "Use a text")
    return value


def _list(fields: Mapping[str, object], name: str, origin: str) -> list[object]:
    value = fields.get(name)
    if value is None:
        return []
    if isinstance(value, str) and name == "examples":
        return [value]
    if not isinstance(value, list):
        raise UsageError(f"{origin}: {name} is a JSON {_kind(value)}", "Use a list")
    return value


def _strings(fields: Mapping[str, object], name: str, origin: str) -> tuple[str, ...]:
    value = fields.get(name)
    items = [value] if isinstance(value, str) else _list(fields, name, origin)
    if not all(isinstance(item, str) for item in items):
        raise UsageError(f"{origin}: {name} holds something besides texts", "Use a list of texts")
    return tuple(cast(list[str], items))


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "text", list: "list"}
    return names.get(type(value), "object")
