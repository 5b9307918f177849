"""Writes docs/languages.md and its chart from the registry and what was measured.

    python bench/languages_page.py [--results results/languages] [--docs docs]

The measurements are those of `codekiln eval languages` and bench/parse_speed.py.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path

from codekiln.core.files import write_atomic
from codekiln.evals.languages.folder import read_measured, read_parsing
from codekiln.evals.languages.page import CHART, languages_chart, languages_page

SUITE = Path("tests/verify/programs/conformance.toml")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--results", type=Path, default=Path("results/languages"))
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    measured = read_measured(arguments.results)
    programs = len(tomllib.loads(SUITE.read_text("utf-8"))["program"])
    page = languages_page(measured, programs, read_parsing(arguments.results))
    write_atomic(arguments.docs / "languages.md", page)
    if measured:
        chart = languages_chart(measured[-1]).standalone()
        write_atomic(arguments.docs / "pictures" / f"{CHART}.svg", chart)


if __name__ == "__main__":
    main()
