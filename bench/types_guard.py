"""Type errors with and without the guard: TypeScript and Python, judged by another checker.

    python bench/types_guard.py --language typescript --model qwen2.5-coder-0.5b [--seeds 4]

Draws every problem of HumanEval at temperature 1 with the same seeds, plainly and under the guard
(every guarded sample counts), and judges each answer: `tsc --strict` for TypeScript, mypy for
Python, which is not what the guard asks, and the hidden tests in the scorer process. A retry is the
next plain draw of the same problem where the first one does not compile. One JSON line per sample
in --out; what is there is not drawn again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from codekiln.backends import CompletionRequest
from codekiln.backends.local import LocalBackend, open_local
from codekiln.core import Sampling, Verdict
from codekiln.evals.modes import seed_of
from codekiln.evals.problems import Problem, problem_of
from codekiln.evals.scorer import ScorerProcess
from codekiln.generation.prompts import build_prompt
from codekiln.generation.schedule import form_of
from codekiln.typeflow.guard import TypeGuard
from codekiln.typeflow.oracles import find_oracle, open_oracle
from codekiln.verify import extract_code

SUITES = {"typescript": "multipl-e", "python": "humaneval"}
# In the order in which they are drawn: what is retried is known by then.
ARMS = ("plain", "guard", "retry")
MAX_TOKENS = 1024
_TSC = ("--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--pretty", "false")
_MYPY = (sys.executable, "-m", "mypy", "--no-error-summary", "--check-untyped-defs")
_TSC_MORE = ("--moduleDetection", "force", "--module", "esnext", "--moduleResolution", "bundler")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def tsc_errors(codes: list[str]) -> list[list[str]]:
    """What `tsc --strict` says about each program.

    One by one: where one file of several does not parse, it says nothing about types in the others.
    """
    tool = find_oracle("typescript").path
    assert tool is not None, "codekiln setup typescript"
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for code in codes:
            Path(folder, "answer.ts").write_text(code, "utf-8")
            done = subprocess.run(
                [str(tool), *_TSC, *_TSC_MORE, "--types", "", "answer.ts"],
                cwd=folder,
                capture_output=True,
                text=True,
            )
            found.append([line for line in done.stdout.splitlines() if ": error TS" in line])
    return found


def mypy_errors(codes: list[str]) -> list[list[str]]:
    """What mypy says about each program."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "answer.py")
        for code in codes:
            path.write_text(code, "utf-8")
            done = subprocess.run(
                [*_MYPY, "--cache-dir", f"{folder}/cache", "answer.py"],
                cwd=folder,
                capture_output=True,
                text=True,
            )
            found.append([line for line in done.stdout.splitlines() if ": error:" in line])
    return found


JUDGES: dict[str, Callable[[list[str]], list[list[str]]]] = {
    "typescript": tsc_errors,
    "python": mypy_errors,
}


