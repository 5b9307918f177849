"""Types that the context states: a small type language, read from and written as annotations."""

from codekiln.typeflow.python_types import parse_annotation, to_annotation
from codekiln.typeflow.types import UNKNOWN, Type, accepts, element_of, join, optional, union

__all__ = [
    "UNKNOWN",
    "Type",
    "accepts",
    "element_of",
    "join",
    "optional",
    "parse_annotation",
    "to_annotation",
    "union",
]
