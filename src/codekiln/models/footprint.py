"""What a model takes in memory at work: arithmetic, nothing is loaded."""

from __future__ import annotations

from dataclasses import dataclass

from codekiln.models.config import ModelConfig
from codekiln.models.layout import BFLOAT16_BYTES, kv_token_bytes, required_memory_bytes

# Share of the memory beside the weights that keys and values may take. The rest is for
# activations, and for the old copy of a storage that grows.
KV_MEMORY_SHARE = 0.6
# Prompt tokens that the engine reads per step.
ENGINE_PREFILL_TOKENS = 1024
# Rows as wide as the hidden state and the feed-forward together that live at the same time in a
# layer: an upper estimate, held against the resident set by `bench/activations.py`.
LIVE_ROWS = 9
# The sampler works in float32, on the scores, their order and their sum.
SAMPLER_BYTES = 12


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes by purpose."""

    weights: int
    kv_token: int
    kv: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv + self.activations


def footprint(
    config: ModelConfig,
    context: int,
    *,
    sequences: int = 1,
    prefill_tokens: int = ENGINE_PREFILL_TOKENS,
    itemsize: int = BFLOAT16_BYTES,
) -> Footprint:
    """The memory for `sequences` contexts of `context` tokens, read `prefill_tokens` at a time."""
    token = kv_token_bytes(config, itemsize)
    rows = min(context * sequences, prefill_tokens)
    scores = sequences * config.vocab_size * (itemsize + SAMPLER_BYTES)
    return Footprint(
        weights=required_memory_bytes(config, itemsize),
        kv_token=token,
        kv=token * context * sequences,
        activations=rows * LIVE_ROWS * row_width(config) * itemsize + scores,
    )


def row_width(config: ModelConfig) -> int:
    """Hidden state and feed-forward of one token; of a mixture, the experts that it uses."""
    dense = any(not config.is_moe_layer(layer) for layer in range(config.layers))
    width = config.intermediate_size if dense else 0
    return config.hidden_size + max(
        width, config.experts_per_token * config.expert_intermediate_size
    )
