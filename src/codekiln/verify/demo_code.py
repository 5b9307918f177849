"""Drops the part of a Python module that only shows its definitions off, or tests them.

Takes untrusted source text; never executes it. In doubt code stays.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from dataclasses import dataclass

from codekiln.verify.python_source import DEFINITIONS, defined_callables, parse

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_DEMO_CALLS = frozenset({"print", "input", "exit", "quit", "main", "test", "tests", "run_tests"})


@dataclass(frozen=True, slots=True)
class Trimmed:
    """Code without its demo part; `removed` names in words what went, with 1-based lines."""

    code: str
    removed: tuple[str, ...] = ()


def trim_demo(
    code: str, keep: str = "", *, named: Collection[str] = (), guards: bool = True
) -> Trimmed:
    """Drop what runs on import only to show the definitions off.

    Dropped, when the module defines a function or class: `if __name__ == "__main__":` blocks;
    after the first definition top-level `print(...)`, `input(...)`, `assert`, bare calls of
    `main`/`test`/`exit`, and loops and conditions made only of those; behind the last definition
    assignments of computed values, and method calls on them, that only the dropped code reads;
    functions that only assert and print (a small model's own tests are often wrong), when
    dropped code is all that calls them.
    All else stays: the name `keep`, functions that are `named`, text that does not parse, and
    without `guards` the `__main__` blocks, which do not run on import.
    """
    tree = parse(code)
    if not isinstance(tree, ast.Module) or not any(isinstance(n, DEFINITIONS) for n in tree.body):
        return Trimmed(code)
    demo = _demo_statements(tree, {keep, *named}, keep, guards)
    if not demo:
        return Trimmed(code)
    # The tokenizer knows fewer line ends than str.splitlines does.
    lines = code.split("\n")
    if "\r" in code or "\f" in code or any(_shares_a_line(node, tree) for node in demo):
        return Trimmed(code)
    gone: set[int] = set()
    removed = []
    for node in demo:
        first, last = node.lineno, node.end_lineno or node.lineno
        gone.update(range(first - 1, last))
        removed.append(f"line {first}: {lines[first - 1].strip()[:60]}")
    kept = [line for number, line in enumerate(lines) if number not in gone]
    trimmed = "\n".join(kept).rstrip() + "\n"
    # A comment above removed code says nothing any more, one at the very end in particular.
    trimmed = re.sub(r"(?:\n[ \t]*(?:#[^\n]*)?)+\Z", "\n", trimmed)
    after = parse(trimmed)
    own_tests = {node.name for node in demo if isinstance(node, DEFINITIONS)}
    left = tuple(name for name in defined_callables(tree) if name not in own_tests)
    if not isinstance(after, ast.Module) or defined_callables(after) != left:
        return Trimmed(code)
    return Trimmed(trimmed, tuple(removed))


def _demo_statements(
    tree: ast.Module, named: Collection[str], keep: str, guards: bool
) -> list[ast.stmt]:
    first = next(place for place, node in enumerate(tree.body) if isinstance(node, DEFINITIONS))
    demo = [
        node
        for place, node in enumerate(tree.body)
        if (guards if _is_main_guard(node) else place > first and _is_demo(node))
    ]
    demo += _own_tests(tree, demo, named)
    definitions = [n for n in tree.body if isinstance(n, DEFINITIONS) and n not in demo]
    if not definitions:
        return []
    last = tree.body.index(definitions[-1])
    support = _support(tree.body[last + 1 :], tree, demo, keep)
    return sorted([*demo, *support], key=lambda node: node.lineno)


def _own_tests(tree: ast.Module, demo: list[ast.stmt], named: Collection[str]) -> list[ast.stmt]:
    """Functions that only assert and print, with the bare calls that run them on import.

    One that no dropped code calls stays: it does nothing unless it is asked to.
    """
    found: list[ast.stmt] = []
    data = {name for node in tree.body for name in _stored_outside_scopes([node])}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name in named or not _only_tests(node):
            continue
        # One that works with the module's own data may be what fills them.
        if _free(node) & data:
            continue
        users = [n for n in tree.body if n is not node and node.name in _free(n)]
        calls = [n for n in users if _is_bare_call(n, node.name)]
        if users and all(user in demo or user in calls for user in users):
            found += [node, *(call for call in calls if call not in demo)]
    return found


def _only_tests(node: ast.FunctionDef) -> bool:
    """True for a function without arguments whose statements only assert, print and prepare."""
    arguments = node.args
    if node.decorator_list or any(isinstance(part, ast.arg) for part in ast.walk(arguments)):
        return False
    return any(isinstance(part, ast.Assert) for part in ast.walk(node)) and all(
        _is_demo(statement) or _is_preparation(statement) for statement in node.body
    )


def _is_preparation(node: ast.stmt) -> bool:
    if isinstance(node, ast.Return):
        return node.value is None or isinstance(node.value, ast.Constant)
    if isinstance(node, ast.For | ast.While | ast.If | ast.With):
        inner = [*node.body, *getattr(node, "orelse", [])]
        return all(_is_demo(item) or _is_preparation(item) for item in inner)
    if isinstance(node, ast.Assign):
        return _all_names([part for target in node.targets for part in _flat(target)])
    return isinstance(node, ast.Pass) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _is_bare_call(node: ast.stmt, name: str) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == name
    )


def _support(
    tail: list[ast.stmt], tree: ast.Module, demo: list[ast.stmt], keep: str
) -> list[ast.stmt]:
    """Assignments and method calls behind the last definition that only the demo needs."""
    assigned = {id(node): _assigned(node) for node in tail}
    own = set().union(*assigned.values()) - {keep}
    support = []
    for node in tail:
        names = assigned[id(node)] or _receiver(node) & own
        if node not in demo and names and names <= own:
            support.append((node, names))
    readers = {
        id(node): [other for other in tree.body if other is not node and names & _free(other)]
        for node, names in support
    }
    # Largest set that nothing outside of it reads, then what of it demo code or input() needs.
    while True:
        going = {id(node) for node in demo} | {id(node) for node, _ in support}
        kept = [(n, names) for n, names in support if all(id(r) in going for r in readers[id(n)])]
        if len(kept) == len(support):
            break
        support = kept
    needed = {id(node) for node in demo}
    needed |= {id(node) for node, _ in support if "input" in _free(node)}
    while True:
        more = {
            id(node)
            for node, names in support
            if any(id(reader) in needed for reader in readers[id(node)])
            or any(names & assigned[id(n)] for n, _ in support if id(n) in needed)
        }
        if more <= needed:
            return [node for node, _ in support if id(node) in needed]
        needed |= more


def _free(node: ast.AST) -> set[str]:
    """Names that `node` takes from the module; too many rather than too few."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        arguments = node.args
        around = [*node.decorator_list, arguments, *([node.returns] if node.returns else [])]
        parts = [part for statement in node.body for part in ast.walk(statement)]
        shared = {n for p in parts if isinstance(p, (ast.Global, ast.Nonlocal)) for n in p.names}
        own = {item.arg for item in ast.walk(arguments) if isinstance(item, ast.arg)}
        own |= _stored_outside_scopes(node.body)
        inside = set().union(*map(_free, node.body))
        return (inside - (own - shared)) | shared | set().union(*map(_free, around))
    names = {node.id} if isinstance(node, ast.Name) else set()
    return names.union(*map(_free, ast.iter_child_nodes(node)))


def _stored_outside_scopes(body: list[ast.stmt]) -> set[str]:
    """Names assigned by these statements themselves, not inside scopes of their own."""
    names: set[str] = set()
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        if isinstance(node, (*DEFINITIONS, ast.Lambda, *_COMPREHENSIONS)):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        stack.extend(ast.iter_child_nodes(node))
    return names


def _assigned(node: ast.stmt) -> set[str]:
    """Names that a plain assignment of a computed value binds; an alias does not count."""
    if not isinstance(node, ast.Assign) or isinstance(
        node.value, (ast.Name, ast.Attribute, ast.Lambda)
    ):
        return set()
    parts = [part for target in node.targets for part in _flat(target)]
    return {p.id for p in parts if isinstance(p, ast.Name)} if _all_names(parts) else set()


def _flat(target: ast.expr) -> list[ast.expr]:
    if isinstance(target, (ast.Tuple, ast.List)):
        return [part for item in target.elts for part in _flat(item)]
    return [target]


def _all_names(parts: list[ast.expr]) -> bool:
    return all(isinstance(part, ast.Name) for part in parts)


def _receiver(node: ast.stmt) -> set[str]:
    """The variable whose method a bare call statement calls."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
            return {function.value.id}
    return set()


def _is_main_guard(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Compare)
        and not node.orelse
        and {"__name__", "'__main__'"}
        == {ast.unparse(part) for part in (node.test.left, *node.test.comparators)}
    )


def _is_demo(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if isinstance(node, ast.Expr):
        value = node.value
        return (
            isinstance(value, ast.Call)
            and isinstance(value.func, ast.Name)
            and value.func.id in _DEMO_CALLS
        )
    if isinstance(node, (ast.For, ast.While, ast.If)):
        body = [*node.body, *node.orelse]
        return all(_is_demo(item) or isinstance(item, ast.Pass) for item in body)
    return False


def _shares_a_line(node: ast.stmt, tree: ast.Module) -> bool:
    last = node.end_lineno or node.lineno
    return any(
        other is not node
        and other.lineno <= last
        and (other.end_lineno or other.lineno) >= node.lineno
        for other in tree.body
    )
