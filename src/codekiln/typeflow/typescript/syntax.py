"""What the shape of TypeScript and JavaScript says: functions, parameters, scopes, comments, ends.

Pure functions on tree-sitter's syntax trees, which differ a little between the two grammars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from codekiln.typeflow.module import Signature

if TYPE_CHECKING:
    from tree_sitter import Node

FUNCTIONS = frozenset(
    {
        "arrow_function",
        "function_declaration",
        "function_expression",
        "generator_function",
        "generator_function_declaration",
        "method_definition",
    }
)
_GENERATORS = ("generator_function", "generator_function_declaration")
CLASSES = frozenset({"class_declaration", "abstract_class_declaration", "class"})
_LITERALS = frozenset(
    {"number", "string", "template_string", "true", "false", "null", "undefined", "regex"}
)
_NO_STATEMENTS = ("comment", "empty_statement", "function_declaration", "class_declaration")
_PROPERTY = ("accessibility_modifier", "readonly", "override_modifier")
OWN_SCOPES = CLASSES | {"internal_module", "module"}
_DECLARATIONS = ("lexical_declaration", "variable_declaration")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as it is written.

    `name` is its text where it takes something apart, and `parts` the names that it binds then.
    `is_property`: TypeScript's `constructor(public name: string)`.
    """

    name: str
    line: int
    annotation: Node | None = None
    default: Node | None = None
    is_optional: bool = False
    is_rest: bool = False
    is_property: bool = False
    parts: tuple[str, ...] = ()


def text_of(node: Node | None) -> str:
    """The text of a node, "" where there is none."""
    return (node.text or b"").decode("utf-8", errors="replace") if node is not None else ""


def line_of(node: Node) -> int:
    """1-based."""
    return int(node.start_point.row) + 1


def own_nodes(root: Node) -> Iterator[Node]:
    """All nodes below, in order; functions, classes and namespaces without what is inside."""
    pending = list(reversed(root.named_children))
    while pending:
        node = pending.pop()
        yield node
        if node.type not in FUNCTIONS and node.type not in OWN_SCOPES:
            pending += reversed(node.named_children)


def all_nodes(root: Node) -> Iterator[Node]:
    """All nodes below."""
    pending = [root]
    while pending:
        node = pending.pop()
        yield node
        pending += node.named_children


def parameters_of(function: Node) -> list[Parameter]:
    """Parameters in order, without TypeScript's `this`."""
    single = function.child_by_field_name("parameter")
    if single is not None:
        return [Parameter(text_of(single), line_of(single))]
    listed = function.child_by_field_name("parameters")
    found = [_parameter(node) for node in listed.named_children] if listed is not None else []
    return [parameter for parameter in found if parameter is not None and parameter.name != "this"]


def _parameter(node: Node) -> Parameter | None:
    if node.type == "comment":
        return None
    pattern = node.child_by_field_name("pattern") or node.child_by_field_name("left") or node
    is_rest = pattern.type == "rest_pattern"
    name = pattern.named_children[0] if is_rest and pattern.named_children else pattern
    is_plain = name.type in ("identifier", "this")
    return Parameter(
        name=" ".join(text_of(name).split()),
        line=line_of(node),
        annotation=node.child_by_field_name("type"),
        default=node.child_by_field_name("value") or node.child_by_field_name("right"),
        is_optional=node.type == "optional_parameter",
        is_rest=is_rest,
        is_property=any(child.type in _PROPERTY for child in node.children),
        parts=() if is_plain else tuple(names_in(name)),
    )


def names_in(pattern: Node | None) -> Iterator[str]:
    """Names that a pattern binds; identifiers that are only read are not among them."""
    if pattern is None:
        return
    if pattern.type in ("identifier", "shorthand_property_identifier_pattern"):
        yield text_of(pattern)
        return
    for child in pattern.named_children:
        is_default = pattern.type in ("assignment_pattern", "object_assignment_pattern")
        if child.type == "property_identifier" or (is_default and child == pattern.child(2)):
            continue
        yield from names_in(child)


def signature_of(function: Node, name: str, is_method: bool) -> Signature:
    """Parameters that have a place of their own, all by position; type parameters are not plain."""
    own = [found for found in parameters_of(function) if not found.is_rest]
    is_generic = function.child_by_field_name("type_parameters") is not None
    before = function.prev_named_sibling
    decorators = [*function.children, *([before] if before is not None else [])]
    return Signature(
        name,
        line_of(function),
        tuple(found.name for found in own),
        len(own),
        is_method,
        is_async=any(child.type == "async" for child in function.children),
        is_plain=not is_generic and all(node.type != "decorator" for node in decorators),
        defaults=frozenset(found.name for found in own if found.default is not None),
    )


