"""`codekiln eval …`: measure a model, list and compare what was measured, calibrate the scorer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codekiln.cli.stored_runs_command import (
    AsJson,
    Results,
    list_command,
    remove_command,
    run_line,
    show_command,
)

if TYPE_CHECKING:
    from codekiln.evals import Asking
    from codekiln.evals.comparison import Comparison

EXAMPLES = """\b
Examples:
  codekiln eval run humaneval --model qwen2.5-coder-0.5b --mode greedy
  codekiln eval run mbpp --mode verified -n 10
  codekiln eval run multipl-e --language javascript --limit 20
  codekiln eval show RUN 17
  codekiln eval compare SAMPLE_RUN VERIFIED_RUN --differs mode --equal-tokens
  codekiln eval calibrate humaneval
  codekiln eval report --html report.html

\b
Benchmark files are looked for in --data, in CODEKILN_DATA, or in the cache, else downloaded.
A run that was interrupted goes on when the same command is given again.
"""

evaluate = typer.Typer(
    help="Measure models and codekiln itself on benchmarks, and compare.",
    rich_markup_mode=None,
    invoke_without_command=True,
    epilog=EXAMPLES,
)

Data = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="Folder with the benchmark files.")
]
SuiteName = Annotated[
    str, typer.Argument(metavar="SUITE", help="A suite; 'codekiln eval suites' lists them.")
]
Language = Annotated[
    str | None, typer.Option("--language", "-l", help="Language, for suites with several.")
]


@evaluate.callback()
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@evaluate.command("suites")
def suites_command(as_json: AsJson = False) -> int:
    """The suites that codekiln knows, and how many problems each holds."""
    from codekiln.cli.console import write_json
    from codekiln.cli.table import print_table
    from codekiln.evals import suite_table

    rows = suite_table()
    if as_json:
        write_json({"suites": rows})
        return 0
    cells = [
        (row["name"], row["language"], str(row["problems"] or "-"), row["title"]) for row in rows
    ]
    print_table(("SUITE", "LANGUAGE", "PROBLEMS", ""), cells)
    return 0


@evaluate.command("run")
def run_command(
    suite: SuiteName,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name or path of the model.")
    ] = None,
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            help="greedy: one answer; sample: n answers; verified: what 'codekiln generate' does; "
            "one-shot: the same, never function by function; stepwise: always so.",
        ),
    ] = "verified",
    n: Annotated[
        int | None,
        typer.Option(
            "-n",
            "--candidates",
            help="Samples, or candidates with repairs, per problem; 10 if absent.",
        ),
    ] = None,
    temperature: Annotated[
        float, typer.Option("--temperature", help="For all but the greedy draft.")
    ] = 0.8,
    top_p: Annotated[float, typer.Option("--top-p", help="For the samples of mode sample.")] = 1.0,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", help="Most new tokens per candidate.")
    ] = 1024,
    seed: Annotated[int, typer.Option("--seed", help="Fixes every draw.")] = 0,
    form: Annotated[
        str,
        typer.Option(
            "--form", help="Prompt form of the modes greedy and sample; auto: as generate."
        ),
    ] = "auto",
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Only the first N problems.")
    ] = None,
    topic: Annotated[
        str | None,
        typer.Option(
            "--topic", metavar="TEXT", help="Only problems with this in the name of their topic."
        ),
    ] = None,
    problem: Annotated[
        str | None,
        typer.Option("--problem", metavar="ID", help="Only this problem, as '7' or 'quicksort'."),
    ] = None,
    repeat: Annotated[
        int,
        typer.Option("--repeat", metavar="N", help="Ask N times, each with a seed of its own."),
    ] = 1,
    language: Language = None,
    data: Data = None,
    results: Results = None,
    api_base: Annotated[
        str | None,
        typer.Option("--api-base", metavar="URL", help="Use a server that speaks the OpenAI API."),
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Remark to store with the run.")] = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Draw everything anew, remembered completions too.")
    ] = False,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Run programs even where only limits keep them in.")
    ] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Measure one suite and store the run. Goes on with an interrupted run of the same kind."""
    from codekiln.cli.console import write_json
    from codekiln.cli.eval_display import print_summary, show_run
    from codekiln.evals import Choice, Plan, evaluate_suite

    plan = Plan(
        suite=suite,
        asking=_asking(mode, n, temperature, top_p, max_tokens, seed, form),
        model=model,
        api_base=api_base,
        language=language or "",
        choice=Choice(limit, topic, problem, repeat),
        data=_path(data),
        results=_path(results),
        note=note,
        fresh=fresh,
        unsafe=unsafe,
    )
    with show_run(quiet=quiet, fresh=fresh) as listener:
        stored, summary = evaluate_suite(plan, listener)
    if as_json:
        write_json(run_line(stored, summary))
    else:
        print_summary(stored, summary)
    return 0


