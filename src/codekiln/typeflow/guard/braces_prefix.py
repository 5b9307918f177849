"""Finished statements of a TypeScript or JavaScript text that is still being written, closed.

Open brackets are closed; the syntax tree of the result says whether a statement ends where the text
was cut, and what is open around it. Functions are closed by a return of anything, so that
none is missing yet. Where the tree has an error, nothing is said.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tree_sitter_language_pack import get_parser

from codekiln.typeflow.guard.prefix import Prefix

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_CLOSING = {"(": ")", "[": "]", "{": "}", "${": "}"}
_CLOSERS = frozenset(_CLOSING.values())
# What a block needs behind it, by the word before it.
_BEHIND = {"try": " finally {}", "do": " while (false);"}
_STATEMENT = ("_statement", "_declaration")
_FUNCTIONS = frozenset(
    {
        "arrow_function",
        "function_declaration",
        "function_expression",
        "generator_function",
        "generator_function_declaration",
        "method_definition",
    }
)
_LOOPS = frozenset({"for_statement", "for_in_statement", "while_statement", "do_statement"})
# Statements of one expression. While a function inside is being written, the arguments behind it
# are missing, and with them what its parameters are.
_EXPRESSIONS = frozenset(
    {
        "do_statement",
        "expression_statement",
        "export_statement",
        "lexical_declaration",
        "public_field_definition",
        "return_statement",
        "throw_statement",
        "variable_declaration",
    }
)
_CLASSES = frozenset({"class_declaration", "class", "abstract_class_declaration"})
_BODIES = frozenset({"statement_block", "class_body", "switch_body", "interface_body", "enum_body"})
_VALUES = frozenset({"arrow_function", "function_expression", "generator_function", "class"})
# So a function that is being written gives anything: neither is a return missing yet, nor is what
# it gives known to those who call it.
_ENDS = {"typescript": "return 0 as any;", "javascript": "return /** @type {any} */ (0);"}
# More than anybody nests; deeper, each look would take seconds.
_DEEPEST = 150


def braces_prefix(text: str, language: str) -> Prefix | None:
    """`text` up to its last `;` or `}`, as a program; None where that is no end of a statement."""
    cut = max(text.rfind(";"), text.rfind("}")) + 1
    if not cut:
        return None
    source = text[:cut].encode()
    opened = _open_brackets(source, language)
    if opened is None or len(opened) > _DEEPEST or (opened and opened[-1][0] != "{"):
        return None
    parser = _parser(language)
    closed = source + "".join(closer for _, closer, _ in reversed(opened)).encode()
    tree = parser.parse(closed)
    if tree.root_node.has_error:
        return None
    statement = _statement_at(tree.root_node, len(source))
    if statement is None or not _ends_for_sure(tree.root_node, len(source)):
        return None
    around = list(_ancestors(statement))
    never = _ENDS[language]
    closers = []
    for _, closer, at in reversed(opened):
        block = tree.root_node.descendant_for_byte_range(at, at + 1)
        body = block.parent if block is not None else None
        if body is not None and body.parent is not None and body.parent.type in _FUNCTIONS:
            closer = never + closer
        closers.append(closer)
    loop = [node.start_byte for node in around if node.type in _LOOPS]
    made = [node.start_byte for node in around if node.type in _CLASSES]
    unfinished = [node.start_byte for node in around if node.type in _EXPRESSIONS]

    def characters(at: int) -> int:
        return len(source[:at].decode())

    return Prefix(
        program=text[:cut] + "\n" + "".join(closers),
        finished=cut,
        statement=characters(statement.start_byte),
        top=characters((around[-2] if len(around) > 1 else statement).start_byte),
        loops=((characters(min(loop)), cut),) if loop else (),
        made=characters(min(made)) if made else None,
        excused=((characters(min(unfinished)), cut),) if unfinished else (),
    )


def _open_brackets(source: bytes, language: str) -> list[tuple[str, str, int]] | None:
    """Of each open bracket its sign, what closes it, its place; None for a stray closing one."""
    opened: list[tuple[str, str, int]] = []
    previous = ""
    for leaf in _leaves(_parser(language).parse(source).root_node):
        sign = source[leaf.start_byte : leaf.end_byte].decode(errors="replace")
        if sign in _CLOSING:
            opened.append((sign, _CLOSING[sign] + _BEHIND.get(previous, ""), leaf.start_byte))
        elif sign in _CLOSERS and (not opened or _CLOSING[opened.pop()[0]] != sign):
            return None
        previous = sign
    return opened


def _leaves(root: Node) -> Iterator[Node]:
    """The tokens that were written, in order; the text of comments and strings is none."""
    cursor = root.walk()
    while True:
        node = cursor.node
        assert node is not None
        is_text = node.type in ("comment", "string", "regex", "string_fragment")
        if not is_text and cursor.goto_first_child():
            continue
        if not is_text and not node.is_missing and node.start_byte < node.end_byte:
            yield node
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _statement_at(root: Node, end: int) -> Node | None:
    """The largest statement that ends at byte `end`."""
    found = None
    node = root.descendant_for_byte_range(end - 1, end)
    while node is not None and node.end_byte == end:
        if node.type.endswith(_STATEMENT):
            found = node
        node = node.parent
    return found


def _ends_for_sure(root: Node, end: int) -> bool:
    """Whether a statement that ends at byte `end` cannot go on behind it.

    Behind the brace of an object, a type or a function that is a value it can.
    """
    last = root.descendant_for_byte_range(end - 1, end)
    if last is None or last.type != "}":
        return True
    body = last.parent
    if body is None or body.type not in _BODIES:
        return False
    owner = body.parent
    return owner is None or owner.type not in _VALUES


def _ancestors(node: Node) -> Iterator[Node]:
    above = node.parent
    while above is not None:
        yield above
        above = above.parent


@functools.cache
def _parser(language: str) -> Parser:
    return get_parser("typescript" if language == "typescript" else "javascript")
