"""Reads values and calls as other languages than Python write them: `vec![1, 2]`, `(long)3`, `nil`.

Takes text, gives plain values (None, bool, int, float, str, list, tuple, dict). Nothing is
evaluated, and no language has a rule of its own besides what literals.toml tells: what may mean
two things, and every expression that is no value, raises LiteralError.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from codekiln.languages import Language

MAX_CHARS = 10_000
MAX_DEPTH = 60

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)
    |(?P<number>(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:\d[\d_]*(?:\.(?![.\w])|\.\d[\d_]*)?|\.\d[\d_]*)(?:[eE][-+]?\d+)?))
     (?P<suffix>_?(?:[iu](?:8|16|32|64|128|size)|f32|f64)|[fFdDlLuUnNmM]{1,3})?(?!\w)
    |(?P<name>[A-Za-z_][\w]*!?)
    |(?P<mark>=>|->|::|[][(){}<>,:;=&*+.@$?-])
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS: Mapping[str, object] = {
    **dict.fromkeys(("null", "nil", "None", "undefined", "NULL", "nullptr", "nullopt")),
    **dict.fromkeys(("Nothing", "nothing", "Null")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", '"': '"', "'": "'", "`": "`"}
_ESCAPES |= {"b": "\b", "f": "\f", "v": "\v", "a": "\a", "$": "$", "#": "#", "/": "/"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|(.))", re.S)
_INTERPOLATED = re.compile(r"(?<!\\)[$#]")
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_FLOATS = frozenset({"f", "F", "d", "D", "f32", "f64", "_f32", "_f64"})


class LiteralError(ValueError):
    """A text that is no value, or may be more than one."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One `key: value`."""

    key: object
    value: object


def read_literal(text: str, language: Language) -> object:
    """The value that all of `text` is. Raises LiteralError.

    >>> from codekiln.languages import get_language
    >>> read_literal('std::vector<long>({(long)1, (long)-2})', get_language("cpp"))
    [1, -2]
    """
    reader = _Reader(text, language)
    value = reader.value()
    reader.end()
    return _certain(value)


def read_literal_call(text: str, language: Language) -> tuple[str, tuple[object, ...]]:
    """The function's name (without what owns it) and the values it is given. Raises LiteralError.

    >>> from codekiln.languages import get_language
    >>> read_literal_call('merge(vec![1], None)', get_language("rust"))
    ('merge', ([1], None))
    """
    reader = _Reader(text, language)
    path = reader.path()
    name = path[-1] if path[-1] != "call" else path[-2] if len(path) > 1 else ""
    items = reader.items("(") if reader.peek() == "(" else None
    reader.end()
    if items is None or not re.fullmatch(r"[A-Za-z_]\w*", name):
        raise LiteralError("it is no call")
    if any(isinstance(item, _Entry) for item in items):
        raise LiteralError("its arguments have names")
    return name, tuple(map(_certain, items))


class _Pairs(list[object]):
    """Lists of two in braces, which are a map's pairs where no constructor says otherwise."""


def _certain(value: object) -> object:
    """The value. Raises LiteralError where a part of it may mean two things."""
    if isinstance(value, _Pairs):
        raise LiteralError("pairs in braces may be a map or a list")
    if isinstance(value, list | tuple):
        return type(value)(map(_certain, value))
    if isinstance(value, dict):
        return {_certain(key): _certain(item) for key, item in value.items()}
    return value


