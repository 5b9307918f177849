"""The command line: `codekiln …`, also `python -m codekiln`."""

from codekiln.cli.entry import main

__all__ = ["main"]
