from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from random_models import (
    VOCAB,
    byte_of,
    drain,
    greedy,
    naive_greedy,
    naive_logits,
    random_decoder,
    random_engine,
    run,
)

from codekiln.attention import SparseConfig
from codekiln.core import Sampling
from codekiln.core.errors import ContextOverflowError, InsufficientResourceError, UsageError
from codekiln.engine import (
    Accept,
    Engine,
    EngineLimits,
    GenerationRequest,
    GuardDecision,
    RollBack,
    kv_cache,
)
from codekiln.models import kv_token_bytes

DECODER = random_decoder()


def prompt_of(length: int, seed: int = 1) -> tuple[int, ...]:
    source = random.Random(seed)
    return tuple(source.randrange(VOCAB) for _ in range(length))


@pytest.fixture(params=["copied prompts", "shared prompts"])
def prompt_storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "shared prompts":
        monkeypatch.setattr(kv_cache, "COPY_PROMPT_TOKENS", 0)


@pytest.mark.usefixtures("prompt_storage")
@pytest.mark.parametrize("chunk", [1, 7, 1024])
def test_greedy_tokens_equal_a_full_recomputation_whatever_the_prefill_chunk(chunk: int) -> None:
    prompts = [prompt_of(length, seed=length) for length in (1, 5, 23, 64)]
    engine = random_engine(DECODER, prefill_tokens=chunk)
    results = run(engine, *(greedy(prompt, 12) for prompt in prompts))
    assert [r.tokens for r in results] == [naive_greedy(DECODER, p, 12) for p in prompts]


@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (6, 1), (7, 1), (14, 2), (16, 2)])
def test_any_ratio_of_query_heads_to_kv_heads_is_served(heads: int, kv_heads: int) -> None:
    decoder = random_decoder(heads=heads, kv_heads=kv_heads)
    [result] = run(random_engine(decoder), greedy(prompt_of(30), 8))
    assert result.tokens == naive_greedy(decoder, prompt_of(30), 8)


@pytest.mark.usefixtures("prompt_storage")
@pytest.mark.parametrize("chunk", [1, 23, 64])
def test_sparse_attention_that_reads_every_block_gives_the_dense_tokens(chunk: int) -> None:
    everything = SparseConfig(min_blocks=1000, max_blocks=1000, crossover=100)
    prompts = [prompt_of(length, seed=length) for length in (99, 101, 300)]
    limits = EngineLimits(prefill_tokens=chunk)
    engine = Engine(DECODER, byte_of, (), limits, everything)
    results = run(engine, *(greedy(prompt, 12) for prompt in prompts))
    assert [r.tokens for r in results] == [naive_greedy(DECODER, p, 12) for p in prompts]


def test_sparse_attention_reads_less_where_its_budget_says_so() -> None:
    few = SparseConfig(
        global_tokens=0, window=0, min_blocks=0, max_blocks=1, dense_rows=0, crossover=100
    )
    prompt = prompt_of(600)
    [sparse] = run(Engine(DECODER, byte_of, (), None, few), greedy(prompt, 12))
    assert sparse.tokens != naive_greedy(DECODER, prompt, 12)


@pytest.mark.parametrize("chunk", [40, 64, 100])
def test_what_else_is_prefilled_does_not_change_a_sparse_prompt(chunk: int) -> None:
    some = SparseConfig(
        global_tokens=16, window=32, min_blocks=1, max_blocks=3, dense_rows=0, crossover=100
    )
    wanted = greedy(prompt_of(300, seed=1), 8)
    others = [greedy(prompt_of(length, seed=length), 1) for length in (7, 33, 150)]

    def engine() -> Engine:
        return Engine(DECODER, byte_of, (), EngineLimits(prefill_tokens=chunk), some)

    [alone] = run(engine(), wanted)
    assert run(engine(), *others, wanted)[-1].tokens == alone.tokens


def test_a_prompt_shared_by_samples_is_prefilled_once() -> None:
    engine = random_engine(DECODER)
    prompt = prompt_of(40)
    requests = [
        GenerationRequest(prompt, Sampling(temperature=1.0, max_tokens=5, seed=seed))
        for seed in range(6)
    ]
    results = run(engine, *requests)
    assert engine.stats.prefilled_tokens == 40
    assert len({r.tokens for r in results}) > 1


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    temperature=st.sampled_from([0.0, 0.7, 1.3]),
    batch=st.integers(1, 4),
    chunk=st.sampled_from([3, 16, 1024]),
    joins=st.lists(st.integers(0, 9), min_size=6, max_size=6),
    shared=st.booleans(),
)
def test_tokens_of_a_request_do_not_depend_on_what_else_is_in_the_batch(
    lengths: list[int], temperature: float, batch: int, chunk: int, joins: list[int], shared: bool
) -> None:
    requests = [
        GenerationRequest(
            prompt_of(length, seed=index % 3),
            Sampling(temperature=temperature, max_tokens=4 + length % 7, seed=index, top_p=0.95),
        )
        for index, length in enumerate(lengths)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kv_cache, "COPY_PROMPT_TOKENS", 0 if shared else 512)
        alone = [run(random_engine(DECODER), request)[0] for request in requests]
        engine = random_engine(DECODER, batch=batch, prefill_tokens=chunk)
        tickets: list[int] = []
        done = {}
        step = 0
        while len(tickets) < len(requests) or not engine.is_idle:
            while len(tickets) < len(requests) and joins[len(tickets)] <= step:
                tickets.append(engine.submit(requests[len(tickets)]))
            for event in engine.step():
                if event.finished is not None:
                    done[event.ticket] = event.finished
            step += 1
    assert [done[ticket].tokens for ticket in tickets] == [result.tokens for result in alone]


