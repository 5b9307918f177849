"""The other side of the scorer process: what may be shown of a suite, and verdicts.

Holds no hidden test: those are opened by the process alone (see scoring.worker).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from codekiln.core import Verdict
from codekiln.core.errors import CodekilnError, UsageError


@dataclass(frozen=True, slots=True)
class HiddenVerdict:
    """What the hidden tests said; `case` is the number of the first failed one, -1 for none."""

    verdict: Verdict
    detail: str
    case: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a problem's own solutions fare; `trouble` are faults of the data or of the scorer.

    `left_out` counts cases that are not tried, since the right value is too large."""

    reference: HiddenVerdict | None
    wrong: tuple[HiddenVerdict, ...]
    wrong_codes: tuple[str, ...]
    trouble: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Shown:
    """What may be known of a suite: its problems' public fields and the hash of its data."""

    problems: tuple[dict[str, Any], ...]
    language: str
    dataset: str
    isolation: str
    slowness: float


class ScorerProcess:
    """A running scorer. Use as a context manager; any thread may ask."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "codekiln.evals.scoring.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            # Ctrl-C is for the command; it ends the scorer itself.
            start_new_session=True,
            env=dict(os.environ),
        )
        self._lock = threading.Lock()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._count = 0
        self._reader = threading.Thread(target=self._read, name="codekiln-scorer", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(
        self, suite: str, language: str = "", data: Path | None = None, *, unsafe: bool = False
    ) -> Shown:
        """Open a suite. Raises UsageError, DataError's text, SandboxError's text."""
        answer = self._ask(
            kind="load",
            suite=suite,
            language=language,
            data=str(data) if data else "",
            unsafe=unsafe,
        ).result()
        return Shown(
            tuple(answer["problems"]),
            answer["language"],
            answer["dataset"],
            answer["isolation"],
            answer["slowness"],
        )

    def score(self, problem: str, code: str) -> Future[dict[str, Any]]:
        """A future of `verdict_of`'s input."""
        return self._ask(kind="score", problem=problem, code=code)

    def score_all(self, problem: str, codes: list[str]) -> list[HiddenVerdict]:
        """Verdicts parallel to `codes`; equal texts are run once."""
        futures: dict[str, Future[dict[str, Any]]] = {}
        for code in codes:
            if code not in futures:
                futures[code] = self.score(problem, code)
        return [verdict_of(futures[code].result()) for code in codes]

    def calibrate(self, problem: str) -> Future[dict[str, Any]]:
        """A future of `calibration_of`'s input."""
        return self._ask(kind="calibrate", problem=problem)

    def close(self) -> None:
        """End the process; what it still scores is dropped."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _ask(self, **request: object) -> Future[dict[str, Any]]:
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            self._count += 1
            self._waiting[self._count] = future
            line = json.dumps({"number": self._count, **request}) + "\n"
            try:
                assert self._process.stdin is not None
                self._process.stdin.write(line)
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):
                self._waiting.pop(self._count, None)
                future.set_exception(_gone())
        return future

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._lock:
                future = self._waiting.pop(answer["number"])
            if "ok" in answer:
                future.set_result(answer["ok"])
            else:
                kind = UsageError if answer.get("usage") else CodekilnError
                future.set_exception(kind(answer["error"], answer.get("remedy", "")))
        with self._lock:
            left, self._waiting = list(self._waiting.values()), {}
        for future in left:
            future.set_exception(_gone())


def verdict_of(answer: dict[str, Any]) -> HiddenVerdict:
    """The verdict in an answer of the process."""
    return HiddenVerdict(
        Verdict(answer["verdict"]), answer["detail"], answer["case"], answer["cpu_s"]
    )


def calibration_of(answer: dict[str, Any]) -> Calibration:
    """The calibration in an answer of the process."""
    reference = answer["reference"]
    return Calibration(
        reference=verdict_of(reference) if reference else None,
        wrong=tuple(map(verdict_of, answer["wrong"])),
        wrong_codes=tuple(answer["wrong_codes"]),
        trouble=tuple(answer["trouble"]),
        left_out=int(answer["left_out"]),
    )


def _gone() -> CodekilnError:
    return CodekilnError("the scorer process has ended", "See its messages above; run it again")
