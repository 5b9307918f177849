"""Inputs varied from a task's examples, in the manner of EvalPlus' typed mutation, and inputs of
the types that its signature declares.

Takes a Task; gives steps for the sandbox, the same ones for the same task every time. Calls of
functions keep the number of arguments and, as far as a literal tells it, their types; sessions
of a class are reordered, cut, repeated and given other arguments. Whether a varied input is a
valid one is not known here.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import cast

from codekiln.core.task import Task
from codekiln.verify.python_source import parse_expression
from codekiln.verify.sandboxed_calls import Step
from codekiln.verify.steps import (
    bare_call,
    example_sessions,
    has_functions,
    in_class_style,
    step_for,
)
from codekiln.verify.typed_inputs import signature_of, typed_calls

MAX_SEED_CALLS = 8
MAX_TYPED = 40
MAX_SESSIONS = 10
MAX_SESSION_STEPS = 30
MAX_INT = 10_000
MAX_SOURCE_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class SeedCall:
    """A call `function(*args, **kwargs)` whose arguments are all literals."""

    function: str
    args: tuple[object, ...]
    kwargs: tuple[tuple[str, object], ...] = ()

    def step(self, as_method: bool = False) -> Step:
        """The call as a step of its own; `as_method` also gives its form for a class."""
        if as_method:
            given = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs)]
            return step_for(f"{self.function}({', '.join(given)})", methods=True)
        return Step(function=self.function, args=repr(self.args), kwargs=repr(dict(self.kwargs)))

    @property
    def reads_back(self) -> bool:
        """False for values such as infinity, whose text is no literal, and for very long ones."""
        texts = repr(self.args), repr(dict(self.kwargs))
        if len(texts[0]) > MAX_SOURCE_CHARS:
            return False
        try:
            return all(ast.literal_eval(text) is not None for text in texts)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return False


def varied_sessions(task: Task, count: int) -> tuple[tuple[Step, ...], ...]:
    """Sessions with about `count` steps in all; empty when no example can be varied.

    A task of functions gives one session of independent steps that begins with the examples'
    own calls and ends with the first of them again, which shows state kept between calls. With
    several functions it has twice as many.
    """
    if count <= 0:
        return ()
    sessions = example_sessions(task)
    callees = {step.callee for session in sessions for step in session.steps}
    stateful = any(len(session.steps) > 1 for session in sessions)
    if stateful or (in_class_style(task) and len(callees) > 1 and not has_functions(task)):
        return tuple(islice(_varied_class_sessions(task), MAX_SESSIONS))
    seeds = seed_calls(task)
    typed = _typed_calls(task)
    if not seeds and not typed:
        return ()
    as_method = in_class_style(task) and len(callees) > 1
    if as_method:
        count *= 2
    steps: dict[Step, None] = {}
    # Values of the declared types stand between those near the examples, which are more often
    # valid, so that both come before the count ends.
    for call in (*seeds, *_alternating(_varied_calls(seeds), typed)):
        if call.reads_back:
            steps[call.step(as_method)] = None
        if len(steps) >= count:
            break
    first = (seeds or typed)[0]
    return ((*steps, first.step(as_method)),)


def _typed_calls(task: Task) -> list[SeedCall]:
    function = signature_of(task)
    if function is None:
        return []
    return [SeedCall(function.name, args) for args in islice(typed_calls(function), MAX_TYPED)]


def _alternating(varied: Iterator[SeedCall], typed: list[SeedCall]) -> Iterator[SeedCall]:
    """Two varied calls, then a typed one."""
    pending = iter(typed)
    for number, call in enumerate(varied):
        yield call
        if number % 2:
            yield from islice(pending, 1)
    yield from pending


def seed_calls(task: Task) -> list[SeedCall]:
    """The examples' calls whose arguments are all literals."""
    seeds: dict[str, SeedCall] = {}
    for example in task.examples:
        call = bare_call(example.call or "")
        if call is None or not isinstance(call.func, ast.Name):
            continue
        try:
            args = tuple(ast.literal_eval(arg) for arg in call.args)
            kwargs = tuple((k.arg or "", ast.literal_eval(k.value)) for k in call.keywords)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        seed = SeedCall(call.func.id, args, kwargs)
        seeds.setdefault(repr(seed), seed)
    return list(seeds.values())[:MAX_SEED_CALLS]


def _varied_calls(seeds: list[SeedCall]) -> Iterator[SeedCall]:
    """One argument changed at a time, taking turns between calls, arguments and variants."""
    rng = random.Random(0)
    turns: list[Iterator[SeedCall]] = []
    for seed in seeds:
        turns += [_with_argument(seed, place, rng) for place in range(len(seed.args))]
        turns += [_with_keyword(seed, place, rng) for place in range(len(seed.kwargs))]
    if seeds:
        turns.append(_crossed(seeds, rng))
    for round_of_calls in zip_longest(*turns):
        yield from (call for call in round_of_calls if call is not None)


def _with_argument(seed: SeedCall, place: int, rng: random.Random) -> Iterator[SeedCall]:
    for value in variants(seed.args[place], rng):
        args = (*seed.args[:place], value, *seed.args[place + 1 :])
        yield SeedCall(seed.function, args, seed.kwargs)


def _with_keyword(seed: SeedCall, place: int, rng: random.Random) -> Iterator[SeedCall]:
    name, old = seed.kwargs[place]
    for value in variants(old, rng):
        kwargs = (*seed.kwargs[:place], (name, value), *seed.kwargs[place + 1 :])
        yield SeedCall(seed.function, seed.args, kwargs)


