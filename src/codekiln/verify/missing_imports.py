"""Adds imports of Python's standard library that a program uses and forgot.

Takes untrusted source text; never executes it. A name counts only when nothing in the program
binds it, so that the program without the import could only have ended in a NameError there.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections.abc import Collection
from dataclasses import dataclass

from codekiln.verify.python_source import all_bound_names, parse

# Modules that importing in this process costs little; `name.attribute` must exist in them.
_MODULES = frozenset(
    {"abc", "asyncio", "bisect", "collections", "copy", "dataclasses", "datetime", "decimal"}
    | {"enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json", "math"}
    | {"operator", "os", "queue", "random", "re", "statistics", "string", "sys", "threading"}
    | {"time", "typing", "unicodedata"}
)
# Names that are hardly ever anything else.
_HOMES = {
    "abc": "ABC abstractmethod",
    "bisect": "bisect bisect_left bisect_right insort",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "copy": "deepcopy",
    "dataclasses": "dataclass",
    "datetime": "date datetime timedelta",
    "decimal": "Decimal",
    "enum": "Enum",
    "fractions": "Fraction",
    "functools": "cmp_to_key lru_cache partial reduce wraps",
    "heapq": "heapify heappop heappush heappushpop nlargest nsmallest",
    "itertools": "accumulate chain combinations combinations_with_replacement cycle groupby "
    "islice permutations product starmap takewhile zip_longest",
    "math": "ceil factorial floor gcd hypot isqrt log10 log2 pi prod sqrt",
    "operator": "attrgetter itemgetter mul",
    "random": "randint",
    "threading": "Condition Lock RLock Semaphore Thread",
    "typing": "Any Callable Dict Generator Iterable Iterator List Optional Sequence Set Tuple "
    "TypeVar Union",
}
_CODING = re.compile(r"#.*coding[:=]")
_NAMES = {name: module for module, names in _HOMES.items() for name in names.split()}


@dataclass(frozen=True, slots=True)
class Completed:
    """Code with what it needed in front; `added` are the import lines."""

    code: str
    added: tuple[str, ...] = ()


def add_missing_imports(code: str, known: Collection[str] = ()) -> Completed:
    """The program with the imports that it lacks; unchanged when there are none.

    Names in `known` are somebody's own and never imported.

    >>> add_missing_imports("def f(s):\\n    return re.split(',', s)\\n").added
    ('import re',)
    """
    tree = parse(code)
    if not isinstance(tree, ast.Module) or _imports_all(tree):
        return Completed(code)
    bound = all_bound_names(tree) | set(vars(builtins)) | set(known)
    attributes: dict[str, set[str]] = {}
    bare: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            attributes.setdefault(node.value.id, set()).add(node.attr)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in bound:
            bare.add(node.id)
    added = tuple(sorted(filter(None, (_line(name, attributes.get(name)) for name in bare))))
    return Completed(_with_lines(code, tree, added), added) if added else Completed(code)


def _imports_all(tree: ast.Module) -> bool:
    return any(
        alias.name == "*"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


def _line(name: str, attributes: set[str] | None) -> str:
    """The import of a name that nothing binds; empty when none is certain."""
    if attributes and name in _MODULES:
        module = importlib.import_module(name)
        if all(hasattr(module, attribute) for attribute in attributes):
            return f"import {name}"
    home = _NAMES.get(name)
    return f"from {home} import {name}" if home else ""


def _with_lines(code: str, tree: ast.Module, added: tuple[str, ...]) -> str:
    """`added` behind the first comments, the docstring and the imports from `__future__`."""
    lines = code.split("\n")
    place = next((n for n, line in enumerate(lines) if not line.startswith("#!")), 0)
    if _CODING.match(lines[place]):
        place += 1
    for node in tree.body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not is_text and not is_future:
            break
        place = max(place, node.end_lineno or node.lineno)
    gap = [] if _begins_with_import(tree, place) else ["", ""]
    return "\n".join([*lines[:place], *added, *gap, *lines[place:]])


def _begins_with_import(tree: ast.Module, place: int) -> bool:
    following = next((node for node in tree.body if node.lineno > place), None)
    return isinstance(following, ast.Import | ast.ImportFrom)
