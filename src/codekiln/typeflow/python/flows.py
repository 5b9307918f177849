"""Reads Python into facts and flows: what is declared, and which value goes where.

Never runs what it reads. What it does not understand gives no flow, so that nothing is guessed;
a place that something unknown flows into stays unknown.
"""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Sequence

from codekiln.core.errors import UsageError
from codekiln.typeflow.facts import RETURN, Fact, Place, Strength
from codekiln.typeflow.module import Module, Scope, inside
from codekiln.typeflow.prose import prose_types, stated_examples
from codekiln.typeflow.python.docstrings import Stated, stated_types
from codekiln.typeflow.python.names import (
    CHANGING,
    bound_by_module,
    bound_more_than_once,
    made_global,
    stored_attributes,
    used_otherwise,
)
from codekiln.typeflow.python.syntax import (
    FUNCTIONS,
    Function,
    arguments,
    blocks,
    calls,
    comment_at,
    ends,
    is_generator,
    is_stub,
    local_names,
    opaque_names,
    signature_of,
    tested_names,
)
from codekiln.typeflow.python.terms import Expressions
from codekiln.typeflow.python.types import parse_annotation
from codekiln.typeflow.terms import (
    NOTHING,
    Arithmetic,
    Flow,
    Known,
    Narrowed,
    Part,
    Put,
    Term,
    filled_later,
)
from codekiln.typeflow.types import NONE, UNKNOWN, Type, classes_in


