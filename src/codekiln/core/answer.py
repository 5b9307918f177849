"""What the user gets: the chosen candidate with its evidence, and the record to replay it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codekiln.core.verdict import Assessment, Verdict


@dataclass(frozen=True, slots=True)
class Candidate:
    """One answer that a model proposed.

    `code` is what was extracted from `completion` (empty: nothing found). `sample` numbers the
    draw within its round, 0 being the greedy one; `round` is 0 for first draws and r for repair
    round r, then `parent` is the index of the candidate that was repaired. `form` names the
    prompt form it was drawn with. `mended` tells what of its syntax was mended without the model.
    """

    index: int
    code: str
    completion: str
    sample: int = 0
    round: int = 0
    parent: int | None = None
    greedy: bool = False
    logprob: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = "stop"
    temperature: float = 0.0
    form: str = ""
    mended: str = ""


@dataclass(frozen=True, slots=True)
class Confidence:
    """How sure codekiln is of an answer, as counts that a person can judge.

    `probability` is the calibrated chance that the answer is right beyond its examples; None
    where nothing was run that it could rest on.
    """

    examples_passed: int = 0
    examples_run: int = 0
    cluster_size: int = 0
    cluster_of: int = 0
    checks_run: tuple[str, ...] = ()
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The chosen candidate and why it was chosen.

    `verified` means that every applicable check passed and at least one behavioural check ran;
    otherwise `why_unverified` says what is missing.
    """

    code: str
    verdict: Verdict
    candidate: Candidate | None
    assessment: Assessment | None
    confidence: Confidence
    why_unverified: str = ""
    candidates: tuple[Candidate, ...] = ()
    assessments: tuple[Assessment, ...] = ()
    notes: tuple[str, ...] = ()
    record_id: str = ""

    @property
    def verified(self) -> bool:
        """True when the verdict is `passed`."""
        return self.verdict is Verdict.PASSED


@dataclass(frozen=True, slots=True)
class Record:
    """Everything needed to replay an answer; appended once, never changed.

    `request` holds the task and the options as plain JSON values, `tools` the versions that
    took part, `machine` what can change numerics (processor, threads), `tokens` and `seconds`
    the cost per stage; `guard` what a guard over drafts did, empty without one.
    """

    id: str
    created: str
    codekiln: str
    model: str
    weights_sha256: str
    backend: str
    prompt_sha256: str
    request: Mapping[str, object]
    code: str
    verdict: Verdict
    isolation: str
    tools: Mapping[str, str] = field(default_factory=dict)
    machine: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    guard: Mapping[str, object] = field(default_factory=dict)
