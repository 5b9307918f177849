"""The engine layout: the names and shapes of the tensors that the decoder works on.

Both checkpoint readers produce exactly these tensors. Query, key and value rows are stacked in
one matrix, gate and up rows likewise (gate first), so that each is a single product.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from codekiln.core.errors import InsufficientResourceError
from codekiln.models.config import ModelConfig
from codekiln.models.progress import format_bytes

if TYPE_CHECKING:
    import torch

LAYOUT_VERSION = 1
BFLOAT16_BYTES = 2


def engine_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every tensor of a model, in file order."""
    hidden, head_dim = config.hidden_size, config.head_dim
    q_rows, qkv_rows = config.heads * head_dim, (config.heads + 2 * config.kv_heads) * head_dim
    shapes: dict[str, tuple[int, ...]] = {"embed.weight": (config.vocab_size, hidden)}
    for i in range(config.layers):
        layer = f"layers.{i}."
        shapes[layer + "attn_norm.weight"] = (hidden,)
        shapes[layer + "qkv.weight"] = (qkv_rows, hidden)
        if config.attention_bias:
            shapes[layer + "qkv.bias"] = (qkv_rows,)
        if config.qk_norm:
            shapes[layer + "q_norm.weight"] = (head_dim,)
            shapes[layer + "k_norm.weight"] = (head_dim,)
        shapes[layer + "o.weight"] = (hidden, q_rows)
        shapes[layer + "mlp_norm.weight"] = (hidden,)
        if config.is_moe_layer(i):
            experts, inner = config.experts, config.expert_intermediate_size
            shapes[layer + "router.weight"] = (experts, hidden)
            shapes[layer + "experts_gate_up.weight"] = (experts, 2 * inner, hidden)
            shapes[layer + "experts_down.weight"] = (experts, hidden, inner)
        else:
            shapes[layer + "gate_up.weight"] = (2 * config.intermediate_size, hidden)
            shapes[layer + "down.weight"] = (hidden, config.intermediate_size)
    shapes["norm.weight"] = (hidden,)
    if not config.tie_embeddings:
        shapes["lm_head.weight"] = (config.vocab_size, hidden)
    return shapes


def parameter_count(config: ModelConfig) -> int:
    """How many numbers the model consists of."""
    return sum(math.prod(shape) for shape in engine_shapes(config).values())


def required_memory_bytes(config: ModelConfig, itemsize: int) -> int:
    """Memory that the weights take in the engine; caches and activations come on top."""
    return (parameter_count(config) + packed_head_count(config, itemsize)) * itemsize


def packed_head_count(config: ModelConfig, itemsize: int) -> int:
    """Numbers of the tied embedding that the engine holds twice.

    As the head it has a layout of its own (codekiln.engine.linear).
    """
    is_copied = config.tie_embeddings and itemsize == BFLOAT16_BYTES
    return config.vocab_size * config.hidden_size if is_copied else 0


def kv_token_bytes(config: ModelConfig, itemsize: int) -> int:
    """Bytes of keys and values that one token takes over all layers."""
    return config.layers * 2 * config.kv_heads * config.head_dim * itemsize


def available_memory_bytes() -> int:
    """Memory this process can still get: free on the machine and within its control group."""
    available: int = psutil.virtual_memory().available
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit != "max":
            used = int((group / "memory.current").read_text())
            stats = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            # Clean file pages count as used but are given back on demand.
            reclaimable = int(stats.get("inactive_file", 0)) + int(stats.get("active_file", 0))
            available = min(available, int(limit) - used + reclaimable)
    except (OSError, ValueError):
        pass
    return max(0, available)


def check_memory(config: ModelConfig, dtype: torch.dtype, name: str) -> None:
    """Raise InsufficientResourceError, with both figures, when the weights cannot fit."""
    needed, available = required_memory_bytes(config, dtype.itemsize), available_memory_bytes()
    if needed > available:
        precision = str(dtype).removeprefix("torch.")
        raise InsufficientResourceError(
            f"{name} needs {format_bytes(needed)} of memory in {precision}, "
            f"{format_bytes(available)} are available",
            "Close other programs, use a machine with more memory, or choose a smaller model",
        )
