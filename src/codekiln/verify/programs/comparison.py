"""Whether what a program gave is what was wanted, as far as its language can tell.

Takes values as codekiln.verify.programs.wire decodes them and the words of a recipe's `alike`,
which codekiln.languages.recipes explains. Knows no language by name. What a word lets pass is only
what the language itself cannot tell apart: everything else that differs is different.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence

from codekiln.verify.programs.neutral import neutral_value
from codekiln.verify.programs.wire import NotNeutralError, Single

_Alike = Collection[str]
_BETWEEN = tuple(map(re.compile, (r"\s*=\s*", r"\s*:\s*", r"\t", r"\s+")))
_BRACKETS = ("[", "{", "(")


def same(got: object, wanted: object, alike: _Alike = ()) -> bool:
    """Whether a value is the one that was wanted.

    Numbers are compared by value, floats to nine digits; lists and tuples are sequences.
    """
    if _same(got, wanted, alike):
        return True
    if "values" in alike and isinstance(got, tuple) and got and _same(got[0], wanted, alike):
        return True
    if "found" in alike and isinstance(got, tuple) and len(got) == 2 and isinstance(got[1], bool):
        return _same(got[0] if got[1] else None, wanted, alike)
    return "flat" in alike and _is_collection(wanted) and _same([got], wanted, alike)


def _same(got: object, wanted: object, alike: _Alike) -> bool:
    if _are_empty(got, wanted, alike):
        return True
    if "bits" in alike and isinstance(got, int) and isinstance(wanted, int):
        got, wanted = int(got), int(wanted)
    if isinstance(got, bool) or isinstance(wanted, bool):
        if isinstance(got, bool) and isinstance(wanted, bool):
            return got == wanted
    elif isinstance(got, int | float) and isinstance(wanted, int | float):
        return _is_number(got, wanted)
    if isinstance(got, list | tuple) and isinstance(wanted, list | tuple):
        if len(got) == len(wanted) and all(
            _same(a, b, alike) for a, b in zip(got, wanted, strict=True)
        ):
            return True
    elif isinstance(got, dict) and isinstance(wanted, dict):
        return _are_pairs(list(got.items()), wanted, alike)
    elif type(got) is type(wanted):
        return got == wanted
    return any(word in alike and rule(got, wanted, alike) for word, rule in _RULES)


def _are_empty(got: object, wanted: object, alike: _Alike) -> bool:
    one, other = _plainest(got), _plainest(wanted)
    if not one or not other:
        return False
    return one == other or f"{one}={other}" in alike or f"{other}={one}" in alike


def _plainest(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case "":
            return "text"
        case [] | ():
            return "list"
        case {} if not value:
            return "map"
        case _:
            return ""


def _is_number(got: float, wanted: float) -> bool:
    if isinstance(got, int) and isinstance(wanted, int):
        return got == wanted
    if math.isnan(got) or math.isnan(wanted):
        return math.isnan(got) and math.isnan(wanted)
    digits = 1e-6 if isinstance(got, Single) else 1e-9
    try:
        return got == wanted or math.isclose(got, wanted, rel_tol=digits, abs_tol=1e-12)
    except OverflowError:  # a whole number beyond all floats
        return False


def _is_collection(value: object) -> bool:
    return isinstance(value, list | tuple | dict)


def _are_pairs(pairs: Sequence[tuple[object, object]], wanted: object, alike: _Alike) -> bool:
    """Whether the pairs, in any order, are those of the map that is wanted."""
    if not isinstance(wanted, dict) or len(pairs) != len(wanted):
        return False
    left = {_key(key, alike): (key, value) for key, value in wanted.items()}
    for key, value in pairs:
        name = _key(key, alike)
        if name not in left:
            found = (name for name, (other, _) in left.items() if _same(key, other, alike))
            name = next(found, None)
        if name not in left or not _same(value, left.pop(name)[1], alike):
            return False
    return not left


def _key(key: object, alike: _Alike) -> object:
    if "keys" in alike:
        return str(key).lower() if isinstance(key, bool) else str(key)
    # True is 1 to a dict.
    return (type(key) is bool, key) if isinstance(key, int | float | str) else repr(key)


def _by_texts(got: object, wanted: object, alike: _Alike) -> bool:
    """A number or truth value given as a text, or the other way round."""
    if isinstance(got, int | float) and isinstance(wanted, str):
        return str(got) == wanted
    if not isinstance(got, str):
        return False
    text = got.strip()
    if isinstance(wanted, bool):
        return text.lower() in (("1", "true") if wanted else ("0", "false"))
    if isinstance(wanted, int | float):
        try:
            return _is_number(int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text), wanted)
        except ValueError:
            return False
    return False


def _by_json(got: object, wanted: object, alike: _Alike) -> bool:
    """A list or map given as a text that writes it as JSON does."""
    if not isinstance(got, str) or not got.startswith(_BRACKETS) or not _is_collection(wanted):
        return False
    try:
        return _same(neutral_value(got), wanted, alike)
    except NotNeutralError:
        return False


def _by_lines(got: object, wanted: object, alike: _Alike) -> bool:
    """A list or map given as a text: its items are lines or words."""
    if isinstance(got, bool) or not isinstance(got, str | int | float):
        return False
    if _by_json(got, wanted, alike):
        return True
    text = str(got)
    by_line = text.split("\n"), text.strip("\n").split("\n")
    for parts in (*by_line, text.split(), list(_words(text))):
        if isinstance(wanted, list | tuple) and len(parts) == len(wanted):
            if all(_same(part, item, alike) for part, item in zip(parts, wanted, strict=True)):
                return True
        elif isinstance(wanted, dict) and _are_lines(parts, wanted, alike):
            return True
    return False


def _are_lines(parts: Sequence[str], wanted: dict[object, object], alike: _Alike) -> bool:
    for between in _BETWEEN:
        pairs = [tuple(between.split(part, maxsplit=1)) for part in parts]
        if all(len(pair) == 2 for pair in pairs) and _are_pairs(
            [(pair[0], pair[1]) for pair in pairs], wanted, alike
        ):
            return True
    return len(parts) == 2 * len(wanted) and _are_pairs(
        list(zip(parts[::2], parts[1::2], strict=True)), wanted, alike
    )


def _words(text: str) -> Iterator[str]:
    """The items of a text as Tcl writes lists: those in braces or quotes are one each."""
    for found in re.finditer(
        r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}|\"([^\"]*)\"|(\S+)", text
    ):
        braced, quoted, plain = found.groups()
        if braced is not None:
            yield braced
        else:
            yield re.sub(r"\\(.)", r"\1", quoted if quoted is not None else plain)


def _by_vectors(got: object, wanted: object, alike: _Alike) -> bool:
    """One value where a list of one was wanted, or the other way round."""
    if isinstance(wanted, list | tuple) and len(wanted) == 1 and not _is_collection(got):
        return _same(got, wanted[0], alike)
    if isinstance(got, list | tuple) and len(got) == 1 and not _is_collection(wanted):
        return _same(got[0], wanted, alike)
    return False


def _by_pairs(got: object, wanted: object, alike: _Alike) -> bool:
    """A map given as a list of pairs, or of keys and values in turn."""
    if not isinstance(got, list | tuple) or not isinstance(wanted, dict):
        return False
    pairs = [item for item in got if isinstance(item, list | tuple) and item]
    if len(pairs) == len(got):
        # In Lisp the pair of "a" and (1 2) is the list "a" 1 2.
        tails = [(pair[0], list(pair[1:])) for pair in pairs]
        items = [(pair[0], pair[1] if len(pair) == 2 else list(pair[1:])) for pair in pairs]
        if _are_pairs(items, wanted, alike) or _are_pairs(tails, wanted, alike):
            return True
    return len(got) == 2 * len(wanted) and _are_pairs(
        list(zip(got[::2], got[1::2], strict=True)), wanted, alike
    )


def _by_names(got: object, wanted: object, alike: _Alike) -> bool:
    """A list whose items have names."""
    return (
        isinstance(got, dict)
        and isinstance(wanted, list | tuple)
        and _same(list(got.values()), wanted, alike)
    )


def _by_indices(got: object, wanted: object, alike: _Alike) -> bool:
    """A map whose keys count up from 0 or 1, which is a list."""
    if not isinstance(got, list | tuple) or not isinstance(wanted, dict):
        return False
    return any(_are_pairs(list(enumerate(got, first)), wanted, alike) for first in (0, 1))


def _by_codes(got: object, wanted: object, alike: _Alike) -> bool:
    """A text given as the codes of its characters, or one character as its code."""
    if type(got) is int and isinstance(wanted, str):
        return len(wanted) == 1 and ord(wanted) == got
    if not isinstance(got, list | tuple) or not isinstance(wanted, str):
        return False
    codes = [code for code in got if type(code) is int and 0 <= code < 0x110000]
    return len(codes) == len(got) and "".join(map(chr, codes)) == wanted


def _by_letters(got: object, wanted: object, alike: _Alike) -> bool:
    """A list of characters given as a text."""
    return isinstance(got, str) and isinstance(wanted, list | tuple) and list(got) == [*wanted]


_RULES = (
    ("texts", _by_texts),
    ("json", _by_json),
    ("lines", _by_lines),
    ("vectors", _by_vectors),
    ("pairs", _by_pairs),
    ("names", _by_names),
    ("indices", _by_indices),
    ("codes", _by_codes),
    ("letters", _by_letters),
)
