"""Repair without a model: small changes of failing programs, tried in the sandbox."""

from codekiln.generation.mutation.search import (
    FORM,
    MAX_SECONDS,
    Change,
    Variant,
    best_change,
    find_change,
    find_passing_variant,
    remark,
    try_changes,
)
from codekiln.generation.mutation.variants import variants

__all__ = [
    "FORM",
    "MAX_SECONDS",
    "Change",
    "Variant",
    "best_change",
    "find_change",
    "find_passing_variant",
    "remark",
    "try_changes",
    "variants",
]
