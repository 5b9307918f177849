"""The attention function and mask function that transformers 5 calls by name.

What hierarchical sparse attention does not do (packed sequences, padding on the right, dropout,
sliding windows, other scales) goes to transformers' own SDPA with a full mask, unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import causal_mask_function, sdpa_mask

from codekiln.attention.config import SparseConfig
from codekiln.attention.crossover import is_dense
from codekiln.attention.hf.cache import indexed, is_kept, left_padding
from codekiln.attention.listed import attend_listed
from codekiln.attention.selection import select

NAME = "hierarchical_sparse"
# No row of a decode step counts as one of a prompt's last, which look at everything.
_NEVER = 1 << 60
# Rows that are attended at once. Lists grow with rows times tokens: of a whole prompt of 32,768
# tokens they would take more memory than its keys.
_PIECE = 1024


def register(config: SparseConfig | None = None) -> None:
    """Make `attn_implementation="hierarchical_sparse"` known; the last call's `config` counts."""
    AttentionInterface.register(NAME, attention_function(config or SparseConfig()))
    AttentionMaskInterface.register(NAME, mask_function)


def mask_function(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int = 0,
    kv_offset: int = 0,
    mask_function: Callable[..., Any] = causal_mask_function,
    attention_mask: Tensor | None = None,
    **kwargs: Any,
) -> Tensor | None:
    """None for plain causal attention, [batch, kv_length] for padding on the left, else 4D."""
    plain = mask_function is causal_mask_function and kv_offset == 0
    if plain and kwargs.get("allow_is_causal_skip", True) and q_offset + q_length == kv_length:
        if attention_mask is None:
            return None
        mask = attention_mask[:, :kv_length].bool()
        pads = left_padding(mask) if mask.shape[1] == kv_length else None
        if pads is not None:
            return mask if bool(pads.any()) else None
    full: Tensor | None = sdpa_mask(
        batch_size=batch_size,
        q_length=q_length,
        kv_length=kv_length,
        q_offset=q_offset,
        kv_offset=kv_offset,
        mask_function=mask_function,
        attention_mask=attention_mask,
        **{**kwargs, "allow_is_causal_skip": False},
    )
    return full


def attention_function(config: SparseConfig) -> Callable[..., tuple[Tensor, None]]:
    """The function that transformers calls in each layer."""

    def attend(
        module: torch.nn.Module,
        query: Tensor,  # [batch, heads, rows, head_dim]
        key: Tensor,  # [batch, kv_heads, tokens, head_dim]
        value: Tensor,
        attention_mask: Tensor | None,
        dropout: float = 0.0,
        scaling: float | None = None,
        **kwargs: Any,
    ) -> tuple[Tensor, None]:
        tokens, rows = key.shape[2], query.shape[2]
        pads = None
        if attention_mask is None or attention_mask.dim() == 2:
            mask = attention_mask
            pads = [0] * len(query) if mask is None else (~mask).sum(1).tolist()
        is_causal = kwargs.get("is_causal", getattr(module, "is_causal", True))
        usable = (
            pads is not None
            # A foreign cache has no index; for one row, making it costs as much as attending.
            and (rows > 1 or is_kept(key))
            and not dropout
            and scaling in (None, query.shape[-1] ** -0.5)
            and kwargs.get("softcap") is None
            and kwargs.get("position_bias") is None
            and (kwargs.get("sliding_window") or tokens) >= tokens
            and is_causal
            and query.device.type == "cpu"
            and not query.requires_grad
        )

        def dense(row: slice) -> Tensor:
            mask = attention_mask if attention_mask is None else attention_mask[row]
            plain = mask is None and not is_causal
            full = None if plain else _widened(mask, rows, tokens, query.device)
            out: Tensor
            out, _ = sdpa_attention_forward(
                module,
                query[row],
                key[row],
                value[row],
                full,
                dropout=dropout,
                scaling=scaling,
                **kwargs,
            )
            return out

        # By each sequence's own length: what it is given must not hang on its neighbours.
        short = [
            is_dense(tokens - pad, config, query.device, query.dtype, query.shape[-1])
            for pad in pads or ()
        ]
        if not usable or pads is None or all(short):
            return dense(slice(None)), None
        out = query.new_zeros(query.shape[0], rows, query.shape[1], query.shape[3])
        for row, pad in enumerate(pads):
            if short[row]:
                out[row] = dense(slice(row, row + 1))[0]
                continue
            # Rows that are padding themselves stay zero.
            skipped = max(0, pad + rows - tokens)
            dense_from = tokens - pad - config.dense_rows if rows > 1 else _NEVER
            index = indexed(key, row, pad, config)
            keys, values = key[row, :, pad:], value[row, :, pad:]
            before = tokens - rows - pad
            for begin, end in _pieces(before + skipped, before + rows, config.query_block):
                piece = slice(begin - before, end - before)
                part = query[row, :, piece].transpose(0, 1)
                lists = select(part, index, 0, begin, dense_from)
                out[row, piece] = attend_listed(part, keys, values, lists, begin)
        return out, None

    return attend


def _pieces(start: int, end: int, query_block: int) -> Iterator[tuple[int, int]]:
    """Runs of about `_PIECE` positions, cut on the grid of query blocks."""
    size = -(-_PIECE // query_block) * query_block
    while start < end:
        cut = min(end, start - start % query_block + size)
        yield start, cut
        start = cut


def _widened(mask: Tensor | None, rows: int, tokens: int, device: torch.device) -> Tensor | None:
    """A mask of padding on the left, [batch, tokens], as SDPA wants it; others as they are.

    So is None, but for rows that go on with a cache: without a mask, SDPA would take them for the
    first ones.
    """
    if mask is not None and mask.dim() != 2:
        return mask
    number = torch.arange(tokens, device=device)
    causal = number <= torch.arange(tokens - rows, tokens, device=device)[:, None]
    if mask is None:
        return causal[None, None] if 1 < rows < tokens else None
    seen = causal & mask[:, None, None, :]
    # A row without any key would be NaN; padding rows look at themselves.
    return seen | (number == torch.arange(tokens - rows, tokens, device=device)[:, None])
