"""Type errors with and without the guard: TypeScript and Python, judged by another checker.

    python bench/types_guard.py --language typescript --model qwen2.5-coder-0.5b [--seeds 4]
    python bench/types_guard.py --language python --alone --limit 40 --seeds 1

Draws every problem of HumanEval at temperature 1 with the same seeds, plainly and under the guard
(every guarded sample counts), and judges each answer: `tsc --strict` for TypeScript, mypy for
Python, which is not what the guard asks, and the hidden tests in the scorer process. Python's
problems are those of HumanEval with full annotations (typed_humaneval.py). A retry is the next
plain draw of the same problem where the first one does not compile. One JSON line per sample in
--out; what is there is not drawn again.

`--alone` draws one sample at a time, so that seconds are those of the sample, in two arms that take
turns.
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
from statistics import fmean, median
from typing import Any

from typed_humaneval import fully_typed

from codekiln.backends import CompletionRequest
from codekiln.backends.local import LocalBackend, open_local
from codekiln.core import Sampling, Verdict
from codekiln.evals.estimators import bootstrap_difference, sign_flip_p
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
P95 = 0.95
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
                # The share of a batch: that of the sample only where it is drawn alone.
                "seconds": seconds,
                "batch": len(problems) * seeds,
                "guard": asdict(guard.report) if guard else None,
            }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--language", choices=sorted(SUITES), default="typescript")
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--limit", type=int, default=10_000)
    parser.add_argument("--together", type=int, default=16, help="problems per batch")
    parser.add_argument("--alone", action="store_true", help="time samples one by one")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    language = arguments.language
    if arguments.alone:
        arguments.together = arguments.seeds = 1
    ending = "_alone" if arguments.alone else ""
    out = arguments.out or Path(f"results/types/{language}_{arguments.model}{ending}.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []
    with ScorerProcess() as scorer, open_local(arguments.model) as backend:
        shown = scorer.load(SUITES[language], language)
        public = typed(shown.problems) if language == "python" else shown.problems
        settings = {
            "model": backend.info.model,
            "weights": backend.info.weights_sha256,
            "dataset": shown.dataset,
            "checker": find_oracle(language).version,
            **{name: backend.info.details[name] for name in ("hardware", "threads", "torch")},
        }
        problems = [problem_of(problem) for problem in public][: arguments.limit]
        arms = ARMS[:2] if arguments.alone else ARMS
        for start in range(0, len(problems), arguments.together):
            some = problems[start : start + arguments.together]
            for arm in arms:
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


def typed(problems: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """HumanEval's public problems with full annotations."""
    with ScorerProcess() as scorer:
        return list(fully_typed(problems, scorer.load("multipl-e", "cpp").problems))


def is_wanted(problem: Problem, arm: str, lines: list[dict[str, Any]]) -> bool:
    """Whether an arm of a problem is to be drawn; a retry only where something does not compile."""
    own = [line for line in lines if line["problem"] == problem.id]
    if any(line["arm"] == arm for line in own):
        return False
    return arm != "retry" or any(line["errors"] for line in own)


def report(lines: list[dict[str, Any]]) -> None:
    """The arms side by side, over the samples that all of them have."""
    by = {(line["problem"], line["arm"], line["seed"]): line for line in lines}
    keys = sorted({(p, s) for p, arm, s in by if arm == "guard"} & {(p, s) for p, _, s in by})
    arms: dict[str, list[list[dict[str, Any]]]] = {}
    for name in ("plain", "plain, one retry", "guard", "guard, one retry"):
        first, *more = name.split(", ")
        # Of each sample what was drawn for it, the one that counts last.
        drawn = [[by[problem, first, seed]] for problem, seed in keys]
        for (problem, seed), own in zip(keys, drawn, strict=True):
            if more and own[0]["errors"] and (problem, "retry", seed) in by:
                own.append(by[problem, "retry", seed])
        arms[name] = drawn
    print("| arm | samples | with errors | pass@1 | tokens drawn |\n|---|---|---|---|---|")
    for name, drawn in arms.items():
        errors = sum(bool(own[-1]["errors"]) for own in drawn)
        passed = sum(own[-1]["passed"] for own in drawn)
        tokens = sum(line["drawn"] for own in drawn for line in own)
        print(f"| {name} | {len(drawn)} | {errors} | {passed / len(drawn):.1%} | {tokens:,} |")
    compare(keys, arms["plain"], arms["guard"])
    guarded = [own[0] for own in arms["guard"]]
    print(how_guarded(guarded))
    if all(line["batch"] == 1 for line in guarded):
        print(times([own[0] for own in arms["plain"]], guarded))


def compare(
    keys: Sequence[tuple[str, int]],
    plain: Sequence[Sequence[dict[str, Any]]],
    guard: Sequence[Sequence[dict[str, Any]]],
) -> None:
    """Whether the guard changed errors and right answers; problems are paired, not samples."""
    for what in ("errors", "passed"):
        shares: dict[str, tuple[list[float], list[float]]] = {}
        for (problem, _), a, b in zip(keys, plain, guard, strict=True):
            own = shares.setdefault(problem, ([], []))
            own[0].append(100.0 * bool(a[0][what]))
            own[1].append(100.0 * bool(b[0][what]))
        before, after = ([fmean(own[side]) for own in shares.values()] for side in (0, 1))
        change = bootstrap_difference(before, after)
        print(
            f"{what}: {fmean(after) - fmean(before):+.1f} points "
            f"({change.low:+.1f} to {change.high:+.1f}), p = {sign_flip_p(before, after):.2g}"
        )


def how_guarded(guarded: Sequence[dict[str, Any]]) -> str:
    """What the guard did."""
    reports = [line["guard"] for line in guarded]
    spent = fmean(found["seconds"] for found in reports)
    return (
        f"guard: {sum(found['take_backs'] for found in reports)} errors taken back, "
        f"{spent:.3f} s of checking per sample, "
        f"{sum(bool(found['abstained']) for found in reports)} samples beyond the budget, "
        f"{sum(line['finish'] != 'stop' for line in guarded)} cut off by the token limit"
    )


def times(plain: Sequence[dict[str, Any]], guarded: Sequence[dict[str, Any]]) -> str:
    """Seconds of a sample, and how much longer it takes under the guard."""
    rows = ["| arm | median, s | P95, s | s per token of the answer |", "|---|---|---|---|"]
    found = []
    for name, lines in (("plain", plain), ("guard", guarded)):
        seconds = sorted(line["seconds"] for line in lines)
        middle, late = median(seconds), seconds[int(P95 * (len(seconds) - 1))]
        per_token = sum(seconds) / sum(line["tokens"] for line in lines)
        found.append((middle, late, per_token))
        rows.append(f"| {name} | {middle:.2f} | {late:.2f} | {per_token:.4f} |")
    ratios = " | ".join(f"{b / a:.2f}x" for a, b in zip(*found, strict=True))
    return "\n".join([*rows, f"| | {ratios} |"])


if __name__ == "__main__":
    main()
