"""Hierarchical sparse attention for transformers 5: one call registers it, one cache makes it fast.

>>> from codekiln.attention import register_transformers
>>> register_transformers()  # doctest: +SKIP
>>> model = AutoModelForCausalLM.from_pretrained(
...     name, attn_implementation="hierarchical_sparse"
... )  # doctest: +SKIP
>>> model.generate(**inputs, past_key_values=SparseCache())  # doctest: +SKIP
"""

from codekiln.attention.hf.cache import SparseCache, SparseLayer
from codekiln.attention.hf.interface import NAME, register

__all__ = ["NAME", "SparseCache", "SparseLayer", "register"]
