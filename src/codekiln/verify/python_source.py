"""Python source as data: guarded parsing, what a module defines.

Takes untrusted source text; never executes or compiles it. Guards: `parse` refuses text that
could exhaust the parser or its callers (size, nesting, operator chains, null bytes, numbers that
Python cannot write out) and gives None for it; the sandbox, which compiles for real, has the last
word on such text.
"""

from __future__ import annotations

import ast
import re
import threading
import warnings

MAX_CHARS = 200_000
MAX_BRACKETS = 80
MAX_INDENT = 400
# Far below the 4,300 digits that Python writes out.
MAX_NUMBER_BITS = 10_000
# Whoever walks the tree may recurse once or twice per level.
MAX_TREE_DEPTH = 250
# Long runs of prefix operators recurse once per operator in the parser.
_PREFIX_RUN = re.compile(r"(?:(?:not|await|lambda\s*:)\s+|[-+~]\s*){150}")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Changing the filters of the warnings module is not thread-safe.
_WARNINGS_LOCK = threading.Lock()


def parse(code: str) -> ast.Module | SyntaxError | None:
    """The module's tree, the syntax error, or None when the text is beyond the guards."""
    if not _within_guards(code):
        return None
    try:
        with _WARNINGS_LOCK, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except SyntaxError as error:
        return error
    except (ValueError, MemoryError, RecursionError, OverflowError):
        return None
    return tree if _is_handy(tree) else None


def parse_expression(source: str) -> ast.expr | None:
    """The tree of one expression; None when it is none (or beyond the guards)."""
    tree = parse(source.strip())
    if isinstance(tree, ast.Module) and len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr):
        return tree.body[0].value
    return None


def top_level_names(tree: ast.Module) -> tuple[str, ...]:
    """Functions, classes and assigned names of the module, in order of appearance."""
    names: dict[str, None] = {}
    for statement in tree.body:
        if isinstance(statement, DEFINITIONS):
            names[statement.name] = None
        elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names.update((node.id, None) for node in targets if isinstance(node, ast.Name))
        elif isinstance(statement, (ast.Import, ast.ImportFrom)):
            names.update(
                ((alias.asname or alias.name).partition(".")[0], None) for alias in statement.names
            )
    return tuple(names)


def defined_callables(tree: ast.Module) -> tuple[str, ...]:
    """Names of the module's functions and classes."""
    return tuple(node.name for node in tree.body if isinstance(node, DEFINITIONS))


def all_bound_names(tree: ast.Module) -> set[str]:
    """Every name that is bound in some scope of the module."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, DEFINITIONS):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
    return names


def _within_guards(code: str) -> bool:
    if len(code) > MAX_CHARS or "\0" in code or _PREFIX_RUN.search(code):
        return False
    depth = deepest = 0
    for character in code:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth = max(depth - 1, 0)
    indent = max((len(line) - len(line.lstrip()) for line in code.splitlines()), default=0)
    return deepest <= MAX_BRACKETS and indent <= MAX_INDENT


def _is_handy(tree: ast.Module) -> bool:
    """True for a tree that may be walked recursively and written out."""
    level: list[ast.AST] = [tree]
    for _ in range(MAX_TREE_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if any(isinstance(node, ast.Constant) and _is_vast(node.value) for node in level):
            return False
        if not level:
            return True
    return False


def _is_vast(value: object) -> bool:
    return isinstance(value, int) and value.bit_length() > MAX_NUMBER_BITS
