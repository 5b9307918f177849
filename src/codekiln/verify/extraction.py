"""Finds the code in what a model wrote.

Takes a raw completion, the prefill it continued and the task; gives the code, empty when there
is none. Never raises and never executes anything. Code is kept as written, with the exceptions
that `Extraction.findings` lists: demo code at the end of a Python module (see
`demo_code.trim_demo`) is dropped when the task names what to define (but no `__main__` block
when it asks for a script),
an unfinished last statement is dropped when the text was cut off behind a complete answer, a
bare function body is put under the task's signature, and a forgotten import of the standard library
is added, as are imports and types of code that was given in another language.
"""

from __future__ import annotations

import ast
import builtins
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from codekiln.core.task import Task
from codekiln.core.verdict import Finding
from codekiln.languages import get_language, language_of_fence, syntax_errors
from codekiln.verify.demo_code import trim_demo
from codekiln.verify.fences import Block, fenced_blocks
from codekiln.verify.given_lines import with_given_lines
from codekiln.verify.missing_imports import add_missing_imports
from codekiln.verify.python_source import (
    all_bound_names,
    defined_callables,
    parse,
    top_level_names,
)

CHECK = "extract"
MAX_COMPLETION_CHARS = 400_000
_END_TOKEN = re.compile(
    r"""(?<!["'])(?:<\|(?:im_end|im_start|endoftext|eot_id|end|end_of_text|fim_\w+|file_sep"""
    r"""|repo_name)\|>|<｜end▁of▁sentence｜>|</s>\s*\Z)(?!["'])"""
)
_THINKING = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)", re.DOTALL)
_PROGRAM = re.compile(
    r"__main__|\bmain\(|\bscripts?\b|\bcommand[- ]line\b|\bCLI\b|脚本|命令行", re.IGNORECASE
)
_CODE_LINE = re.compile(
    r"(?:async\s+def|def|class)\s+\w+|import\s+\w|from\s+[\w.]+\s+import\b|@\w|\w+\s*=[^=]|#!"
)
_CALLED = re.compile(r"\b([A-Za-z_]\w*)\s*\(")
_GIVEN = re.compile(r"(?:\bdef|\bclass)\s+(\w+)|^(\w+)\s*(?::[^=\n]+)?=", re.MULTILINE)
_CODE_CHARS = re.compile(r"[{}();=<>]")


@dataclass(frozen=True, slots=True)
class Extraction:
    """The code and notes on what was changed; `code` is empty when nothing was found."""

    code: str
    findings: tuple[Finding, ...] = ()


def extract_code(
    completion: str, language: str, *, prefill: str = "", task: Task | None = None
) -> str:
    """The code of a completion; empty when there is none.

    >>> extract_code("Sure:\\n```python\\ndef f():\\n    return 1\\n```\\nDone.", "python")
    'def f():\\n    return 1\\n'
    """
    return extract(completion, language, prefill=prefill, task=task).code


def extract(
    completion: str, language: str, *, prefill: str = "", task: Task | None = None
) -> Extraction:
    """Like `extract_code`, with a note for every change to what the model wrote."""
    wanted = task.entry_point if task is not None else ""
    best = ""
    best_score: tuple[int, ...] = (-1,)
    for text in _readings(completion, prefill):
        for code in _proposals(text, language, wanted, task):
            score = _score(code, language, wanted)
            if score > best_score:
                best, best_score = code, score
    if not best:
        return Extraction(best)
    notes: list[str] = []
    if language != "python":
        if task is not None:
            best, added = with_given_lines(best, task.skeleton, get_language(language))
            notes += [f"added `{line}`, which was given" for line in added]
        return Extraction(best, tuple(Finding(CHECK, "note", note) for note in notes))
    best = _complete(best, wanted, task, notes)
    if task is not None and (task.entry_point or task.checks):
        trimmed = trim_demo(
            best, keep=wanted, named=_named_functions(task), guards=not _wants_program(task)
        )
        notes += [f"dropped demo code, {what}" for what in trimmed.removed]
        best = trimmed.code
    completed = add_missing_imports(best, _named_functions(task) if task is not None else ())
    notes += [f"added `{line}`" for line in completed.added]
    best = completed.code
    return Extraction(best, tuple(Finding(CHECK, "note", note) for note in notes))


def _named_functions(task: Task) -> set[str]:
    """Functions and classes that the task speaks of or gives; those of its examples too."""
    said = [task.description, *task.constraints, task.signature, task.skeleton]
    said += [example.text for example in task.examples]
    said += [example.call or "" for example in task.examples]
    called = {name for text in said for name in _CALLED.findall(text)}
    given = [task.skeleton, *(file.text for file in task.context)]
    return called | {name for text in given for names in _GIVEN.findall(text) for name in names}


def _wants_program(task: Task) -> bool:
    """True when what runs as a script was asked for and is no demo."""
    said = "\n".join((task.description, task.skeleton, *task.constraints))
    return _PROGRAM.search(said) is not None


def _readings(completion: str, prefill: str) -> Iterator[str]:
    """What the text may be: the prefill continued, or a fresh start behind the prefill."""
    completion = _cleaned(completion)
    if not completion.strip():
        return
    yield prefill.replace("\r\n", "\n") + completion
    if prefill.strip():
        yield completion


def _cleaned(text: str) -> str:
    text = text[:MAX_COMPLETION_CHARS].replace("\r\n", "\n").replace("\r", "\n")
    text = _THINKING.sub("", text)
    match = _END_TOKEN.search(text)
    while match is not None and not text[: match.start()].strip():
        text = text[match.end() :]
        match = _END_TOKEN.search(text)
    return text[: match.start()] if match is not None else text


