"""The registry is sound as data, and look-ups are forgiving with a helpful refusal."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

import pytest

from codekiln.core.errors import CodekilnError, UsageError
from codekiln.languages import (
    Language,
    Validity,
    all_languages,
    detect_language,
    get_language,
    language_of_fence,
    language_of_path,
    language_of_shebang,
    parse,
)
from codekiln.languages.recipes import compiled_languages, recipe_languages
from codekiln.languages.registry import read_registry

ENTRY = """[[language]]
name = "toy"
display_name = "Toy"
aliases = []
extensions = [".toy"]
fences = ["toy"]
grammar = "python"
line_comment = "#"
kind = "programming"
style = "indentation"
validity = "parse"
"""


def test_languages_claim_what_their_recipes_do() -> None:
    assert {lang.name for lang in all_languages() if lang.validity is Validity.RUN} == {
        "python",
        *recipe_languages(),
    }
    assert {lang.name for lang in all_languages() if lang.validity is Validity.COMPILE} == set(
        compiled_languages()
    )


def test_the_registry_is_wide_and_listed_by_kind() -> None:
    kinds = [language.kind for language in all_languages()]
    assert list(dict.fromkeys(kinds)) == ["programming", "shell", "query", "markup", "data"]
    assert kinds == sorted(kinds, key=list(dict.fromkeys(kinds)).index)
    assert len(kinds) >= 130
    assert sum(kind in ("programming", "shell", "query") for kind in kinds) >= 120


@pytest.mark.parametrize("language", all_languages(), ids=lambda language: language.name)
def test_every_grammar_loads_and_every_key_leads_back(language: Language) -> None:
    assert not language.grammar or parse(language, "").source == b""
    for name in (language.name, language.display_name, *language.aliases):
        assert get_language(name.upper()) is language
    for extension in language.extensions:
        assert language_of_path(f"a/b.c/file{extension}") is language
    for filename in language.filenames:
        assert language_of_path(f"a/{filename}") is language
    for interpreter in language.shebangs:
        assert language_of_shebang(f"#!/usr/bin/env {interpreter}") is language
    for fence in language.fences:
        assert language_of_fence(fence) is language


def test_an_unknown_language_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UsageError, match=r"'pyton' is not known.*python"):
        get_language("pyton")
    with pytest.raises(UsageError, match=r"Known are: python, javascript"):
        get_language("%%%%")


def test_a_path_without_a_known_suffix_has_no_language() -> None:
    assert language_of_path("notes.txt") is None
    assert language_of_path("") is None
    assert language_of_fence("") is None


@pytest.mark.parametrize(
    ("first_line", "name"),
    [
        ("#!/bin/sh", "bash"),
        ("#! /usr/bin/python3.12 -u", "python"),
        ("#!/usr/bin/env -S MODE=fast deno run --allow-read", "typescript"),
        ("#!/usr/bin/guile-3.0 -s", "scheme"),
        ("#!/bin/ksh93", "ksh"),
        ("#!/usr/bin/env Rscript", "r"),
    ],
)
def test_a_shebang_says_the_language(first_line: str, name: str) -> None:
    language = language_of_shebang(first_line)
    assert language is not None
    assert language.name == name


@pytest.mark.parametrize(
    "first_line", ["", "#!", "#!/usr/bin/env", "#!/opt/unknown", "# python", " #!/bin/sh"]
)
def test_a_line_that_names_no_known_interpreter_says_none(first_line: str) -> None:
    assert language_of_shebang(first_line) is None


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("src/CMakeLists.txt", "", "cmake"),
        ("tool.rb", "#!/bin/sh\n", "ruby"),
        ("bin/tool", "#!/usr/bin/env node\nrun()\n", "javascript"),
        ("", "#!/usr/bin/perl -w\n", "perl"),
        ("shader.v", "", "verilog"),
        ("view.m", "", "objc"),
    ],
)
def test_a_file_name_goes_before_a_suffix_and_a_shebang(path: str, text: str, name: str) -> None:
    language = detect_language(path, text)
    assert language is not None
    assert language.name == name


def test_a_file_that_says_nothing_has_no_language() -> None:
    assert detect_language("LICENSE", "Apache License\n") is None
    assert detect_language() is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('name = "toy"\n', ""), "lacks 'name'"),
        (('kind = "programming"', 'kind = "poem"'), "'kind' is 'poem'"),
        (('grammar = "python"', 'grammar = ""'), "has no grammar and is not run"),
        (('validity = "parse"', 'validity = "proved"'), "'validity' is 'proved'"),
        (('style = "indentation"', 'style = "waves"'), "'style' is 'waves'"),
        (('style = "indentation"\n', ""), "lacks 'style'"),
        (("aliases = []\n", 'aliases = []\nprompt = ["a"]\n'), "'prompt' must be a text"),
        (("aliases = []\n", 'aliases = []\nshebangs = ["/bin/toy"]\n'), "must be a bare name"),
        (('fences = ["toy"]', "fences = []"), "at least one tag"),
        (('fences = ["toy"]', 'fences = "toy"'), "list of texts"),
        (('[".toy"]', '["toy"]'), "must look like"),
        (('name = "toy"', 'name = "Toy"'), "lower case"),
        (("aliases = []\n", 'aliases = []\ncolour = "red"\n'), "unknown field 'colour'"),
        (("aliases = []\n", 'aliases = []\nblock_comment = ["/*"]\n'), "opening and a closing"),
        (("[[language]]", "[[languages]]"), "besides"),
        (('name = "toy"', "name = "), "not valid TOML"),
    ],
)
def test_a_broken_registry_is_refused_naming_the_fault(
    change: tuple[str, str], complaint: str
) -> None:
    assert read_registry(ENTRY)[0].name == "toy"
    with pytest.raises(CodekilnError, match=complaint):
        read_registry(ENTRY.replace(*change))


def test_two_languages_cannot_claim_one_extension() -> None:
    second = ENTRY.replace('"toy"', '"toy2"').replace('"Toy"', '"Toy2"')
    with pytest.raises(CodekilnError, match=r"extension '.toy' to both toy and toy2"):
        read_registry(ENTRY + second)


def test_the_registry_ships_inside_the_package() -> None:
    assert (resources.files("codekiln.languages") / "languages.toml").is_file()


def test_importing_the_package_does_not_load_a_parser() -> None:
    script = "import sys, codekiln.languages; print([m for m in sys.modules if 'tree_sitter' in m])"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