def test_a_long_prompt_tells_how_much_of_it_is_read_and_a_short_one_does_not() -> None:
    engine = random_engine(DECODER, prefill_tokens=8)
    long, short = (engine.submit(greedy(prompt_of(size), 2)) for size in (20, 8))
    told: list[tuple[int, int]] = []
    while not engine.is_idle:
        told += [(event.ticket, event.read) for event in engine.step() if event.read]
    assert told == [(long, 8), (long, 16), (long, 20)]
    assert short not in {ticket for ticket, _ in told}


def test_cancelling_one_sequence_leaves_the_others_as_they_were() -> None:
    prompts = [prompt_of(20, seed) for seed in range(4)]
    engine = random_engine(DECODER)
    tickets = [engine.submit(greedy(prompt, 20)) for prompt in prompts]
    for _ in range(5):
        engine.step()
    event = engine.cancel(tickets[1])
    assert event is not None
    assert event.finished is not None
    assert event.finished.reason == "cancelled"
    assert engine.cancel(tickets[1]) is None
    rest = [tickets[i] for i in (0, 2, 3)]
    expected = [naive_greedy(DECODER, prompts[i], 20) for i in (0, 2, 3)]
    assert [r.tokens for r in drain(engine, rest)] == expected


def test_cancelling_a_waiting_prompt_frees_it() -> None:
    engine = random_engine(DECODER, prefill_tokens=4)
    ticket = engine.submit(greedy(prompt_of(50), 5))
    engine.step()
    assert engine.cancel(ticket) is not None
    assert engine.is_idle


def test_the_end_token_ends_a_completion_and_gives_no_text() -> None:
    tokens = naive_greedy(DECODER, prompt_of(9), 10)
    end = next(t for i, t in enumerate(tokens) if t not in tokens[:i] and i >= 2)
    engine = random_engine(DECODER, eos=(end,))
    [result] = run(engine, greedy(prompt_of(9), 10))
    assert result.reason == "stop"
    assert result.tokens == tokens[: tokens.index(end) + 1]


def test_logprobs_equal_the_log_softmax_of_a_full_recomputation() -> None:
    prompt = prompt_of(17)
    [result] = run(
        random_engine(DECODER), greedy(prompt, 6, logprobs=True, temperature=0.9, seed=3)
    )
    full = naive_logits(DECODER, [*prompt, *result.tokens]).log_softmax(-1)
    expected = [full[len(prompt) - 1 + i, t].item() for i, t in enumerate(result.tokens)]
    assert result.token_logprobs == pytest.approx(expected, abs=1e-4)


def test_a_context_that_does_not_fit_is_refused_with_the_numbers() -> None:
    with pytest.raises(ContextOverflowError, match=r"4000 tokens and 97 more .* 4096"):
        random_engine(DECODER).submit(greedy(prompt_of(4000), 97))
    with pytest.raises(InsufficientResourceError, match="GB for keys and values"):
        random_engine(DECODER, kv_bytes=1000).submit(greedy(prompt_of(40), 9))


def test_an_empty_prompt_and_a_foreign_token_are_refused() -> None:
    engine = random_engine(DECODER)
    with pytest.raises(UsageError, match="no tokens"):
        engine.submit(greedy((), 1))
    with pytest.raises(UsageError, match="vocabulary"):
        engine.submit(greedy((VOCAB,), 1))


def test_a_memory_limit_makes_requests_wait_but_not_differ() -> None:
    prompts = [prompt_of(30, seed) for seed in range(5)]
    per_token = kv_token_bytes(DECODER.config, torch.float32.itemsize)
    engine = random_engine(DECODER, kv_bytes=90 * per_token)
    widest = 0
    tickets = [engine.submit(greedy(prompt, 8)) for prompt in prompts]
    done = {}
    while not engine.is_idle:
        for event in engine.step():
            if event.finished is not None:
                done[event.ticket] = event.finished.tokens
        widest = max(widest, len(engine._running))
    assert widest == 1
    assert [done[t] for t in tickets] == [naive_greedy(DECODER, p, 8) for p in prompts]


def test_the_memory_limit_counts_the_block_index() -> None:
    prompt = prompt_of(64)
    need = 66 * kv_token_bytes(DECODER.config, torch.float32.itemsize)
    limits, sparse = EngineLimits(kv_bytes=need), SparseConfig(crossover=0)
    Engine(DECODER, byte_of, (), limits).submit(greedy(prompt, 2))
    with pytest.raises(InsufficientResourceError):
        Engine(DECODER, byte_of, (), limits, sparse).submit(greedy(prompt, 2))


