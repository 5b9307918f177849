"""`codekiln generate`: reads the task and the options, shows progress, prints the answer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from codekiln.core.errors import CodekilnError, UsageError

if TYPE_CHECKING:
    from codekiln.core import ContextFile, Task
    from codekiln.generation import Generated

VERIFIED, UNVERIFIED, NO_ANSWER = 0, 3, 4

EXAMPLES = """\b
Examples:
  codekiln generate "Write is_leap(year). is_leap(2000) -> True, is_leap(1900) -> False"
  codekiln generate --task task.md --out answer.py
  cat stub.py | codekiln generate - > answer.py
  codekiln generate "Write the missing method" --context models.py --context src
  codekiln generate "Sort a linked list" --json | jq .code

\b
Exit codes: 0 verified, 3 an answer that is not verified, 4 no answer, 2 usage, 1 failure,
130 interrupted.
"""


def generate(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="What to write, in words; '-' reads stdin."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            "-t",
            metavar="FILE",
            help="Read the task from a file: Markdown, JSON, a Python stub or plain text.",
        ),
    ] = None,
    language: Annotated[
        str | None, typer.Option("--language", "-l", help="Language of the answer.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Name or path of the model (see 'codekiln models list')."
        ),
    ] = None,
    n: Annotated[
        int,
        typer.Option(
            "-n", "--candidates", help="How many candidates to draw at most, repairs included."
        ),
    ] = 8,
    max_tokens: Annotated[
        int, typer.Option("--max-tokens", help="Most new tokens per candidate.")
    ] = 1024,
    temperature: Annotated[
        float,
        typer.Option("--temperature", help="For all candidates but the first, which is greedy."),
    ] = 0.8,
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy",
            help="one-shot: whole drafts; stepwise: function by function; auto: stepwise where a "
            "task names several functions and whole drafts failed.",
        ),
    ] = "auto",
    attention: Annotated[
        str,
        typer.Option(
            "--attention",
            help="How the embedded engine reads prompts: dense, sparse, or auto: sparse where a "
            "long one is read faster so.",
        ),
    ] = "auto",
    guard: Annotated[
        str,
        typer.Option(
            "--guard",
            help="Looks at drafts while they are written, and has errors written anew. types: a "
            "type checker (Python, TypeScript, JavaScript); syntax: the grammar of any language; "
            "none.",
        ),
    ] = "none",
    seed: Annotated[
        int | None, typer.Option("--seed", help="Makes the same request give the same answer.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context",
            metavar="PATH",
            help="A file that the answer has to fit, a folder, or a pattern such as 'src/**/*.py'.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="Write the code here; an existing file is replaced."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="One greedy draft, nothing is run.")
    ] = False,
    unsafe: Annotated[
        bool,
        typer.Option(
            "--unsafe", help="Run candidates even where only resource limits keep them in."
        ),
    ] = False,
    api_base: Annotated[
        str | None,
        typer.Option("--api-base", metavar="URL", help="Use a server that speaks the OpenAI API."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress and no evidence on stderr.")
    ] = False,
) -> int:
    """Write code for a task, and check it.

    Reads TEXT, or a file (--task), or stdin ('-'). Examples in the task such as f(1) -> 2 are
    what candidates are checked with. The code goes to stdout, the evidence to stderr.
    """
    from codekiln.backends import Cancel, as_attention
    from codekiln.cli.answer_json import answer_as_json
    from codekiln.cli.console import write_json
    from codekiln.cli.context_files import read_context
    from codekiln.cli.display import show_progress
    from codekiln.cli.evidence import print_code, print_evidence
    from codekiln.core.files import write_atomic
    from codekiln.generation import Event, Options, generate_recorded
    from codekiln.generation.options import as_guard, as_strategy

    options = Options(
        n,
        max_tokens,
        temperature,
        seed,
        not no_verify,
        unsafe,
        as_strategy(strategy),
        as_attention(attention),
        as_guard(guard),
    )
    target = _writable_target(out) if out is not None else None
    fitting = read_context(context or ())
    asked = _read_task(text, task, language, list(fitting.files))
    cancel = Cancel()
    try:
        with show_progress(quiet=quiet) as on_event:
            for path in fitting.skipped:
                on_event(Event("note", text=f"{path} is no UTF-8 text and was left out"))
            generated = generate_recorded(
                asked,
                options,
                model=model,
                api_base=api_base,
                on_event=on_event,
                cancel=cancel,
            )
    except BaseException:
        cancel.set()
        raise
    answer = generated.answer
    if target is not None and answer.code:
        try:
            write_atomic(target, answer.code)
        except OSError as error:
            raise CodekilnError(
                f"{target} cannot be written: {error.strerror or error}",
                f"The answer is kept: codekiln records --show {answer.record_id}",
            ) from error
    if as_json:
        write_json(answer_as_json(generated, str(target) if target and answer.code else None))
        return _exit_code(generated)
    if target is None and answer.code:
        print_code(answer.code, asked.language)
    if not quiet:
        print_evidence(generated, asked.language, target if answer.code else None)
    return _exit_code(generated)


def _exit_code(generated: Generated) -> int:
    if not generated.answer.code:
        return NO_ANSWER
    return VERIFIED if generated.answer.verified else UNVERIFIED


def _read_task(
    text: str | None, file: str | None, language: str | None, context: list[ContextFile]
) -> Task:
    from codekiln.generation import read_task, read_task_file

    if text is not None and file is not None:
        raise UsageError(
            "Both a text and --task were given", "Give one; more files go with --context"
        )
    if text is None and file is None:
        raise UsageError(
            "There is no task", 'Say what to write: codekiln generate "...", or use --task FILE'
        )
    if "-" in (text, file):
        return read_task(_stdin_text(), language=language, origin="stdin", context=context)
    if file is not None:
        return read_task_file(file, language=language, context=context)
    assert text is not None
    if _names_a_file(text):
        raise UsageError(f"{text!r} is a file, not a task in words", f"Use --task {text}")
    return read_task(text, language=language, context=context)


def _names_a_file(text: str) -> bool:
    try:
        return not any(c.isspace() for c in text) and "." in text and Path(text).is_file()
    except (OSError, ValueError):
        return False


def _stdin_text() -> str:
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"stdin is not UTF-8 text (byte {error.start})", "Convert it to UTF-8"
        ) from error


def _writable_target(out: str) -> Path:
    """The file to write, refused before any work is done when that cannot succeed."""
    target = Path(out)
    if not out or target.is_dir():
        raise UsageError(f"--out {out or repr(out)} is a folder", "Name a file")
    if target.exists() and not target.is_file():
        raise UsageError(f"--out {out} is no regular file", "Use shell redirection instead")
    folder = target.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(
            f"--out {out} cannot be written: no write access to {folder}", "Name another place"
        )
    return target
