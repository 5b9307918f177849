"""Reads KilnLogic: `kilnlogic/tasks/ID.md` may be shown, `kilnlogic/hidden/ID.toml` may not.

The problems of each topic alternate between the development and the test half, in the order of
their names; `kilnlogic/halves.toml` pins which is which.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import tomllib
from importlib.resources.abc import Traversable
from typing import Any

from codekiln.evals.scoring.hidden import Case, HiddenProblem, PythonTests
from codekiln.verify.sandboxed_calls import Step
from codekiln.verify.values import equal


def read_kilnlogic(half: str) -> tuple[tuple[HiddenProblem, ...], str]:
    """The problems of one half, and the hash of all their files."""
    root = importlib.resources.files("codekiln.evals").joinpath("kilnlogic")
    halves = tomllib.loads(root.joinpath("halves.toml").read_text("utf-8"))
    digest = hashlib.sha256()
    problems = []
    for name in sorted(halves[half]):
        problem, text = _read(root, name)
        digest.update(text.encode())
        problems.append(problem)
    return tuple(problems), digest.hexdigest()


def _read(root: Traversable, name: str) -> tuple[HiddenProblem, str]:
    shown = root.joinpath("tasks", f"{name}.md").read_text("utf-8")
    text = root.joinpath("hidden", f"{name}.toml").read_text("utf-8")
    hidden = tomllib.loads(text)
    problem = HiddenProblem(
        public={
            "id": f"KilnLogic/{name}",
            "language": "python",
            "shape": "markdown",
            "entry_point": "",
            "text": shown,
            "topic": hidden["topic"],
            "functions": hidden["functions"],
        },
        tests=PythonTests(
            cases=tuple(map(_case, hidden["tests"])),
            together=False,
            compare=lambda observed, expected, _: equal(observed, expected),
        ),
        reference=hidden["reference"],
        wrong=tuple(hidden["wrong"]),
    )
    return problem, shown + text


def _case(test: dict[str, Any]) -> Case:
    setup = test.get("setup", "")
    before = (Step(source=setup),) if setup.strip() else ()
    return Case(
        (*before, Step(source=test["call"])),
        expected=test.get("expected"),
        raises=test.get("raises"),
    )
