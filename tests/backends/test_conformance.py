"""What every Backend promises, checked on a real model: see codekiln.backends.protocol."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from codekiln.backends import Backend, Cancel, Completion, CompletionRequest, Delta
from codekiln.core import Message, Prompt, Sampling
from codekiln.core.errors import BackendError, ContextOverflowError
from codekiln.core.text_guard import TakeBack

pytestmark = pytest.mark.real_model

SYSTEM = Message("system", "You are a helpful assistant.")
STORY = Prompt((SYSTEM, Message("user", "Tell me a short story about a fox.")))
ENDLESS = Prompt((Message("user", "Count from 1 to 2000, one number per line."),))
ADD = Prompt(
    (Message("user", "Write a Python function add(a, b) that adds two numbers."),),
    prefill="```python\ndef add(a, b):\n    return",
    stop=("\n```",),
)


def ask(prompt: Prompt, n: int = 1, **sampling: Any) -> CompletionRequest:
    return CompletionRequest(prompt, Sampling(**sampling), n)


def one(backend: Backend, prompt: Prompt, **sampling: Any) -> Completion:
    [[completion]] = backend.complete([ask(prompt, **sampling)])
    return completion


def start(
    backend: Backend, requests: list[CompletionRequest], cancel: Cancel | None = None
) -> contextlib.closing[Generator[Delta, None, None]]:
    """The stream of a call, closed when the block is left."""
    deltas = backend.stream(requests, cancel)
    return contextlib.closing(cast("Generator[Delta, None, None]", deltas))


def test_completions_come_back_in_order_with_their_seeds(backend: Backend) -> None:
    requests = [
        ask(STORY, n=3, temperature=1.0, seed=70, max_tokens=6),
        ask(ADD, max_tokens=48),
        ask(STORY, n=2, temperature=1.0, max_tokens=4),
    ]
    first, second, third = backend.complete(requests)
    assert [completion.seed for completion in first] == [70, 71, 72]
    assert [len(group) for group in (first, second, third)] == [3, 1, 2]
    assert second[0].text.strip() == "a + b"
    assert third[0].seed is not None
    assert third[1].seed == third[0].seed + 1


def test_every_sample_ends_once_and_its_deltas_make_up_its_text(backend: Backend) -> None:
    requests = [ask(STORY, n=3, temperature=1.0, seed=1, max_tokens=20), ask(ADD, max_tokens=40)]
    texts: dict[tuple[int, int], str] = {}
    ended: dict[tuple[int, int], Completion] = {}
    for delta in backend.stream(requests):
        key = delta.request, delta.sample
        assert key not in ended
        texts[key] = texts.get(key, "") + delta.text
        if delta.completion is not None:
            ended[key] = delta.completion
    assert set(ended) == {(0, 0), (0, 1), (0, 2), (1, 0)}
    assert {key: completion.text for key, completion in ended.items()} == texts


class Refusing:
    """A guard that takes the first word it is shown back, a few times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.seen: list[tuple[str, bool]] = []

    def wakes(self, added: str) -> bool:
        return " " in added

    def judge(self, text: str, *, ended: bool) -> TakeBack | None:
        self.seen.append((text, ended))
        if self.left and len(text.split()) > 1:
            self.left -= 1
            return TakeBack(0)
        return None


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_a_guard_takes_back_is_written_again(backend: Backend, temperature: float) -> None:
    guards = [Refusing(2), Refusing(0)]
    sampling = Sampling(max_tokens=12, temperature=temperature, seed=5)
    deltas = list(backend.stream([CompletionRequest(STORY, sampling, 2, guards.__getitem__)]))
    # What may still be taken back is not given away.
    assert [bool(delta.completion) for delta in deltas] == [True, True]
    for sample, guard in enumerate(guards):
        [delta] = [delta for delta in deltas if delta.sample == sample]
        completion = delta.completion
        assert completion is not None
        assert completion.text == delta.text
        assert completion.text.startswith(guard.seen[-1][0].rstrip())
        assert completion.drawn_tokens is not None
        assert guard.left == 0
        assert (completion.drawn_tokens > completion.completion_tokens) is (sample == 0)
        assert completion.completion_tokens <= 12


