"""Types that the context states or implies, spread through a graph of what flows where.

>>> from codekiln.typeflow import infer_python
>>> print(infer_python("def first(items: list[str]):\\n    return items[0]\\n").signatures[0])
first(items: list[str]) -> str
"""

from codekiln.typeflow.facts import Fact, Place
from codekiln.typeflow.graph import Conflict, Inferred, TypeGraph, solve
from codekiln.typeflow.python_flows import read_python
from codekiln.typeflow.python_types import parse_annotation, to_annotation
from codekiln.typeflow.signatures import KnownSignature, TypedModule, infer_python
from codekiln.typeflow.terms import Flow
from codekiln.typeflow.types import UNKNOWN, Type, accepts, element_of, join, optional, union
from codekiln.typeflow.typescript_types import parse_typescript, to_typescript

__all__ = [
    "UNKNOWN",
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
    "infer_python",
    "join",
    "optional",
    "parse_annotation",
    "parse_typescript",
    "read_python",
    "solve",
    "to_annotation",
    "to_typescript",
    "union",
]
