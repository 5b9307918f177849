"""Repair without a model: small changes of failing programs, tried in the sandbox."""

from codekiln.generation.mutation.search import FORM, MAX_VARIANTS, Change, find_change, try_changes
from codekiln.generation.mutation.variants import variants

__all__ = ["FORM", "MAX_VARIANTS", "Change", "find_change", "try_changes", "variants"]