def test_a_guard_is_asked_when_the_text_is_finished(backend: Backend) -> None:
    guard = Refusing(0)
    request = CompletionRequest(ADD, Sampling(max_tokens=48), guard=lambda _: guard)
    [[completion]] = backend.complete([request])
    assert completion.finish_reason == "stop"
    assert guard.seen[-1] == (completion.text, True)


def test_text_arrives_while_it_is_written(backend: Backend) -> None:
    deltas = list(backend.stream([ask(STORY, max_tokens=24)]))
    assert sum(bool(delta.text) for delta in deltas) > 8


def test_without_pieces_each_completion_comes_at_once_and_without_text(backend: Backend) -> None:
    requests = [ask(STORY, n=2, temperature=1.0, seed=1, max_tokens=20), ask(ADD, max_tokens=40)]
    deltas = list(backend.stream(requests, pieces=False))
    assert {(delta.request, delta.sample) for delta in deltas} == {(0, 0), (0, 1), (1, 0)}
    assert len(deltas) == 3
    assert all(delta.completion is not None and not delta.text for delta in deltas)


def test_greedy_answers_repeat_themselves(backend: Backend) -> None:
    first, second = (one(backend, ADD, max_tokens=48) for _ in range(2))
    assert first.text == second.text


def test_a_seed_repeats_its_answer_and_other_seeds_give_others(backend: Backend) -> None:
    draws = [one(backend, STORY, temperature=1.0, seed=s, max_tokens=16) for s in (1, 1, 2, 3, 4)]
    assert draws[0].text == draws[1].text
    assert len({draw.text for draw in draws}) > 2


def test_an_answer_without_a_seed_can_be_repeated_with_the_seed_it_tells(backend: Backend) -> None:
    drawn = one(backend, STORY, temperature=1.0, max_tokens=12)
    again = one(backend, STORY, temperature=1.0, max_tokens=12, seed=drawn.seed)
    assert again.text == drawn.text


def test_a_stop_string_ends_the_text_wherever_tokens_begin(backend: Backend) -> None:
    whole = one(backend, STORY, max_tokens=40).text
    for start_at in range(8, 16):
        stop = whole[start_at : start_at + 7]
        completion = one(backend, STORY, max_tokens=40, stop=(stop, "never to be seen"))
        assert completion.text == whole[: whole.index(stop)]
        assert completion.finish_reason == "stop"


def test_no_delta_gives_away_the_beginning_of_a_stop_string(backend: Backend) -> None:
    whole = one(backend, STORY, max_tokens=40).text
    stop = whole[12:30]
    texts = [delta.text for delta in backend.stream([ask(STORY, max_tokens=40, stop=(stop,))])]
    assert "".join(texts) == whole[: whole.index(stop)]


def test_max_tokens_is_kept_and_named_as_the_reason(backend: Backend) -> None:
    for limit in (1, 2, 7):
        completion = one(backend, STORY, max_tokens=limit)
        assert completion.finish_reason == "length"
        assert completion.completion_tokens == limit


def test_an_answer_that_ends_by_itself_says_stop(backend: Backend) -> None:
    completion = one(backend, Prompt((Message("user", "Say hi, one word."),)), max_tokens=60)
    assert completion.finish_reason == "stop"
    assert 0 < completion.completion_tokens < 60


def test_characters_of_several_bytes_stay_whole_in_the_stream(backend: Backend) -> None:
    prompt = Prompt(
        (Message("user", "Repeat this line five times: 你好，世界 🙂 🦊 naïve 𝔘𝔫𝔦 ﬁ"),),
        prefill="你好，世界 🙂 🦊 naïve 𝔘𝔫𝔦 ﬁ\n你好，世界 🙂 🦊 naïve 𝔘𝔫𝔦 ﬁ\n你好",
    )
    pieces = [delta.text for delta in backend.stream([ask(prompt, max_tokens=40)])]
    assert not any("�" in piece for piece in pieces)
    assert "🙂" in "".join(pieces)
    "".join(pieces).encode()


