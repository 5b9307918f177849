"""Asks the model to read the finalists back: how likely is the task's text, given the code?

A model that wrote a wrong program finds its own code likely, but seldom the task that it was
asked for likely as a description of that code. Coder-reviewer reranking (Zhang et al. 2022, arXiv
2211.16490), here only among candidates that pass all checks and still behave differently, and on
code without comments, docstrings and its name, which echo the task. Nothing is drawn: one prefill
per finalist. Python only; a backend that tells no likelihood gives no marks.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from codekiln.backends import CompletionRequest
from codekiln.core import Message, Prompt, Sampling, Task, Verdict
from codekiln.core.errors import (
    CancelledError,
    ContextOverflowError,
    InsufficientResourceError,
)
from codekiln.generation.events import Event
from codekiln.generation.workbench import Workbench
from codekiln.verify import normalise

MAX_REVIEWED = 10
MAX_PROSE_CHARS = 1500
ANONYMOUS = "solve"
SYSTEM = "You are a helpful assistant."
QUESTION = "State in one sentence the task that this function solves."


def review(bench: Workbench, places: Sequence[int]) -> dict[str, float]:
    """Marks of the candidates at `places` that differ though they pass, by normal form.

    A mark is the mean log-probability per token of what the task says, in nats. Empty where there
    is nothing to decide. Raises CancelledError and what the backend raises.
    """
    codes = _differing(bench, places)
    prose = prose_of(bench.task)
    if len(codes) < 2 or not prose:
        return {}
    requests = [
        CompletionRequest(_question(code, bench.task.entry_point), _SCORED, given=prose)
        for code in codes.values()
    ]
    bench.on_event(Event("review", 0, len(codes)))
    with bench.clock("review"):
        try:
            answers = bench.backend.complete(requests, bench.cancel)
        except (ContextOverflowError, InsufficientResourceError):
            # The answer is there already; without marks agreement decides.
            return {}
    if bench.cancel is not None and bench.cancel.is_set:
        raise CancelledError("cancelled while candidates were reviewed")
    told = [completion for (completion,) in answers]
    bench.side_tokens += sum(completion.completion_tokens for completion in told)
    marks = {
        form: completion.logprob / completion.completion_tokens
        for form, completion in zip(codes, told, strict=True)
        if completion.logprob is not None and completion.completion_tokens
    }
    return marks if len(marks) == len(codes) else {}


_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
# Nothing is drawn, so that these only fill the fields of a request.
_SCORED = Sampling(max_tokens=1, seed=0, logprobs=True)


def _differing(bench: Workbench, places: Sequence[int]) -> dict[str, str]:
    """The code of each normal form among the finalists; empty when all behave alike."""
    if bench.task.language != "python":
        return {}
    codes: dict[str, str] = {}
    behaviours = set()
    for place in places:
        code, assessment = bench.candidates[place].code, bench.assessments[place]
        if assessment.verdict is Verdict.PASSED:
            form = normalise(code, bench.task.language)
            codes.setdefault(form, code)
            behaviours.add(assessment.behaviour or form)
    return dict(list(codes.items())[:MAX_REVIEWED]) if len(behaviours) > 1 else {}


def _question(code: str, entry_point: str) -> Prompt:
    shown = anonymous(code, entry_point)
    return Prompt(
        (Message("system", SYSTEM), Message("user", f"```python\n{shown}\n```\n{QUESTION}"))
    )


def anonymous(code: str, entry_point: str) -> str:
    """The program without comments, docstrings and the name that the task gave it.

    >>> print(anonymous('def area(r):\\n    "Area."\\n    return r * r  # square', "area"))
    def solve(r):
        return r * r
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return code
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            node.name = ANONYMOUS if node.name == entry_point else node.name
        elif isinstance(node, ast.Name) and node.id == entry_point:
            node.id = ANONYMOUS
    return ast.unparse(tree)


def prose_of(task: Task) -> str:
    """What the task says in words: its description, or its docstring, without the examples."""
    text = task.description.strip() or _docstring(task.skeleton)
    for example in task.examples:
        text = text.replace(example.text, "")
    shown = {" ".join(line.split()) for e in task.examples for line in e.text.splitlines()}
    lines = [
        line.strip()
        for line in text.splitlines()
        if line.strip() and not _is_example(" ".join(line.split()), shown)
    ]
    return "\n".join(lines)[:MAX_PROSE_CHARS]


def _is_example(line: str, shown: set[str]) -> bool:
    return line in shown or line.startswith((">>>", "assert "))


def _docstring(skeleton: str) -> str:
    try:
        tree = ast.parse(skeleton)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ""
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    return next((text for node in nodes if (text := ast.get_docstring(node))), "")
