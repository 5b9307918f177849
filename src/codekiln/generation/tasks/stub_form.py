"""Reads Python code whose body is missing: signature, skeleton, description from docstrings."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass

from codekiln.generation.tasks.names import Interface, interface_of
from codekiln.generation.tasks.source import bound_names, parse_statements

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Stub:
    """Code to be completed: what it says in words, and where its examples are."""

    skeleton: str
    interface: Interface
    description: str
    docstrings: tuple[str, ...]
    is_open: bool  # False: every body is there already
    defined: frozenset[str] = frozenset()  # the names of all functions, methods and classes
    bound: frozenset[str] = frozenset()  # all names that the code gives a meaning, imports too


def read_stub(text: str) -> Stub | None:
    """The stub that `text` is as a whole; None when it is not Python with a definition."""
    skeleton = text.strip("\n")
    statements = parse_statements(skeleton)
    if statements is None:
        # HumanEval's way: a heading, perhaps a comment, and nothing below it.
        for indent in ("    ", "\t"):
            completed = f"{skeleton.rstrip()}\n{indent}..."
            statements = parse_statements(completed)
            if statements is not None:
                skeleton = completed
                break
    definitions = [node for node in statements or [] if isinstance(node, Definition)]
    if not definitions or not _is_code(statements or []):
        return None
    opened = [node for node in definitions if _is_open(node)]
    node = opened[0] if opened else definitions[-1]
    docs = [doc for inner in _documented(node) if (doc := ast.get_docstring(inner))]
    return Stub(
        skeleton=skeleton.strip("\n"),
        interface=interface_of(node, _heading_of(skeleton, node)),
        description=_description(skeleton, statements or [], node),
        docstrings=tuple(docs),
        is_open=bool(opened),
        defined=frozenset(
            inner.name
            for statement in statements or []
            for inner in ast.walk(statement)
            if isinstance(inner, Definition)
        ),
        bound=frozenset(bound_names(statements or [])),
    )


def without_examples(docstring: str) -> str:
    """A docstring's words without its doctests and the heading over them."""
    kept: list[str] = []
    skipping = False
    for line in docstring.splitlines():
        if line.strip().startswith(">>>"):
            skipping = True
        elif not line.strip():
            skipping = False
        if not skipping:
            kept.append(line)
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
    return re.sub(
        r"(?:^|\n)\s*(?:examples?|doctests?|示例)\s*[:：]?\s*(?:-{3,})?\s*$", "", text, flags=re.I
    ).strip()


def _is_code(statements: list[ast.stmt]) -> bool:
    # A line of prose may parse as an expression; code with a definition has little of that.
    return all(
        not isinstance(node, ast.Expr) or isinstance(node.value, ast.Constant | ast.Call)
        for node in statements
    )


def _is_open(node: Definition) -> bool:
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    if isinstance(node, ast.ClassDef):
        inner = [item for item in body if isinstance(item, Definition)]
        others = [item for item in body if item not in inner and not _is_filler(item)]
        fields = all(isinstance(item, ast.AnnAssign | ast.Assign) for item in others)
        if inner:
            return any(_is_open(item) for item in inner)
        return not others or (fields and not node.decorator_list)
    return all(_is_filler(item) for item in body)


def _is_filler(item: ast.stmt) -> bool:
    if isinstance(item, ast.Raise):
        raised = item.exc.func if isinstance(item.exc, ast.Call) else item.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(item, ast.Pass) or (
        isinstance(item, ast.Expr)
        and isinstance(item.value, ast.Constant)
        and item.value.value is Ellipsis
    )


def _documented(node: Definition) -> list[Definition]:
    return [inner for inner in ast.walk(node) if isinstance(inner, Definition)]


def _heading_of(text: str, node: Definition) -> str:
    lines = text.splitlines()
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
    body = node.body[0]
    if body.lineno > node.lineno:
        heading = lines[first : body.lineno - 1]
        while heading and not heading[-1].split("#")[0].rstrip().endswith(":"):
            heading.pop()
        return "\n".join(heading)
    line = lines[node.lineno - 1].encode()[: body.col_offset].decode(errors="replace")
    return "\n".join([*lines[first : node.lineno - 1], line.rstrip()])


def _description(text: str, statements: list[ast.stmt], node: Definition) -> str:
    docstring = ast.get_docstring(node)
    words = without_examples(docstring) if docstring else ""
    if not words:
        first = statements[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            words = inspect.cleandoc(str(first.value.value))
    if not words:
        comments = [
            line.lstrip().lstrip("#").strip()
            for line in text.splitlines()
            if line.lstrip().startswith("#") and not line.startswith("#!")
        ]
        words = "\n".join(comments).strip()
    what = "class" if isinstance(node, ast.ClassDef) else "function"
    return words or f"Complete the {what} `{node.name}`."
