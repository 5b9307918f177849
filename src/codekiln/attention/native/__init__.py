"""The compiled kernel: built where a compiler is, proved, then used."""

from codekiln.attention.native.build import Native, load_native, native_for

__all__ = ["Native", "load_native", "native_for"]