def _crossed(seeds: list[SeedCall], rng: random.Random) -> Iterator[SeedCall]:
    """Arguments of one example with those of another: these tend to be valid."""
    for _ in range(20):
        one, other = rng.choice(seeds), rng.choice(seeds)
        if one.function == other.function and len(one.args) == len(other.args) > 1:
            pairs = zip(one.args, other.args, strict=True)
            yield SeedCall(one.function, tuple(rng.choice(pair) for pair in pairs), one.kwargs)


def variants(value: object, rng: random.Random) -> Iterator[object]:
    """Values of the same type and a similar shape, the plainest changes first."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from _ints(value)
    elif isinstance(value, float):
        yield from (0.0, -value, value + 1.0, value / 2, 1.0)
    elif isinstance(value, str):
        yield from _strings(value, rng)
    elif isinstance(value, list):
        yield from _lists(value, rng)
    elif isinstance(value, tuple):
        yield from map(tuple, _same_length(list(value), rng))
    elif isinstance(value, dict):
        yield from _dicts(value, rng)
    elif isinstance(value, (set, frozenset)):
        items = sorted(value, key=repr)
        yield from (type(value)(items[:-1]), type(value)(items[:1]))
        yield from (type(value)(changed) for changed in _same_length(items, rng))
        yield type(value)()


def _ints(value: int) -> Iterator[int]:
    near = (value + 1, value - 1, 0, 1, 2, value * 2, -value, 10 * value + 7, -1)
    yield from (number for number in near if number != value and abs(number) <= MAX_INT)
    if abs(value) > MAX_INT:
        yield from (value + 1, value - 1, value // 2)


def _strings(value: str, rng: random.Random) -> Iterator[str]:
    if value:
        yield from (value[::-1], value + value, value[:-1], value[0])
        place = rng.randrange(len(value))
        yield value[:place] + value[place + 1 :]
        yield value[:place] + rng.choice(value) + value[place + 1 :]
        yield value.swapcase()
    yield from ("", " " + value, value + "é")
    if not value:
        yield from ("a", "ab", "Aa 1")


def _lists(value: list[object], rng: random.Random) -> Iterator[list[object]]:
    if value:
        yield value[::-1]
        yield value[:-1]
        yield [*value, value[0]]
        yield from islice(_same_length(value, rng), 3)
        yield value[:1]
        yield value + value
        shuffled = value.copy()
        rng.shuffle(shuffled)
        yield shuffled
        yield [value[0]] * len(value)
    yield []
    if not value:
        yield [0]
        yield [1, 2]
    yield from islice(_same_length(value, rng), 3, 8)


def _same_length(items: list[object], rng: random.Random) -> Iterator[list[object]]:
    """One item changed; turns between the items, starting anywhere."""
    places = list(range(len(items)))
    rng.shuffle(places)
    columns = [variants(items[place], rng) for place in places[:6]]
    for row in zip_longest(*columns):
        for place, item in zip(places, row, strict=False):
            if item is not None:
                yield [*items[:place], item, *items[place + 1 :]]


def _dicts(value: dict[object, object], rng: random.Random) -> Iterator[dict[object, object]]:
    keys = list(value)
    if keys:
        yield {key: value[key] for key in keys[:-1]}
        yield {key: value[key] for key in reversed(keys)}
    for values in islice(_same_length(list(value.values()), rng), 4):
        yield dict(zip(keys, values, strict=True))
    yield {}
    for changed in islice(_same_length(keys, rng), 3):
        yield dict(zip(changed, value.values(), strict=True))


def _varied_class_sessions(task: Task) -> Iterator[tuple[Step, ...]]:
    """Each session of the task (bare calls of all examples count as one) in several variations."""
    rng = random.Random(0)
    sessions = example_sessions(task)
    bases = [session.steps for session in sessions if len(session.steps) > 1]
    singles = tuple(s.steps[0] for s in sessions if len(s.steps) == 1 and s.steps[0].callee)
    if len(singles) > 1:
        bases.append(singles)
    orders: tuple[Callable[[list[Step]], list[Step]], ...] = (
        lambda rest: rest,
        lambda rest: rest[::-1],
        lambda rest: [step for step in rest for _ in range(2)],
        lambda rest: rest + rest,
        lambda rest: rest[1:],
        lambda rest: [_with_other_literal(step, rng) for step in rest],
        lambda rest: rng.sample(rest, len(rest)),
    )
    for order in orders:
        for base in bases:
            # The set-up (an assignment or a constructor) has to stay where it is.
            head = 1 if _is_set_up(base[0]) else 0
            steps = (*base[:head], *order(list(base[head:])))
            yield steps[:MAX_SESSION_STEPS]


def _is_set_up(step: Step) -> bool:
    return parse_expression(step.source) is None or step.callee[:1].isupper()


def _with_other_literal(step: Step, rng: random.Random) -> Step:
    """The step with one literal of its call changed; itself when it has none."""
    tree = parse_expression(step.source)
    if tree is None:
        return step
    literals = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    if not literals:
        return step
    chosen = rng.choice(literals)
    others = list(islice(variants(chosen.value, rng), 5))
    if others:
        # Every value that `variants` makes of a constant is a constant again.
        chosen.value = cast("str | int | float", rng.choice(others))
    source = ast.unparse(tree)
    name = step.callee
    method = f"{step.method.partition('.')[0]}.{source}" if step.method and name else ""
    return Step(source=source, callee=name, method=method)
