"""The tables of a report, as plain data and as Markdown. Pure; knows nothing of HTML."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from codekiln.core import Verdict
from codekiln.evals.outcomes import Run
from codekiln.evals.report.measured import Measured, answer_of, percent
from codekiln.evals.summary import right_oracle

# What Markdown would take for markup; an underscore within a word is none.
_MARKUP = re.compile(r"([\\`*|<>\[\]~])")
# White space that may end a line; unbreakable spaces stay.
_BREAKS = re.compile(r"[\t-\r\x1c-\x20\x85\u2028\u2029]+")

# Of which k a table shows pass@k, and of the largest.
_KS = (1, 2, 3, 5, 10, 20, 50, 100)

# How a verdict reads in tables and pictures, best news first.
VERDICT_NAMES: dict[Verdict, str] = {
    Verdict.PASSED: "right",
    Verdict.WRONG_OUTPUT: "wrong output",
    Verdict.RUNTIME_ERROR: "error at run time",
    Verdict.TIMEOUT: "too slow",
    Verdict.OUT_OF_MEMORY: "out of memory",
    Verdict.TYPE_ERROR: "type error",
    Verdict.SYNTAX_ERROR: "syntax error",
    Verdict.INSECURE: "insecure",
    Verdict.UNVERIFIED: "not scored",
    Verdict.NO_CODE: "no code",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text. The first `words` columns are words, the others figures; row `i` is of run
    `i` where `per_run` says so."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    words: int = 1
    per_run: bool = True


def all_tables(measured: Sequence[Measured]) -> list[Table]:
    """Scores, pass@k where there are samples, costs, and where answers fail."""
    samples = [item for item in measured if item.summary.pass_at]
    return [
        scores_table(measured),
        *([pass_at_k_table(samples)] if samples else []),
        ledger_table(measured),
        verdict_table(measured),
    ]


def scores_table(measured: Sequence[Measured]) -> Table:
    """One row per run: every score beside the ones it has to be held against."""
    rows = [_scores_row(item) for item in measured]
    # A column with the names of the runs only where the next ones do not tell them apart.
    words = 3 if len({row[1:5] for row in rows}) == len(rows) else 4
    heads = _heads(
        "run, suite, model, mode, n, problems, greedy, mean, gate, selected, oracle, "
        "recovered, verified, verified wrong, overturned, tokens, seconds"
    )
    return Table(
        "Scores",
        heads[4 - words :],
        tuple(row[4 - words :] for row in rows),
        "Shares in % of all problems whose answer passes the hidden tests, with the 95 % Wilson "
        "interval of the score a mode is judged by. mean: a random sample. gate: a random one of "
        "the drafts that pass the visible checks. oracle: any candidate. recovered: the share of "
        "(oracle - greedy) that the selection keeps. verified wrong: answers called verified that "
        "fail. overturned: right greedy drafts that were not answered with. tokens: completion "
        "tokens. seconds: median per problem.",
        words=words,
    )


def pass_at_k_table(samples: Sequence[Measured]) -> Table:
    """The chance that one of k samples is right, of runs in mode sample."""
    known = sorted({int(k) for item in samples for k in item.summary.pass_at})
    shown = [k for k in known if k in _KS or k == known[-1]]
    rows = tuple(
        (item.label, *(percent(item.summary.pass_at.get(str(k))) for k in shown))
        for item in samples
    )
    return Table(
        "pass@k",
        ("run", *(f"pass@{k}" for k in shown)),
        rows,
        "The unbiased estimate from the samples at the temperature of the run (Chen et al. 2021).",
        per_run=False,
    )


def ledger_table(measured: Sequence[Measured]) -> Table:
    """What each run cost."""
    return Table(
        "Ledger",
        _heads(
            "run, candidates, tokens, tokens per problem, tokens per right answer, "
            "prompt tokens, checks run, median\u00a0(s), P99\u00a0(s), wall\u00a0(s)"
        ),
        tuple(map(_ledger_row, measured)),
        "tokens: completion tokens of all candidates; a prompt that several samples share counts "
        "once. checks run: programs run by codekiln's own checks. Seconds are from the request to "
        "the answer, without scoring, with several problems under way together; wall: the last "
        "session of the run.",
    )


def verdict_table(measured: Sequence[Measured]) -> Table:
    """Where answers fail, and how many failures had a right candidate beside them."""
    counts = [verdict_counts(item) for item in measured]
    shown = [verdict for verdict in VERDICT_NAMES if any(verdict in found for found in counts)]
    rows = []
    for item, found in zip(measured, counts, strict=True):
        cells = [str(found.get(verdict, 0)) for verdict in shown]
        rows.append((item.label, *cells, str(_passed_over(item))))
    heads = ("run", *(VERDICT_NAMES[verdict] for verdict in shown), "right one passed over")
    return Table(
        "Where answers fail",
        heads,
        tuple(rows),
        "Problems by the hidden verdict of their answer: the selected candidate, or the greedy "
        "draft in modes that do not choose. right one passed over: wrong answers where another "
        "candidate is right.",
    )


def verdict_counts(item: Measured) -> dict[Verdict, int]:
    """How many answers got each verdict."""
    return {Verdict(name): count for name, count in item.summary.verdicts.items()}


def facts_of(run: Run) -> list[tuple[str, str]]:
    """What was measured and with what, as names and values."""
    used = {key: value for key, value in run.settings.items() if key not in ("mode", "problems")}
    facts = [
        ("run", run.id),
        ("date", run.created),
        ("suite", f"{run.suite}, {run.language}, {run.problems} problems"),
        ("dataset hash", run.dataset),
        ("model", run.model),
        ("weights SHA-256", run.weights_sha256 or "unknown"),
        ("backend", run.backend),
        ("mode", run.mode),
        ("settings", _pairs(used)),
        ("codekiln", f"{run.codekiln}, code {run.code or 'unknown'}"),
        ("machine", _pairs(run.machine)),
        ("versions", _pairs(run.tools)),
        ("note", run.note),
    ]
    return [(name, value) for name, value in facts if value]


def shared_facts(
    runs: Sequence[Run],
) -> tuple[list[tuple[str, str]], list[list[tuple[str, str]]]]:
    """The facts that all runs have in common, then for each run those of its own."""
    facts = [facts_of(run) for run in runs]
    shared = [fact for fact in facts[0] if all(fact in others for others in facts)]
    return shared, [[fact for fact in found if fact not in shared] for found in facts]


def command_of(run: Run) -> str:
    """The command that measures the same again."""
    settings = run.settings
    parts = ["codekiln", "eval", "run", run.suite, "--model", run.model, "--mode", run.mode]
    if run.language != "python":
        parts += ["--language", run.language]
    options = [("--max-tokens", "max_tokens"), ("--limit", "limit"), ("--topic", "topic")]
    options += [("--problem", "problem")]
    if settings.get("repeat", 1) != 1:
        options += [("--repeat", "repeat")]
    if run.mode != "greedy":
        options += [("-n", "n"), ("--temperature", "temperature")]
    options += [("--top-p", "top_p"), ("--seed", "seed"), ("--form", "form")]
    for option, name in options:
        if settings.get(name) is not None:
            parts += [option, str(settings[name])]
    if run.machine.get("api_base"):
        parts += ["--api-base", run.machine["api_base"]]
    return shlex.join(parts)


def as_markdown(table: Table) -> str:
    """The table under its heading."""
    rule = ["---" if place < table.words else "---:" for place in range(len(table.heads))]
    lines = [table.heads, rule, *table.rows]
    text = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
    note = f"\n\n{escape_markdown(table.note)}" if table.note else ""
    return f"## {escape_markdown(table.title)}\n\n{text}{note}\n"


def escape_markdown(text: str) -> str:
    """Text that Markdown shows as it stands, on one line."""
    return _MARKUP.sub(r"\\\1", _BREAKS.sub(" ", text).strip())


def _heads(names: str) -> tuple[str, ...]:
    return tuple(names.split(", "))


def _cell(text: str) -> str:
    return text if text in ("---", "---:") else escape_markdown(text)


def _scores_row(item: Measured) -> tuple[str, ...]:
    run, summary = item.run, item.summary
    interval = ""
    if summary.interval is not None:
        interval = f" ({_points(summary.interval[0])}–{_points(summary.interval[1])})"
    greedy = _points(summary.greedy) + interval * (run.mode == "greedy")
    chosen = item.chooses
    return (
        item.label,
        item.place,
        run.model,
        run.mode,
        str(run.settings.get("n", "–")),
        str(summary.problems),
        greedy,
        _points(summary.mean),
        _points(summary.gate),
        _points(summary.selected) + interval * chosen,
        _points(summary.oracle),
        percent(summary.recovered, 0),
        str(summary.verified) if chosen else "–",
        str(summary.verified_wrong) if chosen else "–",
        str(summary.overturned) if chosen else "–",
        _whole(summary.tokens),
        _seconds(summary.seconds_median),
    )


def _points(share: float | None) -> str:
    return percent(share).removesuffix("\u00a0%")


def _ledger_row(item: Measured) -> tuple[str, ...]:
    summary = item.summary
    right = verdict_counts(item).get(Verdict.PASSED, 0)
    return (
        item.label,
        _whole(summary.candidates),
        _whole(summary.tokens),
        _whole(summary.tokens / summary.problems),
        _whole(summary.tokens / right) if right else "–",
        _whole(summary.prompt_tokens),
        _whole(summary.executions),
        _seconds(summary.seconds_median),
        _seconds(summary.seconds_p99),
        _whole(summary.wall_s),
    )


def _passed_over(item: Measured) -> int:
    answers = [(outcome, answer_of(outcome)) for outcome in item.outcomes]
    return sum(
        right_oracle(outcome) and not (answer is not None and answer.right)
        for outcome, answer in answers
    )


def _pairs(values: dict[str, object] | dict[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items() if value not in (None, ""))


def _whole(value: float) -> str:
    """A rounded figure with thin groups of three."""
    return f"{round(value):,}".replace(",", "\u202f")


def _seconds(value: float | None) -> str:
    """A dash where completions were read from memory."""
    return "–" if value is None else f"{value:.1f}"
