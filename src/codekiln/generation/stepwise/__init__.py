"""Long tasks, written function by function: plan, prompts, versions of each, and the whole."""

from codekiln.generation.stepwise.writing import is_worthwhile, shares_parts, write_stepwise

__all__ = ["is_worthwhile", "shares_parts", "write_stepwise"]
