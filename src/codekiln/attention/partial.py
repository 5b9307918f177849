"""Attention over a part of the keys, and how parts are put together.

Parts of a context (past and chunk, shared prompt and slot) are attended separately and merged by
their log-sum-exp, which is exact (FlashDecoding, arXiv 2311.01282).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Attended:
    """A partial attention result: `out` [b, heads, q, head_dim], `lse` float32 [b, heads, q]."""

    out: Tensor
    lse: Tensor


def attend_block(
    q: Tensor,  # [b, heads, q, head_dim]
    k: Tensor,  # [b, heads or kv_heads, kv, head_dim]
    v: Tensor,
    causal: bool = False,
    mask: Tensor | None = None,  # additive, broadcastable to [b, heads, q, kv]
) -> Attended:
    """Softmax attention of one block with its log-sum-exp; `causal` wants q and kv equal."""
    if q.device.type == "cpu":
        # The public function drops the log-sum-exp, without which parts cannot be merged.
        out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q, k, v, 0.0, causal, attn_mask=mask
        )
        return Attended(out, lse)
    return attend_block_plain(q, k, v, causal, mask)


def attend_block_plain(
    q: Tensor, k: Tensor, v: Tensor, causal: bool = False, mask: Tensor | None = None
) -> Attended:
    """`attend_block` written out; the reference, and the path of devices without a fused one."""
    ratio = q.shape[1] // k.shape[1]
    k, v = (part.float().repeat_interleave(ratio, dim=1) for part in (k, v))
    scores = (q.float() @ k.transpose(-1, -2)) * q.shape[-1] ** -0.5
    if causal:
        hidden = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(hidden, float("-inf"))
    if mask is not None:
        scores = scores + mask
    lse = scores.logsumexp(-1)
    return Attended(((scores - lse.unsqueeze(-1)).exp() @ v).to(q.dtype), lse)


def merge(first: Attended, second: Attended) -> Tensor:
    """The attention over two disjoint sets of keys from the results over each."""
    share = torch.sigmoid(first.lse - second.lse).unsqueeze(-1)
    out = first.out.float() * share + second.out.float() * (1.0 - share)
    return out.to(first.out.dtype)
