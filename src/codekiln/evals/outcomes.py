"""The nouns of an evaluation: a run, what became of each problem, and the ledger.

Plain data that is stored as JSON and read back; nothing here knows how it came about.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from codekiln.core import Verdict

# Modes that answer with one of their candidates.
CHOOSING = ("verified", "one-shot", "stepwise")


@dataclass(frozen=True, slots=True)
class Scored:
    """One candidate with its two verdicts.

    `visible` is what codekiln's own checks said (empty: they did not run), `verdict` what the
    hidden tests said; only the latter counts. `temperature` and `form` say how it was drawn;
    `round` 0 are drafts, later ones repairs.
    """

    index: int
    code: str
    completion: str
    verdict: Verdict
    detail: str = ""
    visible: str = ""
    sample: int = 0
    round: int = 0
    greedy: bool = False
    form: str = ""
    temperature: float = 0.0
    logprob: float | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = "stop"

    @property
    def right(self) -> bool:
        """True when every hidden test passed."""
        return self.verdict is Verdict.PASSED


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one problem.

    `chosen` is the index of the candidate that was answered with; None where the mode does not
    choose. `confidence` is the probability of being right that was told with it. `executions`
    counts programs run by codekiln's own checks, `seconds` is from the request to the answer
    without scoring, None where completions were read from memory. `prompt` is the exact first
    prompt: messages, prefill and stops.
    `evidence` has the features behind the confidence, with the number of `drafts` they rest on
    and the candidate that was, or would have been, `chosen`.
    `side_tokens` are those of plans and single functions, which are no candidates.
    """

    problem: str
    candidates: tuple[Scored, ...]
    chosen: int | None = None
    verified: bool = False
    confidence: float | None = None
    executions: int = 0
    seconds: float | None = None
    prompt: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    side_tokens: int = 0
    evidence: tuple[dict[str, float], ...] = ()

    @property
    def tokens(self) -> int:
        """All completion tokens that the answer took."""
        return self.side_tokens + sum(item.completion_tokens for item in self.candidates)

    @property
    def greedy(self) -> Scored | None:
        """The first candidate drawn at temperature 0, if there is one."""
        return next((item for item in self.candidates if item.greedy and item.round == 0), None)

    @property
    def selected(self) -> Scored | None:
        """The candidate that was answered with."""
        return next((item for item in self.candidates if item.index == self.chosen), None)


@dataclass(frozen=True, slots=True)
class Run:
    """What was measured and with what; two runs compare only where these agree.

    `settings` holds mode, n, temperature, max_tokens, seed, prompt form and limits; `dataset` is
    the hash of the data, `code` a hash of codekiln's own source.
    """

    id: str
    created: str
    suite: str
    language: str
    problems: int
    dataset: str
    model: str
    weights_sha256: str
    backend: str
    mode: str
    settings: dict[str, Any]
    codekiln: str
    code: str = ""
    tools: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def size(self) -> str:
        """What was asked, in words: "164 problems", "quicksort", or "quicksort, 100 times"."""
        repeat = self.settings.get("repeat", 1)
        count = self.problems // repeat
        asked = self.settings.get("problem") or f"{count} problem{'s' * (count != 1)}"
        return f"{asked}, {repeat} times" if repeat != 1 else asked


def run_as_json(run: Run) -> dict[str, Any]:
    """The run as plain JSON values."""
    return asdict(run)


def run_from_json(data: dict[str, Any]) -> Run:
    """The run that `run_as_json` wrote; fields of newer versions are ignored."""
    names = {item.name for item in fields(Run)}
    return Run(**{key: value for key, value in data.items() if key in names})


def outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain JSON values."""
    return asdict(outcome)


def outcome_from_json(data: dict[str, Any]) -> Outcome:
    """The outcome that `outcome_as_json` wrote. Raises KeyError, TypeError and ValueError."""
    names = {item.name for item in fields(Outcome)}
    known = {key: value for key, value in data.items() if key in names}
    known["candidates"] = tuple(_scored(item) for item in data["candidates"])
    for name in ("notes", "evidence"):
        known[name] = tuple(data.get(name, ()))
    return Outcome(**known)


def _scored(data: dict[str, Any]) -> Scored:
    names = {item.name for item in fields(Scored)}
    known = {key: value for key, value in data.items() if key in names}
    return Scored(**{**known, "verdict": Verdict(data["verdict"])})
