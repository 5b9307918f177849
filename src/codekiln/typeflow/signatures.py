"""Signatures as they are known after the graph was solved: what a function takes and gives."""

from __future__ import annotations

from dataclasses import dataclass

from codekiln.core.errors import UsageError
from codekiln.typeflow.docstrings import RETURN
from codekiln.typeflow.facts import Place
from codekiln.typeflow.graph import Conflict, Inferred, TypeGraph, solve
from codekiln.typeflow.python_flows import read_python
from codekiln.typeflow.python_terms import Module
from codekiln.typeflow.python_types import to_annotation
from codekiln.typeflow.types import NONE, UNKNOWN


@dataclass(frozen=True, slots=True)
class KnownSignature:
    """What is known of a function's parameters, in order, and of its return; None: nothing."""

    name: str
    line: int
    parameters: dict[str, Inferred | None]
    result: Inferred | None

    def __str__(self) -> str:
        """The signature with the types that are known: `merge(a: list[int], b) -> list[int]`."""
        parts = [
            name if found is None else f"{name}: {to_annotation(found.type)}"
            for name, found in self.parameters.items()
        ]
        result = "" if self.result is None else f" -> {to_annotation(self.result.type)}"
        return f"{self.name}({', '.join(parts)}){result}"


@dataclass(frozen=True, slots=True)
class TypedModule:
    """What is known of a module's types."""

    module: Module
    graph: TypeGraph
    signatures: tuple[KnownSignature, ...]

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Where the code contradicts itself."""
        return tuple(self.graph.conflicts)


def infer_python(source: str, name: str = "the code") -> TypedModule:
    """Read a module and spread its types. Raises UsageError for what does not parse.

    >>> typed = infer_python("def half(n):\\n    return n / 2\\n\\nassert half(4) == 2.0\\n")
    >>> str(typed.signatures[0])
    'half(n: int) -> float'
    """
    module = read_python(source.removeprefix("\ufeff"), name)
    try:
        graph = solve(module.facts, module.flows)
    except RecursionError as error:
        raise UsageError(f"{name} is nested too deeply to be read", "Split the code") from error
    signatures = tuple(
        KnownSignature(
            signature.name,
            signature.line,
            {
                parameter: _known(graph, Place("parameter", signature.name, parameter))
                for parameter in signature.parameters
            },
            _known(graph, Place("return", signature.name, RETURN)),
        )
        for signature in module.functions.values()
    )
    return TypedModule(module, graph, signatures)


def _known(graph: TypeGraph, place: Place) -> Inferred | None:
    found = graph.found.get(place)
    if found is None or found.type == UNKNOWN:
        return None
    # A default of None says that there may be something else, not that there is nothing.
    if found.type == NONE and found.strength == "observed" and place.kind != "return":
        return None
    return found
