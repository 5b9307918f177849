"""How often a signature that was inferred is one that the author could have declared.

    python bench/types_precision.py [--functions 200] [--package rich --package httpx ...]

Takes annotated functions of installed packages that their own module calls, strips all annotations
of parameters, returns and variables, infers, and lets mypy judge in the package's own surroundings:
an inferred type is right when it may stand where the declared one does. Precision is over the types
that were inferred, recall over those that were declared.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

from codekiln.core.errors import UsageError
from codekiln.typeflow import KnownSignature, infer_python, to_annotation

PACKAGES = ("rich", "httpx", "typer", "filelock", "hypothesis")
CHECK = "_codekiln_check_"
HEAD = "\n\nfrom collections.abc import *  # noqa\nfrom typing import Any\n"


@dataclass(frozen=True, slots=True)
class Case:
    """One place of one function; `inferred` is empty where nothing was."""

    function: str
    place: str
    declared: str
    inferred: str


class Strip(ast.NodeTransformer):
    """Takes annotations of functions and variables away; fields of classes stay."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self._function(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self._function(node)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        return node if node.value is None else ast.Assign([node.target], node.value)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.generic_visit(node)
        for argument in parameters(node):
            argument.annotation = None
        node.returns = None


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    """All that have a name and one value."""
    return [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]


def cases_of(source: str) -> Iterator[list[Case]]:
    """The places of each function that its own module calls, or shows an example of."""
    tree = ast.parse(source)
    declared: dict[int, dict[str, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            places = {a.arg: _written(a.annotation) for a in parameters(node) if a.annotation}
            if node.returns is not None:
                places["return"] = _written(node.returns)
            declared[node.lineno] = places
    # Unparsing would move lines; the positions of the tree stay what they were.
    bare = ast.unparse(ast.fix_missing_locations(Strip().visit(ast.parse(source))))
    by_order = dict(zip(_functions(ast.parse(bare)), _functions(tree), strict=True))
    for signature in infer_python(bare).signatures:
        line = by_order.get(signature.line)
        if line is not None and declared.get(line) and _is_called(signature):
            yield [
                Case(signature.name, place, annotation, _inferred(signature, place))
                for place, annotation in declared[line].items()
            ]


def _written(annotation: ast.expr) -> str:
    """The text of an annotation, which may stand in quotes."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return annotation.value
    return ast.unparse(annotation)


def _functions(tree: ast.AST) -> list[int]:
    return [
        n.lineno for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _is_called(signature: KnownSignature) -> bool:
    """Whether a value that is given to it is known."""
    return any(
        found is not None and any(fact.line != signature.line for fact in found.because)
        for found in signature.parameters.values()
    )


def _inferred(signature: KnownSignature, place: str) -> str:
    found = signature.result if place == "return" else signature.parameters.get(place)
    return to_annotation(found.type) if found is not None else ""


def chosen(packages: list[str], wanted: int) -> dict[str, dict[Path, list[Case]]]:
    """Per package and module the cases of at most `wanted` functions, taken in turn."""
    pools: dict[str, Iterator[tuple[Path, list[Case]]]] = {p: _pool(p) for p in packages}
    found: dict[str, dict[Path, list[Case]]] = {package: {} for package in packages}
    while wanted and pools:
        for package in list(pools):
            item = next(pools[package], None)
            if item is None:
                del pools[package]
            elif wanted:
                found[package].setdefault(item[0], []).extend(item[1])
                wanted -= 1
    return found


def root_of(package: str) -> Path:
    """The folder of an installed package. Raises UsageError."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UsageError(f"there is no installed package {package!r}", "Name one with --package")
    return Path(next(iter(spec.submodule_search_locations)))


def _pool(package: str) -> Iterator[tuple[Path, list[Case]]]:
    root = root_of(package)
    for path in sorted(root.rglob("*.py")):
        for cases in cases_of(path.read_text("utf-8")):
            yield path.relative_to(root), cases


def judge(package: str, modules: dict[Path, list[Case]]) -> Iterator[tuple[Path, Case, str]]:
    """Each case that something was inferred for, and what mypy says: "right" or a code of error."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, package)
        shutil.copytree(root_of(package), copy, ignore=shutil.ignore_patterns("__pycache__"))
        numbered: dict[int, tuple[Path, Case]] = {}
        for module, cases in modules.items():
            text = HEAD
            for case in (case for case in cases if case.inferred):
                number = len(numbered)
                numbered[number] = module, case
                text += (
                    f"def {CHECK}{number}(x: {case.inferred!r}) -> {case.declared!r}: return x\n"
                )
            with (copy / module).open("a", encoding="utf-8") as file:
                file.write(text)
        command = [sys.executable, "-m", "mypy", "-p", package, "--no-error-summary"]
        command += ["--show-error-codes", "--cache-dir", f"{folder}/cache", "--no-pretty"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1):
            raise SystemExit(done.stderr or done.stdout)
        codes: dict[int, str] = {}
        lines = {module: (copy / module).read_text("utf-8").splitlines() for module in modules}
        for error in re.finditer(r"^(\S+?):(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.M):
            module = Path(error[1]).relative_to(package)
            line = lines[module][int(error[2]) - 1] if module in lines else ""
            if match := re.match(rf"def {CHECK}(\d+)", line):
                codes[int(match[1])] = error[3]
        for number, (module, case) in numbered.items():
            yield module, case, codes.get(number, "right")


def _version(package: str) -> str:
    """That of the distribution which holds the package."""
    return version(packages_distributions().get(package, [package])[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--functions", type=int, default=200)
    parser.add_argument("--package", action="append")
    arguments = parser.parse_args()
    packages = arguments.package or list(PACKAGES)
    cases = chosen(packages, arguments.functions)
    verdicts: Counter[str] = Counter()
    for package, modules in cases.items():
        for module, case, verdict in judge(package, modules):
            verdicts[verdict] += 1
            if verdict != "right":
                said = f"{case.function}, {case.place}: {case.declared}, inferred {case.inferred}"
                print(f"{package}/{module}: {said} [{verdict}]")
    every = [case for modules in cases.values() for found in modules.values() for case in found]
    wrong = verdicts["return-value"]
    judged = verdicts["right"] + wrong
    functions = sum(
        len({c.function for c in found}) for m in cases.values() for found in m.values()
    )
    print(
        json.dumps(
            {
                "functions": functions,
                "declared": len(every),
                "inferred": sum(bool(case.inferred) for case in every),
                "judged": judged,
                "right": verdicts["right"],
                "precision": round(verdicts["right"] / max(1, judged), 4),
                "recall": round(verdicts["right"] / max(1, len(every)), 4),
                "packages": {package: _version(package) for package in packages},
                "mypy": version("mypy"),
            }
        )
    )


if __name__ == "__main__":
    main()
