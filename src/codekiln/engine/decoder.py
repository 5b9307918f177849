"""One decoder for Qwen2, Qwen3 and Qwen3-MoE: token ids in, hidden states and logits out.

Works on a packed run of tokens that may belong to many sequences. Knows nothing of sequences,
caches or sampling: what a token may look at is the business of the `Attend` it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from codekiln.engine.layers import RotaryTable, rms_norm, rotate, routed_experts, swiglu
from codekiln.models.config import ModelConfig


class Attend(Protocol):
    """Stores a layer's new keys and values and lets the queries look at what they may see."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Map q [tokens, heads, head_dim] and k, v [tokens, kv_heads, head_dim] to q's shape."""


class Decoder:
    """The network. `weights` are in the engine layout of codekiln.models."""

    def __init__(self, config: ModelConfig, weights: Mapping[str, Tensor]) -> None:
        self.config = config
        self._weights = weights
        self.dtype = weights["embed.weight"].dtype
        self.device = weights["embed.weight"].device
        self._head = weights.get("lm_head.weight", weights["embed.weight"])
        self._rotary = RotaryTable(config.head_dim, config.rope_theta, self.dtype, self.device)

    @torch.inference_mode()
    def forward(self, tokens: Tensor, positions: Tensor, largest: int, attend: Attend) -> Tensor:
        """Hidden states after the last norm, [tokens, hidden].

        `tokens` and `positions` are int64 [tokens]; `largest` is the largest position.
        """
        config, weights = self.config, self._weights
        cos, sin = self._rotary.at(positions, largest)
        heads, kv_heads, head_dim = config.heads, config.kv_heads, config.head_dim
        x = F.embedding(tokens, weights["embed.weight"])
        for layer in range(config.layers):
            name = f"layers.{layer}."
            h = rms_norm(x, weights[name + "attn_norm.weight"], config.rms_norm_eps)
            qkv = F.linear(h, weights[name + "qkv.weight"], weights.get(name + "qkv.bias"))
            packed = qkv.view(-1, heads + 2 * kv_heads, head_dim)
            q, k, v = torch.split(packed, [heads, kv_heads, kv_heads], dim=1)
            if config.qk_norm:
                q = rms_norm(q, weights[name + "q_norm.weight"], config.rms_norm_eps)
                k = rms_norm(k, weights[name + "k_norm.weight"], config.rms_norm_eps)
            seen = attend(layer, rotate(q, cos, sin), rotate(k, cos, sin), v)
            x = x + F.linear(seen.reshape(-1, heads * head_dim), weights[name + "o.weight"])
            h = rms_norm(x, weights[name + "mlp_norm.weight"], config.rms_norm_eps)
            x = x + self._feed_forward(name, h)
        return rms_norm(x, weights["norm.weight"], config.rms_norm_eps)

    @torch.inference_mode()
    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary, [rows, vocab]."""
        return F.linear(hidden, self._head)

    def _feed_forward(self, name: str, h: Tensor) -> Tensor:
        weights = self._weights
        router = weights.get(name + "router.weight")
        if router is None:
            return F.linear(
                swiglu(F.linear(h, weights[name + "gate_up.weight"])), weights[name + "down.weight"]
            )
        return routed_experts(
            h,
            router,
            weights[name + "experts_gate_up.weight"],
            weights[name + "experts_down.weight"],
            self.config.experts_per_token,
            self.config.norm_topk_prob,
        )
