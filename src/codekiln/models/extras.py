"""Guards imports of the optional extra `local`: a missing package becomes MissingExtraError.

>>> with local_extra("Doing sums"):
...     import math
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from codekiln.core.errors import MissingExtraError


@contextmanager
def local_extra(feature: str) -> Iterator[None]:
    """Import inside this block; `feature` starts the sentence that the user reads."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(feature, "local") from error
