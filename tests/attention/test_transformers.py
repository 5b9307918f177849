"""The attention inside transformers: the tokens of SDPA where everything is read, and the cache."""

from __future__ import annotations

import copy
import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_models import random_model
from transformers.cache_utils import DynamicCache, DynamicLayer

from codekiln.attention import SparseConfig, register_transformers
from codekiln.attention.hf import NAME, SparseCache, SparseLayer
from codekiln.attention.hf.cache import left_padding
from codekiln.models import ensure, open_checkpoint

SMALL = SparseConfig(
    global_tokens=16,
    window=32,
    query_block=32,
    group=4,
    most_groups=1000,
    min_blocks=1000,
    max_blocks=1000,
    dense_rows=0,
    crossover=40,
)


@pytest.fixture(autouse=True)
def _everything_is_read() -> None:
    register_transformers(SMALL)


@pytest.fixture(scope="module", params=["qwen2", "qwen3_moe"])
def model(request: pytest.FixtureRequest) -> Any:
    return random_model(request.param, max_position_embeddings=1024).eval()


def prompts(model: Any, *lengths: int) -> dict[str, torch.Tensor]:
    """Left-padded, as transformers' tokenizers pad for generation."""
    generator = torch.Generator().manual_seed(len(lengths))
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, -length:] = torch.randint(
            1, model.config.vocab_size, (length,), generator=generator
        )
        mask[row, -length:] = 1
    return {"input_ids": ids, "attention_mask": mask}


def generate(model: Any, implementation: str, inputs: dict[str, Any], **more: Any) -> Any:
    model.set_attn_implementation(implementation)
    made = model.generate(
        **inputs,
        max_new_tokens=12,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
        return_dict_in_generate=True,
        output_logits=True,
        **more,
    )
    return made.sequences, torch.stack(made.logits)


@pytest.mark.parametrize("cache", [SparseCache, DynamicCache], ids=["own cache", "theirs"])
@pytest.mark.parametrize("lengths", [(200,), (150, 200, 47)], ids=["one", "unequal"])
def test_generate_gives_the_tokens_of_sdpa(
    model: Any, lengths: tuple[int, ...], cache: Any
) -> None:
    inputs = prompts(model, *lengths)
    wanted, scores = generate(model, "sdpa", inputs)
    found, ours = generate(model, NAME, inputs, past_key_values=cache())
    assert torch.equal(found, wanted)
    torch.testing.assert_close(ours, scores, atol=2e-3, rtol=2e-3)


@pytest.mark.parametrize("crossover", [0, 40, 10_000])
def test_a_prompt_in_chunks_is_the_prompt_at_once(model: Any, crossover: int) -> None:
    register_transformers(replace(SMALL, crossover=crossover))
    ids = prompts(model, 90)["input_ids"]
    with torch.no_grad():
        model.set_attn_implementation("sdpa")
        wanted = model(ids).logits
        model.set_attn_implementation(NAME)
        for cache in (SparseCache(), DynamicCache()):
            parts = [
                model(ids[:, start : start + 30], past_key_values=cache).logits
                for start in (0, 30, 60)
            ]
            torch.testing.assert_close(torch.cat(parts, 1), wanted, atol=2e-3, rtol=2e-3)


def test_beams_reorder_the_cache(model: Any) -> None:
    inputs = prompts(model, 130, 90)
    more = {"num_beams": 3}
    wanted, _ = generate(model, "sdpa", inputs, **more)
    found, _ = generate(model, NAME, inputs, past_key_values=SparseCache(), **more)
    assert torch.equal(found, wanted)


