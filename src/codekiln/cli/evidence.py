"""Prints an answer for people: code to stdout, the evidence to stderr.

Colours and boxes on a terminal, plain lines elsewhere; both say the same.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from codekiln.cli.console import (
    one_line,
    stderr_console,
    stdout_console,
    visible,
    write_stdout,
)
from codekiln.core import Answer, ExampleRun, Verdict
from codekiln.generation import Generated
from codekiln.generation.mutation import FORM as CHANGED
from codekiln.languages import get_language
from codekiln.verify import normalise

_MAX_EXAMPLES = 20
_CELL = 60
_MARKS = {"passed": "ok", "not_run": "not run"}


def print_code(code: str, language: str) -> None:
    """Highlighted on a terminal; elsewhere the bytes of the code and nothing else."""
    text = code if code.endswith("\n") else f"{code}\n"
    if not sys.stdout.isatty():
        write_stdout(text)
        return
    lexer = get_language(language).fence
    console = stdout_console()
    console.print(Syntax(visible(text).rstrip("\n"), lexer, theme="ansi_dark", word_wrap=True))


def print_evidence(generated: Generated, language: str, target: Path | None) -> None:
    """Verdict, examples, candidates, cost and record."""
    console = stderr_console()
    facts = _facts(generated, language, target)
    if console.is_terminal:
        console.print(_panel(generated.answer, facts))
        return
    for line in _plain_lines(generated.answer, facts):
        console.print(line, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class _Fact:
    name: str
    text: str


def _facts(generated: Generated, language: str, target: Path | None) -> list[_Fact]:
    answer, record = generated.answer, generated.record
    facts = []
    if answer.why_unverified:
        facts.append(_Fact("why", answer.why_unverified))
    if answer.assessments:
        facts.append(_Fact("candidates", _candidates(answer, language)))
        facts.append(_Fact("checks", ", ".join(answer.confidence.checks_run)))
    if record.isolation:
        facts.append(_Fact("isolation", record.isolation))
    facts.append(_Fact("model", record.model))
    drawn = record.tokens.get("drafts", 0) + record.tokens.get("repairs", 0)
    facts.append(_Fact("cost", f"{drawn} tokens, {record.seconds.get('total', 0):.1f} s"))
    if answer.record_id:
        facts.append(_Fact("record", answer.record_id))
    if target is not None:
        facts.append(_Fact("written to", str(target)))
    facts += [_Fact("note", note) for note in answer.notes]
    return facts


def _candidates(answer: Answer, language: str) -> str:
    drafts = [c for c in answer.candidates if c.round == 0]
    changed = sum(c.form == CHANGED for c in answer.candidates)
    repairs = len(answer.candidates) - len(drafts) - changed
    unparsed = (Verdict.NO_CODE, Verdict.SYNTAX_ERROR)
    parsed = sum(a.verdict not in unparsed for a in answer.assessments)
    passed = sum(a.verdict is Verdict.PASSED for a in answer.assessments)
    distinct = len({normalise(c.code, language) for c in answer.candidates if c.code})
    behaviours = len(
        {a.behaviour for a in answer.assessments if a.verdict is Verdict.PASSED and a.behaviour}
    )
    drawn = f"{len(drafts)} drawn" + (f" and {repairs} repaired" if repairs else "")
    drawn += f" and {changed} changed by codekiln" if changed else ""
    text = f"{drawn}, {distinct} different, {parsed} parsed, {passed} passed"
    if behaviours > 1:
        text += f" in {behaviours} groups that behave alike"
    share = answer.confidence
    if share.cluster_of > 1:
        text += f"; {share.cluster_size} of {share.cluster_of} behave like this one"
    if answer.candidate is not None:
        if answer.candidate.round:
            was = "changed" if answer.candidate.form == CHANGED else "repaired"
            text += f"; this is a {was} one"
        elif answer.candidate.greedy:
            text += "; this is the greedy one"
    return text


def _headline(answer: Answer) -> str:
    share = answer.confidence
    examples = f"{share.examples_passed} of {share.examples_run} examples passed"
    if answer.verified:
        return f"verified: {examples}"
    if answer.verdict is Verdict.NO_CODE:
        return "no answer"
    if answer.verdict is Verdict.UNVERIFIED:
        return "not verified" + (f": {examples}" if share.examples_run else "")
    kind = answer.verdict.value.replace("_", " ")
    return f"not verified, {kind}" + (f": {examples}" if share.examples_run else "")


def _panel(answer: Answer, facts: list[_Fact]) -> Panel:
    colour = "green" if answer.verified else "red" if _is_failure(answer) else "yellow"
    parts: list[RenderableType] = []
    runs = answer.assessment.example_runs if answer.assessment else ()
    if runs:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        for heading in ("", "call", "expected", "observed"):
            table.add_column(heading, overflow="fold")
        for run in runs[:_MAX_EXAMPLES]:
            style = "green" if run.passed else "yellow" if run.outcome == "not_run" else "red"
            cells = (run.call, run.expected, run.observed)
            table.add_row(
                Text(_mark(run), style=style), *(Text(one_line(cell, _CELL)) for cell in cells)
            )
        parts.append(table)
        if len(runs) > _MAX_EXAMPLES:
            parts.append(Text(f"and {len(runs) - _MAX_EXAMPLES} more examples", style="dim"))
    grid = Table.grid(padding=(0, 2))
    for fact in facts:
        grid.add_row(Text(fact.name, style="dim"), Text(one_line(fact.text, 400)))
    parts.append(grid)
    title = Text(_headline(answer), style=f"bold {colour}")
    return Panel(Group(*parts), title=title, title_align="left", border_style=colour)


def _plain_lines(answer: Answer, facts: list[_Fact]) -> list[str]:
    lines = [_headline(answer)]
    runs = answer.assessment.example_runs if answer.assessment else ()
    for run in runs[:_MAX_EXAMPLES]:
        wanted = f" -> {one_line(run.expected, _CELL)}" if run.expected else ""
        line = f"  {_mark(run)}: {one_line(run.call, _CELL)}{wanted}"
        lines.append(line if run.passed else f"{line}, got {one_line(run.observed, _CELL)}")
    if len(runs) > _MAX_EXAMPLES:
        lines.append(f"  and {len(runs) - _MAX_EXAMPLES} more examples")
    return [*lines, *(f"  {fact.name}: {one_line(fact.text, 400)}" for fact in facts)]


def _mark(run: ExampleRun) -> str:
    return _MARKS.get(run.outcome, run.outcome.replace("_", " "))


def _is_failure(answer: Answer) -> bool:
    return answer.verdict not in (Verdict.PASSED, Verdict.UNVERIFIED)
