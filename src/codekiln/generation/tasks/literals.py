"""Reads values and calls as other languages than Python write them: `vec![1, 2]`, `(long)3`, `nil`.

Takes text, gives plain values (None, bool, int, float, str, list, tuple, dict). Nothing is
evaluated. What a language writes in which way stands in literals.toml; everything else, and what
may mean two things, raises LiteralError: a value read as another one would make right code wrong.
"""

from __future__ import annotations

from codekiln.generation.tasks.literal_tokens import LiteralError, Manner, Token, manner_of, tokens
from codekiln.generation.tasks.literal_values import (
    Array,
    Entry,
    Pairs,
    as_map,
    certain,
    constructed,
    converted,
    is_couple,
)
from codekiln.languages import Language

MAX_DEPTH = 40

_CLOSERS = {"(": ")", "[": "]", "{": "}"}


def read_literal(text: str, language: Language) -> object:
    """The value that all of `text` is. Raises LiteralError.

    >>> from codekiln.languages import get_language
    >>> read_literal('std::vector<long>({(long)1, (long)-2})', get_language("cpp"))
    [1, -2]
    """
    reader = _Reader(text, language)
    value = reader.value()
    reader.end()
    return certain(value)


def read_literal_call(text: str, language: Language) -> tuple[str, tuple[object, ...]]:
    """The function's name (without what owns it) and the values it is given. Raises LiteralError.

    >>> from codekiln.languages import get_language
    >>> read_literal_call('merge(vec![1], None)', get_language("rust"))
    ('merge', ([1], None))
    """
    reader = _Reader(text, language)
    path = reader.path()
    is_method = path[-1] == "call" and len(path) > 1
    name = path[-2] if is_method else path[-1]
    items = reader.items("(") if reader.peek() == "(" else None
    reader.end()
    if items is None or not name.isidentifier():
        raise LiteralError("it is no call")
    if any(isinstance(item, Entry) for item in items):
        raise LiteralError("its arguments have names")
    return name, tuple(map(certain, items))


