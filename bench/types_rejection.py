"""Human-written programs through the type guard: how many would be taken back, and why.

    python bench/types_rejection.py python --package networkx --package attr [--files 500]
    python bench/types_rejection.py solutions --data FOLDER
    python bench/types_rejection.py typescript --folder node_modules

A program is fed statement by statement, as a model would write it; every place where the guard
would take something back is told, with what the type checker says about the whole program there.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from codekiln.typeflow.guard import GuardLimits, TypeGuard
from codekiln.typeflow.oracles import open_oracle

SUFFIXES = {"python": (".py",), "typescript": (".ts", ".mts"), "javascript": (".js", ".mjs")}
LARGEST = 40_000
SMALLEST = 200
NO_LIMITS = GuardLimits(take_backs=10**6, checks=10**6, seconds=1e6, at_one_place=1)


def package_folder(name: str) -> Path:
    found = importlib.util.find_spec(name)
    assert found is not None, f"{name} is not installed"
    assert found.origin is not None
    return Path(found.origin).parent


def files_of(folders: list[Path], language: str, count: int) -> Iterator[tuple[str, str]]:
    """Some files of the folders, chosen by a seed."""
    paths = sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES[language]
        and not path.name.endswith(".d.ts")
        and SMALLEST < path.stat().st_size < LARGEST
    )
    random.Random(0).shuffle(paths)
    for path in paths[:count]:
        try:
            yield str(path), path.read_text("utf-8")
        except UnicodeDecodeError:
            continue


def solutions(data: Path) -> dict[str, list[tuple[str, str]]]:
    """The authors' own solutions of HumanEval and MBPP, and HumanEvalPack's in JavaScript."""

    def rows(pattern: str) -> list[dict[str, str]]:
        (path,) = sorted(data.rglob(pattern))[:1]
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return [json.loads(line) for line in text.decode().splitlines()]

    python = [
        (row["task_id"], row["prompt"] + row["canonical_solution"])
        for row in rows("HumanEvalPlus*.jsonl*")
    ]
    python += [(row["task_id"], row["canonical_solution"]) for row in rows("MbppPlus*.jsonl*")]
    pack = [
        (row["task_id"], row["declaration"] + row["canonical_solution"])
        for row in rows("humanevalpack*js*.jsonl*")
    ]
    return {"python": python, "javascript": pack}


def feed(language: str, programs: list[tuple[str, str]]) -> int:
    """Every program through a guard; how many had something taken back."""
    refused, checks, seconds = 0, 0, []
    with open_oracle(language) as oracle:
        for name, text in programs:
            guard = TypeGuard(oracle, language, is_code=True, limits=NO_LIMITS)
            told = False
            begun = time.perf_counter()
            for end in [at + 1 for at, sign in enumerate(text) if sign in ";}\n"] + [len(text)]:
                if not guard.wakes(text[end - 1]) and end < len(text):
                    continue
                found = guard.judge(text[:end], ended=False)
                if found is not None:
                    told = True
                    line = text.count("\n", 0, found.to) + 1
                    shown = text[found.to :].split("\n")[0][:60]
                    print(f"{name}:{line}: {' '.join(guard.report.rules)}: {shown}", flush=True)
            refused += told
            checks += guard.report.checks
            seconds.append((time.perf_counter() - begun) / max(1, guard.report.checks))
    each = median(seconds or [0.0]) * 1000
    print(f"{language}: {refused} of {len(programs)} programs, {checks} checks, {each:.1f} ms each")
    return refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", choices=["solutions", *SUFFIXES])
    parser.add_argument("--package", action="append", default=[])
    parser.add_argument("--folder", type=Path, action="append", default=[])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "solutions":
        programs = solutions(arguments.data)
    else:
        folders = [*map(package_folder, arguments.package), *arguments.folder]
        found = list(files_of(folders, arguments.what, arguments.files))
        programs = {arguments.what: found}
    refused = sum(feed(language, texts) for language, texts in programs.items())
    sys.exit(1 if refused else 0)


if __name__ == "__main__":
    main()
