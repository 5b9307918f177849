"""The decoder against transformers: the same weights must give the same logits and tokens."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from random_models import byte_of, naive_logits

from codekiln.core import Sampling
from codekiln.engine import Decoder, Engine, GenerationRequest
from codekiln.models.checkpoint import SafetensorsCheckpoint
from codekiln.models.safetensors_weights import directory_config
from codekiln.models.store import ModelFiles

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")

SHAPE = {
    "vocab_size": 400,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.2,
    "rope_theta": 1_000_000.0,
}
EXPERTS = {
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 24,
    "head_dim": 32,
}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2": ("Qwen2", {**SHAPE, "hidden_size": 96, "tie_word_embeddings": False}),
    "qwen2 tied": ("Qwen2", {**SHAPE, "hidden_size": 96, "tie_word_embeddings": True}),
    "qwen3": ("Qwen3", {**SHAPE, "head_dim": 32}),
    "qwen3 moe": ("Qwen3Moe", {**SHAPE, **EXPERTS, "norm_topk_prob": True}),
    "qwen3 moe unnormalised": ("Qwen3Moe", {**SHAPE, **EXPERTS, "norm_topk_prob": False}),
    "qwen3 moe with dense layers": ("Qwen3Moe", {**SHAPE, **EXPERTS, "mlp_only_layers": [1]}),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, Decoder]:
    """A random transformers model and the decoder that read its saved checkpoint."""
    name, fields = ARCHITECTURES[request.param]
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(**fields, use_sliding_window=False)
    reference = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    with torch.no_grad():
        for key, parameter in reference.named_parameters():
            if "norm" in key or key.endswith("bias"):
                # Fresh norms are all ones and biases all zeros, which would hide a mix-up.
                parameter.add_(torch.randn_like(parameter) * 0.3)
    folder = tmp_path_factory.mktemp("checkpoint")
    reference.save_pretrained(folder, max_shard_size="200KB")
    return reference, load(folder)


def load(folder: Path) -> Decoder:
    files = ModelFiles("random", folder, "safetensors", sha256="")
    checkpoint = SafetensorsCheckpoint(files, directory_config(folder))
    return Decoder(checkpoint.config, checkpoint.weights(torch.float32))


def test_logits_equal_those_of_transformers(pair: tuple[Any, Decoder]) -> None:
    reference, decoder = pair
    tokens = torch.randint(0, 400, (150,), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = reference(tokens[None]).logits[0]
    actual = naive_logits(decoder, tokens.tolist())
    torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)


def test_greedy_tokens_equal_those_of_transformers(pair: tuple[Any, Decoder]) -> None:
    reference, decoder = pair
    engine = Engine(decoder, byte_of, ())
    for seed, length in enumerate((1, 9, 40)):
        prompt = torch.randint(0, 400, (length,), generator=torch.Generator().manual_seed(seed))
        expected = reference.generate(
            prompt[None],
            attention_mask=torch.ones(1, length, dtype=torch.long),
            do_sample=False,
            max_new_tokens=24,
            min_new_tokens=24,
            pad_token_id=0,
            eos_token_id=None,
        )[0, length:]
        engine.submit(GenerationRequest(tuple(prompt.tolist()), Sampling(max_tokens=24)))
        events = []
        while not engine.is_idle:
            events += engine.step()
        assert events[-1].finished is not None
        assert events[-1].finished.tokens == tuple(expected.tolist())
