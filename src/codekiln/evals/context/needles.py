"""What is hidden in a long context, and the questions that ask for it.

One needle of each kind stands at each depth: a constant of its own, a constant of a family of like
names, a function known by its description, and a helper that a held-out function calls. Everything
follows from the seed.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

Kind = Literal["constant", "family", "function", "helper"]
KINDS: tuple[Kind, ...] = get_args(Kind)
DEPTHS = 10


@dataclass(frozen=True, slots=True)
class Question:
    """`prompt` follows the context, `answer` is the only right continuation.

    The space between them is the answer's, as tokenizers put it before a word.

    `depth` is the share of the context that stands before the needle.
    """

    kind: Kind
    depth: float
    prompt: str
    answer: str


@dataclass(frozen=True, slots=True)
class Needles:
    """`hidden[i]` is the code to be put at depth `depths[i]`; the questions ask for all of it."""

    depths: tuple[float, ...]
    hidden: tuple[str, ...]
    questions: tuple[Question, ...]


NO_NEEDLES = Needles((), (), ())


def make_needles(seed: int) -> Needles:
    """Needles for one context; equal seeds give equal needles."""
    rng = random.Random(seed)
    pool = _pool()
    depths = tuple((2 * number + 1) / (2 * DEPTHS) for number in range(DEPTHS))
    words = rng.sample(pool["words"], 2 * DEPTHS)
    values = rng.sample(range(1000, 10_000), 2 * DEPTHS)
    functions = rng.sample(pool["function"], DEPTHS)
    helpers = rng.sample(pool["helper"], DEPTHS)
    hidden: list[str] = []
    questions: list[Question] = []
    for number, depth in enumerate(depths):
        own = f"{words[number]}_{rng.choice(_OWN)}".upper()
        like = f"{words[DEPTHS + number]}_buffer_limit".upper()
        value, like_value = values[number], values[DEPTHS + number]
        function, helper = functions[number], helpers[number]
        hidden.append(
            f"{own} = {value}\n\n{function['code'].strip()}\n\n\n{like} = {like_value}\n\n"
            f"{helper['code'].strip()}\n"
        )
        questions += [
            Question("constant", depth, f"\n\nassert {own} ==", f" {value}"),
            Question("family", depth, f"\n\nassert {like} ==", f" {like_value}"),
            Question(
                "function",
                depth,
                f"\n\n# The function defined above that {function['description']}:\nwanted =",
                f" {function['name']}",
            ),
            Question("helper", depth, f"\n\n{helper['caller'].strip()}", f" {helper['answer']}"),
        ]
    return Needles(depths, tuple(hidden), tuple(questions))


_OWN = ("ratio", "timeout", "port", "offset", "quota")


@cache
def _pool() -> Mapping[str, Any]:
    text = resources.files("codekiln.evals.context").joinpath("needles.toml").read_text("utf-8")
    return tomllib.loads(text)
