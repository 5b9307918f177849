"""The scorer process: reads requests as JSON lines, answers with what may be known outside.

It alone opens hidden tests. Requests: `load` a suite (gives what may be shown of its problems),
`score` a program (gives a verdict), `calibrate` a problem (gives how its reference and its wrong
solutions fare). Answers carry the request's number; scores come in the order they are done.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from codekiln.core import Verdict
from codekiln.core.errors import CodekilnError, UsageError
from codekiln.evals.datasets import find_suite
from codekiln.evals.scoring.call_tests import score_calls
from codekiln.evals.scoring.hidden import (
    CallTests,
    HiddenProblem,
    ProgramTests,
    PythonTests,
    Score,
)
from codekiln.evals.scoring.program_tests import missing_toolchain, score_program
from codekiln.evals.scoring.python_tests import Prepared, prepare, score
from codekiln.evals.scoring.readers import load
from codekiln.evals.scoring.speed import slowness
from codekiln.languages.recipes import recipe_of
from codekiln.sandbox import open_isolation
from codekiln.verify.toolchains import missing_tools

WORKERS = 2
Request = dict[str, Any]


class Scorer:
    """The state of the process: the loaded problems and what their references gave."""

    def __init__(self, *, unsafe: bool = False) -> None:
        self._isolation = open_isolation(unsafe=unsafe)
        self._speed = slowness(self._isolation)
        self._problems: dict[str, HiddenProblem] = {}
        self._prepared: dict[str, Prepared] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._quiet = _Quiet()

    def load(self, suite: str, language: str, data: str) -> dict[str, Any]:
        """What may be shown of every problem, and what the scores will depend on."""
        loaded = load(find_suite(suite), language, Path(data) if data else None)
        missing = ""
        if any(isinstance(problem.tests, ProgramTests) for problem in loaded.problems):
            missing = missing_toolchain(loaded.language)
        elif any(isinstance(problem.tests, CallTests) for problem in loaded.problems):
            missing = missing_tools(recipe_of(loaded.language), self._isolation)
        if missing:
            raise UsageError(f"{suite} in {loaded.language} cannot be scored here: {missing}")
        self._problems = {problem.id: problem for problem in loaded.problems}
        self._locks = {problem.id: threading.Lock() for problem in loaded.problems}
        self._prepared = {}
        return {
            "problems": [problem.public for problem in loaded.problems],
            "dataset": loaded.dataset,
            "language": loaded.language,
            "isolation": f"L{int(self._isolation.level)} {self._isolation.name}",
            "slowness": round(self._speed, 2),
        }

    def score(self, problem: str, code: str) -> Score:
        """The verdict on `code`. A time-out counts only when it comes again with nothing beside."""
        with self._quiet.shared():
            first = self._score(problem, code)
        if first.verdict is not Verdict.TIMEOUT:
            return first
        with self._quiet.alone():
            return self._score(problem, code)

    def calibrate(self, problem: str) -> dict[str, Any]:
        """How the reference and the wrong solutions fare, without a word on the tests."""
        hidden = self._hidden(problem)
        trouble: tuple[str, ...] = ()
        left_out = 0
        if isinstance(hidden.tests, PythonTests):
            prepared = self._prepare(hidden)
            trouble, left_out = prepared.trouble, prepared.left_out
        return {
            "reference": asdict(self.score(problem, hidden.reference))
            if hidden.reference
            else None,
            "wrong": [asdict(self.score(problem, code)) for code in hidden.wrong],
            "trouble": trouble,
            "left_out": left_out,
            "wrong_codes": hidden.wrong,
        }

    def _score(self, problem: str, code: str) -> Score:
        hidden = self._hidden(problem)
        if isinstance(hidden.tests, ProgramTests):
            return score_program(code, hidden.tests, self._isolation, speed=self._speed)
        if isinstance(hidden.tests, CallTests):
            return score_calls(code, hidden.tests, self._isolation, speed=self._speed)
        return score(code, self._prepare(hidden), self._isolation)

    def _prepare(self, hidden: HiddenProblem) -> Prepared:
        with self._locks[hidden.id]:
            known = self._prepared.get(hidden.id)
            if known is None:
                assert isinstance(hidden.tests, PythonTests)
                known = prepare(hidden.tests, hidden.reference, self._isolation, speed=self._speed)
                self._prepared[hidden.id] = known
            return known

    def _hidden(self, problem: str) -> HiddenProblem:
        try:
            return self._problems[problem]
        except KeyError:
            raise UsageError(f"the loaded suite has no problem {problem!r}") from None


class _Quiet:
    """Many may run side by side, or one alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._wanting_alone = 0
        self._is_alone = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        """While nobody runs alone or waits to."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone and not self._wanting_alone)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While nobody else runs."""
        with self._changed:
            self._wanting_alone += 1
            self._changed.wait_for(lambda: not self._is_alone and not self._running)
            self._wanting_alone -= 1
            self._is_alone = True
        try:
            yield
        finally:
            with self._changed:
                self._is_alone = False
                self._changed.notify_all()


class Server:
    """Takes requests and writes answers; scores run beside each other."""

    def __init__(self, answers: TextIO) -> None:
        self._answers = answers
        self._lock = threading.Lock()
        self._scorer: Scorer | None = None

    def serve(self, requests: Iterable[str]) -> None:
        """Until `requests` end."""
        pool = ThreadPoolExecutor(WORKERS)
        for line in requests:
            request = json.loads(line)
            if request["kind"] == "load":
                self._answer(request, self._load)
            else:
                work = self._score if request["kind"] == "score" else self._calibrate
                pool.submit(self._answer, request, work)
        # Whoever asked is gone; nobody waits for what is left.
        pool.shutdown(cancel_futures=True)

    def _load(self, request: Request) -> dict[str, Any]:
        self._scorer = self._scorer or Scorer(unsafe=request["unsafe"])
        return self._scorer.load(request["suite"], request["language"], request["data"])

    def _score(self, request: Request) -> dict[str, Any]:
        return asdict(self._ready().score(request["problem"], request["code"]))

    def _calibrate(self, request: Request) -> dict[str, Any]:
        return self._ready().calibrate(request["problem"])

    def _ready(self) -> Scorer:
        if self._scorer is None:
            raise UsageError("no suite is loaded yet")
        return self._scorer

    def _answer(self, request: Request, work: Callable[[Request], dict[str, Any]]) -> None:
        number = request["number"]
        try:
            body = {"number": number, "ok": work(request)}
        except CodekilnError as error:
            body = {
                "number": number,
                "error": error.message,
                "remedy": error.remedy,
                "usage": isinstance(error, UsageError),
            }
        # The boundary of the process: the other side must hear of it.
        except Exception as error:  # noqa: BLE001
            body = {"number": number, "error": f"unexpected {type(error).__name__}: {error}"}
        with self._lock:
            self._answers.write(json.dumps(body) + "\n")
            self._answers.flush()


def main() -> None:
    """Serve until stdin ends."""
    answers = sys.stdout
    # Nothing but answers may come on the channel of answers.
    sys.stdout = sys.stderr
    Server(answers).serve(sys.stdin)


if __name__ == "__main__":
    main()
