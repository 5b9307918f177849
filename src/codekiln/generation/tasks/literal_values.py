"""Makes plain values of what stands in brackets: lists, maps, pairs, casts and constructors.

Takes the items that literals.py has read; raises LiteralError where they may mean two things.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.generation.tasks.literal_tokens import LiteralError


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key: value`; `is_pair` where it may also be a pair of two values."""

    key: object
    value: object
    is_pair: bool = False


class Pairs(list[object]):
    """Lists of two in braces, which are a map's pairs where no constructor says otherwise."""


class Array(list[object]):
    """An array, which a constructor of lists may take for its values."""


def certain(value: object) -> object:
    """The value. Raises LiteralError where a part of it may mean two things."""
    if isinstance(value, Pairs):
        raise LiteralError("pairs in braces may be a map or a list")
    if isinstance(value, Entry):
        if not value.is_pair:
            raise LiteralError("a key where a value was expected")
        return certain(value.key), certain(value.value)
    if isinstance(value, list):
        return [certain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(map(certain, value))
    if isinstance(value, dict):
        return {certain(key): certain(item) for key, item in value.items()}
    return value


def is_couple(item: object) -> bool:
    """True for a list of two, which may be a pair."""
    return isinstance(item, list) and len(item) == 2


def converted(kind: str, value: object) -> object:
    """A value behind a cast, where that leaves it what it is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "whole" and is_number and isinstance(value, int):
        return value
    if kind == "real" and isinstance(value, int | float) and is_number:
        return float(value)
    if (kind == "text" and isinstance(value, str)) or (kind == "list" and isinstance(value, list)):
        return value
    raise LiteralError("a cast that changes the value")


def constructed(kind: str, items: list[object], opening: str) -> object:
    """What a constructor of a kind (literals.toml) makes of the items in its brackets."""
    if kind == "map":
        return as_map(items, opening)
    if any(isinstance(item, Entry) and not item.is_pair for item in items):
        # `array("a" => 1)`, `list(a = 1)`
        if kind != "list":
            raise LiteralError("keys where a list was expected")
        return as_map(items, opening)
    if kind == "copy" and opening == "(":
        if not items:
            return []
        if len(items) != 1 or not isinstance(items[0], list):
            raise LiteralError("it may be no list of these values")
        return list(items[0])
    if kind == "list" and len(items) == 1 and isinstance(items[0], Array):
        raise LiteralError("an array that may stand for its values")
    if kind in ("list", "copy"):
        return list(items)
    if kind == "vector":
        return _vector(items)
    if kind == "tuple":
        return tuple(items)
    if kind == "alternating":
        if len(items) % 2:
            raise LiteralError("a key without a value")
        pairs = [Entry(*pair) for pair in zip(items[::2], items[1::2], strict=True)]
        return as_map(pairs, opening)
    if kind in ("same", "text"):
        if len(items) != 1 or (kind == "text" and not isinstance(items[0], str)):
            raise LiteralError("it is not one value of this kind")
        return items[0]
    if items:
        raise LiteralError("it is no empty value")
    return {"empty_list": [], "empty_map": {}, "empty_text": ""}.get(kind)


def _vector(items: list[object]) -> object:
    """Values that are put together as they are: all numbers, all texts or all truth values."""
    kinds = {float if type(item) is int else type(item) for item in items}
    if len(kinds) > 1 or not kinds <= {float, str, bool} or not items:
        raise LiteralError("values that become others when they are put together")
    return items


def as_map(items: Sequence[object], opening: str) -> dict[object, object]:
    """A map of entries, of pairs, or of what one list or map in round brackets holds."""
    if len(items) == 1 and opening == "(":
        if isinstance(items[0], dict):
            return items[0]
        # {{"a", 1}} is one pair, ({{"a", 1}}) a list of one: both are a map of one.
        items = items[0] if isinstance(items[0], list) else items
    found: dict[object, object] = {}
    for item in items:
        if isinstance(item, list | tuple) and len(item) == 2:
            item = Entry(*item)
        if not isinstance(item, Entry):
            raise LiteralError("a map with what is no pair")
        try:
            is_new = item.key not in found
        except TypeError as error:
            raise LiteralError("a key that is no plain value") from error
        if not is_new:
            raise LiteralError("a key that comes twice")
        found[item.key] = item.value
    return found
