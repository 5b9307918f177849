"""The tree of commands and its help. Commands import what they need when they run."""

from __future__ import annotations

from typing import Annotated

import typer

from codekiln.cli.context_command import context_command
from codekiln.cli.doctor_command import doctor
from codekiln.cli.eval_command import evaluate
from codekiln.cli.eval_languages_command import languages_command
from codekiln.cli.generate_command import EXAMPLES, generate
from codekiln.cli.languages_command import languages
from codekiln.cli.models_command import models
from codekiln.cli.plan_command import plan
from codekiln.cli.records_command import records, replay
from codekiln.cli.setup_command import setup
from codekiln.cli.types_command import types

_HELP = """Ask for code, get code that has been checked.

An open code model proposes several answers, codekiln runs them on your examples in a sandbox,
chooses, repairs if need be, and shows the evidence.
"""

_EPILOG = """\b
Examples:
  codekiln generate "Write slugify(text). slugify('Hello, World!') -> 'hello-world'"
  codekiln generate --task task.md --out answer.py
  codekiln doctor
  codekiln models list

\b
Every command has --help. Weights are downloaded on first use (about 0.5 GB).
"""

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import codekiln

        typer.echo(f"codekiln {codekiln.__version__}")
        raise typer.Exit


@app.callback(help=_HELP, epilog=_EPILOG, invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


app.command(name="generate", epilog=EXAMPLES)(generate)
app.add_typer(models, name="models")
evaluate.command("context")(context_command)
evaluate.command("languages")(languages_command)
app.add_typer(evaluate, name="eval")
app.command(name="replay")(replay)
app.command(name="records")(records)
app.command(name="plan")(plan)
app.command(name="languages")(languages)
app.command(name="types")(types)
app.command(name="setup")(setup)
app.command(name="doctor")(doctor)
