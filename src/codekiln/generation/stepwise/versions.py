"""Versions of one function of a long task: drawn, checked with its own examples, mended.

Few at first; where they fail or disagree, more follow, put in another way. Where none passes, small
changes are tried. Python only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from codekiln.core import Assessment, Candidate, Prompt, Task, Verdict
from codekiln.core.errors import ContextOverflowError
from codekiln.generation.confidence import evidence_of, probability
from codekiln.generation.drafting import Round, draw
from codekiln.generation.mutation import find_change, remark
from codekiln.generation.schedule import FIRST_ROUND
from codekiln.generation.selection import Selection, select, standing
from codekiln.generation.stepwise.parts import new_part
from codekiln.generation.stepwise.plans import Step
from codekiln.generation.stepwise.prompts import step_prompts, sub_task
from codekiln.generation.workbench import Workbench
from codekiln.verify import (
    DEFAULT_CHECKS,
    PART_CHECKS,
    Check,
    assess_many,
    normalise,
)

# The name under which what is written so is recorded.
FORM = "stepwise"
# A module of many functions has many places to go wrong, and any of them spoils it: so the first
# versions are drawn at a lower temperature, those after a failure are to differ more.
WARMTHS = (0.6, 1.0)
_EVEN = 0.5


@dataclass(frozen=True, slots=True)
class Versions:
    """What was written for one function: the best first, each only what is new, none twice.

    The first `good` of them pass the function's own examples. `drawn` were written in all, of
    which `passing` pass; `chance` is that of the first one to be right, even odds where nothing
    tells; `remarks` are for the user: it was mended.
    """

    parts: tuple[str, ...]
    good: int
    drawn: int
    passing: int
    chance: float
    remarks: tuple[str, ...] = ()


def write_versions(
    bench: Workbench,
    step: Step,
    finished: Sequence[str],
    done: set[str],
    count: int,
    number: int,
    seconds: float,
) -> Versions:
    """At most `count` versions of the function of step `number`, and a mended one.

    `finished` are the functions before it, and `done` their names; `seconds` may pass while small
    changes are tried. Their tokens count as the bench's `side_tokens`. Raises what drawing,
    checking and building prompts raise.
    """
    desk = _Desk(bench, step, finished, done, number, seconds)
    first = min(FIRST_ROUND, count)
    # Without warmth every round would give the same again.
    sizes = (first, count - first) if bench.options.temperature > 0 else (1,)
    prompts = step_prompts(bench, step, desk.task, finished)
    for size, warmth in zip(sizes, WARMTHS, strict=False):
        if size == 0 or desk.is_settled():
            break
        try:
            prompt = next(prompts)
        except ContextOverflowError:
            if not desk.drawn:
                raise
            break
        desk.draw(prompt, size, warmth * bench.options.temperature)
    return desk.versions()


@dataclass(slots=True)
class _Desk:
    """The versions of one function so far; `drawn`, `parts` and `assessments` are parallel."""

    bench: Workbench
    step: Step
    finished: Sequence[str]
    done: set[str]
    number: int
    seconds: float
    task: Task = field(init=False)
    drawn: list[Candidate] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    assessments: list[Assessment] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.task = sub_task(self.bench.task, self.step, self.done)

    @property
    def passing(self) -> int:
        return sum(assessment.verdict is Verdict.PASSED for assessment in self.assessments)

    @property
    def before(self) -> str:
        return "".join(f"{part}\n\n" for part in self.finished)

    @property
    def checks(self) -> Sequence[Check]:
        whole = self.step.name == self.bench.task.entry_point
        return DEFAULT_CHECKS if whole else PART_CHECKS

    def draw(self, prompt: Prompt, count: int, temperature: float) -> None:
        """Draw and check `count` more, the first of them greedy."""
        bench = self.bench
        drafts = Round(
            prompt,
            count,
            # Far from the numbers of whole candidates, so that no two draws share a seed.
            first_index=1000 * self.number + len(self.drawn),
            greedy=True,
            temperature=temperature,
            form=FORM,
        )
        with bench.clock("sample"):
            new = draw(
                self.task, drafts, bench.options, bench.backend, bench.on_event, bench.cancel
            )
        bench.side_tokens += sum(candidate.completion_tokens for candidate in new)
        parts = [new_part(candidate.code, self.step.name, self.finished) for candidate in new]
        codes = [f"{self.before}{part}\n" if part else "" for part in parts]
        with bench.clock("check"):
            self.assessments += assess_many(
                codes, self.task, isolation=bench.isolation, checks=self.checks
            )
        self.drawn += new
        self.parts += parts

    def is_settled(self) -> bool:
        """True when half of what was drawn passes, or can not be told to be wrong, and agrees."""
        selection = self._selection()
        if selection is None:
            return False
        passes = selection.standing.passed or not self.task.checks
        return passes and 2 * len(selection.cluster.members) >= len(self.drawn)

    def versions(self) -> Versions:
        """The best first; where none passes, a mended one where changes lead to one."""
        order = self._order()
        ranked = [self.parts[place] for place in order]
        good = sum(self.assessments[place].verdict is Verdict.PASSED for place in order)
        remarks: tuple[str, ...] = ()
        # A function is checked by its own examples as a whole answer is, and mended in that way.
        if self.task.checks and not good:
            change = find_change(
                self.bench,
                ranked,
                task=self.task,
                before=self.before,
                checks=self.checks,
                seconds=self.seconds,
            )
            if change is not None:
                remarks = (remark(ranked[change.parent], change.code),)
                ranked.insert(0, change.code)
        return Versions(
            tuple(ranked),
            good,
            len(self.drawn),
            self.passing,
            self._chance(mended=bool(remarks)),
            remarks,
        )

    def _chance(self, *, mended: bool) -> float:
        """That of the best to be right, by the evidence that its own examples give."""
        selection = self._selection()
        if selection is None:
            return _EVEN
        evidence = evidence_of(self.drawn, self.assessments, selection)
        if not self.task.checks:
            # None can be told to be wrong; what is left is how many can be used and agree.
            alike = sum(len(cluster.members) for cluster in selection.clusters)
            evidence = replace(evidence, passing=alike, passed=True)
        elif mended:
            evidence = replace(evidence, passing=1, agreement=1.0, repaired=True, passed=True)
        return probability(evidence) or _EVEN

    def _selection(self) -> Selection | None:
        usable = [
            replace(candidate, index=place, code=part)
            for place, (candidate, part) in enumerate(zip(self.drawn, self.parts, strict=True))
            if part
        ]
        if not usable:
            return None
        return select(usable, [self.assessments[candidate.index] for candidate in usable])

    def _order(self) -> list[int]:
        """Places of the versions, the best first, none that says the same as one before."""
        selection = self._selection()
        if selection is None:
            return []
        order = sorted(
            (place for place, part in enumerate(self.parts) if part),
            key=lambda place: (
                place == selection.index,
                standing(self.assessments[place]),
                -place,
            ),
            reverse=True,
        )
        found: dict[str, int] = {}
        for place in order:
            found.setdefault(normalise(self.parts[place]), place)
        return list(found.values())
