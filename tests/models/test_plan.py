"""Plans agree with what the engine allocates and allows, and with hand-made sums."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core.errors import UsageError
from codekiln.models import find_entry, open_checkpoint, read_config
from codekiln.models.footprint import footprint
from codekiln.models.machines import Machine, find_machine, machines, make_plan

BIG = find_entry("qwen3-coder-30b-a3b").config
SMALL = find_entry("qwen2.5-coder-0.5b").config
HERE = Machine("this", "this machine", 20 * 10**9, "bfloat16", is_server=False)


def test_the_sums_of_the_30b_model_on_an_a100_are_those_made_by_hand() -> None:
    plan = make_plan(BIG, find_machine("A100-80GB"), 32_768)
    assert plan.need.weights == 2 * 30_532_122_624
    assert plan.need.kv_token == 48 * 2 * 4 * 128 * 2
    assert plan.need.kv == 98_304 * 32_768
    usable = int(80 * 2**30 * 0.9)
    assert plan.kv_room == usable - plan.need.weights - plan.need.activations
    assert plan.largest_context == plan.kv_room // 98_304
    assert plan.fits


def test_no_v100_holds_the_30b_model_but_four_do() -> None:
    one = make_plan(BIG, find_machine("v100-32gb"), 4096)
    assert not one.fits
    assert one.largest_context == 0
    assert "--devices" in one.remedy
    four = make_plan(BIG, find_machine("v100-32gb"), 4096, devices=4)
    assert four.fits
    assert four.machine.dtype == "float16"
    # Four KV heads over eight cards: each head is held twice.
    eight = make_plan(BIG, find_machine("v100-32gb"), 4096, devices=8)
    assert eight.need.kv == four.need.kv
    assert eight.need.weights * 2 == four.need.weights


def test_too_many_sequences_are_told_as_such() -> None:
    plan = make_plan(SMALL, HERE, 1, sequences=2_000_000)
    assert not plan.fits
    assert plan.largest_context == 0
    assert "fewer --sequences" in plan.remedy


def test_both_models_fit_32768_tokens_into_24_gb() -> None:
    machine = Machine("this", "", 24 * 10**9, "bfloat16", is_server=False)
    for name in ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"):
        assert make_plan(find_entry(name).config, machine, 32_768).fits


@given(context=st.integers(1, 262_144), sequences=st.integers(1, 64))
def test_a_plan_fits_up_to_its_largest_context_and_not_beyond(context: int, sequences: int) -> None:
    for machine in (*machines(), HERE):
        plan = make_plan(BIG, machine, context, sequences=sequences)
        # Activations are sized by what is read, so that a shorter context leaves more room.
        if context >= plan.prefill_rows:
            assert plan.fits == (0 < context <= plan.largest_context)
        if plan.largest_context:
            best = make_plan(BIG, machine, plan.largest_context, sequences=sequences)
            assert best.need.kv <= plan.kv_room


def test_the_activations_of_short_prompts_are_smaller() -> None:
    assert footprint(SMALL, 100).activations < footprint(SMALL, 1024).activations
    assert footprint(SMALL, 1024).activations == footprint(SMALL, 30_000).activations


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"context": 0}, "0 tokens"),
        ({"context": 40_000}, "window holds 32,768"),
        ({"context": 1, "sequences": 0}, "0 sequences"),
        ({"context": 1, "devices": 2}, "runs on one"),
    ],
)
def test_senseless_numbers_are_refused(arguments: dict[str, int], wanted: str) -> None:
    with pytest.raises(UsageError, match=wanted):
        make_plan(SMALL, HERE, **arguments)


def test_heads_that_cannot_be_split_are_refused() -> None:
    with pytest.raises(UsageError, match="14 attention heads"):
        make_plan(SMALL, find_machine("h200"), 1, devices=4)


def test_unknown_hardware_lists_the_known() -> None:
    with pytest.raises(UsageError) as caught:
        find_machine("a100-80")
    assert "a100-80gb" in str(caught.value)


def test_the_catalogue_tells_the_shape_that_the_checkpoint_has() -> None:
    from dataclasses import replace

    from codekiln.models import ensure

    checkpoint = open_checkpoint(ensure("qwen2.5-coder-0.5b"))
    assert replace(checkpoint.config, eos_token_ids=()) == SMALL
    assert read_config(str(checkpoint.files.path)) == checkpoint.config


def test_the_engine_allocates_the_keys_and_values_of_the_plan() -> None:
    from codekiln.engine.kv_cache import PromptCache

    cache = PromptCache(SMALL, tuple(range(100)), torch.bfloat16, torch.device("cpu"))
    assert cache.data.nbytes == footprint(SMALL, 100).kv
