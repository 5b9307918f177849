"""The compiled kernel: built where a compiler and the instructions are, proved, then used."""

from codekiln.attention.native.build import Native, load_native, made_for, native_for

__all__ = ["Native", "load_native", "made_for", "native_for"]
