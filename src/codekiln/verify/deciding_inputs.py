"""Further inputs for programs that all pass: they are to show whether two of them differ.

Takes the task and the programs. What one of them compares with or looks for ("February", 31) is put
into the examples' arguments, as a fuzzer's dictionary is; beside that come examples changed two or
three times, and small whole numbers in turn. The same programs give the same inputs every time.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from itertools import islice

from codekiln.core.task import Task
from codekiln.sandbox.types import Isolation
from codekiln.verify.crash_check import HASH_SEED, outputs, prints
from codekiln.verify.python_source import parse
from codekiln.verify.sandboxed_calls import Step, run_calls
from codekiln.verify.steps import has_functions, in_class_style
from codekiln.verify.varied_inputs import SeedCall, seed_calls, variants

COUNT = 64
MAX_LITERAL_CHARS = 40
SMALL_NUMBERS = range(26)
_CALL_S = 0.2
_PROCESS_S = 20.0


def deciding_steps(task: Task, codes: Sequence[str], count: int = COUNT) -> tuple[Step, ...]:
    """At most `count` calls of the task's functions; none where its examples cannot be varied."""
    as_method = in_class_style(task)
    varied = has_functions(task) or not as_method
    seeds = [seed for seed in seed_calls(task) if seed.args] if varied else []
    rng = random.Random(0)
    from_literals = [*_with_literals(seeds, _literals(codes))]
    rng.shuffle(from_literals)
    steps: dict[Step, None] = {}
    for call in (*from_literals[: count // 2], *islice(_walks(seeds, rng), 6 * count)):
        if len(steps) < count and call.reads_back:
            steps[call.step(as_method)] = None
    return tuple(steps)


def outputs_on(
    steps: Sequence[Step], code: str, task: Task, *, isolation: Isolation
) -> tuple[str, ...]:
    """One short text per step, as of varied inputs (see crash_check). Raises SandboxError."""
    calls = run_calls(
        code, [steps], isolation, call_s=_CALL_S, cpu_s=_PROCESS_S, hash_seed=HASH_SEED
    )
    return outputs(calls.steps[0], prints(task))


def _literals(codes: Sequence[str]) -> list[int | float | str]:
    """Numbers and texts in the programs, without docstrings, in order of appearance."""
    found: dict[str, int | float | str] = {}
    for code in codes:
        tree = parse(code)
        if not isinstance(tree, ast.Module):
            continue
        prose = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and id(node) not in prose:
                value = node.value
                if type(value) in (int, float, str) and len(repr(value)) <= MAX_LITERAL_CHARS:
                    found.setdefault(repr(value), value)  # type: ignore[arg-type]
    return list(found.values())


def _with_literals(
    seeds: Sequence[SeedCall], literals: Sequence[int | float | str]
) -> Iterator[SeedCall]:
    for seed in seeds:
        for place, old in enumerate(seed.args):
            values = [*_beside(old, literals), *(SMALL_NUMBERS if type(old) is int else ())]
            for value in values:
                args = (*seed.args[:place], value, *seed.args[place + 1 :])
                yield SeedCall(seed.function, args, seed.kwargs)


def _beside(value: object, literals: Sequence[int | float | str]) -> Iterator[object]:
    """Values of the type of `value` that are, or hold, one of the literals."""
    if isinstance(value, list | tuple):
        if value:
            for item in _beside(value[0], literals):
                yield type(value)([item, *value[1:]])
                yield type(value)([*value[:-1], item])
        return
    for literal in literals:
        if type(value) is int and type(literal) is int:
            yield from (literal, literal + 1, literal - 1)
        elif type(value) is float and not isinstance(literal, str):
            yield float(literal)
        elif isinstance(value, str):
            text = str(literal)
            yield from (text, value + text, text + value)


def _walks(seeds: Sequence[SeedCall], rng: random.Random) -> Iterator[SeedCall]:
    """Examples changed two or three times."""
    while seeds:
        seed = rng.choice(seeds)
        args = list(seed.args)
        for _ in range(rng.choice((2, 2, 3))):
            place = rng.randrange(len(args))
            others = list(islice(variants(args[place], rng), 12))
            if others:
                args[place] = rng.choice(others)
        yield SeedCall(seed.function, tuple(args), seed.kwargs)
