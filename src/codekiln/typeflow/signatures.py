"""Signatures as they are known after the graph was solved: what a function takes and gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from codekiln.core.errors import UsageError
from codekiln.typeflow.facts import RETURN, Fact, Place
from codekiln.typeflow.graph import Conflict, Inferred, TypeGraph, solve
from codekiln.typeflow.module import Module
from codekiln.typeflow.python.flows import read_python
from codekiln.typeflow.python.types import to_annotation
from codekiln.typeflow.types import ABSENT, UNDEFINED, UNKNOWN, Type
from codekiln.typeflow.typescript.flows import read_typescript
from codekiln.typeflow.typescript.types import to_typescript

# The languages that are read, with what writes their types.
WRITTEN: dict[str, Callable[[Type], str]] = {
    "python": to_annotation,
    "typescript": to_typescript,
    "javascript": to_typescript,
    "tsx": to_typescript,
}


@dataclass(frozen=True, slots=True)
class KnownSignature:
    """What is known of a function's parameters, in order, and of its return; None: nothing."""

    name: str
    line: int
    parameters: dict[str, Inferred | None]
    result: Inferred | None
    language: str = "python"

    def __str__(self) -> str:
        """The signature with the types that are known: `merge(a: list[int], b) -> list[int]`."""
        parts = [
            name if found is None else f"{name}: {written(found, self.language)}"
            for name, found in self.parameters.items()
        ]
        arrow = " -> " if self.language == "python" else ": "
        result = ""
        if self.result is not None:
            result = arrow + written(self.result, self.language)
            if self.result.type == UNDEFINED:
                result = f"{arrow}void"
        return f"{self.name}({', '.join(parts)}){result}"


@dataclass(frozen=True, slots=True)
class TypedModule:
    """What is known of a module's types."""

    module: Module
    graph: TypeGraph
    signatures: tuple[KnownSignature, ...]
    language: str = "python"

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        """Where the code contradicts itself."""
        return tuple(self.graph.conflicts)


def infer(
    source: str, language: str = "python", name: str = "the code", *, bodies: bool = True
) -> TypedModule:
    """Read a module and spread its types. Raises UsageError for what does not parse.

    `language` is one of WRITTEN; `tsx` is TypeScript or JavaScript with JSX. Without `bodies` what
    stands in functions is left out, as of a skeleton that is still to be filled in.

    >>> print(infer("const half = (n) => n / 2;\\nhalf(4);", "javascript").signatures[0])
    half(n: number): number
    """
    if language not in WRITTEN:
        raise UsageError(f"types of {language} are not read", f"Use one of: {', '.join(WRITTEN)}")
    source = source.removeprefix("\ufeff")
    if language == "python":
        module = read_python(source, name, bodies=bodies)
    else:
        module = read_typescript(source, name, language=language, bodies=bodies)
    try:
        graph = solve(module.facts, module.flows, lists_are_tuples=language != "python")
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
            language,
        )
        for signature in module.functions.values()
    )
    return TypedModule(module, graph, signatures, language)


def infer_python(source: str, name: str = "the code") -> TypedModule:
    """`infer` for Python.

    >>> typed = infer_python("def half(n):\\n    return n / 2\\n\\nassert half(4) == 2.0\\n")
    >>> str(typed.signatures[0])
    'half(n: int) -> float'
    """
    return infer(source, "python", name)


def written(found: Inferred, language: str) -> str:
    """A type as its language writes it, or as the code itself wrote it."""
    because = found.because[0] if found.because else None
    if isinstance(because, Fact) and because.written:
        return because.written
    return WRITTEN[language](found.type)


def _known(graph: TypeGraph, place: Place) -> Inferred | None:
    found = graph.found.get(place)
    if found is None or found.type == UNKNOWN:
        return None
    # A default of None says that there may be something else, not that there is nothing.
    if found.type in ABSENT and found.strength == "observed" and place.kind != "return":
        return None
    return found
