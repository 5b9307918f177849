"""The registry of languages (data), and syntax trees of their code (tree-sitter, on demand)."""

from codekiln.languages.registry import (
    Language,
    Validity,
    all_languages,
    get_language,
    language_of_fence,
    language_of_path,
)
from codekiln.languages.syntax import SyntaxIssue, SyntaxTree, parse, syntax_errors

__all__ = [
    "Language",
    "SyntaxIssue",
    "SyntaxTree",
    "Validity",
    "all_languages",
    "get_language",
    "language_of_fence",
    "language_of_path",
    "parse",
    "syntax_errors",
]
