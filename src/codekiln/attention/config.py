"""The numbers of hierarchical sparse attention, each with its reason; knows no model."""

from __future__ import annotations

from dataclasses import dataclass

from codekiln.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class SparseConfig:
    """What a query may look at besides its own query block. All sizes are in tokens or blocks.

    Raises UsageError for numbers that contradict each other.
    """

    # The first tokens: attention sinks, and in code the imports and the task.
    global_tokens: int = 128
    # The tokens before the query's block. Local syntax and names need them at every layer.
    window: int = 512
    # Keys per far block. Attention inside a block is uneven: with blocks of 64 the same number of
    # keys leaves a fifth more error (docs/attention.md). 16 is what the kernel packs at once.
    block: int = 16
    # Queries that share a selection, with their heads of one group. Fewer fit them better: for the
    # same error 16 read about a fifth fewer keys than 64 (docs/attention.md).
    query_block: int = 16
    # Neighbouring queries whose mean asks the index. 1 covers little more, at four times the cost.
    query_pool: int = 4
    # Blocks per group. A group's box bounds the scores of its blocks, so most groups need no look.
    group: int = 16
    # Groups whose blocks are scored; up to `group * block * most_groups` tokens (32,768) all are.
    most_groups: int = 128
    # A far block is read when its estimated share of the attention, as a root mean square over its
    # readers' queries and heads, is so many times what it were if all blocks had the same. So the
    # share that counts falls with the length, as it has to for the same agreement with dense
    # attention. 0.25 keeps 98 % of the likeliest tokens; 0.15 also answers that need a far line.
    threshold: float = 0.15
    # The estimate knows means only; a few blocks are read whatever it says.
    min_blocks: int = 32
    # Most far blocks per query block; keeps the cost of a token bounded beyond 32,768 tokens.
    max_blocks: int = 2048
    # The last rows of a prompt ask the question; they look at everything.
    dense_rows: int = 128
    # Layers from the first on that look at everything; none until one is shown to need it.
    dense_layers: int = 0
    # Prompts up to this length stay dense; None: the measured one of the implementation that runs,
    # see `codekiln.attention.crossover`. 0: none does.
    crossover: int | None = None

    def __post_init__(self) -> None:
        for name in ("block", "query_block", "query_pool", "group", "most_groups", "max_blocks"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "Give at least 1")
        for name in ("global_tokens", "window", "min_blocks", "dense_rows", "dense_layers"):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "Give 0 or more")
        _require(self.threshold >= 0, "threshold", self.threshold, "Give 0 or more")
        _require(
            self.query_block % self.block == 0,
            "query_block",
            self.query_block,
            f"Give a multiple of the block, {self.block}",
        )
        _require(
            self.query_block % self.query_pool == 0,
            "query_pool",
            self.query_pool,
            f"Give a divisor of the query block, {self.query_block}",
        )
        for name in ("global_tokens", "window"):
            _require(
                getattr(self, name) % self.block == 0,
                name,
                getattr(self, name),
                f"Give a multiple of the block, {self.block}",
            )
        _require(
            self.min_blocks <= self.max_blocks,
            "min_blocks",
            self.min_blocks,
            f"Give no more than max_blocks, {self.max_blocks}",
        )

    @property
    def index_share(self) -> float:
        """Memory of the block index as a share of the keys and values that it describes."""
        return (1 / self.block + 2 / (self.block * self.group)) / 2


def _require(holds: bool, name: str, value: float, remedy: str) -> None:
    if not holds:
        raise UsageError(f"{name} of the sparse attention is {value}", remedy)
