"""`codekiln models …`: what is in the catalogue and the cache, get it, check it, remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.models import ModelStatus

models = typer.Typer(
    help="List, download, check and remove model weights.",
    rich_markup_mode=None,
    invoke_without_command=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A name of 'codekiln models list'.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@models.callback()
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@models.command("list")
def list_command(as_json: AsJson = False) -> int:
    """The models that codekiln knows by name, and what is here of them."""
    from codekiln.cli.console import write_json
    from codekiln.core.settings import load_settings
    from codekiln.models import list_models

    statuses = list_models()
    default = load_settings().model
    if as_json:
        write_json({"models": [_as_json(status, default) for status in statuses]})
    else:
        _print_table(statuses, default)
    return 0


@models.command("pull")
def pull_command(name: Name, as_json: AsJson = False) -> int:
    """Download a model unless it is here; resumes, checks size and SHA-256."""
    from codekiln.cli.console import write_json, write_stdout
    from codekiln.cli.display import show_progress
    from codekiln.generation.events import LoadingProgress
    from codekiln.models import pull

    with show_progress() as on_event:
        files = pull(name, progress=LoadingProgress(on_event))
    if as_json:
        write_json({"name": files.name, "path": str(files.path), "sha256": files.sha256})
    else:
        write_stdout(f"{files.name} is in {files.path}\n")
    return 0


@models.command("verify")
def verify_command(name: Name, as_json: AsJson = False) -> int:
    """Read every byte of a downloaded model again and compare its SHA-256. Exit code 1: differs."""
    from codekiln.cli.console import error_line, write_json, write_stdout
    from codekiln.cli.display import show_progress
    from codekiln.generation.events import LoadingProgress
    from codekiln.models import verify_files

    with show_progress() as on_event:
        found = verify_files(name, LoadingProgress(on_event))
    if as_json:
        write_json(
            {
                "name": found.name,
                "path": str(found.path),
                "ok": found.ok,
                "expected": found.expected,
                "actual": found.actual,
            }
        )
    elif found.ok:
        remark = "as expected" if found.expected else "nothing to compare it with"
        write_stdout(f"{found.name}: SHA-256 {found.actual}, {remark}\n")
    else:
        error_line(
            f"{found.path} has the SHA-256 {found.actual[:12]}… instead of "
            f"{found.expected[:12]}…. Run 'codekiln models remove {found.name}' and pull it again"
        )
    return 0 if found.ok else 1


@models.command("path")
def path_command(name: Name, as_json: AsJson = False) -> int:
    """Where a downloaded model lies."""
    from codekiln.cli.console import write_json, write_stdout
    from codekiln.models import model_path

    path = str(model_path(name))
    if as_json:
        write_json({"name": name, "path": path})
    else:
        write_stdout(f"{path}\n")
    return 0


@models.command("remove")
def remove_command(name: Name, as_json: AsJson = False) -> int:
    """Delete a model's files, its converted copies and an unfinished download."""
    from codekiln.cli.console import write_json, write_stdout
    from codekiln.models import remove
    from codekiln.models.progress import format_bytes

    removed = remove(name)
    if as_json:
        paths = [str(path) for path in removed.paths]
        write_json({"name": removed.name, "freed_bytes": removed.freed_bytes, "paths": paths})
    elif removed.paths:
        write_stdout(f"removed {removed.name}, {format_bytes(removed.freed_bytes)} freed\n")
    else:
        write_stdout(f"{removed.name} was not here\n")
    return 0


def _as_json(status: ModelStatus, default: str) -> dict[str, object]:
    entry = status.entry
    return {
        "name": entry.name,
        "title": entry.title,
        "default": default in entry.names,
        "licence": entry.licence,
        "parameters": entry.parameters,
        "quantisation": entry.quantisation,
        "context_tokens": entry.config.context_tokens,
        "download_bytes": entry.size_bytes,
        "memory_bytes": entry.memory_bytes,
        "present": status.present,
        "path": str(status.path),
        "size_bytes": status.size_bytes,
        "converted_bytes": status.converted_bytes,
        "partial_bytes": status.partial_bytes,
        "origin": status.origin,
    }


def _print_table(statuses: tuple[ModelStatus, ...], default: str) -> None:
    from codekiln.cli.table import print_table
    from codekiln.models.progress import format_bytes

    rows = []
    for status in statuses:
        entry = status.entry
        state = "here" if status.present else "-"
        if not status.present and status.partial_bytes:
            state = f"{format_bytes(status.partial_bytes)} so far"
        rows.append(
            (
                entry.name + (" *" if default in entry.names else ""),
                entry.parameters,
                entry.quantisation,
                format_bytes(entry.size_bytes) if entry.size_bytes else "?",
                format_bytes(entry.memory_bytes),
                entry.licence,
                state,
            )
        )
    headings = ("model", "size", "weights", "download", "memory", "licence", "state")
    print_table(headings, rows)
