"""The arithmetic of one decoder layer: norms, rotary positions, feed-forward, routed experts.

Pure functions on tensors; rounding follows transformers' Qwen2/Qwen3 code step by step, so that
both give the same greedy text in bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """RMSNorm over the last dimension, in float32, rounded to x's dtype before the weight."""
    wide = x.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return wide.to(x.dtype) * weight


class RotaryTable:
    """Cosines and sines of rotary positions (arXiv 2104.09864), grown on demand.

    Rotates pairs (i, i + head_dim/2), the half-split form of Qwen and Llama checkpoints.
    """

    def __init__(self, head_dim: int, theta: float, dtype: torch.dtype, device: torch.device):
        exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=device) / head_dim
        self._inverse_frequency = 1.0 / (theta**exponents)  # [head_dim/2]
        self._dtype = dtype
        self._cos = self._sin = torch.empty(0, head_dim, dtype=dtype, device=device)

    def at(self, positions: Tensor, largest: int) -> tuple[Tensor, Tensor]:
        """(cos, sin), each [tokens, 1, head_dim]; `largest` is the maximum of `positions`."""
        if largest >= self._cos.shape[0]:
            size = max(1024, 1 << largest.bit_length())
            steps = torch.arange(size, dtype=torch.float32, device=self._inverse_frequency.device)
            angles = torch.outer(steps, self._inverse_frequency).repeat(1, 2)
            self._cos, self._sin = angles.cos().to(self._dtype), angles.sin().to(self._dtype)
        return self._cos[positions].unsqueeze(1), self._sin[positions].unsqueeze(1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Apply rotary positions to x [tokens, heads, head_dim]."""
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


def swiglu(gate_up: Tensor) -> Tensor:
    """silu(gate) * up for gate_up [..., 2 * width], gate first (arXiv 2002.05202)."""
    gate, up = gate_up.chunk(2, dim=-1)
    # In place: memory for the product would be fetched anew at every call, as long as it is large.
    return F.silu(gate).mul_(up)


@dataclass(frozen=True, slots=True, eq=False)
class Experts:
    """Top-k routed mixture of experts (Qwen3-MoE); only experts that were chosen run."""

    router: Tensor  # [experts, hidden]
    gate_up: Tensor  # [experts, 2 * expert_width, hidden]
    down: Tensor  # [experts, hidden, expert_width]
    per_token: int
    normalise: bool

    def __call__(self, x: Tensor) -> Tensor:
        """Map x [tokens, hidden] to the same shape."""
        shares = F.softmax(F.linear(x, self.router), dim=-1, dtype=torch.float32)
        weight, chosen = torch.topk(shares, self.per_token, dim=-1)  # [tokens, per_token]
        if self.normalise:
            weight = weight / weight.sum(dim=-1, keepdim=True)
        weight = weight.to(x.dtype)
        out = torch.zeros_like(x)
        for expert in torch.unique(chosen).tolist():
            rows, ranks = torch.where(chosen == expert)
            hidden = swiglu(F.linear(x[rows], self.gate_up[expert]))
            out.index_add_(0, rows, F.linear(hidden, self.down[expert]) * weight[rows, ranks, None])
        return out
