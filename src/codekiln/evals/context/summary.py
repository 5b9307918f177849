"""Figures of measured contexts: each arm against the reference, with intervals. Pure.

Intervals are 95 %, of a bootstrap that resamples windows of a context, or questions, in pairs.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from codekiln.evals.estimators import Interval, bootstrap_difference

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Answers of one kind. Shares from 0 to 1; `difference` is the arm minus the reference.

    The losses are means over questions, in nats for the whole answer.
    """

    kind: str
    questions: int
    reference: float
    arm: float
    difference: float
    interval: Interval
    reference_loss: float
    arm_loss: float


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm at one length. `rise` is the relative rise of the loss, `agreement` a share.

    `density`, `covered` and `select_share` (of the time of attention and selection) are None for
    the engine's dense path.
    """

    corpus: str
    length: int
    arm: str
    contexts: int
    loss: float
    reference_loss: float
    rise: float
    rise_interval: Interval
    agreement: float
    agreement_interval: Interval
    retrieval: tuple[Retrieval, ...]
    read_s: float
    reference_read_s: float
    density: float | None
    covered: float | None
    select_share: float | None


def summarise(lines: Sequence[Mapping[str, Any]]) -> tuple[ArmSummary, ...]:
    """One summary per corpus, length and arm that is not the reference."""
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for line in lines:
        groups[line["corpus"], line["length"]].append(line)
    found = []
    for (corpus, length), members in sorted(groups.items()):
        reference, *others = members[0]["arms"]
        found += [_summary(corpus, length, members, reference, arm) for arm in others]
    return tuple(found)


def _summary(
    corpus: str, length: int, lines: Sequence[Mapping[str, Any]], reference: str, arm: str
) -> ArmSummary:
    def windows(name: str, what: str) -> list[float]:
        return [value for line in lines for value in line["arms"][name][what]]

    sizes = [float(size) for line in lines for size in line["tokens"]]
    ours, theirs = windows(arm, "loss"), windows(reference, "loss")
    agree = windows(arm, "agree")
    layers = [layer for line in lines for layer in line["arms"][arm]["layers"] or ()]
    spent = sum(layer[2] + layer[3] for layer in layers)
    return ArmSummary(
        corpus=corpus,
        length=length,
        arm=arm,
        contexts=len(lines),
        loss=sum(ours) / sum(sizes),
        reference_loss=sum(theirs) / sum(sizes),
        rise=sum(ours) / sum(theirs) - 1,
        rise_interval=_ratio_interval(ours, theirs, -1),
        agreement=sum(agree) / sum(sizes),
        agreement_interval=_ratio_interval(agree, sizes, 0),
        retrieval=_retrieval(lines, reference, arm),
        read_s=_mean([line["arms"][arm]["read_s"] for line in lines]),
        reference_read_s=_mean([line["arms"][reference]["read_s"] for line in lines]),
        density=_mean([layer[0] for layer in layers]) if layers else None,
        covered=_mean([layer[1] for layer in layers]) if layers else None,
        select_share=sum(layer[2] for layer in layers) / spent if spent else None,
    )


def _retrieval(
    lines: Sequence[Mapping[str, Any]], reference: str, arm: str
) -> tuple[Retrieval, ...]:
    pairs: dict[str, list[tuple[Sequence[float], Sequence[float]]]] = defaultdict(list)
    for line in lines:
        answers = line["arms"][reference]["answers"], line["arms"][arm]["answers"]
        for (kind, _), *both in zip(line["questions"], *answers, strict=True):
            pairs[kind].append((both[0], both[1]))
            pairs["all"].append((both[0], both[1]))
    found = []
    for kind, members in pairs.items():
        before = [float(answer[0]) for answer, _ in members]
        after = [float(answer[0]) for _, answer in members]
        found.append(
            Retrieval(
                kind=kind,
                questions=len(members),
                reference=_mean(before),
                arm=_mean(after),
                difference=_mean(after) - _mean(before),
                interval=bootstrap_difference(before, after, resamples=_RESAMPLES),
                reference_loss=_mean([answer[1] for answer, _ in members]),
                arm_loss=_mean([answer[1] for _, answer in members]),
            )
        )
    return tuple(found)


def _ratio_interval(above: Sequence[float], below: Sequence[float], offset: float) -> Interval:
    """Of sum(above) / sum(below) + offset, over resampled windows."""
    rng = random.Random(0)
    places = range(len(above))
    ratios = []
    for _ in range(_RESAMPLES):
        drawn = rng.choices(places, k=len(above))
        ratios.append(sum(above[i] for i in drawn) / sum(below[i] for i in drawn) + offset)
    ratios.sort()
    return Interval(ratios[int(0.025 * _RESAMPLES)], ratios[int(0.975 * _RESAMPLES) - 1])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
