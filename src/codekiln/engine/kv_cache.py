"""Keys and values of past tokens, written in place.

Two kinds of storage. A `PromptCache` holds the prompt, is filled once by prefill and is then
shared by every sample of that prompt. `SlotCache` holds what differs between sequences: one slot
each, compact from slot 0 up, so that a decode step reads a plain view of it. Short prompts are
copied into the slot instead of being shared, which spares a second attention call per layer.
Rolling back is a smaller length; nothing is moved.
"""

from __future__ import annotations

import torch
from torch import Tensor

from codekiln.attention import BlockIndex, SparseConfig, is_dense
from codekiln.models.config import ModelConfig

# A prompt of this length or less is copied into each slot. Sharing costs one more attention call
# and a merge per layer and prompt; copying costs a few MB per sample once.
COPY_PROMPT_TOKENS = 512
_GROWTH_TOKENS = 64


class PromptCache:
    """Keys and values of one prompt; immutable once `length` has reached the prompt's.

    `last_logits` [vocab] are the scores after the last prompt token, from which every sample
    draws its first token. `index` is there where its attention is sparse.
    """

    def __init__(
        self,
        config: ModelConfig,
        tokens: tuple[int, ...],
        dtype: torch.dtype,
        device: torch.device,
        sparse: SparseConfig | None = None,
    ) -> None:
        self.tokens = tokens
        self.length = 0
        self.last_logits: Tensor | None = None
        # [layers, k or v, kv_heads, prompt tokens, head_dim]
        self.data = torch.empty(
            (config.layers, 2, config.kv_heads, len(tokens), config.head_dim),
            dtype=dtype,
            device=device,
        )
        self.index: BlockIndex | None = None
        kind = (device, dtype, config.head_dim)
        if sparse is not None and not is_dense(len(tokens), sparse, *kind):
            sizes = (config.layers, config.kv_heads, config.head_dim, len(tokens))
            self.index = BlockIndex(*sizes, sparse, dtype, device)

    @property
    def is_filled(self) -> bool:
        """True once prefill has run to the end."""
        return self.last_logits is not None

    @property
    def is_shared(self) -> bool:
        """True when sequences read this cache in place instead of copying it."""
        return len(self.tokens) > COPY_PROMPT_TOKENS


class SlotCache:
    """One slot per running sequence; slots 0..len-1 are in use.

    `lengths[slot]` counts the tokens in the slot; `prompts[slot]` is the shared prompt in front
    of them, or None when the prompt was copied into the slot.
    """

    def __init__(self, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
        self._config = config
        self.lengths: list[int] = []
        self.prompts: list[PromptCache | None] = []
        # [layers, k or v, slots, kv_heads, capacity, head_dim]
        self.data = torch.empty(
            (config.layers, 2, 0, config.kv_heads, 0, config.head_dim), dtype=dtype, device=device
        )

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def capacity(self) -> int:
        """Tokens that each slot can hold before the storage has to grow."""
        return self.data.shape[4]

    def add(self, prompt: PromptCache) -> int:
        """Open a slot behind `prompt` and give its number."""
        own = 0 if prompt.is_shared else prompt.length
        slot = len(self.lengths)
        self._reserve(slot + 1, own + 1)
        self.data[:, :, slot, :, :own] = prompt.data[:, :, :, :own]
        self.lengths.append(own)
        self.prompts.append(prompt if prompt.is_shared else None)
        return slot

    def remove(self, slot: int) -> int | None:
        """Close a slot; the last slot moves into the gap, and its old number is returned."""
        last = len(self.lengths) - 1
        length, prompt = self.lengths.pop(), self.prompts.pop()
        if slot == last:
            if not self.lengths:
                self.data = self.data[:, :, :0, :, :0].clone()
            return None
        self.data[:, :, slot, :, :length] = self.data[:, :, last, :, :length]
        self.lengths[slot], self.prompts[slot] = length, prompt
        return last

    def reserve_next(self) -> None:
        """Make room for one more token in every slot."""
        self._reserve(len(self.lengths), max(self.lengths, default=0) + 1)

    def _reserve(self, slots: int, tokens: int) -> None:
        layers, two, have_slots, kv_heads, capacity, head_dim = self.data.shape
        if slots <= have_slots and tokens <= capacity:
            return
        if slots > have_slots:
            slots = max(slots, min(2 * have_slots, have_slots + 32))
        if tokens > capacity:
            tokens = -(-max(tokens, capacity * 3 // 2) // _GROWTH_TOKENS) * _GROWTH_TOKENS
        # Zeros, since a step also reads the padding behind short slots, and 0 * NaN is NaN.
        grown = torch.zeros(
            (layers, two, max(slots, have_slots), kv_heads, max(tokens, capacity), head_dim),
            dtype=self.data.dtype,
            device=self.data.device,
        )
        used = max(self.lengths, default=0)
        grown[:, :, :have_slots, :, :used] = self.data[:, :, :, :, :used]
        self.data = grown
