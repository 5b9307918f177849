"""How long parsing takes: a text of 300 lines in every language that has a grammar.

    python bench/parse_speed.py [--lines 300] [--rounds 9] [--out FILE]

The text is made of the valid snippets of tests/languages/snippets, one after the other and again.
Measured is what the syntax check does (`codekiln.languages.syntax_errors`), milliseconds, median
of the rounds; the grammars are loaded before.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import tomllib
from pathlib import Path
from statistics import median

from codekiln.core.files import write_atomic
from codekiln.generation.environment import processor_name
from codekiln.languages import Language, all_languages, syntax_errors

SNIPPETS = Path("tests/languages/snippets")


def text_of(language: Language, lines: int) -> str:
    """So many lines of the language's snippets."""
    table = tomllib.loads((SNIPPETS / f"{language.name}.toml").read_text("utf-8"))
    each = itertools.chain.from_iterable(code.splitlines() for code in table["valid"])
    return "\n".join(itertools.islice(itertools.cycle(list(each)), lines)) + "\n"


def milliseconds(language: Language, lines: int, rounds: int) -> float:
    """The median of the rounds."""
    text = text_of(language, lines)
    syntax_errors(language, text)
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        syntax_errors(language, text)
        taken.append(1000 * (time.perf_counter() - begun))
    return round(median(taken), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("results/languages/parse_speed.json"))
    arguments = parser.parse_args()
    found = {
        language.name: milliseconds(language, arguments.lines, arguments.rounds)
        for language in all_languages()
        if language.grammar
    }
    slowest = sorted(found.items(), key=lambda item: -item[1])[:5]
    print(f"median of {len(found)} languages: {median(found.values()):.1f} ms")
    print("slowest:", ", ".join(f"{name} {value:.1f} ms" for name, value in slowest))
    result = {
        "processor": processor_name(),
        "lines": arguments.lines,
        "rounds": arguments.rounds,
        "milliseconds": found,
    }
    write_atomic(arguments.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
