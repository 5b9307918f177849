"""Ask for code, get code that has been checked.

>>> import codekiln
>>> codekiln.__version__.count(".")
2
"""

from __future__ import annotations

import os as _os
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codekiln.generation import generate as generate

# PyTorch's thread pool spins for milliseconds at every barrier. With another busy process on the
# machine each of the hundred barriers of a decode step then waits for a time slice: steps were
# seen to take 20 to 50 times as long. The pool reads this once, when torch is first imported.
_os.environ.setdefault("GOMP_SPINCOUNT", "1000")

__version__ = _version("codekiln")
__all__ = ["__version__", "generate"]


def __getattr__(name: str) -> Any:
    # The door is opened on first use, so that `import codekiln` stays instant.
    if name == "generate":
        from codekiln.generation import generate

        return generate
    raise AttributeError(f"module 'codekiln' has no attribute {name!r}")
