"""The same weights and prompts through transformers: the reference for codekiln's greedy scores.

    python bench/eval_reference.py humaneval --model qwen2.5-coder-0.5b [--limit N] [--results DIR]

Stores a run of mode greedy with the backend "transformers"; hold it against codekiln's own with
`codekiln eval compare A B --differs backend --differs hardware --differs threads`. Prompts, stops,
prefill, extraction and scoring are codekiln's; only the tokens are drawn by transformers, in one go
before the run, so the seconds of its answers say nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import torch
import transformers
from transformers_peer import as_transformers

from codekiln.backends import BackendInfo, Cancel, Completion, CompletionRequest, Delta
from codekiln.backends.protocol import FinishReason, collect
from codekiln.core import Prompt, Sampling
from codekiln.core.settings import load_settings
from codekiln.evals import Asking, Progress, store
from codekiln.evals.choice import Choice
from codekiln.evals.modes import ask
from codekiln.evals.problems import problem_of
from codekiln.evals.run import describe_run, run_problems
from codekiln.evals.scorer import ScorerProcess
from codekiln.models import ChatTokenizer, ensure, open_checkpoint

# Left-padded prompts per call of `generate`.
BATCH = 8


class TransformersBackend:
    """Greedy completions by transformers; remembers what `draw` made and recites it."""

    def __init__(self, model: str) -> None:
        torch.set_num_threads(load_settings().threads)
        files = ensure(model)
        checkpoint = open_checkpoint(files)
        self._model = as_transformers(checkpoint.config, checkpoint.weights(torch.bfloat16))
        self._tokenizer: ChatTokenizer = checkpoint.tokenizer()
        self._done: dict[Prompt, Completion] = {}
        self._info = BackendInfo(
            "transformers",
            files.name,
            files.sha256,
            checkpoint.config.context_tokens,
            {"hardware": "CPU, bfloat16", "transformers": transformers.__version__},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def info(self) -> BackendInfo:
        return self._info

    def count_tokens(self, prompt: Prompt) -> int:
        return len(self._tokenizer.render(prompt))

    def complete(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None
    ) -> list[tuple[Completion, ...]]:
        return collect(self.stream(requests, cancel), requests)

    def stream(
        self,
        requests: Sequence[CompletionRequest],
        cancel: Cancel | None = None,
        *,
        pieces: bool = True,
    ) -> Iterator[Delta]:
        for number, request in enumerate(requests):
            done = self._done[replace(request.prompt, cuts=())]
            yield Delta(number, 0, done.text if pieces else "", done)

    def close(self) -> None:
        del self._model

    def draw(self, prompts: Sequence[Prompt], sampling: Sampling) -> None:
        """Complete all prompts greedily, the short ones first, in batches of equal length."""
        ordered = sorted(prompts, key=self.count_tokens)
        started = time.monotonic()
        for first in range(0, len(ordered), BATCH):
            batch = ordered[first : first + BATCH]
            self._done.update(zip(batch, self._batch(batch, sampling), strict=True))
            elapsed = time.monotonic() - started
            print(f"{first + len(batch)} of {len(ordered)} drawn, {elapsed:.0f} s", file=sys.stderr)

    def _batch(self, prompts: Sequence[Prompt], sampling: Sampling) -> list[Completion]:
        rows = [self._tokenizer.render(prompt) for prompt in prompts]
        width = max(map(len, rows))
        padded = torch.tensor([[0] * (width - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        stops = [prompt.stop for prompt in prompts]

        def ended(tokens: Any, _: Any, **__: Any) -> Any:
            texts = [self._text(row[width:].tolist()) for row in tokens]
            flags = [
                any(stop in text for stop in own) for text, own in zip(texts, stops, strict=True)
            ]
            return torch.tensor(flags)

        made = self._model.generate(
            padded,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=sampling.max_tokens,
            eos_token_id=sorted(self._tokenizer.eos_ids),
            pad_token_id=min(self._tokenizer.eos_ids),
            stopping_criteria=transformers.StoppingCriteriaList([ended]),
        )
        return [
            self._completion(row[width:].tolist(), len(prompt_row), own, sampling)
            for row, prompt_row, own in zip(made, rows, stops, strict=True)
        ]

    def _text(self, tokens: Sequence[int]) -> str:
        data = b"".join(
            self._tokenizer.token_bytes(token)
            for token in tokens
            if token not in self._tokenizer.eos_ids
        )
        return data.decode("utf-8", errors="replace")

    def _completion(
        self, tokens: list[int], prompt_tokens: int, stops: Sequence[str], sampling: Sampling
    ) -> Completion:
        own = next((n for n, t in enumerate(tokens) if t in self._tokenizer.eos_ids), len(tokens))
        text = self._text(tokens[:own])
        cut = min((text.find(stop) for stop in stops if stop in text), default=-1)
        text = text[:cut] if cut >= 0 else text
        ended = cut >= 0 or own < sampling.max_tokens
        reason: FinishReason = "stop" if ended else "length"
        return Completion(text, reason, prompt_tokens, own)


class _Collect(TransformersBackend):
    """Takes the prompts that a run would ask, without drawing."""

    def __init__(self, inner: TransformersBackend) -> None:
        self._inner = inner
        self.asked: list[CompletionRequest] = []

    @property
    def info(self) -> BackendInfo:
        return self._inner.info

    def count_tokens(self, prompt: Prompt) -> int:
        return self._inner.count_tokens(prompt)

    def complete(
        self, requests: Sequence[CompletionRequest], cancel: Cancel | None = None
    ) -> list[tuple[Completion, ...]]:
        self.asked += requests
        return [(Completion("", "stop", 0, 0),) for _ in requests]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("suite")
    parser.add_argument("--model", default=load_settings().model)
    parser.add_argument("--form", default="evalplus")
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    asking = Asking("greedy", max_tokens=arguments.max_tokens, form=arguments.form)
    with ScorerProcess() as scorer, TransformersBackend(arguments.model) as backend:
        shown = scorer.load(arguments.suite)
        choice = Choice(limit=arguments.limit)
        problems = choice.of([problem_of(p) for p in shown.problems])
        collecting = _Collect(backend)
        for problem in problems:
            ask(problem, asking, collecting, None)
        prompts = [replace(request.prompt, cuts=()) for request in collecting.asked]
        backend.draw(prompts, collecting.asked[0].sampling)
        run = describe_run(arguments.suite, shown, problems, asking, backend.info, choice)
        stored = store.open_run(run, store.results_folder(arguments.results))

        def report(progress: Progress) -> None:
            print(f"{progress.done} of {progress.total} scored", file=sys.stderr)

        summary = run_problems(stored, problems, asking, backend, scorer, None, on_progress=report)
    print(f"greedy {summary.greedy:.1%}, stored in {stored.folder}")


if __name__ == "__main__":
    main()
