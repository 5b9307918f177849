"""`codekiln languages [NAME]`: what codekiln knows of each language and can prove of code in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.languages import Language
    from codekiln.sandbox import Isolation


def languages(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="One language, by any of its names.")
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> int:
    """List the languages, or all that is known of one.

    Levels: parse, the syntax is checked; compile, its own compiler takes or refuses answers; run,
    answers are built and run on the examples. Both where what that needs is installed.
    """
    from concurrent.futures import ThreadPoolExecutor

    from codekiln.cli.console import write_json, write_stdout
    from codekiln.cli.table import print_table
    from codekiln.languages import all_languages, get_language

    isolation = _isolation()
    if name:
        told = _told(get_language(name), isolation)
        if as_json:
            write_json(told)
        else:
            # What is missing here is told; what there is nothing to say of is not.
            shown = (item for item in told.items() if item[1] not in (None, "", []))
            write_stdout("".join(f"{_line(*item)}\n" for item in shown))
        return 0
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda language: _told(language, isolation), all_languages()))
    if as_json:
        write_json({"languages": found})
        return 0
    columns = ("name", "kind", "level", "installed", "toolchain")
    rows = [[_cell(language[column]) for column in columns] for language in found]
    print_table([column.upper() for column in columns], rows)
    return 0


def _isolation() -> Isolation | None:
    """What programs would run in; None where nothing keeps them in."""
    from codekiln.core.errors import SandboxError
    from codekiln.sandbox import open_isolation

    try:
        return open_isolation()
    except SandboxError:
        return None


def _told(language: Language, isolation: Isolation | None) -> dict[str, object]:
    from codekiln.languages.recipes import recipe_of
    from codekiln.verify.toolchains import missing_tools

    toolchain: str | None = None
    installed: bool | None = None
    if language.name == "python":
        toolchain, installed = "the Python that runs codekiln", isolation is not None
    elif language.has_tools:
        recipe = recipe_of(language.name)
        toolchain = recipe.needs
        installed = isolation is not None and not missing_tools(recipe, isolation)
    return {
        "name": language.name,
        "display_name": language.display_name,
        "kind": language.kind,
        "level": language.validity.value,
        "toolchain": toolchain,
        "installed": installed,
        "aliases": list(language.aliases),
        "extensions": list(language.extensions),
        "filenames": list(language.filenames),
        "shebangs": list(language.shebangs),
        "fences": list(language.fences),
        "grammar": language.grammar,
        "notes": language.notes,
    }


def _line(key: str, value: object) -> str:
    return f"{key.replace('_', ' '):14}{_cell(value)}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(value) if isinstance(value, list) else str(value)