class ForbidPair:
    """A toy guard: after token `first`, `second` must not come; it undoes `back` tokens."""

    def __init__(self, pairs: set[tuple[int, int]], back: int) -> None:
        self.pairs = pairs
        self.back = back
        self.rejected = 0

    def inspect(self, generated: Sequence[int], drawn: int) -> GuardDecision:
        if not generated or (generated[-1], drawn) not in self.pairs:
            return Accept()
        self.rejected += 1
        to = max(0, len(generated) - self.back)
        return RollBack(to, frozenset([[*generated, drawn][to]]))


@pytest.mark.usefixtures("prompt_storage")
@pytest.mark.parametrize("back", [0, 1, 3, 99])
def test_rollback_keeps_the_cache_equal_to_a_fresh_prefill(back: int) -> None:
    prompt = prompt_of(15)
    plain = naive_greedy(DECODER, prompt, 14)
    guard = ForbidPair({(plain[4], plain[5]), (plain[9], plain[10])}, back)
    bystander = greedy(prompt_of(8, seed=5), 14)
    engine = random_engine(DECODER)
    guarded = dataclasses.replace(greedy(prompt, 14), guard=guard)
    result, other = run(engine, guarded, bystander)
    assert guard.rejected > 0
    assert engine.stats.rejected_tokens == guard.rejected
    assert other.tokens == naive_greedy(DECODER, bystander.prompt, 14)
    assert (plain[4], plain[5]) not in zip(result.tokens, result.tokens[1:], strict=False)
    # After the last correction the rest must be what a fresh prefill of the kept tokens gives.
    fork = next(i for i, (a, b) in enumerate(zip(result.tokens, plain, strict=False)) if a != b)
    for kept in range(fork + 1, len(result.tokens)):
        expected = naive_greedy(DECODER, (*prompt, *result.tokens[:kept]), 1)[0]
        pair = (result.tokens[kept - 1], expected)
        assert result.tokens[kept] == expected or pair in guard.pairs


def test_a_guard_that_rejects_everything_ends_its_sequence_alone() -> None:
    class Never:
        def inspect(self, generated: Sequence[int], drawn: int) -> GuardDecision:
            return RollBack(len(generated), frozenset([drawn]))

    stubborn = dataclasses.replace(greedy(prompt_of(4), 5), guard=Never())
    result, other = run(random_engine(DECODER), stubborn, greedy(prompt_of(6), 5))
    assert result.reason == "guard"
    assert result.tokens == ()
    assert other.tokens == naive_greedy(DECODER, prompt_of(6), 5)


def test_bans_are_forgotten_when_an_earlier_position_changes() -> None:
    prompt = prompt_of(15)
    plain = naive_greedy(DECODER, prompt, 6)

    class Once:
        """Bans a token late, then changes an early one: the late ban no longer applies."""

        def __init__(self) -> None:
            self.plan = {4: RollBack(4, frozenset([plain[4]])), 5: RollBack(0)}
            self.drawn_at_four: list[int] = []

        def inspect(self, generated: Sequence[int], drawn: int) -> GuardDecision:
            if len(generated) == 4:
                self.drawn_at_four.append(drawn)
            return self.plan.pop(len(generated), Accept())

    guard = Once()
    [result] = run(random_engine(DECODER), dataclasses.replace(greedy(prompt, 6), guard=guard))
    assert guard.drawn_at_four[0] == plain[4]
    assert guard.drawn_at_four[1] != plain[4]
    assert result.tokens == plain


def test_a_guard_may_reject_as_often_as_it_likes_while_the_text_grows() -> None:
    class SecondChoice:
        """Rejects the first draw at each position."""

        def inspect(self, tokens: Sequence[int], drawn: int) -> GuardDecision:
            if self.refused == len(tokens):
                return Accept()
            self.refused = len(tokens)
            return RollBack(len(tokens), frozenset({drawn}))

        refused = -1

    request = dataclasses.replace(greedy(prompt_of(4), 300), guard=SecondChoice())
    [result] = run(random_engine(DECODER), request)
    assert (result.reason, len(result.tokens)) == ("length", 300)


def test_text_that_a_guard_may_take_back_is_not_given_away() -> None:
    class Restart:
        """Undoes the first three tokens once."""

        done = False

        def inspect(self, tokens: Sequence[int], drawn: int) -> GuardDecision:
            if self.done or len(tokens) < 3:
                return Accept()
            self.done = True
            return RollBack(0, frozenset({tokens[0]}))

    engine = random_engine(DECODER)
    engine.submit(dataclasses.replace(greedy(prompt_of(4), 12), guard=Restart()))
    events = []
    while not engine.is_idle:
        events += engine.step()
    assert events[-1].finished is not None
    assert "".join(event.text for event in events) == events[-1].finished.text
