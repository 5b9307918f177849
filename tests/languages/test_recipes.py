"""Recipes are read strictly: what they do not know, they refuse."""

from __future__ import annotations

import pytest

from codekiln.core.errors import CodekilnError, UsageError
from codekiln.languages import get_language
from codekiln.languages.recipes import compiled_languages, recipe_languages, recipe_of
from codekiln.languages.recipes.reading import fill, read_recipe

TOY = """needs = "Toy 1"
tools = [["toy", "--version"]]
install = { debian = ["toy"] }
run = ["toy", "driver.toy"]
alike = ["keys", "null=list"]

[files]
"answer.toy" = "@CODE@"
"""


def test_a_recipe_is_read() -> None:
    toy = read_recipe("toy", TOY)
    assert toy.alike == ("keys", "null=list")
    assert toy.tools == (("toy", "--version"),)
    assert toy.call == ""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('needs = "Toy 1"\n', "", "lacks 'needs'"),
        ('needs = "Toy 1"\n', 'needs = "Toy 1"\nspeed = 9\n', "unknown field 'speed'"),
        ('"keys"', '"everything"', "unknown word 'everything'"),
        ('"null=list"', '"null=number"', "unknown word 'null=number'"),
        ("debian", "tape", "installs from"),
        ("[files]", 'products = ["toy"]\n\n[files]', "compiles nothing"),
        ('run = ["toy", "driver.toy"]', "", "neither compiles nor runs"),
        ("[files]", 'whole = "("\n\n[files]', "whole in the recipe of toy"),
        ("[files]", 'like = "none"\n\n[files]', "is like 'none'"),
        ("[files]", "[files", "not valid TOML"),
    ],
)
def test_a_wrong_recipe_is_refused(old: str, new: str, complaint: str) -> None:
    assert old in TOY
    with pytest.raises(CodekilnError, match="toy") as caught:
        read_recipe("toy", TOY.replace(old, new, 1))
    assert complaint in str(caught.value)


def test_a_language_without_a_recipe_is_refused() -> None:
    with pytest.raises(UsageError, match="cairo"):
        recipe_of("cairo")


@pytest.mark.parametrize("language", [*recipe_languages(), *compiled_languages()])
def test_every_recipe_tells_what_to_install(language: str) -> None:
    recipe = recipe_of(language)
    assert recipe.needs
    assert recipe.tools or recipe.folder
    assert any(recipe.install.values())
    known = get_language(language)
    assert (known.has_tools, known.can_run) == (True, bool(recipe.run))


def test_code_without_a_frame_gets_one() -> None:
    php = recipe_of("php")
    assert php.assembled("f();").startswith("<?php\n")
    assert php.assembled("<?php f();") == "<?php f();"


def test_what_is_filled_in_is_not_looked_into() -> None:
    assert fill("@CODE@ @ELSE@", {"CODE": "@CALLS@", "CALLS": "x"}) == "@CALLS@ @ELSE@"
