"""Real type checkers, asked over the language server protocol (LSP) while code is being written.

>>> from codekiln.typeflow.oracles import open_oracle
>>> with open_oracle("python") as oracle:  # doctest: +SKIP
...     [str(found) for found in oracle.check("len(3)\\n")]
['invalid-argument-type at 4: ...']
"""

from codekiln.typeflow.oracles.oracle import (
    Availability,
    Diagnostic,
    Oracle,
    OracleError,
    find_oracle,
    open_oracle,
    oracle_languages,
)

__all__ = [
    "Availability",
    "Diagnostic",
    "Oracle",
    "OracleError",
    "find_oracle",
    "open_oracle",
    "oracle_languages",
]
