"""Repair without a model: small changes of failing programs, tried in the sandbox."""

from codekiln.generation.mutation.search import (
    FORM,
    Change,
    best_change,
    find_change,
    remark,
    try_changes,
)
from codekiln.generation.mutation.variants import variants

__all__ = [
    "FORM",
    "Change",
    "best_change",
    "find_change",
    "remark",
    "try_changes",
    "variants",
]