class _Reader:
    """Walks through the tokens of one text."""

    def __init__(self, text: str, language: Language) -> None:
        self._manner: Manner = manner_of(language)
        self._tokens = tokens(text, self._manner)
        self._at = 0
        self._depth = 0

    def peek(self, ahead: int = 0) -> str:
        """The mark or name to come; empty at the end, and for a text or number."""
        token = self._token(ahead)
        return token.text if token is not None and token.kind in ("mark", "name") else ""

    def end(self) -> None:
        """Raises LiteralError when something is left."""
        if self.peek() == ";":
            self._at += 1
        if (token := self._token()) is not None:
            raise LiteralError(f"`{token.text}` is one too many")

    def value(self) -> object:
        """The next value with its suffixes."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise LiteralError("it is nested too deeply")
        found = self._plain()
        self._depth -= 1
        kind = "text" if isinstance(found, str) else "list" if isinstance(found, list) else ""
        while self.peek() == "." and self.peek(1) in self._manner.suffixes.get(kind, ()):
            self._at += 2
            self._take("(")
            self._take(")")
        return found

    def _plain(self) -> object:
        token = self._next()
        if token.kind in ("text", "number"):
            return token.value
        if token.kind == "name":
            self._at -= 1
            return self._named()
        if token.text in ("-", "+"):
            number = self._next()
            if number.kind != "number" or not isinstance(number.value, int | float):
                raise LiteralError("a sign in front of what is no number")
            return -number.value if token.text == "-" else number.value
        if token.text == ":" and ":" in self._manner.marks and self._is_name():
            # A symbol is its name.
            return self._next().text
        if token.text == "&" and "&" in self._manner.marks:
            return self.value()
        self._at -= 1
        if token.text == "(":
            return self._in_round_brackets()
        if token.text == "[" and self._manner.arrays == "go":
            return self._go_array()
        if token.text in ("[", "{"):
            return self._bracketed(token.text)
        raise LiteralError(f"`{token.text}` begins no value")

    def _named(self) -> object:
        """A word, or a constructor and what it is given."""
        is_new = self.peek() == "new"
        self._at += is_new
        if is_new and self.peek() == "[" and self._manner.arrays == "java":
            return self._java_array()
        path = self.path()
        key, last = ".".join(path[-2:]), path[-1]
        if self._manner.arrays == "go" and path == ["map"]:
            return self._go_map()
        if is_new and self.peek() == "[" and self._manner.arrays == "java":
            return self._java_array()
        opening = self.peek()
        kinds = self._manner.constructors
        kind = kinds.get(key, "") or kinds.get(last, "")
        if kind and opening in _CLOSERS:
            return constructed(kind, self.items(opening), opening)
        if last in self._manner.words:
            return self._manner.words[last]
        raise LiteralError(f"`{key}` is no plain value")

    def path(self) -> list[str]:
        """The parts of a name, without type parameters: `Vec::<i32>::new` is Vec and new."""
        parts = []
        while True:
            token = self._next()
            if token.kind != "name":
                raise LiteralError(f"`{token.text}` is no name")
            parts.append(token.text)
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
                self._take(self.peek() if self.peek() in self._manner.parts else ",")
        self._take(closing)
        return found

    def _item(self, opening: str) -> object:
        manner = self._manner
        key: object
        if self._is_name() and self.peek(1) in manner.names:
            if self.peek() in manner.words:
                raise LiteralError("a word of the language as a key")
            key = self._next().text
            self._at += 1
            return Entry(key, self.value())
        if opening == "{" and self.peek() == "[" and "[" not in manner.lists and "=" in manner.keys:
            # Lua's `["a"] = 1`.
            self._at += 1
            key = self.value()
            self._take("]")
            self._take("=")
            return Entry(key, self.value())
        key = self.value()
        if self.peek() in manner.pairs:
            self._at += 1
            return Entry(key, self.value(), is_pair=True)
        if self.peek() in manner.keys:
            self._at += 1
            return Entry(key, self.value())
        return key

    def _bracketed(self, opening: str) -> object:
        """What square brackets or braces hold, where the language has a meaning for them."""
        manner = self._manner
        if opening == "[" and "[" in manner.maps and self.peek(1) == ":" and self.peek(2) == "]":
            self._at += 3
            return {}
        items = self.items(opening)
        if any(isinstance(item, Entry) and not item.is_pair for item in items):
            if opening not in manner.maps:
                raise LiteralError("keys where a list was expected")
            return self._with_values(as_map(items, opening))
        if opening in manner.lists:
            if manner.no_null and None in items:
                raise LiteralError("nothing as a value of a list")
            if manner.constructors and opening == "{" and items and all(map(is_couple, items)):
                return Pairs(items)
            return items
        if opening in manner.maps and not items:
            return {}
        raise LiteralError("these brackets hold no list here")

    def _with_values(self, found: dict[object, object]) -> dict[object, object]:
        if self._manner.no_null and None in found.values():
            raise LiteralError("nothing as a value of a map")
        return found

    def _in_round_brackets(self) -> object:
        start = self._at
        cast = self._cast()
        if cast:
            return converted(cast, self.value())
        self._at = start
        items = self.items("(")
        has_comma = self._tokens[self._at - 2].text == ","
        if len(items) == 1 and not has_comma:
            return certain(items[0]) if isinstance(items[0], Entry) else items[0]
        if not self._manner.tuples or not items:
            raise LiteralError("several values in round brackets")
        return tuple(items)

    def _cast(self) -> str:
        """What kind of value the type in round brackets makes; "" where there is none."""
        self._at += 1
        try:
            name = self.path()[-1]
        except LiteralError:
            return ""
        if self.peek() != ")" or name not in self._manner.casts:
            return ""
        self._at += 1
        return self._manner.casts[name] if self._token() is not None else ""

    def _java_array(self) -> object:
        """`new int[][]{{1}, {2}}`, from the brackets on."""
        while self.peek() == "[":
            self._at += 1
            self._take("]")
        return Array(self._nested_braces())

    def _nested_braces(self) -> list[object]:
        """Braces in which further braces are lists, too."""
        self._take("{")
        found: list[object] = []
        while self.peek() != "}":
            found.append(self._nested_braces() if self.peek() == "{" else self.value())
            if self.peek() != "}":
                self._take(",")
        self._take("}")
        return found

    def _go_array(self) -> object:
        """`[]int{1, 2}`; the length of an array is that of its values or refused."""
        self._take("[")
        length = None if self.peek() == "]" else self._next().value
        self._take("]")
        nested = self.peek() == "["
        while self.peek() != "{":
            self._next()
        found = self._nested_braces() if nested else self.items("{")
        if any(isinstance(item, Entry) for item in found) or length not in (None, len(found)):
            raise LiteralError("an array whose values are not all there")
        return found

    def _go_map(self) -> object:
        """`map[string]int{"a": 1}`, behind `map`."""
        self._take("[")
        while self.peek() != "{":
            self._next()
        return as_map(self.items("{"), "{")

    def _skip_type_parameters(self) -> None:
        if self.peek() != "<":
            return
        start, depth = self._at, 0
        while (text := self.peek()) and text not in ("{", "}", ";"):
            depth += (text == "<") - (text == ">")
            self._at += 1
            if depth == 0:
                return
        self._at = start

    def _is_name(self, ahead: int = 0) -> bool:
        token = self._token(ahead)
        return token is not None and token.kind == "name"

    def _token(self, ahead: int = 0) -> Token | None:
        place = self._at + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def _next(self) -> Token:
        token = self._token()
        if token is None:
            raise LiteralError("it breaks off")
        self._at += 1
        return token

    def _take(self, text: str) -> None:
        token = self._next()
        if token.kind != "mark" or token.text != text:
            raise LiteralError(f"`{token.text}` where `{text}` was expected")
