"""Reads values and calls as Lisps write them: `(merge (list 1 2) '("a") #t)`.

Covered are Scheme, Racket, Clojure, Common Lisp and Emacs Lisp; gives plain values as literals.py
does, and raises its LiteralError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from codekiln.generation.tasks.literal_tokens import MAX_CHARS, MAX_DIGITS, LiteralError
from codekiln.languages import Language

MAX_DEPTH = 60

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:\\.|[^"\\])*")
    |(?P<open>\#hash\(|\#\(|'\(|[(\[{])|(?P<close>[)\]}])
    |(?P<atom>[^\s()\[\]{}",'`;]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_SCHEME = {"#t": True, "#true": True, "#f": False, "#false": False}
_WORDS: Mapping[str, Mapping[str, object]] = {
    "scheme": _SCHEME,
    "racket": _SCHEME,
    "clojure": {"true": True, "false": False, "nil": None},
    "commonlisp": {"t": True, "nil": None},
    "elisp": {"t": True, "nil": None},
}
_OPENINGS: Mapping[str, tuple[str, ...]] = {
    "scheme": ("(", "'(", "#("),
    "racket": ("(", "'(", "#(", "#hash("),
    "clojure": ("(", "'(", "[", "{"),
    "commonlisp": ("(", "'(", "#("),
    "elisp": ("(", "'(", "["),
}
_LISTS = frozenset({"list", "vector"})
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}
# Common Lisp takes what follows a backslash as it is.
_PLAIN_ESCAPES = frozenset({"\\", '"'})


class _Symbol(str):
    """A name, told from a text."""

    __slots__ = ()


def read_lisp_literal(text: str, language: Language) -> object:
    """The value that all of `text` is. Raises LiteralError.

    >>> from codekiln.languages import get_language
    >>> read_lisp_literal('(list 1.5 "a" #f)', get_language("racket"))
    [1.5, 'a', False]
    """
    return _value(_form(text, language), language)


def read_lisp_call(text: str, language: Language) -> tuple[str, tuple[object, ...]]:
    """The function's name and the values it is given. Raises LiteralError.

    >>> from codekiln.languages import get_language
    >>> read_lisp_call("(add 1 '(2 3))", get_language("scheme"))
    ('add', (1, [2, 3]))
    """
    form = _form(text, language)
    if not isinstance(form, tuple) or form[0] != "(" or not form[1]:
        raise LiteralError("it is no call")
    name, *arguments = form[1]
    if not isinstance(name, _Symbol):
        raise LiteralError("it is no call")
    return str(name), tuple(_value(argument, language) for argument in arguments)


def _form(text: str, language: Language) -> object:
    """The one form of a text: a value, a symbol, or how its bracket opens with the forms in it."""
    if len(text) > MAX_CHARS:
        raise LiteralError("it is too long")
    text, at = text.strip(), 0
    stack: list[tuple[str, list[object]]] = [("", [])]
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at or len(stack) > MAX_DEPTH:
            raise LiteralError(f"`{text[at : at + 20]}` is no value")
        at = match.end()
        if match["open"]:
            if match["open"] not in _OPENINGS.get(language.name, ("(",)):
                raise LiteralError(f"`{match['open']}` begins no value")
            stack.append((match["open"], []))
        elif match["close"]:
            if len(stack) == 1 or stack[-1][0][-1] + match["close"] not in ("()", "[]", "{}"):
                raise LiteralError("brackets that do not match")
            opening, inside = stack.pop()
            stack[-1][1].append((opening, inside))
        else:
            stack[-1][1].append(_atom(match, language))
    if len(stack) != 1 or len(stack[0][1]) != 1:
        raise LiteralError("it is not one value")
    return stack[0][1][0]


def _atom(match: re.Match[str], language: Language) -> object:
    if match["text"]:
        inner = match["text"][1:-1]
        return re.sub(r"\\(.)", lambda found: _escaped(found[1], language), inner, flags=re.S)
    atom = match["atom"]
    if len(atom) <= MAX_DIGITS:
        if re.fullmatch(r"[-+]?(?:0|[1-9]\d*)", atom):
            return int(atom)
        if re.fullmatch(r"[-+]?(?:\d+\.\d+|\.\d+)", atom):
            return float(atom)
    return _Symbol(atom)


def _escaped(character: str, language: Language) -> str:
    plain = language.name == "commonlisp"
    if character not in (_PLAIN_ESCAPES if plain else _ESCAPES):
        raise LiteralError(f"the escape \\{character} is not known here")
    return _ESCAPES[character]


def _value(form: object, language: Language) -> object:
    if isinstance(form, _Symbol):
        words = _WORDS.get(language.name, {})
        if form in words:
            return words[form]
        if form.startswith(":") and len(form) > 1:
            return form[1:]
        raise LiteralError(f"`{form}` is no value")
    if not isinstance(form, tuple):
        return form
    opening, inside = form
    match opening:
        case "[" | "#(":
            return [_value(item, language) for item in inside]
        case "'(":
            return [_value(_quoted(item), language) for item in inside]
        case "{" if len(inside) % 2 == 0:
            return _map(list(zip(inside[::2], inside[1::2], strict=True)), language)
        case "#hash(":
            return _map([_dotted(item) for item in inside], language)
        case "(" if inside and isinstance(inside[0], _Symbol) and inside[0] in _LISTS:
            return [_value(item, language) for item in inside[1:]]
        case _:
            raise LiteralError("it is no plain value")


def _quoted(form: object) -> object:
    """Within a quote, brackets are lists without `list` in them, and names are no values."""
    if isinstance(form, tuple) and form[0] == "(":
        return ("'(", form[1])
    if isinstance(form, tuple | _Symbol):
        raise LiteralError("a quote of what is no plain value")
    return form


def _dotted(form: object) -> tuple[object, object]:
    if isinstance(form, tuple) and len(form[1]) == 3 and form[1][1] == ".":
        return form[1][0], _quoted(form[1][2])
    raise LiteralError("a map with what is no pair")


def _map(pairs: list[tuple[object, object]], language: Language) -> dict[object, object]:
    try:
        found = {_value(key, language): _value(item, language) for key, item in pairs}
    except TypeError as error:
        raise LiteralError("a key that is no plain value") from error
    if len(found) != len(pairs):
        raise LiteralError("a key that comes twice")
    return found
