"""Puts parts of failing candidates together: a function of one, the rest of another.

Candidates that solve a task in several functions often each have another one wrong. The parts are
there already, so this costs runs in the sandbox but no token. Python only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product

from codekiln.core import Candidate, Verdict
from codekiln.generation.selection import standing
from codekiln.generation.workbench import Workbench
from codekiln.verify import assess_many, parse_python

MAX_TRIALS = 48
# The name under which such a candidate is recorded.
FORM = "recombined"
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class _Module:
    """A candidate as parts: imports and statements, and its definitions by name."""

    tree: ast.Module
    definitions: dict[str, _Definition]


def recombine(bench: Workbench) -> bool:
    """Add the first combination that passes the checks; True when there is one.

    Raises SandboxError.
    """
    if bench.task.language != "python" or not bench.task.checks:
        return False
    ranked = sorted(
        range(len(bench.candidates)),
        key=lambda place: (standing(bench.assessments[place]), -place),
        reverse=True,
    )
    modules = [_module(bench.candidates[place].code) for place in ranked]
    whole = [module for module in modules if module is not None]
    spare = [module for module in map(_module, bench.spare_parts) if module is not None]
    known = {candidate.code.strip() for candidate in bench.candidates}
    codes = list(
        islice((c for c in _combinations(whole, spare) if c.strip() not in known), MAX_TRIALS)
    )
    if not codes:
        return False
    with bench.clock("recombine"):
        found = assess_many(codes, bench.task, isolation=bench.isolation)
    for code, assessment in zip(codes, found, strict=True):
        if assessment.verdict is Verdict.PASSED:
            place = len(bench.candidates)
            bench.candidates.append(
                Candidate(place, code, code, round=1, parent=ranked[0], form=FORM)
            )
            bench.assessments.append(assessment)
            return True
    return False


def _module(code: str) -> _Module | None:
    tree = parse_python(code)
    if not isinstance(tree, ast.Module):
        return None
    definitions = {node.name: node for node in tree.body if isinstance(node, _Definition)}
    return _Module(tree, definitions) if definitions else None


def _combinations(modules: Sequence[_Module], spare: Sequence[_Module]) -> Iterator[str]:
    """Modules with definitions of others, the fewest changes to the best modules first."""
    seen: set[str] = set()
    for changes in (1, 2, 3):
        for base in modules:
            for code in _changed(base, [*modules, *spare], changes):
                if code not in seen:
                    seen.add(code)
                    yield code


def _changed(base: _Module, modules: Sequence[_Module], changes: int) -> Iterator[str]:
    others: dict[str, list[_Definition]] = {}
    for name, own in base.definitions.items():
        texts = {ast.unparse(own)}
        for module in modules:
            other = module.definitions.get(name)
            if other is not None and ast.unparse(other) not in texts:
                texts.add(ast.unparse(other))
                others.setdefault(name, []).append(other)
    # A module of one function has nothing to combine with: its variants are the candidates.
    if len(base.definitions) < 2:
        return
    for names in combinations(others, changes):
        for choice in product(*(others[name] for name in names)):
            yield _assembled(base, dict(zip(names, choice, strict=True)), modules)


def _assembled(base: _Module, picked: dict[str, _Definition], modules: Sequence[_Module]) -> str:
    body: list[ast.stmt] = [
        picked.get(node.name, node) if isinstance(node, _Definition) else node
        for node in base.tree.body
    ]
    code = ast.unparse(ast.Module(body, []))
    imports = {
        ast.unparse(node)
        for module in modules
        for node in module.tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    missing = [text for text in sorted(imports) if text not in code]
    return "\n".join([*missing, code]) + "\n"