def is_literal(node: Node) -> bool:
    """Whether an expression is a value that is written out."""
    if node.type in ("array", "object", "pair", "unary_expression", "parenthesized_expression"):
        return all(map(is_literal, node.named_children))
    return node.type in _LITERALS or node.type == "property_identifier"


def gives(function: Node) -> bool:
    """Whether what is returned is what a call gives, as it is not in generators and promises."""
    is_async = any(child.type == "async" for child in function.children)
    is_starred = any(child.type == "*" for child in function.children)
    return function.type not in _GENERATORS and not is_async and not is_starred


def functions_in(node: Node) -> Iterator[tuple[str, Node, Node]]:
    """Named functions that a statement defines: name, function, and the node that is declared.

    A constant that holds a function names it.
    """
    if node.type in ("function_declaration", "generator_function_declaration"):
        yield text_of(node.child_by_field_name("name")), node, node
    elif node.type == "lexical_declaration" and text_of(node.child(0)) == "const":
        for declared in node.named_children:
            value = declared.child_by_field_name("value")
            name = declared.child_by_field_name("name")
            is_named = name is not None and name.type == "identifier"
            if value is not None and value.type in FUNCTIONS and is_named:
                yield text_of(name), value, node


def methods_in(body: Node) -> Iterator[tuple[str, Node]]:
    """Methods of a class, without those that are read or set like attributes."""
    for node in body.named_children:
        is_property = any(child.type in ("get", "set") for child in node.children)
        if node.type == "method_definition" and not is_property:
            yield text_of(node.child_by_field_name("name")), node


def ends(statement: Node | None) -> bool | None:
    """Whether control never comes behind a statement; None where that is not certain."""
    if statement is None:
        return False
    match statement.type:
        case "return_statement" | "throw_statement" | "continue_statement" | "break_statement":
            return True
        case "statement_block":
            inner = [node for node in statement.named_children if node.type not in _NO_STATEMENTS]
            found = [ends(node) for node in inner]
            return True if True in found else (found[-1] if found else False)
        case "else_clause":
            return ends(statement.named_children[-1])
        case "if_statement":
            then = ends(statement.child_by_field_name("consequence"))
            other = ends(statement.child_by_field_name("alternative"))
            return None if None in (then, other) else bool(then and other)
        case "try_statement" | "switch_statement" | "labeled_statement" | "while_statement":
            return None
        case "for_statement" | "do_statement":
            return None
        case _:
            return False


def comments_at(declared: Node) -> list[tuple[int, str]]:
    """Comments right before a declaration and at the beginning of a function's body.

    With the line of each; comments of a line each that follow one another are one.
    """
    found: list[tuple[int, str]] = []
    last: Node | None = None
    for node in _comment_nodes(declared):
        if last is not None and node.start_point.row == last.end_point.row + 1:
            line, text = found.pop()
            found.append((line, f"{text}\n{text_of(node)}"))
        else:
            found.append((line_of(node), text_of(node)))
        last = node
    return found


def _comment_nodes(declared: Node) -> list[Node]:
    outer = declared
    while outer.parent is not None and outer.parent.type in (*_DECLARATIONS, "export_statement"):
        outer = outer.parent
    found: list[Node] = []
    before = outer.prev_named_sibling
    below = outer
    # A comment that an empty line parts from the code is about something else.
    while before is not None and before.type == "comment":
        if below.start_point.row - before.end_point.row > 1:
            break
        # One at the end of a line of code is about that line.
        above = before.prev_named_sibling
        if above is not None and above.end_point.row == before.start_point.row:
            break
        found.insert(0, before)
        below, before = before, before.prev_named_sibling
    for body in _bodies(declared):
        for node in body.named_children:
            if node.type != "comment":
                break
            found.append(node)
    return found


def _bodies(declared: Node) -> Sequence[Node]:
    nodes = [declared, *(found for _, found, _ in functions_in(declared))]
    bodies = [node.child_by_field_name("body") for node in nodes if node.type in FUNCTIONS]
    return [body for body in bodies if body is not None and body.type == "statement_block"]
