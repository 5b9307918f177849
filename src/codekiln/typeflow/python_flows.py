"""Reads Python into facts and flows: what is declared, and which value goes where.

Never runs what it reads. What it does not understand gives no flow, so that nothing is guessed;
a place that something unknown flows into is marked as open.
"""

from __future__ import annotations

import ast
import doctest
from collections.abc import Sequence
from dataclasses import dataclass, field

from codekiln.core.errors import UsageError
from codekiln.typeflow.docstrings import RETURN, stated_types
from codekiln.typeflow.facts import Fact, Place, Strength
from codekiln.typeflow.python_syntax import (
    FUNCTIONS,
    Function,
    Signature,
    arguments,
    around,
    blocks,
    calls,
    constant_type,
    ends,
    inside,
    is_generator,
    is_stub,
    local_names,
    signature_of,
    tested_names,
)
from codekiln.typeflow.python_types import parse_annotation
from codekiln.typeflow.terms import (
    NOTHING,
    Arithmetic,
    Built,
    Called,
    Flow,
    Joined,
    Known,
    Narrowed,
    Of,
    Part,
    Term,
)
from codekiln.typeflow.types import BOOL, NONE, STR, UNKNOWN, Type


@dataclass(slots=True)
class Module:
    """What was read of one module."""

    facts: list[Fact] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    functions: dict[str, Signature] = field(default_factory=dict)
    classes: dict[str, dict[str, Type]] = field(default_factory=dict)


def read_python(source: str, name: str = "the code") -> Module:
    """The facts and flows of a module. Raises UsageError for what does not parse."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f", line {line}" if line else ""
        raise UsageError(
            f"{name} is no Python that parses ({error.args[0] if error.args else error}{where})",
            "Mend the syntax first",
        ) from error
    reader = _Reader(source.splitlines(), Module())
    reader.declare(tree.body, "")
    reader.forget_ambiguous()
    reader.read(tree.body, _Scope("", {}))
    return reader.module


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where statements stand: a module, class or function, and the names that are its own.

    `gives`: what is returned is what a call gives, as it is not in a generator. `tested` are names
    that conditions ask about, so that their type may be another one further on.
    """

    name: str
    own: dict[str, Place]
    is_function: bool = False
    gives: bool = False
    tested: frozenset[str] = frozenset()

    def place_of(self, name: str) -> Place | None:
        return self.own.get(name)


