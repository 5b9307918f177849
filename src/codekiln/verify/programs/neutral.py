"""Examples in their neutral form: calls and values as Python or JSON write them.

Nothing is evaluated: only literals are read, with JSON's and other languages' words for nothing,
true and false.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass

from codekiln.verify.programs.wire import NotNeutralError

_WORDS: dict[str, object] = {
    "null": None,
    "nil": None,
    "undefined": None,
    "nothing": None,
    "NULL": None,
    "true": True,
    "TRUE": True,
    "false": False,
    "FALSE": False,
    "NaN": math.nan,
    "Infinity": math.inf,
    "inf": math.inf,
    "nan": math.nan,
}


@dataclass(frozen=True, slots=True)
class NeutralCall:
    """A function by name, with the values that it is given in order."""

    name: str
    arguments: tuple[object, ...]


def neutral_call(text: str) -> NeutralCall:
    """The call that `text` writes. Raises NotNeutralError.

    >>> neutral_call("merge([1, 3], null)")
    NeutralCall(name='merge', arguments=([1, 3], None))
    """
    node = _parsed(text)
    if not isinstance(node, ast.Call) or node.keywords:
        raise NotNeutralError("it is no call with values in order")
    name = ast.unparse(node.func)
    if not name.replace(".", "").replace("_", "").isalnum():
        raise NotNeutralError(f"{name} is no name of a function")
    return NeutralCall(name, tuple(map(_value, node.args)))


def neutral_value(text: str) -> object:
    """The value that `text` writes. Raises NotNeutralError.

    >>> neutral_value('{"a": [1, -2.5, true]}')
    {'a': [1, -2.5, True]}
    """
    return _value(_parsed(text))


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip().rstrip(";"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise NotNeutralError(f"{text.strip()[:60]!r} is no value or call") from error


def _value(node: ast.expr) -> object:
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.Name(id=name) if name in _WORDS:
            return _WORDS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = _value(operand)
            if isinstance(number, int | float) and not isinstance(number, bool):
                return -number
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            try:
                return {_value(key): _value(value) for key, value in pairs if key is not None}
            except TypeError as error:
                raise NotNeutralError("a key that is no plain value") from error
        case _:
            pass
    raise NotNeutralError(f"{ast.unparse(node)[:60]} is no plain value")