def test_turns_go_on_with_the_cache_and_a_crop_takes_tokens_back(model: Any) -> None:
    ids = prompts(model, 180)["input_ids"]
    model.set_attn_implementation(NAME)
    cache = SparseCache()
    with torch.no_grad():
        model(ids[:, :120], past_key_values=cache, logits_to_keep=1)
        model(ids[:, :40].flip(1), past_key_values=cache, logits_to_keep=1)
        cache.crop(-40)
        assert cache.get_seq_length() == 120
        found = model(ids[:, 120:], past_key_values=cache).logits
        model.set_attn_implementation("sdpa")
        wanted = model(ids).logits[:, 120:]
    torch.testing.assert_close(found, wanted, atol=2e-3, rtol=2e-3)


# The own query block, and nothing else.
NARROW = SparseConfig(
    global_tokens=0,
    window=0,
    query_block=16,
    min_blocks=0,
    threshold=1e9,
    dense_rows=0,
    crossover=0,
)


def test_prefill_is_really_sparse(model: Any) -> None:
    register_transformers(NARROW)
    ids = prompts(model, 200)["input_ids"]
    with torch.no_grad():
        model.set_attn_implementation(NAME)
        found = model(ids).logits
        model.set_attn_implementation("sdpa")
        wanted = model(ids).logits
    assert torch.allclose(found[:, :16], wanted[:, :16], atol=2e-3)
    assert not torch.allclose(found[:, 100:], wanted[:, 100:], atol=0.1)


def test_decode_is_really_sparse_with_the_own_cache_only(model: Any) -> None:
    register_transformers(replace(NARROW, crossover=100))
    inputs = prompts(model, 100)
    _, wanted = generate(model, "sdpa", inputs)
    _, theirs = generate(model, NAME, inputs, past_key_values=DynamicCache())
    torch.testing.assert_close(theirs, wanted, atol=2e-3, rtol=2e-3)
    _, ours = generate(model, NAME, inputs, past_key_values=SparseCache())
    # The prompt is not over the crossover; the first token drawn is.
    assert torch.allclose(ours[0], wanted[0], atol=2e-3)
    assert not torch.allclose(ours[1], wanted[1], atol=0.1)


@pytest.mark.parametrize("cache", [SparseCache, DynamicCache], ids=["own cache", "theirs"])
def test_a_short_prompt_stays_dense_whoever_stands_beside_it(model: Any, cache: Any) -> None:
    register_transformers(replace(NARROW, crossover=100))
    inputs = prompts(model, 200, 60)
    _, wanted = generate(model, "sdpa", inputs)
    _, found = generate(model, NAME, inputs, past_key_values=cache())
    torch.testing.assert_close(found[:, 1], wanted[:, 1], atol=2e-3, rtol=2e-3)
    assert not torch.allclose(found[0, 0], wanted[0, 0], atol=0.1)


