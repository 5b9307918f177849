"""A table of docstrings and sentences: what a careful human reads as an example, and what not."""

from __future__ import annotations

import ast
import contextlib
import inspect
import time
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core import Example
from codekiln.core.errors import UsageError
from codekiln.generation.tasks import read_task


@dataclass(frozen=True, slots=True)
class Case:
    """One docstring under its heading (or a task without one), and the checks it states."""

    style: str
    text: str
    heading: str = ""
    checks: tuple[tuple[str, str], ...] = ()

    @property
    def task(self) -> str:
        if not self.heading:
            return self.text
        body = self.text.replace("\\", "\\\\").replace("\n", "\n    ")
        return f'{self.heading}\n    """{body}\n    """\n'


def cases(name: str) -> list[Case]:
    table = tomllib.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))["case"]
    return [
        Case(
            row["style"],
            row["text"],
            row.get("heading", ""),
            tuple(map(tuple, row.get("checks", ()))),
        )
        for row in table
    ]


def plain(call: str, heading: str) -> str:
    """The call with its named arguments in the order of the heading, however it was written."""
    node = ast.parse(call, mode="eval").body
    if isinstance(node, ast.Call) and node.keywords and heading:
        names = list(inspect.signature(definition(heading)).parameters)
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        node.args += [keywords[name] for name in names if name in keywords]
        node.keywords = []
    return ast.unparse(node)


def definition(heading: str) -> Callable[..., object]:
    scope: dict[str, object] = {}
    exec(f"from __future__ import annotations\n{heading}\n    ...", scope)
    return next(value for value in scope.values() if inspect.isfunction(value))


def outcome(example: Example) -> str:
    if example.raises is not None:
        return f"raises {example.raises}"
    if example.stdout is not None:
        return f"prints {example.stdout.rstrip()}"
    return ast.unparse(ast.parse(example.expected or "", mode="eval"))


def read(case: Case) -> list[tuple[str, str]]:
    task = read_task(case.task)
    heading = case.heading or (task.signature and f"{task.signature.rstrip(':')}:")
    return [(plain(e.call or "", heading), outcome(e)) for e in task.checks]


def wanted(case: Case) -> list[tuple[str, str]]:
    return [
        (
            plain(call, ""),
            value
            if value.startswith(("raises ", "prints "))
            else ast.unparse(ast.parse(value, mode="eval")),
        )
        for call, value in case.checks
    ]


def name(case: Case) -> str:
    return f"{case.style}: {' '.join(case.text.split())[:40]}"


@pytest.mark.parametrize("case", cases("docstring_examples.toml"), ids=name)
def test_an_example_in_a_common_style_is_a_check(case: Case) -> None:
    assert read(case) == wanted(case)


@pytest.mark.parametrize("case", cases("docstring_lookalikes.toml"), ids=name)
def test_what_only_looks_like_an_example_is_no_check(case: Case) -> None:
    assert read(case) == wanted(case)


PIECES = st.sampled_from(
    [
        *(">>> ", ">>>", "f(1)", "f(", ")", "2", "[1]", " -> ", " = ", " == ", "# ", "// ", ": "),
        *("for x = ", "given ", " the output should be ", " returns ", "returns the list ", "\n"),
        *("Input: ", "Output: ", "Example:\n", "In [1]: ", "Out[1]: ", "> ", "≈ ", "~", "! ", "²"),
        *(" + ", "1 + 1 = ", "(approx.)", " in any order", "raises ValueError", "not ", "if "),
        *(
            "'",
            '"',
            "“",
            "x = ",
            " and ",
            "y=[1]",
            "…",
            "...",
            "`",
            "**",
            "F(0)",
            "  ",
            "-",
            "1,000",
        ),
    ]
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_docstring_makes_the_reader_raise(body: str) -> None:
    for heading in ("def f(x):", "def f(x: int, *y: str) -> list[str]:", "class A:\n  def f(x):"):
        with contextlib.suppress(UsageError):
            task = read_task(f"{heading}\n    {body!r}\n")
            assert all((e.call is None) == bool(e.why_not) for e in task.examples)


@pytest.mark.parametrize(
    "line",
    ["f(1) = " + "1 + " * 2000, "for x = [1], " * 500, "f(1) = 5" + "!" * 5000, "f([\n" * 500],
    ids=["chain", "names", "marks", "open"],
)
def test_a_line_without_end_is_read_in_bounded_time(line: str) -> None:
    started = time.monotonic()
    assert read_task(f"Write f(x).\n{line}").checks == ()
    assert time.monotonic() - started < 20
