"""Python source in small pieces: is it an expression, which names does it need, is it a literal.

Never runs anything. Texts that are too long or nested too deep count as not Python.
"""

from __future__ import annotations

import ast
import builtins
import re
import sys
import warnings
from collections.abc import Iterable
from functools import lru_cache

MAX_CHARS = 20_000
MAX_NESTING = 80

_BUILTINS = frozenset(dir(builtins))
_EXCEPTIONS = frozenset(
    name
    for name in _BUILTINS
    if isinstance(getattr(builtins, name), type)
    and issubclass(getattr(builtins, name), BaseException)
)
# What the checks put into an example's namespace when it is used there without an import.
PROVIDED_NAMES = {
    "Counter": "collections",
    "OrderedDict": "collections",
    "defaultdict": "collections",
    "deque": "collections",
    "Decimal": "decimal",
    "Fraction": "fractions",
    "date": "datetime",
    "timedelta": "datetime",
    "Path": "pathlib",
}
PROVIDED_MODULES = frozenset(
    {"collections", "datetime", "decimal", "fractions", "functools", "itertools", "json", "math"}
    | {"operator", "random", "re", "statistics", "string"}
)
_STRINGS = re.compile(
    r"""(?s)'''(?:\\.|(?!''').)*'''|\"""(?:\\.|(?!\""").)*\"""|"""
    r"""'(?:\\[^\n]|[^'\\\n])*'|"(?:\\[^\n]|[^"\\\n])*\""""
)
_TYPOGRAPHIC = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "，": ",", "：": ":", "（": "(", "）": ")"}
    | {"【": "[", "】": "]", "；": ";", "－": "-", "\u2212": "-", "\u00a0": " "}
)
_JSON_WORDS = re.compile(r"(?<![\w.])(true|false|null)(?!\w|\s*=(?!=))")
_JSON_VALUES = {"true": "True", "false": "False", "null": "None"}


def parse_expression(text: str) -> ast.expr | None:
    """The expression that `text` is, or None."""
    # Leading blanks would be an indentation error.
    tree = _parse(text.strip(), "eval")
    return tree.body if isinstance(tree, ast.Expression) else None


def parse_statements(text: str) -> list[ast.stmt] | None:
    """The statements that `text` is, or None."""
    tree = _parse(text, "exec")
    return tree.body if isinstance(tree, ast.Module) else None


def source_of(text: str, node: ast.AST) -> str:
    """The part of `text` (as it was parsed) that `node` covers."""
    return ast.get_source_segment(text, node) or ""


