"""The one error of the supervisor; its text goes into the reply."""

from __future__ import annotations


class SetUpError(Exception):
    """The isolation could not be set up; the message says which step failed."""
