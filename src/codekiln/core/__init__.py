"""The nouns that every other package speaks: tasks, prompts, candidates, verdicts, answers."""

from codekiln.core.answer import Answer, Candidate, Confidence, Record
from codekiln.core.prompt import Message, Prompt, Sampling
from codekiln.core.task import ContextFile, Example, Task
from codekiln.core.verdict import (
    Assessment,
    CheckReport,
    ExampleRun,
    Finding,
    Span,
    Verdict,
)

__all__ = [
    "Answer",
    "Assessment",
    "Candidate",
    "CheckReport",
    "Confidence",
    "ContextFile",
    "Example",
    "ExampleRun",
    "Finding",
    "Message",
    "Prompt",
    "Record",
    "Sampling",
    "Span",
    "Task",
    "Verdict",
]
