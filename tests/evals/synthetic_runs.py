"""Small stored runs with chosen verdicts, for the tests of comparisons and reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from codekiln.core import Verdict
from codekiln.evals import store
from codekiln.evals.outcomes import Outcome, Run, Scored
from codekiln.evals.summary import summarise, summary_as_json

RUN = Run(
    id="run",
    created="2026-11-24T10:00:00Z",
    suite="humaneval",
    language="python",
    problems=0,
    dataset="da7a" * 16,
    model="tiny",
    weights_sha256="cd" * 32,
    backend="local",
    mode="sample",
    settings={
        "mode": "sample",
        "n": 3,
        "temperature": 0.8,
        "top_p": 1.0,
        "max_tokens": 1024,
        "seed": 0,
        "form": "evalplus",
        "limit": None,
    },
    codekiln="0.1.0",
    code="0123456789abcdef",
    tools={"python": "3.11.7", "torch": "2.13.0"},
    machine={"processor": "Model 8488C", "hardware": "CPU, bfloat16", "threads": "2"},
)


def draft(
    index: int, right: bool, *, visible: bool = True, tokens: int = 10, greedy: bool = False
) -> Scored:
    return Scored(
        index,
        "def f(): ...\n",
        "def f(): ...",
        Verdict.PASSED if right else Verdict.WRONG_OUTPUT,
        visible="passed" if visible else "wrong_output",
        sample=index,
        greedy=greedy,
        temperature=0.0 if greedy else 0.8,
        prompt_tokens=50,
        completion_tokens=tokens,
    )


def outcome(
    problem: str,
    rights: Sequence[bool],
    *,
    chosen: int | None = None,
    tokens: int = 10,
    confidence: float | None = None,
) -> Outcome:
    """Drafts that are right or not, the first one greedy; all pass the visible checks."""
    drafts = tuple(
        draft(index, right, tokens=tokens, greedy=index == 0) for index, right in enumerate(rights)
    )
    verified = chosen is not None
    return Outcome(problem, drafts, chosen, verified, confidence, executions=3, seconds=2.0)


def write_run(
    folder: Path,
    outcomes: Sequence[Outcome],
    *,
    settings: Mapping[str, Any] | None = None,
    **fields: Any,
) -> store.Stored:
    """A finished run; `fields` and `settings` replace those of RUN."""
    mode = fields.get("mode", RUN.mode)
    kept = {**RUN.settings, "mode": mode, **(settings or {})}
    run = replace(RUN, **fields, settings=kept, problems=len(outcomes))
    stored = store.open_run(run, folder / str(len(list(folder.iterdir()))))
    for item in outcomes:
        store.append(stored, item)
    summary = summary_as_json(summarise(outcomes, run.mode, 60.0))
    store.finish(stored, [item.problem for item in outcomes], summary)
    return stored
