"""Turns a Task into a Prompt that fits a token budget: three parts, an open code fence, a stop.

Does not know a model's chat template (the backend counts tokens) nor how the answer is checked.
The task itself is never cut. Context files are, by one rule: files are kept whole in the given
order as long as they fit; the first one that does not keeps its beginning (two thirds of the
lines) and its end; those behind it are left out. Each cut is named in `Prompt.cuts`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from codekiln.core import ContextFile, Example, ExampleRun, Finding, Message, Prompt, Task
from codekiln.core.errors import ContextOverflowError
from codekiln.generation.prompt_forms import PromptForm, prompt_form
from codekiln.languages import Language, get_language, language_of_path
from codekiln.languages.headings import words_of_comments

TokenCounter = Callable[[Prompt], int | None]

# A file cut to fewer lines than this says nothing any more and is left out.
MIN_KEPT_LINES = 6
MAX_OBSERVED_CHARS = 400
# Used where a backend cannot count; code has more characters per token, so this errs upwards.
BYTES_PER_TOKEN = 2.5


def build_prompt(
    task: Task, *, form: str = "default", count_tokens: TokenCounter, budget_tokens: int
) -> Prompt:
    """The prompt for a first draft of `task`, of at most `budget_tokens` tokens.

    Raises ContextOverflowError when the task does not fit even without its context files.
    """
    layout = prompt_form(form)

    def build(context: Sequence[ContextFile], cuts: Sequence[str]) -> Prompt:
        return _prompt(layout, task, context, cuts)

    return _fitted(task, build, count_tokens, budget_tokens)


def build_repair_prompt(
    task: Task,
    code: str,
    *,
    findings: Sequence[Finding] = (),
    example_runs: Sequence[ExampleRun] = (),
    seen: str = "",
    form: str = "default",
    count_tokens: TokenCounter,
    budget_tokens: int,
) -> Prompt:
    """The prompt for one repair of `code`: the task, the code, and the first thing wrong with it.

    A failed example is shown with what came out, otherwise the first error among the findings;
    `seen` is a further sentence on what was observed.
    Raises ContextOverflowError when task and code do not fit without the context files.
    """
    layout = prompt_form(form)
    language = get_language(task.language)
    turns: tuple[Message, ...]
    if code.strip():
        problem = describe_problem(findings, example_runs)
        text = layout.repair["code"].format(
            problem=f"{problem}\n{seen}" if seen else problem, language=language.display_name
        )
        # The code is what the model said, so it stands where the model said it.
        fence = fence_for(code)
        said = f"{fence}{language.fence}\n{code.strip(chr(10))}\n{fence}"
        turns = (Message("assistant", said), Message("user", text))
        remark = ""
    else:
        remark = layout.repair["no_code"].format(language=language.display_name)
        turns = ()

    def build(context: Sequence[ContextFile], cuts: Sequence[str]) -> Prompt:
        return _prompt(layout, task, context, cuts, turns, remark)

    return _fitted(task, build, count_tokens, budget_tokens)


def describe_problem(findings: Sequence[Finding], example_runs: Sequence[ExampleRun]) -> str:
    """One or two sentences on the first thing that is wrong, for the model."""
    failed = [run for run in example_runs if run.outcome not in ("passed", "not_run")]
    errors = [finding for finding in findings if finding.severity == "error"]
    if failed:
        return _of_run(failed[0])
    if errors:
        first = errors[0]
        where = f" (line {first.span.line})" if first.span is not None else ""
        hint = f" {first.suggested_fix}" if first.suggested_fix else ""
        return f"This code is wrong{where}: {_short(first.message)}{hint}"
    return "This code is wrong."


def fence_for(*texts: str) -> str:
    """A code fence that no line of these texts can close."""
    runs = [len(run) for text in texts for run in re.findall(r"`{3,}", text)]
    return "`" * max([3, *(run + 1 for run in runs)])


def closed_fences(text: str) -> str:
    """Text whose last code fence is closed, so that what follows is not read as code."""
    fence = ""
    for line in text.splitlines():
        mark = re.match(r"\s*(`{3,}|~{3,})(.*)$", line)
        if mark is None:
            continue
        if not fence:
            fence = mark[1]
        elif mark[1].startswith(fence) and not mark[2].strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text


def _of_run(run: ExampleRun) -> str:
    call, observed = _short(run.call), _short(run.observed)
    if run.outcome == "timeout":
        return f"This code is too slow: `{call}` did not finish in time."
    if run.outcome == "out_of_memory":
        return f"This code needs too much memory: `{call}` ran out of it."
    wanted = _short(run.expected)
    if run.outcome == "runtime_error":
        last = observed.strip().splitlines()[-1] if observed.strip() else "an error"
        return f"This code is wrong: `{call}` fails with {last}. It should give {wanted}."
    return f"This code is wrong: `{call}` gives {observed}, but it should give {wanted}."


def _short(text: str) -> str:
    if len(text) <= MAX_OBSERVED_CHARS:
        return text
    half = MAX_OBSERVED_CHARS // 2
    return f"{text[:half]} … {text[-half:]}"


def _prompt(
    form: PromptForm,
    task: Task,
    context: Sequence[ContextFile],
    cuts: Sequence[str],
    turns: Sequence[Message] = (),
    remark: str = "",
) -> Prompt:
    language = get_language(task.language)
    parts = _parts(task, language, context)
    blocks = [
        template.format(**{name: parts[name]}, language=language.display_name)
        for name, template in form.blocks.items()
        if parts[name]
    ]
    request = form.request["named" if task.entry_point else "unnamed"]
    if request:
        blocks.append(request.format(language=language.display_name, name=task.entry_point))
    if remark:
        blocks.append(remark)
    return Prompt(
        messages=(
            Message("system", form.system.format(language=language.display_name)),
            Message("user", "\n\n".join(blocks)),
            *turns,
        ),
        prefill=form.prefill.format(tag=language.fence),
        stop=form.stop,
        cuts=tuple(cuts),
    )


def _parts(task: Task, language: Language, context: Sequence[ContextFile]) -> dict[str, str]:
    """The text of each block; what another block says already is not said twice."""
    fence = fence_for(task.skeleton, task.signature)
    skeleton = task.skeleton.strip("\n")
    signature = "" if skeleton or not task.signature.strip() else task.signature.strip("\n")
    description = task.description.strip()
    # A stub says in comments what the description and the examples say.
    given = _squeezed(f"{skeleton}\n{words_of_comments(skeleton, language)}")
    shown = f"{_squeezed(description)} {given}"
    if skeleton and _squeezed(description) in given:
        description = ""
    examples = [
        text for text in map(shown_example, task.examples) if text and _squeezed(text) not in shown
    ]
    return {
        "context": "\n\n".join(map(_context_block, context)),
        "description": closed_fences(description),
        "signature": _fenced(signature, fence, language.fence),
        "skeleton": _fenced(skeleton, fence, language.fence),
        "examples": closed_fences("\n".join(examples)),
        "stub": _stub(task, language, description, signature, examples),
        "advice": language.prompt,
        "constraints": closed_fences("\n".join(f"- {item}" for item in task.constraints)),
    }


def _stub(
    task: Task, language: Language, description: str, signature: str, examples: Sequence[str]
) -> str:
    """The task as code to complete: its skeleton, or what it says in a docstring."""
    skeleton = task.skeleton.strip("\n")
    if skeleton:
        block = _fenced(skeleton, fence_for(skeleton), language.fence)
        return f"{description}\n\n{block}" if description else block
    said = "\n".join([description, *examples])
    if language.name == "python":
        said = f'"""\n{said}\n"""' + (f"\n{signature}" if signature else "")
    else:
        said = f"{said}\n{signature}".strip()
    return _fenced(said, fence_for(said), language.fence)


def shown_example(example: Example) -> str:
    """What the user wrote, unless that cannot stand alone (a table's row, a JSON object)."""
    text = example.text.strip()
    if example.call is None or not text.startswith(("|", "{")):
        return text
    if example.raises is not None:
        return f"{example.call} raises {example.raises}"
    if example.stdout is not None:
        return f"{example.call} prints {example.stdout!r}"
    return f"{example.call} -> {example.expected}" if example.expected is not None else text


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _fenced(text: str, fence: str, tag: str) -> str:
    return f"{fence}{tag}\n{text}\n{fence}" if text else ""


def _context_block(file: ContextFile) -> str:
    language = language_of_path(file.path)
    text = file.text.strip("\n") or " "
    block = _fenced(text, fence_for(text), language.fence if language else "")
    return f"{_squeezed(file.path)}:\n{block}"


def _fitted(
    task: Task,
    build: Callable[[Sequence[ContextFile], Sequence[str]], Prompt],
    count_tokens: TokenCounter,
    budget_tokens: int,
) -> Prompt:
    def tokens(prompt: Prompt) -> int:
        counted = count_tokens(prompt)
        return counted if counted is not None else estimated_tokens(prompt)

    files = task.context
    whole = build(files, ())
    if tokens(whole) <= budget_tokens:
        return whole
    bare = build((), [f"{file.path}: left out" for file in files])
    needed = tokens(bare)
    if needed > budget_tokens:
        raise ContextOverflowError(
            f"the task alone takes {needed} tokens, {budget_tokens} are there for the prompt",
            "Shorten the task, ask for fewer new tokens, or use a model with a larger context",
        )

    def with_kept(count: int, lines: int) -> Prompt:
        """The first `count` files whole, and `lines` lines of the next one."""
        kept, cuts = list(files[:count]), []
        rest = list(files[count:])
        if lines:
            cut, cut_note = _shortened(rest.pop(0), lines)
            kept.append(cut)
            cuts.append(cut_note)
        cuts += [f"{file.path}: left out" for file in rest]
        return build(kept, cuts)

    def fits(count: int, lines: int) -> bool:
        return tokens(with_kept(count, lines)) <= budget_tokens

    count = _largest(lambda n: fits(n, 0), len(files) - 1)
    available = len(files[count].text.splitlines()) - 1
    lines = _largest(lambda n: n == 0 or fits(count, n), max(available, 0))
    return with_kept(count, lines if lines >= MIN_KEPT_LINES else 0)


def estimated_tokens(prompt: Prompt) -> int:
    """A guess on the high side for backends that cannot count."""
    text = "".join(message.content for message in prompt.messages) + prompt.prefill
    return int(len(text.encode("utf-8", errors="replace")) / BYTES_PER_TOKEN) + 8 * (
        len(prompt.messages) + 1
    )


def _largest(holds: Callable[[int], bool], most: int) -> int:
    """The largest n up to `most` for which `holds`; it holds for 0 and fails from some n on."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low


def _shortened(file: ContextFile, keep: int) -> tuple[ContextFile, str]:
    """`keep` lines of a file and the note on what is missing."""
    # Imports and signatures are at the head, the code that was written last at the end.
    lines = file.text.splitlines()
    head = keep - keep // 3
    tail = keep - head
    left_out = len(lines) - keep
    language = language_of_path(file.path)
    mark = f"{language.line_comment if language else '#'} … {left_out} lines left out …".strip()
    text = "\n".join([*lines[:head], mark, *(lines[-tail:] if tail else [])])
    return replace(file, text=text), f"{file.path}: {left_out} of {len(lines)} lines left out"
