"""Drafts that do not parse, with and without the syntax guard, in every language.

    python bench/syntax_guard.py --model qwen2.5-coder-0.5b [--seeds 2] [--tasks 1]

Draws tasks of `codekiln eval languages` at temperature 1 with the same seeds, plainly and under the
guard (every guarded draft counts, those cut off by the token limit too), in the languages whose
grammar can be relied upon. Judge is the whole parse of the code that is taken out of the draft. One
JSON line per draft in --out; what is there is not drawn again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from codekiln.backends import CompletionRequest
from codekiln.backends.local import LocalBackend, open_local
from codekiln.core import Sampling
from codekiln.evals.estimators import bootstrap_difference, sign_flip_p
from codekiln.evals.languages.tasks import LanguageTask, language_tasks
from codekiln.generation.prompts import build_prompt
from codekiln.generation.schedule import form_of
from codekiln.languages import get_language, syntax_errors
from codekiln.languages.syntax_guard import SyntaxGuard
from codekiln.verify import extract_code

ARMS = ("plain", "guard")
MAX_TOKENS = 512


def chosen(per_language: int) -> list[LanguageTask]:
    """So many tasks of each language, others in each, as far as they go."""
    by_language: dict[str, list[LanguageTask]] = {}
    for task in language_tasks():
        by_language.setdefault(task.task.language, []).append(task)
    found = []
    for place, (name, tasks) in enumerate(by_language.items()):
        if get_language(name).has_sure_grammar:
            found += [tasks[(place + step) % len(tasks)] for step in range(per_language)]
    return found


def draw(
    backend: LocalBackend, tasks: Sequence[LanguageTask], arm: str, seeds: int
) -> Iterator[dict[str, Any]]:
    """All drafts of some tasks in one arm, drawn together."""
    guards: dict[tuple[int, int], SyntaxGuard] = {}
    window = backend.info.context_tokens or 4096

    def request(number: int, one: LanguageTask) -> CompletionRequest:
        prompt = build_prompt(
            one.task,
            form=form_of(one.task),
            count_tokens=backend.count_tokens,
            budget_tokens=window - MAX_TOKENS,
        )

        def guard(sample: int) -> SyntaxGuard:
            language = get_language(one.task.language)
            return guards.setdefault((number, sample), SyntaxGuard(language, prompt.prefill))

        sampling = Sampling(temperature=1.0, max_tokens=MAX_TOKENS, seed=0)
        return CompletionRequest(prompt, sampling, seeds, guard if arm == "guard" else None)

    requests = [request(number, one) for number, one in enumerate(tasks)]
    for number, (one, drafts) in enumerate(zip(tasks, backend.complete(requests), strict=True)):
        prefill = requests[number].prompt.prefill
        for sample, item in enumerate(drafts):
            code = extract_code(item.text, one.task.language, prefill=prefill, task=one.task)
            guard = guards.get((number, sample))
            issues = syntax_errors(one.task.language, code)
            yield {
                "task": one.key,
                "arm": arm,
                "seed": sample,
                "text": item.text,
                "parses": bool(code.strip()) and not issues,
                "finish": item.finish_reason,
                "drawn": item.drawn_tokens,
                "guard": asdict(guard.report) if guard else None,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=1, help="tasks per language")
    parser.add_argument("--together", type=int, default=16, help="tasks per batch")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    out = arguments.out or Path(f"results/languages/syntax_guard_{arguments.model}.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    done = {(line["task"], line["arm"]) for line in lines}
    tasks = chosen(arguments.tasks)
    with open_local(arguments.model) as backend:
        settings = {
            "model": backend.info.model,
            "weights": backend.info.weights_sha256,
            **{name: backend.info.details[name] for name in ("hardware", "threads", "torch")},
        }
        for start in range(0, len(tasks), arguments.together):
            some = tasks[start : start + arguments.together]
            for arm in ARMS:
                left = [one for one in some if (one.key, arm) not in done]
                for line in draw(backend, left, arm, arguments.seeds) if left else ():
                    lines.append({**line, **settings})
                    with out.open("a") as file:
                        file.write(json.dumps(lines[-1], ensure_ascii=False) + "\n")
            print(f"{start + len(some)} of {len(tasks)} tasks", file=sys.stderr, flush=True)
    report(lines)


def report(lines: list[dict[str, Any]]) -> None:
    """Both arms side by side; tasks are paired, not drafts."""
    print("| arm | drafts | do not parse | tokens drawn |\n|---|---|---|---|")
    shares: dict[str, list[float]] = {}
    for arm in ARMS:
        own = [line for line in lines if line["arm"] == arm]
        broken = sum(not line["parses"] for line in own)
        print(f"| {arm} | {len(own)} | {broken} | {sum(line['drawn'] for line in own):,} |")
        by_task: dict[str, list[float]] = {}
        for line in own:
            by_task.setdefault(line["task"], []).append(100.0 * (not line["parses"]))
        shares[arm] = [fmean(by_task[task]) for task in sorted(by_task)]
    change = bootstrap_difference(shares["plain"], shares["guard"])
    print(
        f"do not parse: {fmean(shares['guard']) - fmean(shares['plain']):+.1f} points "
        f"({change.low:+.1f} to {change.high:+.1f}), "
        f"p = {sign_flip_p(shares['plain'], shares['guard']):.2g}"
    )
    guards = [line["guard"] for line in lines if line["guard"]]
    print(
        f"guard: {sum(one['take_backs'] for one in guards)} taken back, "
        f"{fmean(one['seconds'] for one in guards):.3f} s of parsing per draft, "
        f"{sum(bool(one['abstained']) for one in guards)} drafts in which it gave up, "
        f"{sum(line['finish'] != 'stop' for line in lines if line['guard'])} cut off"
    )


if __name__ == "__main__":
    main()
