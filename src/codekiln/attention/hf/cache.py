"""A cache for transformers that writes in place and keeps the block indexes of its keys.

transformers' own cache copies everything at every token (`torch.cat`). Here the storage grows by
half when it is full, and what `update` returns is a view of it.
"""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer

from codekiln.attention.block_index import BlockIndex
from codekiln.attention.config import SparseConfig

_FIRST_TOKENS = 256
# How attention finds the layer behind the keys that it is given.
_LAYER = "_codekiln_layer"


class SparseLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, [batch, kv_heads, tokens, head_dim], with their indexes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._stores: tuple[Tensor, Tensor] | None = None
        self._length = 0
        self._indexes: dict[int, tuple[int, BlockIndex]] = {}

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """See CacheLayerMixin."""
        super().lazy_initialization(key_states, value_states)
        self._stores, self._length = None, 0
        self._indexes.clear()

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append in place and give everything so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self._length + key_states.shape[-2]
        self._reserve(key_states, end)
        assert self._stores is not None
        for store, states in zip(self._stores, (key_states, value_states), strict=True):
            store[:, :, self._length : end] = states
        self._length = end
        return self._show()

    def index(self, row: int, pad: int, config: SparseConfig) -> BlockIndex:
        """The index of one sequence's keys behind its padding, brought up to date."""
        assert self._stores is not None
        keys = self._stores[0][row, :, pad : self._length]
        known = self._indexes.get(row)
        if known is None or known[0] != pad or known[1].config != config:
            known = (pad, new_index(keys, config, self._capacity - pad))
            self._indexes[row] = known
        known[1].update(0, keys, keys.shape[1])
        return known[1]

    def get_seq_length(self) -> int:
        """See CacheLayerMixin."""
        return self._length

    def crop(self, tokens_to_remove: int) -> None:
        """See CacheLayerMixin; nothing is copied."""
        if tokens_to_remove > 0:
            raise ValueError("crop takes the number of tokens to remove as a negative number")
        if not self.is_initialized:
            return
        self._length = max(0, self._length + tokens_to_remove)
        for pad, index in self._indexes.values():
            index.truncate(max(0, self._length - pad))
        self._show()

    def reset(self) -> None:
        """See CacheLayerMixin."""
        super().reset()
        self._stores, self._length = None, 0
        self._indexes.clear()

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """See CacheLayerMixin."""
        self.batch_select_indices(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """See CacheLayerMixin."""
        self._rearrange(lambda store: store.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices: Tensor) -> None:
        """See CacheLayerMixin."""
        self._rearrange(lambda store: store[indices.to(store.device)])

    @property
    def _capacity(self) -> int:
        return self._stores[0].shape[2] if self._stores is not None else 0

    def _rearrange(self, change: Any) -> None:
        if self._stores is None:
            return
        self._stores = (change(self._stores[0]), change(self._stores[1]))
        # Other sequences now; their indexes are made again when they are asked for.
        self._indexes.clear()
        self._show()

    def _reserve(self, like: Tensor, tokens: int) -> None:
        if self._stores is not None and tokens <= self._capacity:
            return
        batch, heads, _, head_dim = like.shape
        room = max(_FIRST_TOKENS, tokens + tokens // 2)
        grown = tuple(like.new_zeros(batch, heads, room, head_dim) for _ in range(2))
        if self._stores is not None:
            for old, new in zip(self._stores, grown, strict=True):
                new[:, :, : self._length] = old[:, :, : self._length]
        self._stores = (grown[0], grown[1])
        # They are as large as the storage was.
        self._indexes.clear()

    def _show(self) -> tuple[Tensor, Tensor]:
        assert self._stores is not None
        keys, values = (store[:, :, : self._length] for store in self._stores)
        # Weak: in a ring with its keys, a cache would outlive its last user.
        setattr(keys, _LAYER, weakref.ref(self))
        self.keys, self.values = keys, values
        return keys, values


class SparseCache(Cache):
    """A cache of SparseLayers, to be given to `generate` as `past_key_values`."""

    def __init__(self) -> None:
        super().__init__(layer_class_to_replicate=SparseLayer)


def layer_of(keys: Tensor) -> SparseLayer | None:
    """The layer whose keys these are; None for those of another cache."""
    found: weakref.ref[SparseLayer] | None = getattr(keys, _LAYER, None)
    return found() if found is not None else None


def new_index(keys: Tensor, config: SparseConfig, capacity: int) -> BlockIndex:
    """An empty index for keys [kv_heads, tokens, head_dim] of one layer."""
    kv_heads, _, head_dim = keys.shape
    return BlockIndex(
        1, kv_heads, head_dim, max(capacity, keys.shape[1]), config, keys.dtype, keys.device
    )


def indexed(keys: Tensor, row: int, pad: int, config: SparseConfig) -> BlockIndex:
    """The index of one sequence of `keys` [batch, kv_heads, tokens, head_dim], kept or made."""
    layer = layer_of(keys)
    if layer is not None:
        return layer.index(row, pad, config)
    own = keys[row, :, pad:]
    index = new_index(own, config, own.shape[1])
    index.update(0, own, own.shape[1])
    return index


def is_kept(keys: Tensor) -> bool:
    """Whether `keys` belong to a cache that keeps its index from token to token."""
    return layer_of(keys) is not None


def left_padding(mask: Tensor) -> Tensor | None:
    """Padding tokens in front of each sequence of a mask [batch, tokens].

    None when some padding is elsewhere, or a sequence is nothing else.
    """
    mask = mask.bool()
    pads = mask.int().argmax(dim=1)
    number = torch.arange(mask.shape[1], device=mask.device)
    is_left = bool((mask == (number >= pads[:, None])).all()) and bool(mask[:, -1].all())
    return pads if is_left else None
