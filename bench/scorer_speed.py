"""Seconds that the scorer takes for all candidates of a stored run.

    python bench/scorer_speed.py RUN [--results DIR]

Scores every candidate of every problem once (`humaneval` sampled ten times: 164 x 10 programs, and
the greedy draft) and checks that the verdicts are those of the run.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from codekiln.evals import Outcome, find_run, results_folder
from codekiln.evals.scorer import ScorerProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("run")
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    stored = find_run(results_folder(arguments.results), arguments.run)
    outcomes = stored.outcomes()
    with ScorerProcess() as scorer, ThreadPoolExecutor(16) as pool:
        scorer.load(stored.run.suite, stored.run.language)

        def score(outcome: Outcome) -> int:
            codes = [candidate.code for candidate in outcome.candidates]
            found = scorer.score_all(outcome.problem, codes)
            return sum(
                new.verdict is not old.verdict
                for new, old in zip(found, outcome.candidates, strict=True)
            )

        begun = time.perf_counter()
        changed = sum(pool.map(score, outcomes))
        seconds = time.perf_counter() - begun
    programs = sum(len(outcome.candidates) for outcome in outcomes)
    print(f"{programs} programs of {len(outcomes)} problems in {seconds:.0f} s")
    print(f"{changed} verdicts differ from those of the run")


if __name__ == "__main__":
    main()
