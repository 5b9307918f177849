"""The openai backend and a real server beyond the conformance suite: killed, n, templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from llama_server import SLOTS, LlamaServer

from codekiln.backends import Backend, CompletionRequest, open_backend
from codekiln.core import Message, Prompt, Sampling
from codekiln.core.errors import BackendUnavailableError
from codekiln.typeflow.guard import TypeGuard
from codekiln.typeflow.oracles import open_oracle

pytestmark = pytest.mark.real_model

STORY = Prompt((Message("user", "Tell me a short story about a fox."),))


@pytest.fixture(scope="module")
def backend(llama: LlamaServer) -> Iterator[Backend]:
    with open_backend("", api_base=llama.base) as opened:
        yield opened


def test_a_server_killed_in_mid_stream_is_unavailable_and_so_is_the_next_call(
    start_llama: Callable[[], LlamaServer],
) -> None:
    server = start_llama()
    endless = CompletionRequest(STORY, Sampling(max_tokens=1500), n=2)
    with open_backend("", api_base=server.base) as backend:
        deltas = backend.stream([endless])
        next(deltas)
        server.kill()
        with pytest.raises(BackendUnavailableError, match="still running"):
            list(deltas)
        with pytest.raises(BackendUnavailableError, match="Start the model server"):
            backend.complete([endless])


def test_samples_beyond_the_slots_of_the_server_keep_their_seeds(backend: Backend) -> None:
    sampling = Sampling(temperature=1.0, seed=40, max_tokens=3)
    [completions] = backend.complete([CompletionRequest(STORY, sampling, n=SLOTS + 3)])
    assert [c.seed for c in completions] == [40 + i for i in range(SLOTS + 3)]
    assert all(c.completion_tokens == 3 for c in completions)


def test_sample_i_is_what_seed_plus_i_gives_alone(backend: Backend) -> None:
    def draw(seed: int, n: int) -> list[str]:
        sampling = Sampling(temperature=1.0, seed=seed, max_tokens=8)
        return [c.text for c in backend.complete([CompletionRequest(STORY, sampling, n)])[0]]

    together = draw(50, 3)
    alone = [draw(seed, 1)[0] for seed in (50, 51, 52)]
    # Batches round differently, so a draw at a near tie may part; the seeds are not mixed up.
    assert sum(a == b for a, b in zip(together, alone, strict=True)) >= 2


def test_only_top_k_one_makes_a_hot_draw_greedy(backend: Backend) -> None:
    def draw(sampling: Sampling) -> str:
        return backend.complete([CompletionRequest(STORY, sampling)])[0][0].text

    greedy = draw(Sampling(max_tokens=10))
    assert draw(Sampling(max_tokens=10, temperature=3.0, top_k=1, seed=1)) == greedy
    hot = {draw(Sampling(max_tokens=10, temperature=3.0, seed=seed)) for seed in range(3)}
    assert greedy not in hot
    assert len(hot) == 3


def test_the_context_window_is_that_of_a_slot(backend: Backend) -> None:
    assert backend.info.context_tokens == 2048
    assert backend.info.weights_sha256 == ""


def test_a_type_guard_watches_over_what_a_server_writes(backend: Backend) -> None:
    begun = "```python\ndef shout(text: str) -> str:\n    return text.upper("
    prompt = Prompt((Message("user", "Write shout(text)."),), prefill=begun, stop=("\n```",))
    guards: list[TypeGuard] = []
    with open_oracle("python") as oracle:

        def guard(_: int) -> TypeGuard:
            guards.append(TypeGuard(oracle, "python", prompt.prefill, is_standalone=True))
            return guards[-1]

        sampling = Sampling(temperature=1.5, max_tokens=60, seed=3)
        request = CompletionRequest(prompt, sampling, 6, guard)
        [completions] = backend.complete([request])
        assert sum(guard.report.checks for guard in guards) >= len(guards)
        taken = sum(guard.report.take_backs for guard in guards)
        drawn = sum((c.drawn_tokens or 0) - c.completion_tokens for c in completions)
        assert (drawn > 0) is (taken > 0)
        for completion in completions:
            if completion.finish_reason == "stop":
                code = (begun + completion.text).removeprefix("```python\n") + "\n"
                errors = [found.code for found in oracle.check(code)]
                assert "too-many-positional-arguments" not in errors
