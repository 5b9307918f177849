"""`codekiln setup LANGUAGE`: installs the tools of a language below the cache, without root."""

from __future__ import annotations

from typing import Annotated

import typer


def setup(
    language: Annotated[str, typer.Argument(help="typescript (also serves javascript).")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be installed.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> int:
    """Install the tools that codekiln uses for a language.

    TypeScript: the native compiler from npm, about 30 MB, into codekiln's cache. The decode guard
    asks it while TypeScript or JavaScript is being written.
    """
    from rich.console import Console

    from codekiln.cli.console import write_json, write_stdout
    from codekiln.typeflow.oracles import find_oracle
    from codekiln.typeflow.oracles.installation import (
        TYPESCRIPT,
        check_known,
        install_typescript,
        typescript_folder,
    )

    check_known(language)
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