def test_cancel_in_mid_stream_keeps_the_text_so_far(backend: Backend) -> None:
    cancel, texts, ended = Cancel(), ["", ""], {}
    with start(backend, [ask(ENDLESS, n=2, max_tokens=1500)], cancel) as deltas:
        for count, delta in enumerate(deltas):
            texts[delta.sample] += delta.text
            if count == 6:
                cancel.set()
            if delta.completion is not None:
                ended[delta.sample] = delta.completion
    assert {c.finish_reason for c in ended.values()} == {"cancelled"}
    assert [ended[0].text, ended[1].text] == texts
    assert sum(completion.completion_tokens for completion in ended.values()) < 1000
    assert one(backend, STORY, max_tokens=2).completion_tokens == 2


def test_a_call_cancelled_before_it_starts_ends_at_once(backend: Backend) -> None:
    cancel = Cancel()
    cancel.set()
    [completions] = backend.complete([ask(ENDLESS, n=2, max_tokens=1500)], cancel)
    assert [completion.finish_reason for completion in completions] == ["cancelled"] * 2


def test_closing_the_iterator_early_leaves_the_backend_usable(backend: Backend) -> None:
    for _ in range(6):
        with start(backend, [ask(ENDLESS, n=4, max_tokens=1500)]) as deltas:
            assert next(deltas).completion is None
    assert one(backend, STORY, max_tokens=2).completion_tokens == 2


def test_calls_from_several_threads_each_get_their_own_answer(backend: Backend) -> None:
    capitals = {"France": "Paris", "Italy": "Rome", "Japan": "Tokyo", "Germany": "Berlin"}

    def capital(country: str) -> str:
        question = f"What is the capital of {country}? Answer with one word."
        return one(backend, Prompt((Message("user", question),)), max_tokens=8).text

    with ThreadPoolExecutor(len(capitals)) as pool:
        answers = list(pool.map(capital, capitals))
    for answer, expected in zip(answers, capitals.values(), strict=True):
        assert expected in answer


def test_a_prompt_too_long_is_refused_before_any_text(backend: Backend) -> None:
    context = backend.info.context_tokens
    assert context is not None
    too_long = Prompt((Message("user", "word " * context),))
    with pytest.raises(ContextOverflowError, match=str(context)):
        next(backend.stream([ask(STORY, max_tokens=4), ask(too_long, max_tokens=1)]))


def test_more_tokens_than_the_window_holds_are_refused(backend: Backend) -> None:
    context = backend.info.context_tokens
    assert context is not None
    with pytest.raises(ContextOverflowError, match=str(context)):
        one(backend, STORY, max_tokens=context)


def test_token_counts_are_those_of_the_prompt(backend: Backend) -> None:
    for prompt in (STORY, ADD):
        completion = one(backend, prompt, max_tokens=3)
        words = sum(len(message.content.split()) for message in prompt.messages)
        assert words < completion.prompt_tokens < 10 * words
        assert backend.count_tokens(prompt) in (None, completion.prompt_tokens)


def test_the_prefill_is_continued_and_not_repeated(backend: Backend) -> None:
    completion = one(backend, ADD, max_tokens=60)
    assert "def add" not in completion.text
    assert "```" not in completion.text
    code = (ADD.prefill + completion.text).removeprefix("```python\n")
    assert isinstance(ast.parse(code).body[0], ast.FunctionDef)


def test_log_probabilities_come_when_asked_for(backend: Backend) -> None:
    asked, unasked = (one(backend, STORY, max_tokens=6, logprobs=on) for on in (True, False))
    assert asked.token_logprobs is not None
    assert len(asked.token_logprobs) == 6
    assert all(logprob <= 0 for logprob in asked.token_logprobs)
    assert asked.logprob == pytest.approx(sum(asked.token_logprobs))
    assert (unasked.logprob, unasked.token_logprobs) == (None, None)


def test_info_names_backend_and_model(backend: Backend) -> None:
    info = backend.info
    assert info.name in ("local", "openai")
    assert info.model
    assert info == backend.info


def test_no_requests_are_no_work(backend: Backend) -> None:
    assert backend.complete([]) == []


def test_close_may_be_called_twice_and_ends_all_use(opener: Callable[[], Backend]) -> None:
    opened = opener()
    opened.close()
    opened.close()
    with pytest.raises(BackendError, match="closed"):
        opened.complete([ask(STORY, max_tokens=1)])
