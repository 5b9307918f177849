"""Reads values and calls as Lisps write them: `(merge (list 1 2) '("a") #t)`.

Covered are Scheme, Racket, Clojure, Common Lisp and Emacs Lisp as far as they agree; gives plain
values as literals.py does, and raises its LiteralError.
"""

from __future__ import annotations

import re

from codekiln.generation.tasks.literals import MAX_CHARS, MAX_DEPTH, LiteralError

_TOKEN = re.compile(
    r"""[\s,]*(?:
    (?P<text>"(?:\\.|[^"\\])*")
    |(?P<open>\#hash\(|\#\(|'\(|\#?[(\[{])|(?P<close>[)\]}])
    |(?P<atom>[^\s()\[\]{}",]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS: dict[str, object] = {
    **dict.fromkeys(("#t", "#true", "true", "t"), True),
    **dict.fromkeys(("#f", "#false", "false"), False),
    **dict.fromkeys(("nil", "null", "'()")),
}
_LISTS = frozenset({"list", "vector", "vec"})
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}
_Form = object


class _Symbol(str):
    """A name, told from a text."""

    __slots__ = ()


def read_lisp_literal(text: str) -> object:
    """The value that all of `text` is. Raises LiteralError.

    >>> read_lisp_literal('(list 1.5 "a" #f)')
    [1.5, 'a', False]
    """
    return _value(_form(text))


def read_lisp_call(text: str) -> tuple[str, tuple[object, ...]]:
    """The function's name and the values it is given. Raises LiteralError.

    >>> read_lisp_call("(add 1 '(2 3))")
    ('add', (1, [2, 3]))
    """
    form = _form(text)
    if not isinstance(form, tuple) or form[0] != "(" or not form[1]:
        raise LiteralError("it is no call")
    name, *arguments = form[1]
    if not isinstance(name, _Symbol):
        raise LiteralError("it is no call")
    return str(name), tuple(map(_value, arguments))


def _form(text: str) -> _Form:
    """The one form of a text: a value, a symbol, or how its bracket opens with the forms in it."""
    if len(text) > MAX_CHARS:
        raise LiteralError("it is too long")
    text, at = text.strip(), 0
    stack: list[tuple[str, list[_Form]]] = [("", [])]
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at or len(stack) > MAX_DEPTH:
            raise LiteralError(f"`{text[at : at + 20]}` is no value")
        at = match.end()
        if match["open"]:
            stack.append((match["open"], []))
        elif match["close"]:
            if len(stack) == 1 or stack[-1][0][-1] + match["close"] not in ("()", "[]", "{}"):
                raise LiteralError("brackets that do not match")
            opening, inside = stack.pop()
            stack[-1][1].append((opening, inside))
        else:
            stack[-1][1].append(_atom(match))
    if len(stack) != 1 or len(stack[0][1]) != 1:
        raise LiteralError("it is not one value")
    return stack[0][1][0]


def _atom(match: re.Match[str]) -> _Form:
    if match["text"]:
        return re.sub(r"\\(.)", lambda found: _escaped(found[1]), match["text"][1:-1], flags=re.S)
    atom = match["atom"]
    if re.fullmatch(r"[-+]?\d+", atom):
        return int(atom)
    if re.fullmatch(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[-+]?\d+)?", atom):
        return float(atom)
    return _Symbol(atom)


def _escaped(character: str) -> str:
    if character not in _ESCAPES:
        raise LiteralError(f"the escape \\{character} is not known")
    return _ESCAPES[character]


def _value(form: _Form) -> object:
    if isinstance(form, _Symbol):
        if form in _WORDS:
            return _WORDS[form]
        if form.startswith(":"):
            return form[1:]
        raise LiteralError(f"`{form}` is no value")
    if not isinstance(form, tuple):
        return form
    opening, inside = form
    match opening:
        case "[" | "#(" | "'(":
            return [_value(_quoted(item)) for item in inside]
        case "{" if len(inside) % 2 == 0:
            return _map(list(zip(inside[::2], inside[1::2], strict=True)))
        case "#hash(":
            return _map([_dotted(item) for item in inside])
        case "(" if inside and isinstance(inside[0], _Symbol) and inside[0] in _LISTS:
            return [_value(item) for item in inside[1:]]
        case _:
            raise LiteralError("it is no plain value")


def _quoted(form: _Form) -> _Form:
    """Within a quote, brackets are lists without `list` in them."""
    if isinstance(form, tuple) and form[0] == "(":
        return ("'(", form[1])
    return form


def _dotted(form: _Form) -> tuple[_Form, _Form]:
    if isinstance(form, tuple) and len(form[1]) == 3 and form[1][1] == ".":
        return form[1][0], _quoted(form[1][2])
    raise LiteralError("a map with what is no pair")


def _map(pairs: list[tuple[_Form, _Form]]) -> dict[object, object]:
    try:
        found = {_value(key): _value(item) for key, item in pairs}
    except TypeError as error:
        raise LiteralError("a key that is no plain value") from error
    if len(found) != len(pairs):
        raise LiteralError("a key that comes twice")
    return found
