"""One decoder for Qwen2, Qwen3 and Qwen3-MoE: token ids in, hidden states and logits out.

Works on a packed run of tokens that may belong to many sequences. Knows nothing of sequences,
caches or sampling: what a token may look at is the business of the `Attend` it is given.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from codekiln.engine.layers import Experts, RotaryTable, rms_norm, rotate, swiglu
from codekiln.engine.linear import Linear
from codekiln.models.config import ModelConfig


class Attend(Protocol):
    """Stores a layer's new keys and values and lets the queries look at what they may see."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Map q [tokens, heads, head_dim] and k, v [tokens, kv_heads, head_dim] to q's shape."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One transformer layer; `q_norm` and `k_norm` are None where the model has none."""

    attn_norm: Tensor  # [hidden]
    qkv: Linear
    q_norm: Tensor | None  # [head_dim]
    k_norm: Tensor | None
    o: Linear
    mlp_norm: Tensor  # [hidden]
    feed_forward: Callable[[Tensor], Tensor]


class Decoder:
    """The network. `weights` are in the engine layout of codekiln.models.

    They are taken out of the mapping one by one, so that a matrix and its packed copy exist side
    by side for one matrix at a time; a caller that goes on using them passes a copy of it.
    """

    def __init__(self, config: ModelConfig, weights: MutableMapping[str, Tensor]) -> None:
        self.config = config
        self._embedding = weights.pop("embed.weight")
        self.dtype = self._embedding.dtype
        self.device = self._embedding.device
        self._layers = [_layer(config, weights, f"layers.{i}.") for i in range(config.layers)]
        self._norm = weights.pop("norm.weight")
        self._head = Linear(weights.pop("lm_head.weight", self._embedding))
        self._rotary = RotaryTable(config.head_dim, config.rope_theta, self.dtype, self.device)

    @torch.inference_mode()
    def forward(self, tokens: Tensor, positions: Tensor, largest: int, attend: Attend) -> Tensor:
        """Hidden states after the last norm, [tokens, hidden].

        `tokens` and `positions` are int64 [tokens]; `largest` is the largest position.
        """
        config, eps = self.config, self.config.rms_norm_eps
        cos, sin = self._rotary.at(positions, largest)
        heads, kv_heads, head_dim = config.heads, config.kv_heads, config.head_dim
        x = F.embedding(tokens, self._embedding)
        for number, layer in enumerate(self._layers):
            qkv = layer.qkv(rms_norm(x, layer.attn_norm, eps))
            packed = qkv.view(-1, heads + 2 * kv_heads, head_dim)
            q, k, v = torch.split(packed, [heads, kv_heads, kv_heads], dim=1)
            if layer.q_norm is not None and layer.k_norm is not None:
                q, k = rms_norm(q, layer.q_norm, eps), rms_norm(k, layer.k_norm, eps)
            seen = attend(number, rotate(q, cos, sin), rotate(k, cos, sin), v)
            x = x + layer.o(seen.reshape(-1, heads * head_dim))
            x = x + layer.feed_forward(rms_norm(x, layer.mlp_norm, eps))
        return rms_norm(x, self._norm, eps)

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary, [rows, vocab]."""
        return self._head(hidden)


def _layer(config: ModelConfig, weights: MutableMapping[str, Tensor], name: str) -> _Layer:
    def take(part: str) -> Tensor:
        return weights.pop(name + part)

    return _Layer(
        attn_norm=take("attn_norm.weight"),
        qkv=Linear(take("qkv.weight"), weights.pop(name + "qkv.bias", None)),
        q_norm=weights.pop(name + "q_norm.weight", None),
        k_norm=weights.pop(name + "k_norm.weight", None),
        o=Linear(take("o.weight")),
        mlp_norm=take("mlp_norm.weight"),
        feed_forward=_experts(config, take)
        if name + "router.weight" in weights
        else _dense_feed_forward(take),
    )


def _dense_feed_forward(take: Callable[[str], Tensor]) -> Callable[[Tensor], Tensor]:
    gate_up, down = Linear(take("gate_up.weight")), Linear(take("down.weight"))
    return lambda x: down(swiglu(gate_up(x)))


def _experts(config: ModelConfig, take: Callable[[str], Tensor]) -> Experts:
    return Experts(
        router=take("router.weight"),
        gate_up=take("experts_gate_up.weight"),
        down=take("experts_down.weight"),
        per_token=config.experts_per_token,
        normalise=config.norm_topk_prob,
    )
