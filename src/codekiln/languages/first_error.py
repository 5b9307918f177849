"""Where text that is still being written stops being the beginning of any program.

tree-sitter parses as GLR (Tomita, 1985): a token is refused only when no parse of what stands
before it takes it, whatever follows. The tree does not keep that place, since recovery moves
errors about; the parser's log does.

What later text can still change is not told: a token that the text's end may have cut off, and
what may stand in a comment, string or document that is not closed yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from codekiln.languages.registry import Language
from codekiln.languages.syntax import parser_of

_PLACE = re.compile(r"process version:\d+, version_count:\d+, state:\d+, row:(\d+), col:(\d+)")
_TOKEN = re.compile(r"lexed_lookahead sym:.*, size:(\d+)$", re.DOTALL)
# What may end something that was begun: in many languages some parses are lost without it.
_CLOSERS = (
    *('"', "'", "`", '"""', "'''", "``", "*/", "*)", "-}", "-->", "->", "]]", "]=]", "]==]", "|#"),
    *("=end", "=cut", "%}", "}}", "?>", "#>", "--]]", ')"', "')", '")', "}", ")", "]", ">", "|"),
    *(
        "#",
        "$",
        "$$",
        "!",
        "/",
        "//",
        "%",
        "~",
        "end",
        "end.",
        "fi",
        "done",
        "esac",
        ";",
        ".",
        "''",
    ),
    *("COMMENT", "#endif", "#end", "__END__", "##", '"#', "'@", '"@', "*/}", "--%>", "{%", "%)"),
)
# Behind `<<` and the like: the word that ends a document within the text.
_HEREDOC = re.compile(r"<<[-~<]?\s*[\"'`\\]?(\w+)")
_MOST_HEREDOCS = 8


@dataclass(frozen=True, slots=True)
class Refused:
    """The first token that fits nowhere: text[start:end], in characters."""

    start: int
    end: int


def refused_token(language: Language, text: str) -> Refused | None:
    """The first token that cannot stand where it does, if only complete programs are looked for.

    At the end of the text, where something is missing, `start` and `end` are its length.
    """
    source = text.encode("utf-8", errors="replace")
    found = _refused(language, source)
    if found is None:
        return None
    start, end = (len(source[:at].decode("utf-8", errors="replace")) for at in found)
    return Refused(start, end)


def certain_error(language: Language, text: str) -> Refused | None:
    """The first token that no program beginning with the finished lines of `text` can have.

    None where it is not certain, as it never is in languages without a reliable grammar.
    """
    if not language.has_sure_grammar:
        return None
    finished = text[: text.rfind("\n") + 1].encode("utf-8", errors="replace")
    if not _parses_not(language, finished):
        return None
    found = _refused(language, finished)
    # At the end of the text is where missing tokens are told.
    if found is None or found[0] == found[1] or found[1] >= len(finished):
        return None
    for closer in _closers(finished.decode()):
        other = _refused(language, finished + closer.encode())
        if other is None or other[0] != found[0]:
            return None
    start, end = (len(finished[:at].decode()) for at in found)
    return Refused(start, end)


def _parses_not(language: Language, source: bytes) -> bool:
    return parser_of(language).parse(source).root_node.has_error


def _refused(language: Language, source: bytes) -> tuple[int, int] | None:
    """Bytes of the first token that no parse takes."""
    # A parser of its own, so that nothing else is logged.
    parser = parser_of(language)
    log = _Log(source)
    parser.logger = log
    parser.parse(source)
    return log.found


class _Log:
    """Follows the parser from token to token until all parses are lost."""

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._rows = [0]
        for line in source.split(b"\n"):
            self._rows.append(self._rows[-1] + len(line) + 1)
        self._at = 0
        self._sizes: dict[int, int] = {}
        self._lost: list[tuple[int, int]] = []
        self.found: tuple[int, int] | None = None

    def __call__(self, _: object, message: str) -> None:
        if self.found is not None or message.startswith(("consume", "skip")):
            return
        if place := _PLACE.match(message):
            self._at = self._rows[min(int(place[1]), len(self._rows) - 1)] + int(place[2])
        elif token := _TOKEN.match(message):
            self._sizes[self._at] = int(token[1])
        elif message.startswith("detect_error"):
            self._lost.append((self._at, self._at + self._sizes.get(self._at, 0)))
        elif message.startswith("resume"):
            # The parse that came furthest says what the others could not read either.
            at, end = max(self._lost)
            # Blanks before a token belong to it, unless it is one itself, as a line end may be.
            text = self._source[at:end].lstrip()
            if not text and not self._source[end:]:
                at = end
            self.found = end - len(text) if text else at, end


def _closers(text: str) -> Iterator[str]:
    words = dict.fromkeys(_HEREDOC.findall(text))
    for closer in (*_CLOSERS, *list(words)[-_MOST_HEREDOCS:]):
        yield f"{closer}\n"
        yield f"x{closer}\n"
