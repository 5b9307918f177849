"""Reads TypeScript and JavaScript into facts and flows: what is declared, and what goes where.

Never runs what it reads. What it does not understand gives no flow, so that nothing is guessed;
a place that something unknown flows into stays unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codekiln.core.errors import UsageError
from codekiln.typeflow.facts import RETURN, Fact, Place
from codekiln.typeflow.module import Module, Scope, Signature, inside
from codekiln.typeflow.prose import prose_types, stated_examples
from codekiln.typeflow.terms import (
    NOTHING,
    Arithmetic,
    Built,
    Flow,
    Known,
    Narrowed,
    Part,
    Term,
    filled_later,
)
from codekiln.typeflow.types import BOOL, NONE, STR, UNKNOWN, Type, optional
from codekiln.typeflow.typescript.definitions import note_definitions
from codekiln.typeflow.typescript.jsdoc import ITSELF, jsdoc_tags
from codekiln.typeflow.typescript.names import (
    assigned,
    bound_names,
    bound_twice,
    is_declared_or_exported,
    opaque_names,
    rebound,
    tested_names,
)
from codekiln.typeflow.typescript.syntax import (
    CLASSES,
    FUNCTIONS,
    all_nodes,
    comments_at,
    ends,
    functions_in,
    gives,
    line_of,
    methods_in,
    names_in,
    own_nodes,
    parameters_of,
    text_of,
)
from codekiln.typeflow.typescript.terms import CONSTRUCTOR, Expressions, arguments_of, called_by
from codekiln.typeflow.typescript.types import parse_typescript

if TYPE_CHECKING:
    from tree_sitter import Node

# The line of what stands in no single one.
_NOWHERE = 0
# Methods that put something into what they are called on, and what that is then.
_PUTS = {"push": "list", "unshift": "list", "add": "set", "set": "other", "fill": "other"}
# Two arguments that are equal: Node's assert. One, and what it is expected to be: Jest, Mocha.
_EQUAL = frozenset({"equal", "strictEqual", "deepEqual", "deepStrictEqual"})
_EXPECTED = frozenset({"toBe", "toEqual", "toStrictEqual"})
# What an example has: a call and a value.
_SIDES = 2
_GRAMMARS = {"typescript": "typescript", "javascript": "javascript", "tsx": "tsx"}


def read_typescript(source: str, name: str = "the code", *, language: str = "typescript") -> Module:
    """The facts and flows of a module; `language` may be javascript, or tsx for both with JSX.

    Raises UsageError for what does not parse.
    """
    root = _parsed(source, language)
    broken = next((n for n in all_nodes(root) if n.is_error or n.is_missing), None)
    if root.has_error:
        where = f", line {line_of(broken)}" if broken is not None else ""
        raise UsageError(f"{name} does not parse (invalid syntax{where})", "Mend the syntax first")
    module = Module(bound=frozenset(bound_names(root)), unsure=bound_twice(root) | rebound(root))
    reader = _Reader(source.split("\n"), module, language)
    try:
        note_definitions(module, root)
        reader.read(root, Scope("", {}))
        reader.open_up(root)
    except RecursionError as error:
        raise UsageError(f"{name} is nested too deeply to be read", "Split the code") from error
    return module


def _parsed(source: str, language: str) -> Node:
    from tree_sitter_language_pack import get_parser

    grammar = get_parser(_GRAMMARS[language])  # type: ignore[arg-type]
    return grammar.parse(source.encode("utf-8", errors="replace")).root_node


class _Reader:
    """Walks a module whose definitions are noted, for what flows."""

    def __init__(self, lines: list[str], module: Module, language: str) -> None:
        self.module = module
        self._lines, self._language = lines, language
        # Nodes that were understood: functions in calls, members in assignments.
        self._read: set[int] = set()
        expressions = Expressions(module)
        self._term, self._callee = expressions.term, expressions.callee

    def open_up(self, root: Node) -> None:
        """Let something unknown flow where code that is not followed may put it."""
        last_names = {name.rpartition(".")[2] for name in self.module.functions}
        loose = {
            text_of(node)
            for node in all_nodes(root)
            if node.type in ("identifier", "property_identifier", "shorthand_property_identifier")
            and text_of(node) in last_names
            and node.id not in self._read
            and not is_declared_or_exported(node)
        }
        for signature in self.module.functions.values():
            if signature.name.rpartition(".")[2] in loose or not signature.is_plain:
                for parameter in signature.parameters:
                    self._flow(Place("parameter", signature.name, parameter), NOTHING, _NOWHERE)
        stored = {
            text_of(node.child_by_field_name("property"))
            for node in assigned(root)
            if node.type == "member_expression" and node.id not in self._read
        }
        for place in {flow.target for flow in self.module.flows}:
            if place.kind == "attribute" and place.name in stored:
                self._flow(place, NOTHING, _NOWHERE)

    def read(self, body: Node, scope: Scope) -> None:
        """Facts and flows of what stands in a scope."""
        for node in own_nodes(body):
            self._node(node, scope)

    def _node(self, node: Node, scope: Scope) -> None:
        match node.type:
            case "variable_declarator":
                self._declared(node, scope)
            case "assignment_expression":
                value = self._term(node.child_by_field_name("right"), scope)
                self._assign(node.child_by_field_name("left"), value, scope)
            case "augmented_assignment_expression":
                target = node.child_by_field_name("left")
                added = self._term(node.child_by_field_name("right"), scope)
                is_sum = text_of(node.child_by_field_name("operator")) in ("+=", "-=", "*=", "/=")
                term: Term = Arithmetic("Add", self._term(target, scope), added)
                self._assign(target, term if is_sum else NOTHING, scope)
            case "for_in_statement":
                over = self._term(node.child_by_field_name("right"), scope)
                is_keys = text_of(node.child_by_field_name("operator")) == "in"
                term = Known(STR) if is_keys else Part(over, "iteration")
                self._assign(node.child_by_field_name("left"), term, scope)
            case "return_statement" if scope.gives:
                values = [child for child in node.named_children if child.type != "comment"]
                term = self._term(values[0], scope) if values else Known(NONE)
                self._flow(Place("return", scope.name, RETURN), term, line_of(node))
            case "call_expression" | "new_expression":
                self._call(node, scope)
                self._equality(node, scope)
                self._mutate(node, scope)
                for argument in arguments_of(node):
                    # Blocks of a test: `it("…", () => { … })`.
                    if argument.type in FUNCTIONS and not parameters_of(argument):
                        self._block(argument, scope)
            case kind if kind in CLASSES:
                self._class(node, scope)
            case _:
                pass
        for name, function, declared in functions_in(node):
            self._function(function, inside(scope.name, name), declared, scope)

    def _block(self, function: Node, scope: Scope) -> None:
        body = function.child_by_field_name("body")
        if body is not None:
            self.read(body, Scope(scope.name, scope.own, scope.is_function, tested=scope.tested))

    def _declared(self, node: Node, scope: Scope) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if value is not None and value.type in FUNCTIONS:
            return
        annotation = node.child_by_field_name("type")
        if name is not None and name.type == "identifier":
            place = scope.place_of(text_of(name)) or Place("variable", scope.name, text_of(name))
            self._annotated(place, annotation)
            for tag in (tag for _, text in comments_at(node) for tag in jsdoc_tags(text)):
                if tag.name == ITSELF:
                    line, text = line_of(node), self._text(line_of(node))
                    fact = Fact(place, tag.type, "documented", line, text, tag.written)
                    self.module.facts.append(fact)
        if value is not None:
            self._assign(name, self._term(value, scope), scope)

    def _class(self, node: Node, scope: Scope) -> None:
        name = inside(scope.name, text_of(node.child_by_field_name("name")))
        body = node.child_by_field_name("body")
        inner = Scope(name, {})
        for member in body.named_children if body is not None else ():
            if member.type in ("public_field_definition", "field_definition"):
                field = member.child_by_field_name("name") or member.child_by_field_name("property")
                place = Place("attribute", name, text_of(field))
                self._annotated(place, member.child_by_field_name("type"))
                value = member.child_by_field_name("value")
                if value is not None:
                    self._flow(place, self._term(value, inner), line_of(member))
        for method, function in methods_in(body) if body is not None else ():
            self._function(function, inside(name, method), function, inner)

    def _function(self, function: Node, name: str, declared: Node, scope: Scope) -> None:
        signature = self.module.functions.get(name)
        if signature is None:
            return
        own = {given: Place("parameter", name, given) for given in signature.parameters}
        for parameter in parameters_of(function):
            if parameter.is_rest:
                own[parameter.name] = Place("variable", name, parameter.name)
                self._annotated(own[parameter.name], parameter.annotation)
                continue
            place = Place("parameter", name, parameter.name)
            self._annotated(place, parameter.annotation, is_optional=parameter.is_optional)
            if parameter.default is not None and parameter.default.type != "undefined":
                self._flow(place, self._term(parameter.default, scope), parameter.line)
            own |= {part: Place("variable", name, part) for part in parameter.parts}
            if parameter.is_property:
                field = Place("attribute", scope.name, parameter.name)
                self._annotated(field, parameter.annotation)
        returned = function.child_by_field_name("return_type")
        self._annotated(Place("return", name, RETURN), returned)
        self._comments(declared, signature, scope)
        body = function.child_by_field_name("body")
        if body is None:
            return
        for local in bound_names(body):
            own[local] = Place("variable", name, local)
            if local in signature.parameters:
                self._flow(own[local], NOTHING, line_of(function))
        own |= {local: Place("variable", name, local) for local in opaque_names(body)}
        for local in opaque_names(body):
            self._flow(own[local], NOTHING, line_of(function))
        is_given = gives(function)
        # What a function sees of those around it goes through its own names first.
        visible = {**scope.own, **own}
        inner = Scope(name, visible, True, is_given, tested_names(function))
        ending = Place("return", name, RETURN)
        if body.type != "statement_block":
            self._node(body, inner)
            self.read(body, inner)
            if is_given:
                self._flow(ending, self._term(body, inner), line_of(body))
            return
        self.read(body, inner)
        falls = ends(body)
        is_given = is_given and not name.endswith(f".{CONSTRUCTOR}")
        if is_given and falls is not True and body.named_children:
            term = Known(NONE) if falls is False else NOTHING
            self._flow(ending, term, line_of(function), certain=False)

    def _comments(self, declared: Node, signature: Signature, scope: Scope) -> None:
        """What JSDoc, prose and examples beside a function say."""
        for first, text in comments_at(declared):
            tags = list(jsdoc_tags(text))
            for tag in tags:
                self._stated(signature, tag.name, tag.type, first + tag.line, tag.written)
            for stated in prose_types(text, signature.parameters):
                if stated.name not in {tag.name for tag in tags}:
                    self._stated(signature, stated.name, stated.type, first + stated.line, "")
            for example in stated_examples(text):
                self._example(example.call, example.value, scope, first + example.line)

    def _stated(
        self, signature: Signature, name: str, found: Type, line: int, written: str
    ) -> None:
        place = Place("parameter", signature.name, name)
        if name == RETURN:
            place = Place("return", signature.name, RETURN)
        elif name not in signature.parameters:
            return
        fact = Fact(place, found, "documented", line, self._text(line), written)
        self.module.facts.append(fact)

    def _example(self, call: str, value: str, scope: Scope, line: int) -> None:
        """An example that a comment gives: what goes in, and what comes out."""
        root = _parsed(f"assert.equal({call},{value})", self._language)
        calls = [node for node in all_nodes(root) if node.type == "call_expression"]
        if root.has_error or len(arguments_of(calls[0])) != _SIDES:
            return
        for node in calls:
            # Its nodes are none of the module's, and are gone soon: their ids mean nothing.
            self._call(node, scope, line)
            self._equality(node, scope, line)

    def _equality(self, call: Node, scope: Scope, line: int = 0) -> None:
        """Two things a test says are equal: what the one is, the function gives."""
        function = called_by(call)
        if function is None or function.type != "member_expression":
            return
        member = text_of(function.child_by_field_name("property"))
        of = function.child_by_field_name("object")
        sides = arguments_of(call)[:2]
        if member in _EXPECTED and of is not None and text_of(called_by(of)) == "expect":
            sides = [*arguments_of(of)[:1], *arguments_of(call)[:1]]
        elif member not in _EQUAL:
            return
        if len(sides) != _SIDES:
            return
        for tested, value in (sides, sides[::-1]):
            signature = self._callee(tested, scope) if tested.type == "call_expression" else None
            if signature is not None and not signature.is_async:
                place = Place("return", signature.name, RETURN)
                found = self._term(value, scope)
                self._flow(place, found, line or line_of(call), certain=False)
                return

    def _call(self, call: Node, scope: Scope, line: int = 0) -> None:
        signature = self._callee(call, scope)
        given = arguments_of(call)
        if signature is None or any(node.type == "spread_element" for node in given):
            return
        function = called_by(call)
        if function is not None and not line:
            inner = function.child_by_field_name("property")
            self._read.add((inner if inner is not None else function).id)
        for parameter, argument in zip(signature.parameters, given, strict=False):
            term = self._term(argument, scope)
            if isinstance(term, Narrowed):
                term = Narrowed(term.of, drops_none=True)
            place = Place("parameter", signature.name, parameter)
            self._flow(place, term, line or line_of(call))

    def _mutate(self, call: Node, scope: Scope) -> None:
        """What a method puts into the container that a name or a member of `this` holds."""
        function = called_by(call)
        if function is None or function.type != "member_expression":
            return
        container = _PUTS.get(text_of(function.child_by_field_name("property")))
        changed = function.child_by_field_name("object")
        if container is None or changed is None:
            return
        term: Term = NOTHING
        given = arguments_of(call)
        if container in ("list", "set") and len(given) == 1 and given[0].type != "spread_element":
            term = Built(container, (self._term(given[0], scope),))
        if changed.type in ("identifier", "member_expression"):
            self._assign(changed, term, scope)

    def _assign(self, target: Node | None, term: Term, scope: Scope) -> None:
        if target is None:
            return
        term, line = filled_later(term), line_of(target)
        match target.type:
            case "identifier":
                name = text_of(target)
                place = scope.place_of(name)
                if place is None:
                    # A function may change what the module binds, at any time.
                    place = Place("variable", "" if scope.is_function else scope.name, name)
                    term = NOTHING if scope.is_function else term
                self._flow(place, term, line)
            case "member_expression":
                owner = scope.name.rpartition(".")[0]
                is_own = text_of(target.child_by_field_name("object")) == "this"
                if is_own and owner in self.module.classes:
                    self._read.add(target.id)
                    name = text_of(target.child_by_field_name("property"))
                    self._flow(Place("attribute", owner, name), term, line)
            case "array_pattern":
                parts = target.named_children
                starred = any(part.type == "rest_pattern" for part in parts)
                # Holes leave no node, so that places are certain only without them.
                holes = text_of(target).count(",") >= len(parts) > 0
                for at, part in enumerate(parts):
                    value = NOTHING if starred or holes else Part(term, "unpacking", at)
                    self._assign(part, value, scope)
            case "subscript_expression":
                # Of an array, an object or something else: which is not seen here.
                self._assign(target.child_by_field_name("object"), NOTHING, scope)
            case _:
                for name in names_in(target):
                    place = scope.place_of(name) or Place("variable", scope.name, name)
                    self._flow(place, NOTHING, line)

    def _annotated(
        self, place: Place, annotation: Node | None, *, is_optional: bool = False
    ) -> None:
        if annotation is None:
            return
        written = text_of(annotation).removeprefix(":").strip()
        found = parse_typescript(written)
        if annotation.type == "type_predicate_annotation":
            found = BOOL
        if is_optional and found != UNKNOWN:
            found, written = optional(found), f"{written} | undefined"
        if found != UNKNOWN:
            line = line_of(annotation)
            self.module.facts.append(
                Fact(place, found, "declared", line, self._text(line), written)
            )

    def _flow(self, target: Place, term: Term, line: int, *, certain: bool = True) -> None:
        self.module.flows.append(Flow(target, term, line, self._text(line), certain))

    def _text(self, line: int) -> str:
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
