"""One answer on its way: the candidates drawn and checked so far, and the budget that is left.

State with the lifetime of one answer. Draws and checks; what to draw next is decided elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from codekiln.backends import Backend, Cancel
from codekiln.core import Assessment, Candidate, Task
from codekiln.core.errors import ContextOverflowError
from codekiln.generation.checking import check
from codekiln.generation.draft_guards import DraftGuards
from codekiln.generation.drafting import Round, draw
from codekiln.generation.events import OnEvent, Stage
from codekiln.generation.options import Options
from codekiln.generation.selection import Selection, select
from codekiln.sandbox import CountingIsolation

# For a server that does not tell its window; small models of today have at least this much.
ASSUMED_CONTEXT_TOKENS = 8192


@dataclass(slots=True)
class Workbench:
    """What an answer is made with and of. `candidates` and `assessments` are parallel."""

    task: Task
    options: Options
    backend: Backend
    isolation: CountingIsolation
    on_event: OnEvent
    cancel: Cancel | None = None
    guards: DraftGuards | None = None
    candidates: list[Candidate] = field(default_factory=list)
    assessments: list[Assessment] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    # Tokens of plans and single functions, which are no candidates themselves.
    side_tokens: int = 0
    tried_stepwise: bool = False
    # Drafts of the budget that are no candidates, without code or the same as one that is; and how
    # many of them pass.
    set_aside: int = 0
    set_aside_passing: int = 0
    # That the functions are right which the stepwise candidates have in common.
    parts_chance: float = 1.0
    # How many candidates there were when those that pass were last told apart.
    told_apart: int = 0
    # Versions of single functions that stand back behind others; recombination may need them.
    spare_parts: list[str] = field(default_factory=list)

    @property
    def budget(self) -> int:
        """How many candidates may still be drawn."""
        return max(0, self.options.drafts - len(self.candidates) - self.set_aside)

    @property
    def prompt_tokens(self) -> int:
        """Tokens that a prompt may have. Raises ContextOverflowError."""
        return prompt_budget(self.backend, self.options)

    def draw(self, planned: Round) -> tuple[int, ...]:
        """Draw and check what is planned, within the budget; the candidates' places in the lists.

        Their numbers go on from those there are. Raises what `draw` and `check` raise.
        """
        count = min(planned.count, self.budget)
        if count <= 0:
            return ()
        drafts = replace(planned, count=count, first_index=len(self.candidates))
        stage: Stage = "repair" if drafts.number else "sample"
        with self.clock(stage):
            drawn = draw(
                self.task,
                drafts,
                self.options,
                self.backend,
                self.on_event,
                self.cancel,
                self.guards,
            )
        return self.add(drawn)

    def add(self, candidates: Sequence[Candidate]) -> tuple[int, ...]:
        """Check candidates and keep them; their places in the lists."""
        with self.clock("check"):
            assessments = check(candidates, self.task, self.isolation, self.on_event, self.cancel)
        first = len(self.candidates)
        self.candidates += candidates
        self.assessments += assessments
        return tuple(range(first, len(self.candidates)))

    def select(self) -> Selection:
        """The best of all so far."""
        return select(self.candidates, self.assessments, self.task.language)

    @contextmanager
    def clock(self, stage: str) -> Iterator[None]:
        """Add the seconds inside to a stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time.monotonic() - started


def prompt_budget(backend: Backend, options: Options) -> int:
    """Tokens left for a prompt. Raises ContextOverflowError when there are none."""
    window = backend.info.context_tokens or ASSUMED_CONTEXT_TOKENS
    if options.max_tokens >= window:
        raise ContextOverflowError(
            f"{options.max_tokens} new tokens were asked for, the context window of "
            f"{backend.info.model} holds {window}",
            "Ask for fewer tokens",
        )
    return window - options.max_tokens