class _Reader:
    """Walks through the tokens of one text."""

    def __init__(self, text: str, language: Language) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0
        self._braces_are_lists = language.name in _tables()["braces"]["lists"]
        self._fills_texts = language.name in _tables()["texts"]["filled"]

    def peek(self, ahead: int = 0) -> str:
        """The text of a token to come; empty at the end, and for a text or number."""
        place = self._at + ahead
        if place >= len(self._tokens) or self._tokens[place].kind not in ("mark", "name"):
            return ""
        return self._tokens[place].text

    def end(self) -> None:
        """Raises LiteralError when something is left."""
        if self.peek() == ";":
            self._at += 1
        if self._at < len(self._tokens):
            raise LiteralError(f"`{self._tokens[self._at].text}` is one too many")

    def value(self) -> object:
        """The next value with its suffixes."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LiteralError("it is nested too deeply")
        found = self._plain()
        self._depth -= 1
        while self.peek() == "." and self.peek(1) in _tables()["suffixes"]["same"]:
            self._at += 2
            if self.peek() == "(":
                self._take("(")
                self._take(")")
        return found

    def _plain(self) -> object:
        token = self._next()
        if token.kind == "text":
            has_values = token.text[0] == "`" or (token.text[0] == '"' and self._fills_texts)
            if has_values and _INTERPOLATED.search(token.text):
                raise LiteralError("a text with values in it")
            return _unquoted(token.text)
        if token.kind == "number":
            return _number(token)
        if token.kind == "name":
            self._at -= 1
            return self._named()
        match token.text:
            case "-" | "+":
                number = self.value()
                if isinstance(number, bool) or not isinstance(number, int | float):
                    raise LiteralError("a sign in front of what is no number")
                return -number if token.text == "-" else number
            case "&" | "@":
                return self.value()
            case ":" if self._is_name():
                return self._next().text
            case "(":
                self._at -= 1
                return self._in_round_brackets()
            case "[":
                self._at -= 1
                return self._in_square_brackets()
            case "{":
                self._at -= 1
                return self._in_braces()
            case _:
                raise LiteralError(f"`{token.text}` begins no value")

    def _named(self) -> object:
        """A word, or a constructor and what it is given."""
        if self.peek() == "new":
            self._at += 1
        path = self.path()
        key, last = ".".join(path[-2:]), path[-1]
        if self.peek() == "[" and path == ["map"]:
            self._skip_go_map()
            return _as_map(self.items("{"))
        while self.peek() == "[" and self.peek(1) == "]":
            # The type of an array: `new int[]{1, 2}`.
            self._at += 2
            last = key = "list"
        opening = self.peek()
        if opening not in _CLOSERS:
            if last in _WORDS:
                return _WORDS[last]
            raise LiteralError(f"`{key}` is no value")
        kind = _constructors().get(key) or _constructors().get(last)
        if kind is None:
            raise LiteralError(f"`{key}` is no constructor of a plain value")
        return _constructed(kind, self.items(opening), opening)

    def path(self) -> list[str]:
        """The parts of a name, without type parameters: `Vec::<i32>::new` is Vec and new."""
        parts = []
        while True:
            token = self._next()
            if token.kind != "name":
                raise LiteralError(f"`{token.text}` is no name")
            parts.append(token.text)
            self._skip_type_parameters()
            if self.peek() == "::" and self.peek(1) == "<":
                self._at += 1
                self._skip_type_parameters()
            if self.peek() not in ("::", ".") or not self._is_name(1):
                return parts
            self._at += 1

    def items(self, opening: str) -> list[object]:
        """Values and entries up to the closing bracket."""
        self._take(opening)
        closing, found = _CLOSERS[opening], []
        while self.peek() != closing:
            found.append(self._item(opening))
            if self.peek() != closing:
                # Lua and MATLAB may part values by semicolons.
                self._take(";" if self.peek() == ";" else ",")
        self._take(closing)
        return found

    def _item(self, opening: str) -> object:
        if self._is_name() and self.peek(1) in (":", "=") and self.peek() not in _WORDS:
            key: object = self._next().text
            self._at += 1
            return _Entry(key, self.value())
        if opening == "{" and self.peek() == "[":
            keyed = self._lua_entry()
            if keyed is not None:
                return keyed
        key = self.value()
        if self.peek() in ("=>", "->", ":", "=", "to"):
            self._at += 1
            return _Entry(key, self.value())
        return key

    def _lua_entry(self) -> _Entry | None:
        """`["a"] = 1`; None where the bracket opens a list."""
        start = self._at
        inside = self.items("[")
        if self.peek() != "=" or len(inside) != 1:
            self._at = start
            return None
        self._at += 1
        return _Entry(inside[0], self.value())

    def _in_round_brackets(self) -> object:
        start = self._at
        if self._skip_cast():
            return self.value()
        self._at = start
        items = self.items("(")
        if any(isinstance(item, _Entry) for item in items):
            raise LiteralError("names in round brackets")
        has_comma = self._tokens[self._at - 2].text == ","
        return items[0] if len(items) == 1 and not has_comma else tuple(items)

    def _skip_cast(self) -> bool:
        """Pass over `(long)` or `(std::vector<int>)` in front of a value."""
        self._at += 1
        if not self._is_name() or self.peek() in _WORDS:
            return False
        try:
            self.path()
        except LiteralError:
            return False
        if self.peek() != ")":
            return False
        self._at += 1
        return self._at < len(self._tokens) and (
            self._tokens[self._at].kind != "mark" or self.peek() in ("(", "[", "{", "-", "&")
        )

    def _in_square_brackets(self) -> object:
        start = self._at
        if self._skip_go_type():
            return _as_list(self.items("{"))
        self._at = start
        if self.peek(1) == ":" and self.peek(2) == "]":
            self._at += 3
            return {}
        return _as_collection(self.items("["))

    def _in_braces(self) -> object:
        items = self.items("{")
        entries = any(isinstance(item, _Entry) for item in items)
        if entries:
            return _as_map(items)
        if not self._braces_are_lists:
            if items:
                raise LiteralError("values in braces may be a set or a list")
            return {}
        are_pairs = items and all(isinstance(item, list) and len(item) == 2 for item in items)
        return _Pairs(items) if are_pairs else items

    def _skip_go_type(self) -> bool:
        """Pass over `[]int` or `[3][]string` in front of braces."""
        while self.peek() == "[":
            self._at += 1
            if self.peek() != "]" and self._at < len(self._tokens):
                if self._tokens[self._at].kind != "number":
                    return False
                self._at += 1
            if self.peek() != "]":
                return False
            self._at += 1
        if self.peek() == "*":
            self._at += 1
        if self.peek() == "map":
            self._at += 1
            self._skip_go_map()
            return self.peek() == "{"
        if not self._is_name():
            return False
        self.path()
        return self.peek() == "{"

    def _skip_go_map(self) -> None:
        """Pass over `[string]int`, what stands behind `map`."""
        self._take("[")
        while self.peek() != "]":
            self._next()
        self._take("]")
        while self.peek() != "{":
            self._next()

    def _skip_type_parameters(self) -> None:
        if self.peek() != "<":
            return
        start, depth = self._at, 0
        while self._at < len(self._tokens):
            text = self.peek()
            depth += (text == "<") - (text == ">")
            if not text or text in ("{", "}", ";"):
                break
            self._at += 1
            if depth == 0:
                return
        self._at = start

    def _is_name(self, ahead: int = 0) -> bool:
        place = self._at + ahead
        return place < len(self._tokens) and self._tokens[place].kind == "name"

    def _next(self) -> _Token:
        if self._at >= len(self._tokens):
            raise LiteralError("it breaks off")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, text: str) -> None:
        token = self._next()
        if token.kind != "mark" or token.text != text:
            raise LiteralError(f"`{token.text}` where `{text}` was expected")


def _constructed(kind: str, items: list[object], opening: str) -> object:
    if kind == "map":
        return _as_map(items)
    if kind == "copy" and opening == "(":
        if not items:
            return []
        if len(items) != 1 or not isinstance(items[0], list):
            raise LiteralError("it may be no list of these values")
        return list(items[0])
    if kind in ("list", "copy"):
        return _as_collection(items)
    values = _as_list(items)
    if kind == "tuple":
        return tuple(values)
    if kind == "alternating":
        if len(values) % 2:
            raise LiteralError("a key without a value")
        return _as_map([_Entry(*pair) for pair in zip(values[::2], values[1::2], strict=True)])
    if kind == "same":
        if len(values) != 1:
            raise LiteralError("it is not one value")
        return values[0]
    if values:
        raise LiteralError("it is no empty value")
    return {"empty_list": [], "empty_map": {}, "empty_text": ""}.get(kind)


def _as_collection(items: list[object]) -> object:
    """A list, or a map where the items have keys."""
    return _as_map(items) if any(isinstance(item, _Entry) for item in items) else items


def _as_list(items: list[object]) -> list[object]:
    if any(isinstance(item, _Entry) for item in items):
        raise LiteralError("keys where a list was expected")
    return items


def _as_map(items: Sequence[object]) -> dict[object, object]:
    """A map of entries, of pairs, or of what one list or map holds."""
    if len(items) == 1 and isinstance(items[0], dict):
        return items[0]
    is_one_list = len(items) == 1 and isinstance(items[0], list)
    if is_one_list and isinstance(items[0], list):
        inner = items[0]
        # {{"a", 1}} is one pair, ({{"a", 1}}) a list of one: both are a map of one.
        if all(isinstance(item, list | tuple | _Entry) for item in inner):
            items = inner
    found: dict[object, object] = {}
    for item in items:
        if isinstance(item, list | tuple) and len(item) == 2:
            item = _Entry(*item)
        if not isinstance(item, _Entry):
            raise LiteralError("a map with what is no pair")
        try:
            is_new = item.key not in found
        except TypeError as error:
            raise LiteralError("a key that is no plain value") from error
        if not is_new:
            raise LiteralError("a key that comes twice")
        found[item.key] = item.value
    return found


def _tokens(text: str) -> list[_Token]:
    if len(text) > MAX_CHARS:
        raise LiteralError("it is too long")
    text, found, at = text.strip(), [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise LiteralError(f"`{text[at : at + 20].strip()}` is no value")
        kind = next(name for name in ("text", "number", "name", "mark") if match[name] is not None)
        found.append(_Token(kind, match[kind], match["suffix"] or ""))
        at = match.end()
    return found


def _number(token: _Token) -> int | float:
    plain = token.text.replace("_", "")
    if token.suffix in _FLOATS or re.fullmatch(r"(?!0[xX]).*[.eE].*", plain):
        return float(plain)
    try:
        return int(plain, 0)
    except ValueError:
        # A leading zero is octal to some languages.
        raise LiteralError(f"`{plain}` may be octal") from None


def _unquoted(quoted: str) -> str:
    text = _ESCAPE.sub(_escaped, quoted[1:-1])
    try:
        # Two escapes of UTF-16 are one character.
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise LiteralError("half of a character") from error


def _escaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    if code:
        if int(code, 16) > 0x10FFFF:
            raise LiteralError("an escape that stands for no character")
        return chr(int(code, 16))
    if match[4] not in _ESCAPES:
        raise LiteralError(f"the escape \\{match[4]} is not known")
    return _ESCAPES[match[4]]


@cache
def _tables() -> dict[str, dict[str, list[str]]]:
    file = resources.files("codekiln.generation.tasks") / "literals.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


@cache
def _constructors() -> dict[str, str]:
    return {name: kind for kind, names in _tables()["constructors"].items() for name in names}
