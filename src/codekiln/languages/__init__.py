"""The registry of languages (data), and syntax trees of their code (tree-sitter, on demand)."""

from codekiln.languages.registry import (
    Language,
    Validity,
    all_languages,
    detect_language,
    get_language,
    language_of_fence,
    language_of_path,
    language_of_shebang,
)
from codekiln.languages.syntax import SyntaxIssue, SyntaxTree, parse, syntax_errors

__all__ = [
    "Language",
    "SyntaxIssue",
    "SyntaxTree",
    "Validity",
    "all_languages",
    "detect_language",
    "get_language",
    "language_of_fence",
    "language_of_path",
    "language_of_shebang",
    "parse",
    "syntax_errors",
]
