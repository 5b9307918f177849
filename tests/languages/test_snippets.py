"""Every language of the registry takes real code and refuses broken code; see snippets/."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from codekiln.languages import Language, all_languages, syntax_errors

FOLDER = Path(__file__).parent / "snippets"
MIN_VALID, MIN_INVALID = 5, 3

each_language = pytest.mark.parametrize(
    "language", all_languages(), ids=lambda language: language.name
)


def snippets(language: Language) -> tuple[list[str], list[str], str]:
    """Right code, broken code, and why the grammar refuses so little ("" when it does)."""
    data = tomllib.loads((FOLDER / f"{language.name}.toml").read_text(encoding="utf-8"))
    assert set(data) <= {"valid", "invalid", "lenient"}
    return data["valid"], data["invalid"], data.get("lenient", "")


@each_language
def test_right_code_parses(language: Language) -> None:
    valid, _, _ = snippets(language)
    assert len(set(valid)) >= MIN_VALID
    for code in valid:
        assert syntax_errors(language, code) == (), code


@each_language
def test_broken_code_is_refused(language: Language) -> None:
    _, invalid, lenient = snippets(language)
    # A grammar that refuses next to nothing, or none, is told to the user in the notes.
    assert len(set(invalid)) >= MIN_INVALID or (lenient and language.notes)
    for code in invalid:
        assert syntax_errors(language, code), code


@each_language
def test_a_comment_may_follow_code(language: Language) -> None:
    code = snippets(language)[0][0]
    if language.line_comment:
        # COBOL's fixed format keeps the first columns for line numbers.
        indent = 7 * " " if language.name == "cobol" else ""
        assert syntax_errors(language, f"{code}{indent}{language.line_comment} note\n") == ()
    if language.block_comment:
        opening, closing = language.block_comment
        assert syntax_errors(language, f"{code}{opening}\nnote\n{closing}\n") == ()


def test_no_snippets_are_left_without_a_language() -> None:
    assert {file.stem for file in FOLDER.iterdir()} == {item.name for item in all_languages()}