def _proposals(text: str, language: str, wanted: str, task: Task | None) -> Iterator[str]:
    parses = _parser(language)
    blocks = fenced_blocks(text, parses)
    own = [block for block in blocks if _tag_fits(block, language)]
    # A block of another language is better than nothing only when it reads as the right one.
    for block in own or [block for block in blocks if parses(block.code)]:
        code = block.code
        if language == "python":
            if not block.closed and not parses(code):
                code = _without_broken_end(code, wanted, task)
            code = _with_missing_parts(code, own)
        yield code
    if not blocks:
        yield from _unfenced(text, language, wanted, task)


def _tag_fits(block: Block, language: str) -> bool:
    if not block.tag:
        return True
    known = language_of_fence(block.tag)
    return known is None or known.name == language


def _parser(language: str) -> Callable[[str], bool]:
    if language == "python":
        return lambda code: isinstance(parse(code), ast.Module)
    return lambda code: not syntax_errors(language, code)


def _score(code: str, language: str, wanted: str) -> tuple[int, ...]:
    """Larger is better: defines what is wanted, parses, defines anything."""
    if not code.strip():
        return (-1,)
    if language != "python":
        return (int(bool(wanted) and wanted in code), int(_parser(language)(code)), 0)
    tree = parse(code)
    if not isinstance(tree, ast.Module):
        return (int(bool(wanted) and f"def {wanted}" in code), 0, 0)
    return (
        int(wanted in top_level_names(tree)) if wanted else 0,
        1,
        int(bool(defined_callables(tree))),
    )


def _unfenced(text: str, language: str, wanted: str, task: Task | None) -> Iterator[str]:
    stripped = text.strip("\n").rstrip() + "\n"
    if language != "python":
        if _CODE_CHARS.search(stripped):
            yield stripped
        return
    tree = parse(stripped)
    if isinstance(tree, ast.Module):
        if any(not _is_prose(node) for node in tree.body):
            yield stripped
        return
    lines = stripped.split("\n")
    if lines[0][:1].isspace() and task is not None and (task.signature or task.skeleton):
        yield stripped
    starts = [place for place, line in enumerate(lines) if _CODE_LINE.match(line)]
    if not starts:
        return
    code = "\n".join(lines[starts[0] :])
    if isinstance(parse(code), ast.Module):
        yield code
    else:
        yield _without_broken_end(code, wanted, task)


def _is_prose(node: ast.stmt) -> bool:
    """A word, a number or a tuple of them parses as Python, but is not an answer."""
    if not isinstance(node, ast.Expr):
        return False
    return not any(isinstance(part, (ast.Call, ast.Await, ast.Yield)) for part in ast.walk(node))


def _without_broken_end(code: str, wanted: str, task: Task | None) -> str:
    """Cut before a top-level line so that the rest parses and still answers; else `code`."""
    lines = code.split("\n")
    starts = [place for place, line in enumerate(lines) if line and not line[0].isspace()]
    for place in reversed(starts[1:][-60:]):
        shorter = "\n".join(lines[:place]).rstrip() + "\n"
        tree = parse(shorter)
        if not isinstance(tree, ast.Module):
            continue
        names = defined_callables(tree)
        # Decorators and comments belong to the definition that was lost.
        if wanted in names if wanted else names:
            return shorter
    return code


def _with_missing_parts(code: str, blocks: list[Block]) -> str:
    """Put blocks in front that define names which `code` uses but does not have."""
    tree = parse(code)
    if not isinstance(tree, ast.Module) or len(blocks) < 2:
        return code
    bound = all_bound_names(tree) | set(vars(builtins))
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - bound
    parts = []
    for block in blocks:
        other = parse(block.code)
        if block.code.strip() in code or not isinstance(other, ast.Module):
            continue
        given = set(top_level_names(other))
        if given & used and not given & set(defined_callables(tree)):
            parts.append(block.code.rstrip() + "\n")
            used -= given
    return "\n\n".join([*parts, code])


def _complete(code: str, wanted: str, task: Task | None, notes: list[str]) -> str:
    """Put a bare function body under the task's signature or skeleton."""
    if task is None:
        return code
    head = _head(task)
    tree = parse(code)
    if not head or (isinstance(tree, ast.Module) and defined_callables(tree)):
        return code
    for body in _bodies(code):
        whole = f"{head}\n{textwrap.indent(body, '    ')}"
        whole = whole.rstrip() + "\n"
        full = parse(whole)
        if isinstance(full, ast.Module) and (not wanted or wanted in defined_callables(full)):
            notes.append("the answer was a function body; put under the given signature")
            return whole
    return code


def _head(task: Task) -> str:
    """Everything up to the end of the signature of a function, imports above it included."""
    for text in (task.skeleton, task.signature):
        tree = parse(text)
        if isinstance(tree, ast.Module):
            functions = [
                n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
            ]
            if len(functions) == 1 and len(defined_callables(tree)) == 1:
                end = functions[0].body[0].lineno - 1
                lines = text.split("\n")
                if end >= functions[0].lineno:
                    return "\n".join(lines[:end]).rstrip()
        stripped = text.rstrip()
        if re.match(r"(?:async\s+)?def\s+\w+", stripped.lstrip()):
            head = stripped if stripped.endswith(":") else stripped + ":"
            if isinstance(parse(head + "\n    pass\n"), ast.Module):
                return head
    return ""


def _bodies(code: str) -> Iterator[str]:
    yield textwrap.dedent(code)
    first, _, rest = code.lstrip("\n").partition("\n")
    # The first line has lost its indent to the prefill or to trimming.
    yield first.lstrip() + "\n" + textwrap.dedent(rest)
