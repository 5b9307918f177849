"""Keeps a model from writing code that breaks its types: checks finished statements, takes back."""

from codekiln.typeflow.guard.guard import GuardLimits, TypeGuard

__all__ = ["GuardLimits", "TypeGuard"]
