"""`codekiln types FILE`: the signatures of a Python file as they are declared, said or implied."""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.typeflow import Conflict, Inferred, KnownSignature, TypedModule


def types(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A Python file.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> int:
    """Print what is known of every function's types, and where the code contradicts itself.

    Types are read from annotations, docstrings, doctests and asserts, and spread along assignments,
    calls and returns; nothing is run. A type behind '#' was not declared.
    """
    from codekiln.cli.console import visible, write_json, write_stdout
    from codekiln.typeflow import infer_python

    typed = infer_python(_source(Path(file)), file)
    if as_json:
        write_json(_as_json(file, typed))
        return 0
    lines = [_line(signature) for signature in typed.signatures]
    lines += [_conflict(file, conflict) for conflict in typed.conflicts]
    write_stdout("".join(f"{visible(line)}\n" for line in lines or ["no functions"]))
    return 0


def _source(path: Path) -> str:
    from codekiln.core.errors import UsageError

    try:
        # Honours the encoding that the file names itself.
        with tokenize.open(path) as file:
            return file.read()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}", "Name a Python file"
        ) from error
    except (UnicodeDecodeError, SyntaxError) as error:
        raise UsageError(f"{path} is no text in its encoding", "Convert it to UTF-8") from error


def _line(signature: KnownSignature) -> str:
    implied = [
        f"{name}: {found.strength}"
        for name, found in [*signature.parameters.items(), ("return", signature.result)]
        if found is not None and found.strength != "declared"
    ]
    return str(signature) + (f"  # {', '.join(implied)}" if implied else "")


def _conflict(file: str, conflict: Conflict) -> str:
    from codekiln.typeflow import to_annotation

    wanted = f"{to_annotation(conflict.wanted.type)} is {conflict.wanted.strength}"
    found = to_annotation(conflict.found)
    if conflict.other is not None:
        why = f"line {conflict.other.line} says {found}"
    else:
        steps = ", then ".join(f"line {flow.line}: {flow.text}" for flow in conflict.chain)
        why = f"{found} arrives ({steps})"
    return f"{file}:{conflict.wanted.line}: conflict at {conflict.place}: {wanted}, but {why}"


def _as_json(file: str, typed: TypedModule) -> dict[str, object]:
    from codekiln.typeflow import to_annotation

    def known(found: Inferred | None) -> dict[str, object] | None:
        if found is None:
            return None
        because = [{"line": item.line, "text": item.text} for item in found.because]
        return {
            "type": to_annotation(found.type),
            "strength": found.strength,
            "because": because,
        }

    return {
        "file": file,
        "functions": [
            {
                "name": signature.name,
                "line": signature.line,
                "signature": str(signature),
                "parameters": {name: known(found) for name, found in signature.parameters.items()},
                "result": known(signature.result),
            }
            for signature in typed.signatures
        ],
        "conflicts": [
            {
                "place": str(conflict.place),
                "wanted": to_annotation(conflict.wanted.type),
                "strength": conflict.wanted.strength,
                "found": to_annotation(conflict.found),
                "line": conflict.wanted.line,
                "chain": [{"line": flow.line, "text": flow.text} for flow in conflict.chain],
                "other": None
                if conflict.other is None
                else {"line": conflict.other.line, "text": conflict.other.text},
            }
            for conflict in typed.conflicts
        ],
    }