class _Reader:
    """Walks a module twice: for what is defined, then for what flows."""

    def __init__(self, lines: Sequence[str], module: Module) -> None:
        self.module = module
        self._lines = lines
        self._ambiguous: set[str] = set()

    def declare(self, body: Sequence[ast.stmt], scope: str) -> None:
        """Note functions and classes, so that calls before their definition are understood."""
        for node in body:
            if isinstance(node, ast.ClassDef):
                name = inside(scope, node.name)
                self.module.classes[name] = {}
                self.declare(node.body, name)
            elif isinstance(node, FUNCTIONS):
                name = inside(scope, node.name)
                # Overloads, property setters and alternatives: which one is meant is not certain.
                if name in self.module.functions:
                    self._ambiguous.add(name)
                is_method = scope in self.module.classes
                self.module.functions[name] = signature_of(node, name, is_method)
                self.declare(node.body, name)
            elif isinstance(node, ast.If | ast.Try | ast.With):
                for part in blocks(node):
                    self.declare(part, scope)

    def forget_ambiguous(self) -> None:
        """Leave out functions that are defined more than once in a scope."""
        for name in self._ambiguous:
            del self.module.functions[name]

    def read(self, body: Sequence[ast.stmt], scope: _Scope) -> None:
        """Facts and flows of the statements."""
        for node in body:
            self._statement(node, scope)

    def _statement(self, node: ast.stmt, scope: _Scope) -> None:
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
                    self._assign(target, self.term(value, scope), scope, node)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, self.term(value, scope), scope, node)
            case ast.AugAssign(target=target, op=op, value=value):
                before = self.term(target, scope)
                after = Arithmetic(type(op).__name__, before, self.term(value, scope))
                self._assign(target, after, scope, node)
            case ast.For(target=target, iter=over) | ast.AsyncFor(target=target, iter=over):
                self._assign(target, Part(self.term(over, scope), "iteration"), scope, node)
            case ast.Return(value=value) if scope.gives:
                term = Known(NONE) if value is None else self.term(value, scope)
                self._flow(Place("return", scope.name, RETURN), term, node)
            case ast.With(items=items):
                for item in items:
                    if item.optional_vars is not None:
                        self._assign(item.optional_vars, NOTHING, scope, node)
            case ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
                self._equal(left, right, scope, node)
            case _:
                pass
        for call in calls(node):
            self._call(call, scope)
        for part in blocks(node):
            self.read(part, scope)

    def _class(self, node: ast.ClassDef, scope: _Scope) -> None:
        name = inside(scope.name, node.name)
        fields = self.module.classes.setdefault(name, {})
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                found = parse_annotation(statement.annotation)
                fields[statement.target.id] = found
                place = Place("attribute", name, statement.target.id)
                self._fact(place, found, "declared", statement)
        self.read(
            [part for part in node.body if isinstance(part, (*FUNCTIONS, ast.ClassDef))],
            _Scope(name, {}),
        )

    def _function(self, node: Function, scope: _Scope) -> None:
        name = inside(scope.name, node.name)
        signature = self.module.functions.get(name)
        if signature is None:
            return
        own = {place: Place("parameter", name, place) for place in signature.parameters}
        for argument, default in arguments(node):
            place = Place("parameter", name, argument.arg)
            if argument.arg not in own:
                continue
            if argument.annotation is not None:
                found = parse_annotation(argument.annotation)
                self._fact(place, found, "declared", argument)
            if default is not None:
                self._flow(place, self.term(default, scope), argument)
        for variadic in filter(None, (node.args.vararg, node.args.kwarg)):
            own[variadic.arg] = Place("variable", name, variadic.arg)
        if node.returns is not None:
            result = parse_annotation(node.returns)
            self._fact(Place("return", name, RETURN), result, "declared", node)
        self._docstring(node, name, scope)
        for local in local_names(node):
            own.setdefault(local, Place("variable", name, local))
        # What a function sees of those around it goes through its own names first.
        gives = not is_generator(node)
        visible, tested = {**scope.own, **own}, tested_names(node)
        inner = _Scope(name, visible, is_function=True, gives=gives, tested=tested)
        self.read(node.body, inner)
        if gives and not ends(node.body) and not is_stub(node):
            ending = Place("return", name, RETURN)
            # Whether it falls off its end may rest on what it calls.
            text = self._text(node.lineno)
            self.module.flows.append(Flow(ending, Known(NONE), node.lineno, text, certain=False))

    def _docstring(self, node: Function, name: str, scope: _Scope) -> None:
        text = ast.get_docstring(node)
        if not text:
            return
        first = node.body[0].lineno
        parameters = self.module.functions[name].parameters
        for item in stated_types(text):
            place = Place("parameter", name, item.name)
            if item.name == RETURN:
                place = Place("return", name, RETURN)
            elif item.name not in parameters:
                continue
            fact = Fact(place, item.type, "documented", first + item.line, item.text)
            self.module.facts.append(fact)
        try:
            examples = doctest.DocTestParser().get_examples(text)
        except ValueError:
            return
        for example in examples:
            self._doctest(example, scope)

    def _doctest(self, example: doctest.Example, scope: _Scope) -> None:
        try:
            call = ast.parse(example.source.strip(), mode="eval").body
            wanted = ast.parse(example.want.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            return
        for found in calls(call):
            self._call(found, scope)
        self._equal(call, wanted, scope, None, example.source.strip())

    def _equal(
        self,
        left: ast.expr,
        right: ast.expr,
        scope: _Scope,
        node: ast.stmt | None,
        text: str = "",
    ) -> None:
        """A call and a value are equal: what the value is, the function gives."""
        for call, value in ((left, right), (right, left)):
            signature = self._callee(call, scope) if isinstance(call, ast.Call) else None
            if signature is not None:
                place = Place("return", signature.name, RETURN)
                line = node.lineno if node is not None else signature.line
                shown = text or self._text(line)
                self.module.flows.append(Flow(place, self.term(value, scope), line, shown))
                return

    def _call(self, call: ast.Call, scope: _Scope) -> None:
        signature = self._callee(call, scope)
        if signature is None:
            return
        for parameter, argument in zip(signature.parameters, call.args, strict=False):
            if isinstance(argument, ast.Starred):
                break
            place = Place("parameter", signature.name, parameter)
            self._flow(place, self.term(argument, scope), call)
        for keyword in call.keywords:
            if keyword.arg in signature.parameters and keyword.arg is not None:
                place = Place("parameter", signature.name, keyword.arg)
                self._flow(place, self.term(keyword.value, scope), call)

    def _callee(self, call: ast.Call, scope: _Scope) -> Signature | None:
        """The function of this module that is called, where that is certain."""
        functions = self.module.functions
        match call.func:
            case ast.Name(id=name) if name not in scope.own:
                for outer in around(scope.name):
                    found = functions.get(inside(outer, name))
                    if found is not None and not found.is_method:
                        return found
                return functions.get(f"{name}.__init__") if name in self.module.classes else None
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return functions.get(f"{scope.name.rpartition('.')[0]}.{name}")
            case _:
                return None

    def _assign(self, target: ast.expr, term: Term, scope: _Scope, node: ast.stmt) -> None:
        match target:
            case ast.Name(id=name):
                place = scope.place_of(name) or Place("variable", scope.name, name)
                self._flow(place, term, node)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                owner = scope.name.rpartition(".")[0]
                if owner in self.module.classes:
                    self._flow(Place("attribute", owner, name), term, node)
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for at, part in enumerate(parts):
                    self._assign(part, Part(term, "index", at), scope, node)
            case ast.Starred(value=inner):
                self._assign(inner, NOTHING, scope, node)
            case _:
                pass

    def _declared(
        self, target: ast.expr, annotation: ast.expr, scope: _Scope, node: ast.stmt
    ) -> None:
        found = parse_annotation(annotation)
        match target:
            case ast.Name(id=name):
                place = scope.place_of(name) or Place("variable", scope.name, name)
                self._fact(place, found, "declared", node)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                owner = scope.name.rpartition(".")[0]
                self._fact(Place("attribute", owner, name), found, "declared", node)
            case _:
                pass

    def term(self, node: ast.expr, scope: _Scope) -> Term:
        """What the type of an expression depends on."""
        match node:
            case ast.Constant(value=value):
                return Known(constant_type(value))
            case ast.JoinedStr():
                return Known(STR)
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return Known(BOOL)
            case ast.List(elts=elts) | ast.Set(elts=elts):
                name = "list" if isinstance(node, ast.List) else "set"
                return Built(name, (self._joined(elts, scope),))
            case ast.Tuple(elts=elts):
                if any(isinstance(part, ast.Starred) for part in elts):
                    return NOTHING
                return Built("tuple", tuple(self.term(part, scope) for part in elts))
            case ast.Dict(keys=keys, values=values):
                known = [key for key in keys if key is not None]
                if len(known) < len(keys):
                    return Built("dict", (NOTHING, NOTHING))
                return Built("dict", (self._joined(known, scope), self._joined(values, scope)))
            case ast.Name(id=name):
                place = scope.place_of(name)
                if place is None and not scope.is_function:
                    place = Place("variable", scope.name, name)
                if place is None:
                    return NOTHING
                return Narrowed(Of(place)) if name in scope.tested else Of(place)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                attribute = Of(Place("attribute", scope.name.rpartition(".")[0], name))
                return Narrowed(attribute) if f"self.{name}" in scope.tested else attribute
            case ast.IfExp(body=body, orelse=orelse):
                return self._either((body, orelse), scope)
            case ast.BoolOp(values=values):
                return self._either(values, scope)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return self.term(operand, scope)
            case ast.BinOp(left=left, op=op, right=right):
                terms = self.term(left, scope), self.term(right, scope)
                return Arithmetic(type(op).__name__, *terms)
            case ast.Subscript(value=value, slice=ast.Slice()):
                return self.term(value, scope)
            case ast.Subscript(value=value, slice=at):
                place_in = at.value if isinstance(at, ast.Constant) else None
                number = place_in if type(place_in) is int else None
                return Part(self.term(value, scope), "index", number)
            case ast.NamedExpr(value=value):
                return self.term(value, scope)
            case ast.Call():
                signature = self._callee(node, scope)
                is_async = signature is not None and signature.is_async
                return NOTHING if is_async else self._result(node, scope)
            case ast.Await(value=ast.Call() as call):
                return self._result(call, scope)
            case _:
                return NOTHING

    def _either(self, nodes: Sequence[ast.expr], scope: _Scope) -> Term:
        terms = tuple(self.term(node, scope) for node in nodes)
        # One that is unknown may be anything: nothing can be said of all.
        return NOTHING if NOTHING in terms else Joined(terms)

    def _joined(self, nodes: Sequence[ast.expr], scope: _Scope) -> Term:
        terms = tuple(
            Part(self.term(node.value, scope), "iteration")
            if isinstance(node, ast.Starred)
            else self.term(node, scope)
            for node in nodes
        )
        return Joined(terms) if terms and NOTHING not in terms else NOTHING

    def _result(self, call: ast.Call, scope: _Scope) -> Term:
        signature = self._callee(call, scope)
        if signature is not None and not signature.name.endswith("__init__"):
            return Of(Place("return", signature.name, RETURN))
        first = self.term(call.args[0], scope) if call.args else None
        match call.func:
            case ast.Name(id=name) if name in self.module.classes:
                return Known(Type(name))
            case ast.Name(id=name) if name not in scope.own and signature is None:
                return Called(name, None, first)
            case ast.Attribute(value=value, attr=name):
                return Called(name, self.term(value, scope), first)
            case _:
                return NOTHING

    def _flow(self, target: Place, term: Term, node: ast.AST) -> None:
        line = getattr(node, "lineno", 0)
        self.module.flows.append(Flow(target, term, line, self._text(line)))

    def _fact(self, place: Place, found: Type, strength: Strength, node: ast.AST) -> None:
        if found != UNKNOWN:
            line = getattr(node, "lineno", 0)
            self.module.facts.append(Fact(place, found, strength, line, self._text(line)))

    def _text(self, line: int) -> str:
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
