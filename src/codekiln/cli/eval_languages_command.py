"""`codekiln eval languages`: small tasks in every language, plainly and through codekiln."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.evals.languages.summary import ArmCounts, LanguageCounts


def languages_command(
    language: Annotated[
        list[str] | None,
        typer.Option("--language", "-l", help="Only this language; repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name or path of the model, or openai:…")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most so many tasks per language.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Where outcomes are kept."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Ask for small programs in every language, and count what parses, builds, runs and is right.

    Each task is answered greedily, as the model writes it, and by codekiln with its checks and
    repair. Goes on with what an interrupted call has measured.
    """
    from dataclasses import asdict

    from codekiln.backends import open_backend
    from codekiln.cli.console import write_json, write_stdout
    from codekiln.cli.context_command import tasks_progress
    from codekiln.core.settings import load_settings
    from codekiln.evals.languages.folder import finish
    from codekiln.evals.languages.measure import measure_languages
    from codekiln.evals.languages.tasks import LanguageTask, language_tasks
    from codekiln.generation.events import LoadingProgress

    per_language: dict[str, list[LanguageTask]] = {}
    for one in language_tasks(language or ()):
        per_language.setdefault(one.task.language, []).append(one)
    tasks = [one for own in per_language.values() for one in own[:limit]]
    name = model or load_settings().model
    safe = "".join(c if c.isalnum() or c in ".-" else "_" for c in name)
    kept = folder or Path("results") / "languages" / safe
    with (
        tasks_progress(quiet) as (on_event, tell),
        open_backend(name, progress=LoadingProgress(on_event)) as backend,
    ):
        measure_languages(tasks, backend, kept, lambda done, of, what: tell(what, done, of))
    counts = [one for one in finish(kept) if one.language in per_language]
    if as_json:
        write_json({"folder": str(kept), "languages": [asdict(one) for one in counts]})
    else:
        _print(counts)
        write_stdout(f"stored in {kept}\n")
    return 0


def _print(counts: Sequence[LanguageCounts]) -> None:
    from codekiln.cli.table import print_table
    from codekiln.evals.languages.summary import total

    heads = ("LANGUAGE", "TASKS", "PARSE", "BUILT", "RAN", "PASS", "TOKENS", "CHECK MS")
    rows = [
        (one.language, *_cells(one.plain, one.codekiln), f"{one.check_ms:.1f}") for one in counts
    ]
    sums = total(one.plain for one in counts), total(one.codekiln for one in counts)
    rows.append(("all", *_cells(*sums), ""))
    print_table(heads, rows)


def _cells(plain: ArmCounts, checked: ArmCounts) -> tuple[str, ...]:
    """Plain and codekiln's counts beside each other."""
    built = f"{plain.built} {checked.built} of {plain.compiled}" if plain.compiled else "-"
    ran = f"{plain.ran} {checked.ran} of {plain.run}" if plain.run else "-"
    return (
        str(plain.tasks),
        f"{plain.parse} {checked.parse}",
        built,
        ran,
        f"{plain.passed} {checked.passed}",
        f"{plain.tokens} {checked.tokens}",
    )
