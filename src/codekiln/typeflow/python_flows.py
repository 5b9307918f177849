"""Reads Python into facts and flows: what is declared, and which value goes where.

Never runs what it reads. What it does not understand gives no flow, so that nothing is guessed;
a place that something unknown flows into is marked as open.
"""

from __future__ import annotations

import ast
import doctest
from collections.abc import Sequence

from codekiln.core.errors import UsageError
from codekiln.typeflow.docstrings import RETURN, stated_types
from codekiln.typeflow.facts import Fact, Place, Strength
from codekiln.typeflow.python_syntax import (
    FUNCTIONS,
    Function,
    arguments,
    blocks,
    calls,
    ends,
    inside,
    is_generator,
    is_stub,
    local_names,
    signature_of,
    tested_names,
)
from codekiln.typeflow.python_terms import Expressions, Module, Scope
from codekiln.typeflow.python_types import parse_annotation
from codekiln.typeflow.terms import (
    NOTHING,
    Arithmetic,
    Flow,
    Known,
    Part,
    Term,
)
from codekiln.typeflow.types import NONE, UNKNOWN, Type


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
    reader.read(tree.body, Scope("", {}))
    return reader.module


class _Reader:
    """Walks a module twice: for what is defined, then for what flows."""

    def __init__(self, lines: Sequence[str], module: Module) -> None:
        self.module = module
        self._lines = lines
        self._ambiguous: set[str] = set()
        expressions = Expressions(module)
        self._term, self._callee = expressions.term, expressions.callee

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
                    self._assign(target, self._term(value, scope), scope, node)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._assign(target, self._term(value, scope), scope, node)
            case ast.AugAssign(target=target, op=op, value=value):
                before = self._term(target, scope)
                after = Arithmetic(type(op).__name__, before, self._term(value, scope))
                self._assign(target, after, scope, node)
            case ast.For(target=target, iter=over) | ast.AsyncFor(target=target, iter=over):
                self._assign(target, Part(self._term(over, scope), "iteration"), scope, node)
            case ast.Return(value=value) if scope.gives:
                term = Known(NONE) if value is None else self._term(value, scope)
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

    def _class(self, node: ast.ClassDef, scope: Scope) -> None:
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
            Scope(name, {}),
        )

    def _function(self, node: Function, scope: Scope) -> None:
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
                self._flow(place, self._term(default, scope), argument)
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
        inner = Scope(name, visible, is_function=True, gives=gives, tested=tested)
        self.read(node.body, inner)
        if gives and not ends(node.body) and not is_stub(node):
            ending = Place("return", name, RETURN)
            # Whether it falls off its end may rest on what it calls.
            text = self._text(node.lineno)
            self.module.flows.append(Flow(ending, Known(NONE), node.lineno, text, certain=False))

    def _docstring(self, node: Function, name: str, scope: Scope) -> None:
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

    def _doctest(self, example: doctest.Example, scope: Scope) -> None:
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
        scope: Scope,
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
                self.module.flows.append(Flow(place, self._term(value, scope), line, shown))
                return

    def _call(self, call: ast.Call, scope: Scope) -> None:
        signature = self._callee(call, scope)
        if signature is None:
            return
        for parameter, argument in zip(signature.parameters, call.args, strict=False):
            if isinstance(argument, ast.Starred):
                break
            place = Place("parameter", signature.name, parameter)
            self._flow(place, self._term(argument, scope), call)
        for keyword in call.keywords:
            if keyword.arg in signature.parameters and keyword.arg is not None:
                place = Place("parameter", signature.name, keyword.arg)
                self._flow(place, self._term(keyword.value, scope), call)

    def _assign(self, target: ast.expr, term: Term, scope: Scope, node: ast.stmt) -> None:
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
        self, target: ast.expr, annotation: ast.expr, scope: Scope, node: ast.stmt
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

    def _flow(self, target: Place, term: Term, node: ast.AST) -> None:
        line = getattr(node, "lineno", 0)
        self.module.flows.append(Flow(target, term, line, self._text(line)))

    def _fact(self, place: Place, found: Type, strength: Strength, node: ast.AST) -> None:
        if found != UNKNOWN:
            line = getattr(node, "lineno", 0)
            self.module.facts.append(Fact(place, found, strength, line, self._text(line)))

    def _text(self, line: int) -> str:
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
