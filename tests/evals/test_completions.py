"""A remembered completion is one of the same weights, prompt, sampling and seed."""

from __future__ import annotations

from pathlib import Path

from scripted_backend import ScriptedBackend

from codekiln.backends import CompletionRequest
from codekiln.core import Message, Prompt, Sampling
from codekiln.core.text_guard import TextGuard
from codekiln.evals.completions import RememberingBackend
from codekiln.languages import get_language
from codekiln.languages.syntax_guard import SyntaxGuard

PROMPT = Prompt((Message("user", "Write f."),), "```python\n")
WARM = Sampling(temperature=0.8, seed=7)


def texts(backend: RememberingBackend, *requests: CompletionRequest) -> list[list[str]]:
    return [[item.text for item in group] for group in backend.complete(requests)]


def test_the_same_request_is_drawn_once(tmp_path: Path) -> None:
    inner = ScriptedBackend(["a", "b"], ["c"])
    with RememberingBackend(inner, tmp_path / "memory.jsonl") as backend:
        assert texts(backend, CompletionRequest(PROMPT, WARM, n=2)) == [["a", "b"]]
        assert texts(backend, CompletionRequest(PROMPT, WARM, n=2)) == [["a", "b"]]
        assert len(inner.calls) == 1
        assert backend.drawn_tokens == 20


def test_only_the_samples_that_are_missing_are_drawn(tmp_path: Path) -> None:
    inner = ScriptedBackend(["a", "b"], ["c", "d"])
    with RememberingBackend(inner, tmp_path / "memory.jsonl") as backend:
        texts(backend, CompletionRequest(PROMPT, WARM, n=2))
        assert texts(backend, CompletionRequest(PROMPT, WARM, n=4)) == [["a", "b", "c", "d"]]
    assert [request.sampling.seed for request in inner.calls[1]] == [9, 10]


def test_another_seed_prompt_or_temperature_is_another_request(tmp_path: Path) -> None:
    inner = ScriptedBackend(["a"], ["b"], ["c"], ["d"])
    other = Prompt((Message("user", "Write g."),), "```python\n")
    with RememberingBackend(inner, tmp_path / "memory.jsonl") as backend:
        assert texts(backend, CompletionRequest(PROMPT, WARM)) == [["a"]]
        assert texts(backend, CompletionRequest(PROMPT, WARM.with_seed(8))) == [["b"]]
        assert texts(backend, CompletionRequest(other, WARM)) == [["c"]]
        cold = Sampling(temperature=0.0, seed=7)
        assert texts(backend, CompletionRequest(PROMPT, cold)) == [["d"]]
        # Greedy draws do not depend on the seed.
        assert texts(backend, CompletionRequest(PROMPT, cold.with_seed(99))) == [["d"]]


def test_what_is_guarded_is_drawn_anew_by_its_own_guard(tmp_path: Path) -> None:
    asked: list[int] = []

    def guard(sample: int) -> TextGuard:
        asked.append(sample)
        return SyntaxGuard(get_language("lua"))

    inner = ScriptedBackend(["a"], ["b", "c"])
    with RememberingBackend(inner, tmp_path / "memory.jsonl") as backend:
        texts(backend, CompletionRequest(PROMPT, WARM))
        guarded = CompletionRequest(PROMPT, WARM, n=2, guard=guard)
        assert texts(backend, guarded) == [["b", "c"]]
    for request in inner.calls[1]:
        assert request.guard is not None
        request.guard(0)
    assert asked == [0, 1]


def test_memory_outlives_the_process_and_a_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "memory.jsonl"
    with RememberingBackend(ScriptedBackend(["a"]), path) as backend:
        texts(backend, CompletionRequest(PROMPT, WARM))
    with path.open("a") as file:
        file.write('{"key": "torn", "text')
    inner = ScriptedBackend(["b"])
    with RememberingBackend(inner, path) as backend:
        assert texts(backend, CompletionRequest(PROMPT, WARM)) == [["a"]]
        assert texts(backend, CompletionRequest(PROMPT, WARM.with_seed(8))) == [["b"]]
    with RememberingBackend(ScriptedBackend(), path) as backend:
        assert texts(backend, CompletionRequest(PROMPT, WARM.with_seed(8))) == [["b"]]


def test_other_weights_remember_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "memory.jsonl"
    with RememberingBackend(ScriptedBackend(["a"], weights="11" * 32), path) as backend:
        texts(backend, CompletionRequest(PROMPT, WARM))
    with RememberingBackend(ScriptedBackend(["b"], weights="22" * 32), path) as backend:
        assert texts(backend, CompletionRequest(PROMPT, WARM)) == [["b"]]


def test_without_a_seed_or_known_weights_every_draw_is_new(tmp_path: Path) -> None:
    free = Sampling(temperature=0.8)
    with RememberingBackend(ScriptedBackend(["a"], ["b"]), tmp_path / "one.jsonl") as backend:
        assert texts(backend, CompletionRequest(PROMPT, free)) == [["a"]]
        assert texts(backend, CompletionRequest(PROMPT, free)) == [["b"]]
    unknown = ScriptedBackend(["a"], ["b"], weights="")
    with RememberingBackend(unknown, tmp_path / "two.jsonl") as backend:
        assert texts(backend, CompletionRequest(PROMPT, WARM)) == [["a"]]
        assert texts(backend, CompletionRequest(PROMPT, WARM)) == [["b"]]
