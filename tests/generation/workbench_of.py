"""A workbench on which candidates of given codes lie, checked."""

from __future__ import annotations

from scripted_backend import ScriptedBackend

from codekiln.core import Candidate, Task
from codekiln.generation import Options
from codekiln.generation.workbench import Workbench
from codekiln.sandbox import CountingIsolation, Isolation


def workbench_of(task: Task, sandbox: Isolation, *codes: str) -> Workbench:
    counting = CountingIsolation(sandbox)
    made = Workbench(task, Options(n=4, seed=1), ScriptedBackend(), counting, lambda _: None)
    made.add([Candidate(place, code, code, greedy=place == 0) for place, code in enumerate(codes)])
    return made
