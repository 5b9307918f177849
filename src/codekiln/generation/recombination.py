"""Puts parts of failing candidates together: a function of one, the rest of another.

Candidates that solve a task in several functions often each have another one wrong. The parts are
there already, so this costs runs in the sandbox but no token. Python only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product, zip_longest

from codekiln.core import Candidate
from codekiln.generation.mutation import Variant, find_passing_variant
from codekiln.generation.selection import standing
from codekiln.generation.workbench import Workbench
from codekiln.verify import parse_python

# More would take long to make, and the fewest changes come first.
MAX_TRIALS = 1500
# The name under which such a candidate is recorded.
FORM = "recombined"
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class _Module:
    """A candidate as parts: imports and statements, and its definitions by name."""

    tree: ast.Module
    definitions: dict[str, _Definition]


def recombine(bench: Workbench) -> bool:
    """Add the best combination that passes the checks; True when there is one.

    Raises CancelledError and SandboxError.
    """
    if bench.task.language != "python" or not bench.task.checks:
        return False
    ranked = sorted(
        range(len(bench.candidates)),
        key=lambda place: (standing(bench.assessments[place]), -place),
        reverse=True,
    )
    modules = {place: _module(bench.candidates[place].code) for place in ranked}
    whole = {place: module for place, module in modules.items() if module is not None}
    spare = [module for module in map(_module, bench.spare_parts) if module is not None]
    known = {candidate.code.strip() for candidate in bench.candidates}
    pool = (variant for variant in _combinations(whole, spare) if variant.code.strip() not in known)
    found = find_passing_variant(bench, islice(pool, MAX_TRIALS))
    if found is None:
        return False
    place = len(bench.candidates)
    bench.candidates.append(
        Candidate(place, found.code, found.code, round=1, parent=found.parent, form=FORM)
    )
    bench.assessments.append(found.assessment)
    return True


def _module(code: str) -> _Module | None:
    tree = parse_python(code)
    if not isinstance(tree, ast.Module):
        return None
    definitions = {node.name: node for node in tree.body if isinstance(node, _Definition)}
    return _Module(tree, definitions) if definitions else None


def _combinations(modules: Mapping[int, _Module], spare: Sequence[_Module]) -> Iterator[Variant]:
    """Modules with definitions of others: the fewest changes first, the modules in turn."""
    seen: set[str] = set()
    others = [*modules.values(), *spare]
    for changes in (1, 2, 3):
        turns = [_changed(base, others, changes) for base in modules.values()]
        for turn in zip_longest(*turns):
            for place, code in zip(modules, turn, strict=True):
                if code is not None and code not in seen:
                    seen.add(code)
                    yield Variant(code, place)


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
