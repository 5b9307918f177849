"""Runs the examples of a task in languages other than Python: one neutral form, many drivers."""
