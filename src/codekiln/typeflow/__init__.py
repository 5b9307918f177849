"""Types that the context states or implies, spread through a graph of what flows where.

>>> from codekiln.typeflow import infer_python
>>> print(infer_python("def first(items: list[str]):\\n    return items[0]\\n").signatures[0])
first(items: list[str]) -> str
"""

from codekiln.typeflow.facts import Fact, Place
from codekiln.typeflow.graph import Conflict, Inferred, TypeGraph, solve
from codekiln.typeflow.python.flows import read_python
from codekiln.typeflow.python.types import parse_annotation, to_annotation
from codekiln.typeflow.signatures import (
    WRITTEN,
    KnownSignature,
    TypedModule,
    infer,
    infer_python,
    written,
)
from codekiln.typeflow.terms import Flow, places
from codekiln.typeflow.types import UNKNOWN, Type, accepts, element_of, join, optional, union
from codekiln.typeflow.typescript.types import parse_typescript, to_typescript

__all__ = [
    "UNKNOWN",
    "WRITTEN",
    "Conflict",
    "Fact",
    "Flow",
    "Inferred",
    "KnownSignature",
    "Place",
    "Type",
    "TypeGraph",
    "TypedModule",
    "accepts",
    "element_of",
    "infer",
    "infer_python",
    "join",
    "optional",
    "parse_annotation",
    "parse_typescript",
    "places",
    "read_python",
    "solve",
    "to_annotation",
    "to_typescript",
    "union",
    "written",
]
