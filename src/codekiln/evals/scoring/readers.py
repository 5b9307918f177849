"""Reads suites into hidden problems: one function per kind of data. Only the scorer imports this.

What may be shown of a problem is copied field by field into `HiddenProblem.public`; everything
else stays in this process.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codekiln.core.errors import UsageError
from codekiln.evals.datasets import (
    DataError,
    Suite,
    brought_file,
    data_file,
    read_rows,
    read_text,
    rows_of,
)
from codekiln.evals.scoring.call_tests import read_call_tests
from codekiln.evals.scoring.conditions import condition_case, equal_in_python
from codekiln.evals.scoring.hidden import Case, HiddenProblem, ProgramTests, PythonTests
from codekiln.evals.scoring.kilnlogic import read_kilnlogic
from codekiln.evals.scoring.program_tests import multipl_e_tests, pack_javascript_tests
from codekiln.evals.scoring.python_tests import call_case
from codekiln.evals.scoring.special import comparer, mbpp_arguments
from codekiln.verify.sandboxed_calls import Step

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class LoadedSuite:
    """Every problem of a suite in one language, and the hash of the data they come from."""

    suite: Suite
    language: str
    problems: tuple[HiddenProblem, ...]
    dataset: str


def load(suite: Suite, language: str = "", data: Path | None = None) -> LoadedSuite:
    """The problems of `suite`. Raises UsageError for a language it lacks, and DataError."""
    language = language or suite.languages[0]
    if language not in suite.languages:
        raise UsageError(
            f"{suite.name} has no problems in {language}",
            f"Choose one of: {', '.join(suite.languages)}",
        )
    if suite.kind == "kilnlogic":
        problems, dataset = read_kilnlogic(suite.tests)
        return LoadedSuite(suite, language, problems, dataset)
    if language in suite.brought:
        return _brought(suite, language, data)
    file = data_file(suite.files[language])
    rows = read_rows(file, data)
    dataset = file.sha256
    if suite.excluded:
        other = data_file(suite.excluded)
        dataset = hashlib.sha256(f"{dataset} without {other.sha256}".encode()).hexdigest()
        rows = _without(rows, read_rows(other, data))
    problems = tuple(_READERS[suite.kind](rows, suite.tests, language))
    wanted = suite.problems[language]
    if len(problems) != wanted:
        raise DataError(
            f"{suite.name} should hold {wanted} problems, {file.path} gives {len(problems)}",
            f"Get it anew from {file.url}",
        )
    return LoadedSuite(suite, language, problems, dataset)


def _brought(suite: Suite, language: str, data: Path | None) -> LoadedSuite:
    """The problems of a file that the user brings, whatever its version is."""
    file = brought_file(suite.brought[language])
    text = read_text(file, data)
    try:
        rows = rows_of(text, file)
        problems = {problem.id: problem for problem in _by_calls(rows, language)}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file.path} is no file of {suite.name}: a row lacks {error}",
            f"Get it from {file.url}",
        ) from error
    if not problems:
        raise DataError(
            f"of the {len(rows)} rows of {file.path} none has tests that can be read",
            f"Get it from {file.url}",
        )
    dataset = hashlib.sha256(text.encode()).hexdigest()
    return LoadedSuite(suite, language, tuple(problems.values()), dataset)


def _by_calls(rows: Rows, language: str) -> Iterator[HiddenProblem]:
    """The problems whose assertions can all be read as calls with plain values."""
    for row in rows:
        # The authors' own files say `tests`.
        tests = read_call_tests(
            language, row["prompt"], row["test"] if "test" in row else row["tests"]
        )
        if tests is not None:
            yield HiddenProblem(_completion(row, language, tests.entry_point), tests, reference="")


def _humaneval(rows: Rows, tests: str, _: str) -> Iterator[HiddenProblem]:
    for row in rows:
        inputs = _inputs(row, tests)
        name = row["entry_point"]
        yield HiddenProblem(
            public={
                "id": row["task_id"],
                "language": "python",
                "shape": "stub",
                "entry_point": name,
                "text": row["prompt"],
            },
            tests=PythonTests(
                cases=tuple(call_case(name, args) for args in inputs),
                tolerance=row["atol"],
                compare=comparer(name, row["atol"]),
                leaves_out=tests == "plus",
            ),
            reference=row["prompt"] + row["canonical_solution"],
        )


def _mbpp(rows: Rows, tests: str, _: str) -> Iterator[HiddenProblem]:
    for row in rows:
        number = int(row["task_id"].partition("/")[2])
        inputs = _inputs(row, tests)
        name = row["entry_point"]
        yield HiddenProblem(
            public={
                "id": row["task_id"],
                "language": "python",
                "shape": "docstring",
                "entry_point": name,
                "text": row["prompt"],
            },
            tests=PythonTests(
                cases=tuple(call_case(name, mbpp_arguments(number, args)) for args in inputs),
                tolerance=row["atol"],
                compare=comparer(name, row["atol"]),
                leaves_out=tests == "plus",
            ),
            reference=row["canonical_solution"],
        )


def _inputs(row: dict[str, Any], tests: str) -> list[list[Any]]:
    """Argument lists; a problem without extra inputs has an empty object in their place."""
    more = row["plus_input"] if tests == "plus" else []
    return [*row["base_input"], *(more or [])]


def _mbpp_train(rows: Rows, _: str, __: str) -> Iterator[HiddenProblem]:
    """The first assert is shown, as in MBPP+; all of them decide."""
    for row in rows:
        if not 601 <= row["task_id"] <= 974:
            continue
        asserts = [text for test in row["test_list"] for text in _conditions(test)]
        setup = row["test_setup_code"].replace("\r\n", "\n")
        before = (Step(source=setup),) if setup.strip() else ()
        yield HiddenProblem(
            public={
                "id": f"Mbpp/{row['task_id']}",
                "language": "python",
                "shape": "docstring",
                "entry_point": _called(asserts[0]),
                "text": f'"""\n{row["text"]}\n{row["test_list"][0]}\n"""\n',
            },
            tests=PythonTests(
                cases=tuple(condition_case(text, before) for text in asserts),
                together=False,
                compare=equal_in_python,
            ),
            reference=row["code"].replace("\r\n", "\n"),
        )


def _without(rows: Rows, excluded: Rows) -> Rows:
    gone = {int(row["task_id"].partition("/")[2]) for row in excluded}
    return [row for row in rows if row["task_id"] not in gone]


def _conditions(test: str) -> list[str]:
    tree = ast.parse(test.strip())
    return [ast.unparse(node.test) for node in tree.body if isinstance(node, ast.Assert)]


def _called(condition: str) -> str:
    """The function that a condition is about: the last own name that it calls."""
    names = [
        node.func.id
        for node in ast.walk(ast.parse(condition))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    own = [name for name in names if name not in ("set", "len", "sorted", "round", "list", "abs")]
    return (own or names or [""])[0]


def _humanevalpack(rows: Rows, _: str, language: str) -> Iterator[HiddenProblem]:
    for row in rows:
        public = {
            "id": row["task_id"],
            "language": language,
            "shape": "fix",
            "entry_point": row["entry_point"],
            "text": row["docstring"],
            "declaration": row["declaration"],
            "buggy": row["declaration"] + row["buggy_solution"],
            "example_test": row["example_test"],
        }
        head = row["declaration"]
        tests: PythonTests | ProgramTests
        if language == "python":
            tests = _check_function(row["test"], row["entry_point"])
        else:
            tests = pack_javascript_tests(row["test"])
        yield HiddenProblem(
            public,
            tests,
            reference=head + row["canonical_solution"],
            wrong=(head + row["buggy_solution"],),
        )


def _check_function(source: str, name: str) -> PythonTests:
    """The asserts of `def check(name)`; what stands between them is their set-up."""
    tree = ast.parse(source)
    setup: list[str] = []
    cases: list[Case] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check":
            for statement in node.body:
                if isinstance(statement, ast.Assert):
                    steps = [Step(source=text) for text in setup]
                    cases.append(condition_case(ast.unparse(statement.test), steps))
                else:
                    text = ast.unparse(statement)
                    setup.append(text)
                    if any(isinstance(part, ast.Assert) for part in ast.walk(statement)):
                        # A loop of asserts: it is a case by itself, and must not raise.
                        steps = [Step(source=text) for text in setup]
                        steps.append(Step(source="True"))
                        cases.append(Case(tuple(steps), expected="True"))
        elif not _is_metadata(node) and not _is_call_of_check(node):
            setup.append(ast.unparse(node))
    return PythonTests(tuple(cases), together=False, compare=equal_in_python)


def _is_metadata(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "METADATA"


def _is_call_of_check(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and bool(re.match(r"check\(", ast.unparse(node)))


def _multipl_e(rows: Rows, _: str, language: str) -> Iterator[HiddenProblem]:
    for row in rows:
        tests = multipl_e_tests(language, row)
        yield HiddenProblem(_completion(row, language, tests.entry_point), tests, reference="")


def _completion(row: dict[str, Any], language: str, entry_point: str) -> dict[str, Any]:
    return {
        "id": row.get("name") or row["task_id"],
        "language": language,
        "shape": "completion",
        "entry_point": entry_point,
        "text": row["prompt"],
    }


_READERS: dict[str, Callable[[Rows, str, str], Iterator[HiddenProblem]]] = {
    "humaneval": _humaneval,
    "mbpp": _mbpp,
    "mbpp-train": _mbpp_train,
    "humanevalpack": _humanevalpack,
    "multipl-e": _multipl_e,
}