def is_literal(text: str) -> bool:
    """True when `ast.literal_eval` can evaluate `text`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return False
    return parse_expression(text) is not None


def is_constant(node: ast.expr) -> bool:
    """True when `node` needs nothing but Python itself and its standard library."""
    return needed_names(node) <= provided_names(node)


def normalised(text: str) -> str | None:
    """`text` as the source of one Python expression, or None when it is none.

    JSON's true, false and null become Python's; typographic quotes and full-width punctuation
    outside of strings are read as their plain forms when the text is not Python without that.

    >>> normalised('[true, “a”]')
    '[True, "a"]'
    """
    plain = text.strip()
    for variant in (plain, _outside_strings(plain)):
        node = parse_expression(variant)
        if node is not None:
            # Without its parentheses an expression over several lines is none any more.
            bare = source_of(variant, node)
            return _with_python_words(bare if parse_expression(bare) else variant)
    return None


def mask_strings(text: str) -> str:
    """`text` with the inside of each string literal blanked out; the length stays."""
    return _STRINGS.sub(lambda m: m[0][0] + "\x00" * (len(m[0]) - 2) + m[0][-1], text)


def needed_names(node: ast.AST) -> set[str]:
    """Names that `node` reads and neither binds itself nor finds among the builtins."""
    read: set[str] = set()
    bound: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Name):
            (read if isinstance(child.ctx, ast.Load) else bound).add(child.id)
        elif isinstance(child, ast.arg):
            bound.add(child.arg)
    return read - bound - _BUILTINS


def bound_names(statements: Iterable[ast.AST]) -> set[str]:
    """Names that statements assign, import or define."""
    names: set[str] = set()
    for statement in statements:
        for child in ast.walk(statement):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                names.add(child.id)
            elif isinstance(child, ast.alias):
                names.add((child.asname or child.name).split(".")[0])
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(child.name)
    return names


def called_names(node: ast.AST) -> set[str]:
    """Functions and classes that `node` calls by their bare name or as `Name.method(...)`."""
    names = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Call):
            function = child.func
            while isinstance(function, ast.Attribute):
                function = function.value
            if isinstance(function, ast.Name):
                names.add(function.id)
    return names - _BUILTINS


def has_call(node: ast.AST) -> bool:
    """True when `node` calls something."""
    return any(isinstance(child, ast.Call) for child in ast.walk(node))


def has_ellipsis(node: ast.AST) -> bool:
    """True when `node` holds a `...`, by which people mean that something is left out."""
    return any(isinstance(c, ast.Constant) and c.value is Ellipsis for c in ast.walk(node))


def undefined_names(node: ast.AST, known: Iterable[str] = ()) -> set[str]:
    """Names that would be a NameError: neither called, nor known, nor provided."""
    needed = needed_names(node) - called_names(node) - set(known)
    return needed - provided_names(node, known)


def provided_names(node: ast.AST, known: Iterable[str] = ()) -> set[str]:
    """Names of the standard library that `node` needs and the checks provide."""
    modules = {
        child.value.id
        for child in ast.walk(node)
        if isinstance(child, ast.Attribute) and isinstance(child.value, ast.Name)
    }
    plain_calls = {
        child.func.id
        for child in ast.walk(node)
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Name)
    }
    provided = (plain_calls & set(PROVIDED_NAMES)) | (modules & PROVIDED_MODULES)
    return provided & (needed_names(node) - set(known))


def is_stdlib_import(statement: ast.stmt) -> bool:
    """True for an import of the standard library alone."""
    if isinstance(statement, ast.Import):
        modules = [alias.name for alias in statement.names]
    elif isinstance(statement, ast.ImportFrom):
        modules = [statement.module or ""]
    else:
        return False
    return all(module.split(".")[0] in sys.stdlib_module_names for module in modules)


def is_exception_name(name: str) -> bool:
    """True for a builtin exception, and for names that follow their custom (`FooError`)."""
    return name in _EXCEPTIONS or bool(re.fullmatch(r"(?:\w+\.)*[A-Z]\w*(?:Error|Exception)", name))


def is_builtin(name: str) -> bool:
    """True for a name that Python defines everywhere."""
    return name in _BUILTINS


def _outside_strings(text: str) -> str:
    masked = mask_strings(text)
    return "".join(
        char if hidden == "\x00" else char.translate(_TYPOGRAPHIC)
        for char, hidden in zip(text, masked, strict=True)
    )


def _with_python_words(source: str) -> str:
    pieces, end = [], 0
    for match in _JSON_WORDS.finditer(mask_strings(source)):
        pieces += [source[end : match.start()], _JSON_VALUES[match[0]]]
        end = match.end()
    return "".join(pieces) + source[end:]


# Each form of an example asks again whether the same few words are Python.
@lru_cache(maxsize=128)
def _parse(text: str, mode: str) -> ast.AST | None:
    if not text.strip() or len(text) > MAX_CHARS or _nesting(text) > MAX_NESTING:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode=mode)
    # ValueError: null bytes and lone surrogates; the other two: the parser's own depth limits.
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _nesting(text: str) -> int:
    depth = deepest = 0
    for char in text:
        if char in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in ")]}":
            depth -= 1
    return deepest
