"""Takes code and a language, gives its tree-sitter tree and the places that do not parse.

Covered: what the grammar calls an error or a missing token. Not covered: anything beyond
grammar (scopes, types, duplicate parameters), and tree-sitter grammars are lenient: Python's
accepts `print x`. A language without a grammar has no tree and no errors. The parser is loaded on
first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from codekiln.core.errors import CodekilnError, UsageError
from codekiln.languages.probe import parser_ends
from codekiln.languages.registry import Language, get_language

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Tree
    from tree_sitter_language_pack import SupportedLanguage

MAX_QUOTED_CHARS = 30


class EndlessParseError(CodekilnError):
    """A parser that had to be stopped."""


@dataclass(frozen=True, slots=True)
class SyntaxTree:
    """Parsed code. `source` is the UTF-8 text that the tree's byte offsets refer to."""

    language: Language
    source: bytes
    tree: Tree

    @property
    def root(self) -> Node:
        """The node that spans the whole text."""
        return self.tree.root_node

    @property
    def has_error(self) -> bool:
        """True when some part of the code does not parse."""
        return self.root.has_error


@dataclass(frozen=True, slots=True)
class SyntaxIssue:
    """A place that does not parse: 1-based lines, 0-based columns in characters, end exclusive."""

    line: int
    column: int
    message: str
    end_line: int
    end_column: int


def parse(language: Language | str, code: str) -> SyntaxTree:
    """The syntax tree of `code`; always there, with error nodes where the code is wrong.

    Raises UsageError for the name of a language that is unknown or has no grammar, and
    EndlessParseError where its parser does not come to an end.
    """
    known = language if isinstance(language, Language) else get_language(language)
    # A lone surrogate cannot be UTF-8; "?" keeps columns in place and is an error in most places.
    source = code.encode("utf-8", errors="replace")
    if known.hangs and not parser_ends(known.grammar, source):
        raise EndlessParseError(f"the parser of {known.display_name} does not end on this text")
    return SyntaxTree(known, source, parser_of(known).parse(source))


def syntax_errors(language: Language | str, code: str) -> tuple[SyntaxIssue, ...]:
    """Every place where `code` does not parse, in order; empty when the syntax is right.

    An error inside another error is not told twice.

    >>> syntax_errors("python", "def f(:\\n    return 1\\n")[0].line
    1
    """
    known = language if isinstance(language, Language) else get_language(language)
    if not known.grammar:
        return ()
    try:
        tree = parse(known, code)
    except EndlessParseError as error:
        last = code.count("\n") + 1
        return (SyntaxIssue(last, 0, f"{error}; it may break off here", last, 0),)
    if not tree.has_error:
        return ()
    lines = tree.source.split(b"\n")
    return tuple(_issue(node, lines) for node in _broken_nodes(tree.root))


def parser_of(language: Language) -> Parser:
    """A parser of the language. Raises UsageError where there is no grammar."""
    # get_parser keeps loaded grammars; a parser itself is cheap and must not cross threads.
    from tree_sitter_language_pack import get_parser

    if not language.grammar:
        raise UsageError(f"there is no grammar of {language.display_name}")
    try:
        return get_parser(cast("SupportedLanguage", language.grammar))
    except LookupError as error:
        raise CodekilnError(
            f"the grammar {language.grammar!r} ({language.display_name}) does not load: {error}",
            "Reinstall tree-sitter-language-pack 0.13",
        ) from error


def _broken_nodes(root: Node) -> Iterator[Node]:
    # A stack, not recursion: the tree of nested code is as deep as the code.
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            yield node
        elif node.has_error:
            stack.extend(reversed(node.children))


def _issue(node: Node, lines: list[bytes]) -> SyntaxIssue:
    start, end = node.start_point, node.end_point
    if node.is_missing:
        message = f"missing {node.type!r}"
    else:
        text = " ".join((node.text or b"").decode("utf-8", errors="replace").split())
        if len(text) > MAX_QUOTED_CHARS:
            text = text[:MAX_QUOTED_CHARS].rstrip() + "…"
        message = f"cannot be parsed here: {text!r}" if text else "cannot be parsed here"
    return SyntaxIssue(
        line=start.row + 1,
        column=_characters(lines, start.row, start.column),
        message=message,
        end_line=end.row + 1,
        end_column=_characters(lines, end.row, end.column),
    )


def _characters(lines: list[bytes], row: int, byte_column: int) -> int:
    line = lines[row] if row < len(lines) else b""
    return len(line[:byte_column].decode("utf-8", errors="replace"))
