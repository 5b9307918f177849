"""Hierarchical sparse attention: global tokens, a sliding window and selected far blocks.

A library of its own: it knows tensors, no engine and no model.
"""

from __future__ import annotations

from codekiln.attention.block_index import BlockIndex
from codekiln.attention.config import SparseConfig
from codekiln.attention.crossover import is_dense
from codekiln.attention.dense import attend_dense
from codekiln.attention.listed import attend_listed, attend_listed_rows
from codekiln.attention.oracle import attend_oracle
from codekiln.attention.partial import Attended, attend_block, attend_block_plain, merge
from codekiln.attention.report import AttentionReport, LayerReport, covered_mass
from codekiln.attention.selection import BlockLists, select, select_for_decode
from codekiln.core.errors import MissingExtraError

__all__ = [
    "Attended",
    "AttentionReport",
    "BlockIndex",
    "BlockLists",
    "LayerReport",
    "SparseConfig",
    "attend_block",
    "attend_block_plain",
    "attend_dense",
    "attend_listed",
    "attend_listed_rows",
    "attend_oracle",
    "covered_mass",
    "is_dense",
    "merge",
    "register_transformers",
    "select",
    "select_for_decode",
]


def register_transformers(config: SparseConfig | None = None) -> None:
    """Make `attn_implementation="hierarchical_sparse"` known to transformers 5.

    Give `generate` a `codekiln.attention.hf.SparseCache()` as `past_key_values`: without it, decode
    steps are dense. Raises MissingExtraError where transformers is not installed.
    """
    try:
        from codekiln.attention.hf import register
    except ImportError as error:
        raise MissingExtraError("Attention for transformers", "transformers") from error
    register(config)