def read_python(source: str, name: str = "the code", *, bodies: bool = True) -> Module:
    """The facts and flows of a module, without `bodies` only what stands outside of them.

    Raises UsageError for what does not parse.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise UsageError(
            f"{name} is no Python that parses ({error.args[0] if error.args else error}{where})",
            "Mend the syntax first",
        ) from error
    module = Module(bound=bound_by_module(tree), unsure=bound_more_than_once(tree))
    reader = _Reader(_LINE_END.split(source), module, bodies)
    try:
        reader.declare(tree.body, "")
        reader.forget_ambiguous()
        reader.read(tree.body, Scope("", {}))
        reader.open_up(tree)
    except RecursionError as error:
        raise UsageError(f"{name} is nested too deeply to be read", "Split the code") from error
    return module


# What ends a line for the parser, too.
_LINE_END = re.compile(r"\r\n|\r|\n")
# The line of what stands in no single one.
_NOWHERE = 0


def _is_empty(default: ast.expr) -> bool:
    """`...` and `()` as defaults stand for something else."""
    is_dots = isinstance(default, ast.Constant) and default.value is ...
    return is_dots or (isinstance(default, ast.Tuple) and not default.elts)


class _Reader:
    """Walks a module twice: for what is defined, then for what flows."""

    def __init__(self, lines: Sequence[str], module: Module, bodies: bool) -> None:
        self.module = module
        self._lines, self._bodies = lines, bodies
        self._ambiguous: set[str] = set()
        # Nodes of the tree that were understood: functions in calls, attributes in assignments.
        self._read: set[int] = set()
        expressions = Expressions(module)
        self._term, self._callee = expressions.term, expressions.callee

    def declare(self, body: Sequence[ast.stmt], scope: str) -> None:
        """Note functions and classes, so that calls before their definition are understood."""
        for node in body:
            if isinstance(node, ast.ClassDef):
                name = inside(scope, node.name)
                self.module.classes.add(name)
                self.declare(node.body, name)
            elif isinstance(node, FUNCTIONS):
                name = inside(scope, node.name)
                # Overloads, property setters and alternatives: which one is meant is not certain.
                if name in self.module.functions:
                    self._ambiguous.add(name)
                is_method = scope in self.module.classes
                self.module.functions[name] = signature_of(node, name, is_method)
                self.declare(node.body, name)
            else:
                for part in blocks(node):
                    self.declare(part, scope)

    def forget_ambiguous(self) -> None:
        """Leave out functions that are defined more than once in a scope."""
        for name in self._ambiguous:
            del self.module.functions[name]

    def open_up(self, tree: ast.Module) -> None:
        """Let something unknown flow where code that is not followed may put it."""
        last_names = {name.rpartition(".")[2] for name in self.module.functions}
        loose = used_otherwise(tree, last_names, self._read)
        for signature in self.module.functions.values():
            if signature.name.rpartition(".")[2] in loose or not signature.is_plain:
                for parameter in signature.parameters:
                    self._flow(Place("parameter", signature.name, parameter), NOTHING, _NOWHERE)
        stored = stored_attributes(tree, self._read)
        places = {flow.target for flow in self.module.flows}
        for place in places:
            if place.kind == "attribute" and place.name in stored:
                self._flow(place, NOTHING, _NOWHERE)
        for name in made_global(tree):
            self._flow(Place("variable", "", name), NOTHING, _NOWHERE)

    def read(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        """Facts and flows of the statements."""
        for node in body:
            self._statement(node, scope)

    def _statement(self, node: ast.stmt, scope: Scope) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, scope)
                return
            case ast.ClassDef():
                self._class(node, scope)
                return
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                self._declared(target, annotation, scope, node)
                if value is not None:
                    self._assign(target, self._term(value, scope), scope, node.lineno)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, self._term(value, scope), scope, node.lineno)
            case ast.AugAssign(target=target, op=op, value=value):
                before = self._term(target, scope)
                after = Arithmetic(type(op).__name__, before, self._term(value, scope))
                self._assign(target, after, scope, node.lineno)
            case ast.For(target=target, iter=over) | ast.AsyncFor(target=target, iter=over):
                self._assign(target, Part(self._term(over, scope), "iteration"), scope, node.lineno)
            case ast.Return(value=value) if scope.gives:
                term = Known(NONE) if value is None else self._term(value, scope)
                self._flow(Place("return", scope.name, RETURN), term, node.lineno)
            case ast.With(items=items):
                for item in items:
                    if item.optional_vars is not None:
                        self._assign(item.optional_vars, NOTHING, scope, node.lineno)
            case ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
                self._equal(left, right, scope, node.lineno, self._text(node.lineno))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=changed, attr=method)) as call):
                self._mutate(changed, method, call, scope)
            case _:
                pass
        for call in calls(node):
            self._call(call, scope)
        for part in blocks(node):
            self.read(part, scope)

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
        name = inside(scope.name, node.name)
        inner = Scope(name, {})
        for statement in node.body:
            match statement:
                case ast.AnnAssign(target=ast.Name(id=field), annotation=annotation):
                    place = Place("attribute", name, field)
                    self._fact(place, parse_annotation(annotation), "declared", statement.lineno)
                case ast.Assign(targets=targets, value=value):
                    for target in (part for part in targets if isinstance(part, ast.Name)):
                        place = Place("attribute", name, target.id)
                        self._flow(place, self._term(value, inner), statement.lineno)
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    self._statement(statement, inner)
                case _:
                    for part in blocks(statement):
                        self.read([s for s in part if isinstance(s, FUNCTIONS)], inner)

    def _function(self, node: Function, scope: Scope) -> None:
        name = inside(scope.name, node.name)
        signature = self.module.functions.get(name)
        if signature is None:
            return
        own = {given: Place("parameter", name, given) for given in signature.parameters}
        for argument, default in arguments(node):
            place = Place("parameter", name, argument.arg)
            if argument.arg not in own:
                continue
            if argument.annotation is not None:
                found = parse_annotation(argument.annotation)
                self._fact(place, found, "declared", argument.lineno)
            if default is not None and not _is_empty(default):
                # That None is a default is often not declared.
                is_none = isinstance(default, ast.Constant) and default.value is None
                self._flow(place, self._term(default, scope), argument.lineno, certain=not is_none)
        for variadic in filter(None, (node.args.vararg, node.args.kwarg)):
            own[variadic.arg] = Place("variable", name, variadic.arg)
        if node.returns is not None:
            result = parse_annotation(node.returns)
            self._fact(Place("return", name, RETURN), result, "declared", node.lineno)
        self._docstring(node, name, scope)
        self._comments(node, name, scope)
        if not self._bodies:
            return
        for local in local_names(node):
            # What a parameter holds after it was bound anew is another thing than what is given.
            own[local] = Place("variable", name, local)
            if local in signature.parameters:
                self._flow(own[local], NOTHING, node.lineno)
        for local in opaque_names(node):
            own[local] = Place("variable", name, local)
            self._flow(own[local], NOTHING, node.lineno)
        # What a function sees of those around it goes through its own names first.
        gives = not is_generator(node)
        visible, tested = {**scope.own, **own}, tested_names(node)
        inner = Scope(name, visible, is_function=True, gives=gives, tested=tested)
        self.read(node.body, inner)
        if gives and not ends(node.body) and not is_stub(node):
            ending = Place("return", name, RETURN)
            # Whether it falls off its end may rest on what it calls.
            self._flow(ending, Known(NONE), node.lineno, certain=False)

    def _docstring(self, node: Function, name: str, scope: Scope) -> None:
        text = ast.get_docstring(node)
        if not text:
            return
        # `get_docstring` leaves out empty lines at the beginning.
        raw = ast.get_docstring(node, clean=False) or ""
        shown = node.body[0].end_lineno or node.body[0].lineno
        first = shown - raw[len(raw) - len(raw.lstrip()) :].count("\n")
        parameters = self.module.functions[name].parameters
        stated = stated_types(text)
        said = {item.name for item in stated}
        prose = (item for item in prose_types(text, parameters) if item.name not in said)
        for item in (*stated, *prose):
            self._stated(item, name, first)
        for given in stated_examples(text):
            # Doctest reads those of its own form better.
            if not text.split("\n")[given.line].lstrip().startswith(">>>"):
                self._example(given.call, given.value, scope, first + given.line, given.call)
        try:
            examples = doctest.DocTestParser().get_examples(text)
        except ValueError:
            return
        for example in examples:
            source = example.source.strip()
            self._example(source, example.want.strip(), scope, first + example.lineno, source)

    def _comments(self, node: Function, name: str, scope: Scope) -> None:
        """Types and examples in the comments above a function and at its beginning."""
        first, comment = comment_at(node, self._lines)
        for item in prose_types(comment, self.module.functions[name].parameters):
            self._stated(item, name, first)
        for given in stated_examples(comment):
            self._example(given.call, given.value, scope, first + given.line, given.call)

    def _stated(self, item: Stated, name: str, first: int) -> None:
        """What a text that begins at line `first` says about a function."""
        place = Place("parameter", name, item.name)
        if item.name == RETURN:
            place = Place("return", name, RETURN)
        elif item.name not in self.module.functions[name].parameters:
            return
        # Prose may begin with a capital too.
        if classes_in(item.type) <= {*self.module.bound, *self.module.classes}:
            fact = Fact(place, item.type, "documented", first + item.line, item.text)
            self.module.facts.append(fact)

    def _example(self, source: str, want: str, scope: Scope, line: int, text: str) -> None:
        """A call and the value that it gives, as text says it."""
        try:
            call = ast.parse(source, mode="eval").body
            wanted = ast.parse(want, mode="eval").body
            ast.literal_eval(wanted)
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            return
        for found in calls(call):
            self._call(found, scope, line, text)
        self._equal(call, wanted, scope, line, text)

    def _equal(self, left: ast.expr, right: ast.expr, scope: Scope, line: int, text: str) -> None:
        """A call and a value are equal: what the value is, the function gives, or equals to it."""
        for call, value in ((left, right), (right, left)):
            signature = self._callee(call, scope) if isinstance(call, ast.Call) else None
            if signature is not None and not signature.name.endswith("__init__"):
                place = Place("return", signature.name, RETURN)
                self._flow(place, self._term(value, scope), line, text, certain=False)
                return

    def _call(self, call: ast.Call, scope: Scope, line: int = 0, text: str = "") -> None:
        signature = self._callee(call, scope)
        stars = any(isinstance(argument, ast.Starred) for argument in call.args)
        if signature is None or stars or any(keyword.arg is None for keyword in call.keywords):
            return
        self._read.add(id(call.func))
        # More positional arguments than parameters go into `*args`.
        positional = signature.parameters[: signature.positional]
        given = dict(zip(positional, call.args, strict=False))
        given |= {str(keyword.arg): keyword.value for keyword in call.keywords}
        line = line or call.func.lineno
        for parameter, argument in given.items():
            if parameter in signature.parameters:
                term = self._term(argument, scope)
                if isinstance(term, Narrowed):
                    term = Narrowed(term.of, drops_none=True)
                place = Place("parameter", signature.name, parameter)
                self._flow(place, term, line, text)

    def _mutate(self, changed: ast.expr, method: str, call: ast.Call, scope: Scope) -> None:
        """What a method puts into the container that a name holds."""
        container = CHANGING.get(method)
        if container is None or not isinstance(changed, ast.Name | ast.Attribute):
            return
        term: Term = NOTHING
        place = self._place_of(changed, scope)
        if container in ("list", "set") and len(call.args) == 1 and place is not None:
            term = Put(place, container, self._term(call.args[0], scope))
        self._assign(changed, term, scope, call.lineno)

    def _place_of(self, target: ast.expr, scope: Scope) -> Place | None:
        """Where a name or an attribute of self is kept; None for anything else."""
        match target:
            case ast.Name(id=name):
                return scope.place_of(name) or Place("variable", scope.name, name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                owner = scope.name.rpartition(".")[0]
                return Place("attribute", owner, name) if owner in self.module.classes else None
            case _:
                return None

    def _assign(self, target: ast.expr, term: Term, scope: Scope, line: int) -> None:
        term = filled_later(term)
        place = self._place_of(target, scope)
        if place is not None:
            self._read.add(id(target))
            self._flow(place, term, line)
            return
        match target:
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                starred = any(isinstance(part, ast.Starred) for part in parts)
                for at, part in enumerate(parts):
                    value = NOTHING if starred else Part(term, "unpacking", at)
                    self._assign(part, value, scope, line)
            case ast.Subscript(value=ast.Name() | ast.Attribute() as container):
                # Of a list, a dict or something else: which is not seen here.
                self._assign(container, NOTHING, scope, line)
            case ast.Starred(value=inner):
                self._assign(inner, NOTHING, scope, line)
            case _:
                pass

    def _declared(
        self, target: ast.expr, annotation: ast.expr, scope: Scope, node: ast.stmt
    ) -> None:
        place = self._place_of(target, scope)
        if place is not None:
            self._read.add(id(target))
            self._fact(place, parse_annotation(annotation), "declared", node.lineno)

    def _flow(
        self, target: Place, term: Term, line: int, text: str = "", *, certain: bool = True
    ) -> None:
        self.module.flows.append(Flow(target, term, line, text or self._text(line), certain))

    def _fact(self, place: Place, found: Type, strength: Strength, line: int) -> None:
        if found != UNKNOWN:
            self.module.facts.append(Fact(place, found, strength, line, self._text(line)))
        else:
            # It is declared to be something that is not understood here.
            self._flow(place, NOTHING, line)

    def _text(self, line: int) -> str:
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
