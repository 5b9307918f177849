"""Reads TypeScript and JavaScript into facts and flows: what is declared, and what goes where.

Never runs what it reads. What it does not understand gives no flow, so that nothing is guessed;
a place that something unknown flows into stays unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codekiln.core.errors import UsageError
from codekiln.typeflow.facts import RETURN, Fact, Place
from codekiln.typeflow.module import Module, Scope, inside
from codekiln.typeflow.prose import stated_examples
from codekiln.typeflow.terms import (
    NOTHING,
    Arithmetic,
    Flow,
    Known,
    Narrowed,
    Of,
    Part,
    Put,
    Term,
    filled_later,
)
from codekiln.typeflow.types import BOOL, STR, UNDEFINED, UNKNOWN, union
from codekiln.typeflow.typescript.definitions import is_named_class, note_definitions
from codekiln.typeflow.typescript.names import (
    CHANGING,
    bound_names,
    bound_twice,
    changed_names,
    opaque_names,
    shadowed_names,
    tested_names,
    type_names,
)
from codekiln.typeflow.typescript.sayings import said_of, said_of_function
from codekiln.typeflow.typescript.syntax import (
    FUNCTIONS,
    all_nodes,
    comments_at,
    ends,
    functions_in,
    gives,
    is_literal,
    line_of,
    methods_in,
    names_in,
    own_nodes,
    parameters_of,
    text_of,
)
from codekiln.typeflow.typescript.terms import CONSTRUCTOR, Expressions, arguments_of, called_by
from codekiln.typeflow.typescript.types import parse_typescript
from codekiln.typeflow.typescript.unfollowed import unfollowed

if TYPE_CHECKING:
    from tree_sitter import Node

# Two arguments that are equal: Node's assert. One, and what it is expected to be: Jest, Mocha.
_EQUAL = frozenset({"equal", "strictEqual", "deepEqual", "deepStrictEqual"})
_EXPECTED = frozenset({"toBe", "toEqual", "toStrictEqual"})
# Assignments that may leave the old value.
_CHOOSING = ("??=", "||=", "&&=")
# What an example has: a call and a value.
_SIDES = 2
_GRAMMARS = {"typescript": "typescript", "javascript": "javascript", "tsx": "tsx"}


def read_typescript(
    source: str, name: str = "the code", *, language: str = "typescript", bodies: bool = True
) -> Module:
    """The facts and flows of a module; `language` may be javascript, or tsx for both with JSX.

    Without `bodies` only what stands outside of functions. Raises UsageError for what does not
    parse.
    """
    root = _parsed(source, language)
    broken = next((n for n in all_nodes(root) if n.is_error or n.is_missing), None)
    if root.has_error:
        where = f", line {line_of(broken)}" if broken is not None else ""
        raise UsageError(f"{name} does not parse (invalid syntax{where})", "Mend the syntax first")
    unsure = bound_twice(root) | changed_names(root) | shadowed_names(root)
    module = Module(bound=frozenset(bound_names(root)), unsure=unsure, types=type_names(root))
    reader = _Reader(source.split("\n"), module, language, bodies)
    try:
        note_definitions(module, root)
        reader.read(root, Scope("", {}))
        module.flows += unfollowed(root, module, reader.read_nodes, reader.initial)
    except RecursionError as error:
        raise UsageError(f"{name} is nested too deeply to be read", "Split the code") from error
    return module


def _parsed(source: str, language: str) -> Node:
    from tree_sitter_language_pack import get_parser

    grammar = get_parser(_GRAMMARS[language])  # type: ignore[arg-type]
    return grammar.parse(source.encode("utf-8", errors="replace")).root_node


class _Reader:
    """Walks a module whose definitions are noted, for what flows.

    `read_nodes` are ids of nodes that were understood: functions in calls, names and members that
    are changed. `initial` are attributes that a new object has.
    """

    def __init__(self, lines: list[str], module: Module, language: str, bodies: bool) -> None:
        self.module = module
        self._lines, self._language, self._bodies = lines, language, bodies
        self.read_nodes: set[int] = set()
        self.initial: set[Place] = set()
        expressions = Expressions(module)
        self._term, self._callee = expressions.term, expressions.callee

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
                operator = text_of(node.child_by_field_name("operator"))
                name = "JS+" if operator == "+=" else "JS"
                term: Term = Arithmetic(name, self._term(target, scope), added)
                self._assign(target, NOTHING if operator in _CHOOSING else term, scope)
            case "update_expression":
                self._assign(node.child_by_field_name("argument"), self._term(node, scope), scope)
            case "for_in_statement":
                over = self._term(node.child_by_field_name("right"), scope)
                is_keys = text_of(node.child_by_field_name("operator")) == "in"
                term = Known(STR) if is_keys else Part(over, "iteration")
                self._assign(node.child_by_field_name("left"), term, scope)
            case "return_statement" if scope.gives:
                values = [child for child in node.named_children if child.type != "comment"]
                term = self._term(values[0], scope) if values else Known(UNDEFINED)
                self._flow(Place("return", scope.name, RETURN), term, line_of(node))
            case "call_expression" | "new_expression":
                self._call(node, scope)
                self._equality(node, scope)
                self._mutate(node, scope)
                for argument in arguments_of(node):
                    # Blocks of a test: `it("…", () => { … })`. A `function` has another `this`.
                    if argument.type == "arrow_function" and not parameters_of(argument):
                        self._block(argument, scope)
            case _ if is_named_class(node):
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
        if name is not None and name.type == "identifier":
            place = scope.place_of(text_of(name)) or Place("variable", scope.name, text_of(name))
            self._annotated(place, node.child_by_field_name("type"))
            siblings = node.parent.named_children if node.parent is not None else []
            if sum(sibling.type == "variable_declarator" for sibling in siblings) == 1:
                self.module.facts += said_of(place, node, self.module.types, self._lines)
        if value is not None:
            self._assign(name, self._term(value, scope), scope)
        elif node.parent is not None and node.parent.type != "for_in_statement":
            # Undefined, until something is assigned on every way.
            self._assign(name, NOTHING, scope)

    def _class(self, node: Node, scope: Scope) -> None:
        name = inside(scope.name, text_of(node.child_by_field_name("name")))
        body = node.child_by_field_name("body")
        inner = Scope(name, scope.own)
        for member in body.named_children if body is not None else ():
            if member.type in ("public_field_definition", "field_definition"):
                field = member.child_by_field_name("name") or member.child_by_field_name("property")
                place = Place("attribute", name, text_of(field))
                optional = any(child.type == "?" for child in member.children)
                annotation = member.child_by_field_name("type")
                self._annotated(place, annotation, is_optional=optional)
                self.module.facts += said_of(place, member, self.module.types, self._lines)
                value = member.child_by_field_name("value")
                if value is not None:
                    self.initial.add(place)
                    self._flow(place, filled_later(self._term(value, inner)), line_of(member))
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
            own |= {part: Place("variable", name, part) for part in parameter.parts}
        # A default sees the parameters before it.
        head = Scope(name, {**scope.own, **own}, is_function=True)
        for parameter in parameters_of(function):
            place = own[parameter.name]
            self._annotated(place, parameter.annotation, is_optional=parameter.is_optional)
            if parameter.default is not None and parameter.default.type != "undefined":
                self._flow(place, self._term(parameter.default, head), parameter.line)
            if parameter.is_property:
                field = Place("attribute", scope.name, parameter.name)
                self.initial.add(field)
                self._flow(field, Of(place), parameter.line)
        returned = function.child_by_field_name("return_type")
        self._annotated(Place("return", name, RETURN), returned)
        self.module.facts += said_of_function(declared, signature, self.module.types, self._lines)
        self._examples(declared, scope)
        body = function.child_by_field_name("body")
        if body is None or not self._bodies:
            return
        # What a parameter holds after it was bound anew is another thing than what is given.
        anew = {*opaque_names(body), *shadowed_names(body)}
        anew |= {*changed_names(body), *bound_names(body)} & {*signature.parameters}
        own |= {local: Place("variable", name, local) for local in {*bound_names(body), *anew}}
        for local in sorted(anew):
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
        has_code = any(node.type != "comment" for node in body.named_children)
        if is_given and falls is not True and has_code:
            term = Known(UNDEFINED) if falls is False else NOTHING
            self._flow(ending, term, line_of(function), certain=False)

    def _examples(self, declared: Node, scope: Scope) -> None:
        for first, text in comments_at(declared):
            for example in stated_examples(text):
                self._example(example.call, example.value, scope, first + example.line)

    def _example(self, call: str, value: str, scope: Scope, line: int) -> None:
        """An example that a comment gives: what goes in, and what comes out."""
        root = _parsed(f"assert.equal({call},{value})", self._language)
        calls = [node for node in all_nodes(root) if node.type == "call_expression"]
        sides = arguments_of(calls[0]) if calls else []
        if root.has_error or len(sides) != _SIDES or not is_literal(sides[1]):
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
        is_tag = call.child_by_field_name("arguments") is not None and not _has_brackets(call)
        if signature is None or is_tag or any(node.type == "spread_element" for node in given):
            return
        function = called_by(call)
        if function is not None and not line:
            inner = function.child_by_field_name("property")
            self.read_nodes.add((inner if inner is not None else function).id)
        for parameter, argument in zip(signature.parameters, given, strict=False):
            term = self._term(argument, scope)
            if isinstance(term, Narrowed):
                term = Narrowed(term.of, drops_none=True)
            place = Place("parameter", signature.name, parameter)
            self._flow(place, term, line or line_of(call))
        for parameter in signature.parameters[len(given) :]:
            if parameter not in signature.defaults:
                place = Place("parameter", signature.name, parameter)
                self._flow(place, NOTHING, line or line_of(call))

    def _mutate(self, call: Node, scope: Scope) -> None:
        """What a method puts into the container that a name or a member of `this` holds."""
        function = called_by(call)
        if function is None or function.type != "member_expression":
            return
        container = CHANGING.get(text_of(function.child_by_field_name("property")))
        changed = function.child_by_field_name("object")
        if container is None or changed is None:
            return
        given = arguments_of(call)
        place = self._place_of(changed, scope)
        is_one = len(given) == 1 and given[0].type != "spread_element"
        term: Term = NOTHING
        if container in ("list", "set") and is_one and place is not None:
            term = Put(place, container, self._term(given[0], scope))
        if changed.type in ("identifier", "member_expression"):
            self._assign(changed, term, scope)

    def _place_of(self, target: Node, scope: Scope) -> Place | None:
        """Where a name or a member of `this` is kept; None for anything else."""
        if target.type == "identifier":
            name = text_of(target)
            # A function may change what the module binds, at any time.
            owner = "" if scope.is_function else scope.name
            return scope.place_of(name) or Place("variable", owner, name)
        owner = scope.name.rpartition(".")[0]
        is_own = text_of(target.child_by_field_name("object")) == "this"
        if target.type == "member_expression" and is_own and owner in self.module.classes:
            return Place("attribute", owner, text_of(target.child_by_field_name("property")))
        return None

    def _assign(self, target: Node | None, term: Term, scope: Scope) -> None:
        if target is None:
            return
        term, line = filled_later(term), line_of(target)
        match target.type:
            case "identifier" | "member_expression":
                place = self._place_of(target, scope)
                if place is None:
                    return
                self.read_nodes.add(target.id)
                is_local = place.kind == "attribute" or place in scope.own.values()
                is_certain = is_local or not scope.is_function
                self._flow(place, term if is_certain else NOTHING, line)
                if scope.name.endswith(f".{CONSTRUCTOR}"):
                    self.initial.add(place)
                if place.kind == "attribute" and target.parent is not None:
                    above = target.parent
                    self.module.facts += said_of(place, above, self.module.types, self._lines)
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
        found = parse_typescript(written, self.module.types)
        if annotation.type == "type_predicate_annotation":
            found = BOOL
        if is_optional and found != UNKNOWN:
            found, written = union((found, UNDEFINED)), f"{written} | undefined"
        line = line_of(annotation)
        if found == UNKNOWN:
            # It is declared to be something that is not understood here.
            self._flow(place, NOTHING, line)
            return
        self.module.facts.append(Fact(place, found, "declared", line, self._text(line), written))

    def _flow(self, target: Place, term: Term, line: int, *, certain: bool = True) -> None:
        self.module.flows.append(Flow(target, term, line, self._text(line), certain))

    def _text(self, line: int) -> str:
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""


def _has_brackets(call: Node) -> bool:
    """Whether a call is one, and not a tag before a template."""
    given = call.child_by_field_name("arguments")
    return given is not None and given.type == "arguments"