def draw(
    backend: LocalBackend, problems: Sequence[Problem], arm: str, seeds: int, language: str
) -> Iterator[dict[str, Any]]:
    """All samples of some problems in one arm, drawn together."""
    guards: dict[tuple[int, int], TypeGuard] = {}
    window = backend.info.context_tokens or MAX_TOKENS
    with open_oracle(language) as oracle:

        def request(number: int, problem: Problem) -> CompletionRequest:
            prompt = build_prompt(
                problem.task,
                form=problem.form or form_of(problem.task),
                count_tokens=backend.count_tokens,
                budget_tokens=window - MAX_TOKENS,
            )

            def guard(sample: int) -> TypeGuard:
                guards[number, sample] = TypeGuard(
                    oracle, language, prompt.prefill, is_standalone=True
                )
                return guards[number, sample]

            # The retry is drawn with the seeds behind those of the first draw.
            first = seed_of(problem, 0) + (seeds if arm == "retry" else 0)
            sampling = Sampling(temperature=1.0, max_tokens=MAX_TOKENS, seed=first)
            return CompletionRequest(prompt, sampling, seeds, guard if arm == "guard" else None)

        begun = time.perf_counter()
        requests = [request(number, problem) for number, problem in enumerate(problems)]
        answers = backend.complete(requests)
        seconds = (time.perf_counter() - begun) / (len(problems) * seeds)
    for number, (problem, completions) in enumerate(zip(problems, answers, strict=True)):
        prefill = requests[number].prompt.prefill
        for sample, item in enumerate(completions):
            guard = guards.get((number, sample))
            yield {
                "problem": problem.id,
                "arm": arm,
                "seed": sample,
                "text": item.text,
                "code": extract_code(item.text, language, prefill=prefill, task=problem.task),
                "finish": item.finish_reason,
                "tokens": item.completion_tokens,
                "drawn": item.drawn_tokens,
                # The share of a batch, which is why no single sample's time can be told from it.
                "seconds": seconds,
                "guard": asdict(guard.report) if guard else None,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--language", choices=sorted(SUITES), default="typescript")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--together", type=int, default=16, help="problems per batch")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    language = arguments.language
    out = arguments.out or Path(f"results/types/{language}_{arguments.model}.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    with ScorerProcess() as scorer, open_local(arguments.model) as backend:
        shown = scorer.load(SUITES[language], language)
        settings = {
            "model": backend.info.model,
            "weights": backend.info.weights_sha256,
            "dataset": shown.dataset,
            "checker": find_oracle(language).version,
            **{name: backend.info.details[name] for name in ("hardware", "threads", "torch")},
        }
        problems = [problem_of(public) for public in shown.problems][: arguments.limit]
        for start in range(0, len(problems), arguments.together):
            some = problems[start : start + arguments.together]
            for arm in ARMS:
                left = [problem for problem in some if is_wanted(problem, arm, lines)]
                if not left:
                    continue
                made = list(draw(backend, left, arm, arguments.seeds, language))
                judged = JUDGES[language]([line["code"] for line in made])
                with out.open("a") as file:
                    for line, errors in zip(made, judged, strict=True):
                        (verdict,) = scorer.score_all(line["problem"], [line["code"]])
                        passed = verdict.verdict is Verdict.PASSED
                        lines.append({**line, "errors": errors, "passed": passed, **settings})
                        file.write(json.dumps(lines[-1]) + "\n")
                wrong = sum(bool(line["errors"]) for line in lines if line["arm"] == arm)
                of = sum(line["arm"] == arm for line in lines)
                say(f"{start + len(some)}/{len(problems)} {arm}: {wrong} of {of} with errors")
    report(lines)


def is_wanted(problem: Problem, arm: str, lines: list[dict[str, Any]]) -> bool:
    """Whether an arm of a problem is to be drawn; a retry only where something does not compile."""
    own = [line for line in lines if line["problem"] == problem.id]
    if any(line["arm"] == arm for line in own):
        return False
    return arm != "retry" or any(line["errors"] for line in own)


def report(lines: list[dict[str, Any]]) -> None:
    """Per arm: samples with errors, passed ones, and tokens, what was taken back included."""
    by = {(line["problem"], line["arm"], line["seed"]): line for line in lines}
    keys = sorted({(p, s) for p, arm, s in by if arm == "guard"} & {(p, s) for p, _, s in by})
    print("| arm | samples | with errors | pass@1 | tokens drawn |\n|---|---|---|---|---|")
    for name in ("plain", "plain, one retry", "guard", "guard, one retry"):
        first, *more = name.split(", ")
        chosen, tokens = [], 0
        for problem, seed in keys:
            line = by[problem, first, seed]
            tokens += line["drawn"]
            if more and line["errors"]:
                line = by[problem, "retry", seed]
                tokens += line["drawn"]
            chosen.append(line)
        errors = sum(bool(line["errors"]) for line in chosen)
        passed = sum(line["passed"] for line in chosen) / max(1, len(chosen))
        print(f"| {name} | {len(chosen)} | {errors} | {passed:.1%} | {tokens:,} |")
    reports = [by[problem, "guard", seed]["guard"] for problem, seed in keys]
    ended = sum(by[problem, "guard", seed]["finish"] != "stop" for problem, seed in keys)
    taken = sum(found["take_backs"] for found in reports)
    spent = sum(found["seconds"] for found in reports) / max(1, len(reports))
    abstained = sum(bool(found["abstained"]) for found in reports)
    print(
        f"guard: {taken} errors taken back, {spent:.2f} s of checking per sample, "
        f"{abstained} samples beyond the budget, {ended} cut off by the token limit"
    )


if __name__ == "__main__":
    main()