def test_a_prompt_read_in_pieces_is_the_same(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = replace(SMALL, min_blocks=1, max_blocks=3, most_groups=2, crossover=0, dense_rows=20)
    register_transformers(chosen)
    inputs = prompts(model, 210, 131)
    model.set_attn_implementation(NAME)
    with torch.no_grad():
        whole = model(**inputs).logits
        monkeypatch.setattr("codekiln.attention.hf.interface._PIECE", 64)
        pieces = model(**inputs).logits
    torch.testing.assert_close(pieces, whole, atol=1e-4, rtol=1e-4)


def test_a_copied_cache_goes_on_by_itself_and_a_dropped_one_is_freed(model: Any) -> None:
    ids = prompts(model, 160)["input_ids"]
    model.set_attn_implementation(NAME)
    cache = SparseCache()
    with torch.no_grad():
        model(ids[:, :100], past_key_values=cache, logits_to_keep=1)
        copied = copy.deepcopy(cache)
        wanted = model(ids[:, 100:], past_key_values=cache).logits
        found = model(ids[:, 100:], past_key_values=copied).logits
    assert torch.equal(found, wanted)
    gc.disable()
    try:
        layer = weakref.ref(cache.layers[0])
        del cache
        assert layer() is None
    finally:
        gc.enable()


def test_what_it_does_not_do_goes_to_sdpa(model: Any) -> None:
    ids = prompts(model, 150)["input_ids"]
    right = torch.ones_like(ids)
    right[:, -30:] = 0
    packed = torch.cat((torch.arange(80), torch.arange(70)))[None]
    cases: list[dict[str, Any]] = [
        {"attention_mask": right},
        {"position_ids": packed},
        {"attention_mask": torch.ones(1, 1, 150, 150).bool().tril()},
    ]
    for case in cases:
        with torch.no_grad():
            model.set_attn_implementation("sdpa")
            wanted = model(ids, **case).logits[:, :120]
            model.set_attn_implementation(NAME)
            found = model(ids, **case).logits[:, :120]
        torch.testing.assert_close(found, wanted, atol=2e-3, rtol=2e-3)


def test_training_goes_to_sdpa(model: Any) -> None:
    model.set_attn_implementation(NAME)
    model(prompts(model, 120)["input_ids"]).logits.sum().backward()
    assert any(parameter.grad is not None for parameter in model.parameters())
    model.zero_grad()


def test_padding_is_told_from_other_masks() -> None:
    def pads(*rows: list[int]) -> list[int] | None:
        found = left_padding(torch.tensor(rows))
        return None if found is None else found.tolist()

    assert pads([1, 1, 1], [0, 0, 1]) == [0, 2]
    assert pads([1, 1, 0]) is None
    assert pads([0, 0, 0]) is None
    assert pads([0, 1, 0, 1]) is None


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(1, 90)),
            st.tuples(st.just("crop"), st.integers(0, 60)),
            st.tuples(st.just("select"), st.lists(st.integers(0, 1), min_size=2, max_size=2)),
        ),
        min_size=1,
        max_size=12,
    )
)
def test_a_layer_holds_what_transformers_own_layer_holds(steps: list[tuple[str, Any]]) -> None:
    generator = torch.Generator().manual_seed(1)
    ours, theirs = SparseLayer(), DynamicLayer()  # type: ignore[no-untyped-call]
    for what, argument in steps:
        if what == "add":
            keys, values = (torch.randn(2, 2, argument, 16, generator=generator) for _ in range(2))
            found, wanted = ours.update(keys, values), theirs.update(keys, values)
            assert torch.equal(found[0], wanted[0])
            assert torch.equal(found[1], wanted[1])
            index = ours.index(1, 0, SMALL)
            whole = found[0].shape[2] // SMALL.block * SMALL.block
            means = found[0][1, :, :whole].reshape(2, -1, SMALL.block, 16).mean(2)
            torch.testing.assert_close(index.means(0), means)
        elif what == "crop":
            if argument < theirs.get_seq_length():
                ours.crop(-argument)
                theirs.crop(-argument)
        else:
            ours.batch_select_indices(torch.tensor(argument))
            theirs.batch_select_indices(torch.tensor(argument))
        assert ours.get_seq_length() == theirs.get_seq_length()


def test_without_transformers_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from codekiln.core.errors import MissingExtraError

    for name in [name for name in sys.modules if name.startswith("codekiln.attention.hf")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="transformers"):
        register_transformers()


@pytest.mark.real_model
def test_the_real_model_generates_the_same_with_whole_lists() -> None:
    from transformers_peer import as_transformers

    checkpoint = open_checkpoint(ensure("qwen2.5-coder-0.5b"))
    model = as_transformers(checkpoint.config, checkpoint.weights(torch.float32))
    ids = torch.tensor([checkpoint.tokenizer().encode("def add(a, b):\n    return a + b\n\n" * 12)])
    assert isinstance(model, transformers.Qwen2ForCausalLM)
    wanted, scores = generate(model, "sdpa", {"input_ids": ids})
    found, ours = generate(model, NAME, {"input_ids": ids}, past_key_values=SparseCache())
    assert torch.equal(found, wanted)
    torch.testing.assert_close(ours, scores, atol=1e-2, rtol=1e-2)