@evaluate.command("compare")
def compare_command(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [A2 B2]...",
            help="Ids of two runs, or their beginnings; further pairs, of other suites, are pooled "
            "with the first.",
        ),
    ],
    differs: Annotated[
        list[str] | None,
        typer.Option("--differs", metavar="FIELD", help="What differs on purpose; repeatable."),
    ] = None,
    metric_a: Annotated[
        str | None,
        typer.Option("--metric-a", help="greedy, mean, gate, selected or oracle; default by mode."),
    ] = None,
    metric_b: Annotated[str | None, typer.Option("--metric-b", help="The same for B.")] = None,
    equal_tokens: Annotated[
        bool,
        typer.Option("--equal-tokens", help="Give the gate as many tokens as the other run used."),
    ] = False,
    results: Results = None,
    as_json: AsJson = False,
) -> int:
    """Hold two runs against each other, problem by problem, with a paired test."""
    from dataclasses import asdict

    from codekiln.cli.console import write_json
    from codekiln.cli.eval_display import print_comparison
    from codekiln.core.errors import UsageError
    from codekiln.evals import compare_pairs, find_run, results_folder

    folder = results_folder(_path(results))
    if len(runs) % 2 or not runs:
        raise UsageError(f"{len(runs)} runs are no pairs", "Name A and B, and pairs behind them")
    found_runs = [find_run(folder, name) for name in runs]
    pairs = list(zip(found_runs[::2], found_runs[1::2], strict=True))
    for first, second in pairs:
        if first == second and metric_a == metric_b:
            raise UsageError(
                f"{first.run.id} would be compared with itself",
                "Name two runs, or two metrics with --metric-a and --metric-b",
            )
    found: Comparison = compare_pairs(
        pairs,
        differing=tuple(differs or ()),
        metric_a=metric_a,
        metric_b=metric_b,
        equal_tokens=equal_tokens,
    )
    if as_json:
        write_json(asdict(found))
    else:
        print_comparison(found)
    return 0


@evaluate.command("report")
def report_command(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", help="Ids of runs; default: all.")
    ] = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write one web page.")
    ] = None,
    markdown: Annotated[
        str | None, typer.Option("--markdown", metavar="FILE", help="Write Markdown; '-': stdout.")
    ] = None,
    pictures: Annotated[
        str | None,
        typer.Option("--pictures", metavar="DIR", help="Write the pictures alone, as SVG files."),
    ] = None,
    results: Results = None,
) -> int:
    """Tables and pictures of stored runs. Without a file, Markdown goes to stdout."""
    from codekiln.cli.console import stderr_console, write_stdout
    from codekiln.core.errors import UsageError
    from codekiln.evals import find_run, results_folder, stored_runs
    from codekiln.evals.report import markdown_report, write_report

    folder = results_folder(_path(results))
    chosen = (
        [find_run(folder, name) for name in runs]
        if runs
        else [stored for stored in stored_runs(folder) if stored.is_whole]
    )
    if not chosen:
        raise UsageError(
            f"there is no finished run in {folder}",
            "Measure one with 'codekiln eval run', or name another folder with --results",
        )
    if markdown == "-" or (markdown is None and html is None and pictures is None):
        write_stdout(markdown_report(chosen))
    targets = _path(markdown if markdown != "-" else None), _path(html), _path(pictures)
    write_report(chosen, *targets)
    for target in filter(None, targets):
        stderr_console().print(f"written: {target}", soft_wrap=True, highlight=False)
    return 0


@evaluate.command("calibrate")
def calibrate_command(
    suite: SuiteName,
    language: Language = None,
    data: Data = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Only the first N problems.")
    ] = None,
    unsafe: Annotated[
        bool, typer.Option("--unsafe", help="Run programs even where only limits keep them in.")
    ] = False,
    as_json: AsJson = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> int:
    """Score a suite's own solutions: references must pass, seeded bugs fail. Exit 1: not so."""
    from codekiln.cli.console import write_json
    from codekiln.cli.eval_display import print_calibration, show_run
    from codekiln.evals import calibrate_suite

    with show_run(quiet=quiet) as listener:
        found = calibrate_suite(
            suite, language or "", _path(data), listener, limit=limit, unsafe=unsafe
        )
    if as_json:
        write_json(found.as_json())
    else:
        print_calibration(found)
    return 0 if found.ok else 1


def _asking(
    mode: str,
    n: int | None,
    temperature: float,
    top_p: float,
    max_tokens: int,
    seed: int,
    form: str,
) -> Asking:
    from codekiln.core.errors import UsageError
    from codekiln.evals import MODES, Asking
    from codekiln.generation.prompt_forms import prompt_form

    chosen = next((known for known in MODES if known == mode), None)
    if chosen is None:
        raise UsageError(f"the mode {mode!r} is not known", f"Choose one of: {', '.join(MODES)}")
    if form != "auto":
        prompt_form(form)
    if chosen == "greedy":
        if n not in (1, None):
            raise UsageError(f"mode greedy draws one answer, not {n}", "Leave out -n")
        n, temperature = 1, 0.0
    return Asking(chosen, 10 if n is None else n, temperature, top_p, max_tokens, seed, form)


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text else None


evaluate.command("list")(list_command)
evaluate.command("show")(show_command)
evaluate.command("remove")(remove_command)
