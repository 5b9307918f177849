"""The compiled kernel: built where a compiler and the instructions are, proved, then used."""

from codekiln.attention.native.build import Native, load_native

__all__ = ["Native", "load_native"]
