"""Shows evaluations: progress on stderr, figures on stdout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from codekiln.cli.console import stderr_console, visible, write_stdout
from codekiln.cli.display import show_progress

if TYPE_CHECKING:
    from rich.console import Console

    from codekiln.evals import CalibrationResult, Comparison, Listener, Progress, Stored, Summary

_PLAIN_EVERY_S = 10.0
_MOST_FAULTS = 20


@contextmanager
def show_run(*, quiet: bool = False, fresh: bool = False) -> Iterator[Listener]:
    """A listener that shows weights being loaded, then problems done, rate and time left."""
    from codekiln.evals import Listener

    if quiet:
        yield Listener()
        return
    console = stderr_console()
    if not console.is_terminal:
        with show_progress() as on_load:
            yield Listener(on_load, partial(_say_run, console, fresh), _PlainRun().take)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        task = bar.add_task("Getting ready", total=None, facts="")

        def take(progress: Progress) -> None:
            bar.update(
                task,
                description="Measuring",
                completed=progress.done,
                total=progress.total,
                facts=_facts(progress),
            )

        yield Listener(
            lambda event: bar.update(task, facts=visible(event.text)),
            partial(_say_run, bar.console, fresh),
            take,
        )


def _say_run(console: Console, fresh: bool, run: str, done: int) -> None:
    said = f"going on with {run}, {done} problems are done" if done else f"run {run}"
    command = "the same command without --fresh" if fresh else "the same command"
    console.print(
        f"{said}; after an interruption {command} goes on", soft_wrap=True, highlight=False
    )


class _PlainRun:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._last = -_PLAIN_EVERY_S

    def take(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last < _PLAIN_EVERY_S and progress.done < progress.total:
            return
        self._last = now
        left = ""
        if progress.seconds > 1 and 0 < progress.done < progress.total:
            rest = progress.seconds / progress.done * (progress.total - progress.done)
            left = f", about {_duration(rest)} left"
        line = f"{progress.done} of {progress.total} problems, {_facts(progress)}{left}"
        stderr_console().print(line, soft_wrap=True)


def _facts(progress: Progress) -> str:
    share = f"{progress.right / progress.done:.1%} right" if progress.done else "0 right"
    if not progress.tokens:
        return share
    return f"{share}, {progress.tokens / max(progress.seconds, 0.001):.0f} tokens/s"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def print_summary(stored: Stored, summary: Summary) -> None:
    """The figures of one run."""
    run = stored.run
    lines = [
        f"{run.suite} ({run.size}, {run.language}), {run.model}, {run.mode}",
        f"  run         {run.id}",
    ]
    scores = [
        ("greedy", summary.greedy),
        ("mean", summary.mean),
        ("gate", summary.gate),
        ("selected", summary.selected),
        ("oracle", summary.oracle),
    ]
    for name, value in scores:
        if value is not None:
            lines.append(f"  {name:<11} {value:6.1%}")
    if summary.interval is not None:
        low, high = summary.interval
        lines.append(f"  95 %        {low:.1%} to {high:.1%}")
    if summary.pass_at and run.mode == "sample":
        shown = [k for k in ("1", "3", "5", "10", "20", "50", "100") if k in summary.pass_at]
        lines += [f"  pass@{k:<6} {summary.pass_at[k]:6.1%}" for k in shown]
    if summary.selected is not None:
        lines.append(
            f"  verified    {summary.verified}, of them wrong {summary.verified_wrong}; "
            f"right greedy answers overturned {summary.overturned}"
        )
    lines.append(
        f"  cost        {summary.tokens} tokens, {summary.candidates} candidates, "
        f"{summary.executions} checks run, {_duration(summary.wall_s)}"
    )
    lines.append(f"  stored in   {stored.folder}")
    write_stdout("\n".join(visible(line) for line in lines) + "\n")


def print_calibration(found: CalibrationResult) -> None:
    """What passed, and every fault."""
    lines = [
        f"{found.suite} ({found.problems} problems, {found.language}), {found.seconds:.0f} s",
        f"  references that pass        {found.references_passed}/{found.references}",
        f"  wrong solutions that pass   {found.wrong_passed}/{found.wrong}",
    ]
    if found.suite.startswith("kilnlogic"):
        lines.append(
            f"  wrong ones that the visible examples catch  "
            f"{found.wrong_caught_by_examples}/{found.wrong}"
        )
    if found.left_out:
        lines.append(f"  cases left out, since the right value is too large: {found.left_out}")
    lines += [f"  fault: {fault}" for fault in found.faults[:_MOST_FAULTS]]
    if len(found.faults) > _MOST_FAULTS:
        lines.append(f"  and {len(found.faults) - _MOST_FAULTS} more faults")
    lines.append("calibrated" if found.ok else "not calibrated")
    write_stdout("\n".join(visible(line) for line in lines) + "\n")


def print_comparison(found: Comparison) -> None:
    """Both scores, the difference with its interval and p, and the cost."""
    from codekiln.evals.comparison_text import comparison_lines

    write_stdout("\n".join(visible(line) for line in comparison_lines(found)) + "\n")
