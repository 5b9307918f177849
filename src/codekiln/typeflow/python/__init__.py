"""Reads Python: annotations, docstrings, examples and what flows where."""
