"""`codekiln eval context`: what sparse attention costs in quality, on real code."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.evals.context.summary import ArmSummary
    from codekiln.generation.events import OnEvent

_PLAIN_EVERY_S = 10.0


def context_command(
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name or path of the model.")
    ] = None,
    length: Annotated[
        list[int] | None,
        typer.Option(
            "--length", metavar="TOKENS", help="Repeatable; 8192, 16384 and 32000 if absent."
        ),
    ] = None,
    contexts: Annotated[int, typer.Option("--contexts", help="Contexts per length.")] = 3,
    corpus: Annotated[
        str,
        typer.Option("--corpus", help="python: the standard library; cpp: PyTorch's headers."),
    ] = "python",
    code: Annotated[
        Path | None,
        typer.Option("--code", metavar="DIR", help="Take the files of this folder instead."),
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(
            "--arm",
            help="dense, sdpa (dense by PyTorch alone) or sparse; repeatable, the first is the "
            "reference; dense and sparse if absent.",
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A number of SparseConfig; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Where measured lines are kept."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Hold sparse attention against dense on long contexts: loss, agreement, retrieval.

    Goes on with what an interrupted call has measured.
    """
    from dataclasses import asdict

    from codekiln.cli.console import write_json, write_stdout
    from codekiln.generation.events import LoadingProgress
    from codekiln.models.extras import local_extra

    with local_extra("Measuring attention"):
        from codekiln.evals.context.run import (
            DEFAULT_ARMS,
            DEFAULT_LENGTHS,
            ContextPlan,
            measure_contexts,
        )
    from codekiln.evals.context.summary import summarise

    plan = ContextPlan(
        model=model,
        corpus=corpus,
        lengths=tuple(length or DEFAULT_LENGTHS),
        contexts=contexts,
        arms=tuple(arm or DEFAULT_ARMS),
        changes=tuple(change or ()),
        folder=code,
        out=out,
    )
    with tasks_progress(quiet) as (on_event, tell):
        path, lines = measure_contexts(plan, LoadingProgress(on_event), tell)
    found = summarise(lines)
    if as_json:
        write_json({"file": str(path), "arms": [asdict(item) for item in found]})
    else:
        _print(found)
        write_stdout(f"stored in {path}\n")
    return 0


def _print(found: Sequence[ArmSummary]) -> None:
    from codekiln.cli.table import print_table

    heads = ("CONTEXT", "ARM", "LOSS RISE (95 %)", "AGREEMENT (95 %)", "DENSITY", "MASS", "READ")
    rows = [
        (
            f"{item.corpus} {item.length} x{item.contexts}",
            item.arm,
            f"{item.rise:+.2%} ({item.rise_interval.low:+.2%} to {item.rise_interval.high:+.2%})",
            f"{item.agreement:.2%} ({item.agreement_interval.low:.2%} to "
            f"{item.agreement_interval.high:.2%})",
            "-" if item.density is None else f"{item.density:.3f}",
            "-" if item.covered is None else f"{item.covered:.2%}",
            f"{item.read_s:.0f} s of {item.reference_read_s:.0f} s",
        )
        for item in found
    ]
    print_table(heads, rows)
    answers = [
        (
            f"{item.corpus} {item.length}",
            item.arm,
            part.kind,
            str(part.questions),
            f"{part.reference:.1%}",
            f"{part.arm:.1%}",
            f"{100 * part.difference:+.1f} ({100 * part.interval.low:+.1f} to "
            f"{100 * part.interval.high:+.1f})",
            f"{part.reference_loss:.3f} -> {part.arm_loss:.3f}",
        )
        for item in found
        for part in item.retrieval
    ]
    if answers:
        columns = ["CONTEXT", "ARM", "KIND", "QUESTIONS", "REFERENCE", "RIGHT", "POINTS", "LOSS"]
        print_table(columns, answers)


@contextmanager
def tasks_progress(quiet: bool) -> Iterator[tuple[OnEvent, Callable[[str, int, int], None]]]:
    """A bar for many tasks: what takes events of loading, and what takes a name and counts."""
    from codekiln.cli.console import stderr_console
    from codekiln.cli.display import show_progress
    from codekiln.generation.events import ignore

    if quiet:
        yield ignore, lambda *_: None
        return
    console = stderr_console()
    if not console.is_terminal:
        with show_progress() as on_event:
            yield on_event, _PlainProgress().take
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("Getting ready", total=None)
        shown = ""

        def tell(what: str, done: int, total: int) -> None:
            nonlocal shown
            if what != shown:
                shown = what
                bar.reset(task)
            bar.update(task, description=what, completed=done, total=total)

        yield lambda event: bar.update(task, description=event.text or "Loading"), tell


class _PlainProgress:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def take(self, what: str, done: int, total: int) -> None:
        from codekiln.cli.console import stderr_console

        now = time.monotonic()
        if now - self._last >= _PLAIN_EVERY_S:
            self._last = now
            stderr_console().print(f"{what} {done:,} of {total:,}", soft_wrap=True)
