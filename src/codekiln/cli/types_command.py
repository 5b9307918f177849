"""`codekiln types FILE`: the signatures of a file as they are declared, said or implied."""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.typeflow import Conflict, Inferred, KnownSignature, TypedModule


# Endings of the files that are read, with their language.
_LANGUAGES = {
    ".py": "python",
    ".pyi": "python",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
    ".js": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jsx": "tsx",
}


def types(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A Python, TypeScript or JavaScript file.")
    ],
    graph: Annotated[
        bool, typer.Option("--graph", help="Print every place too, with what flows into it.")
    ] = False,
    svg: Annotated[
        str, typer.Option("--svg", metavar="FILE", help="Draw the graph into this file.")
    ] = "",
    language: Annotated[
        str,
        typer.Option(
            "--language",
            metavar="NAME",
            help="Read FILE as python, typescript, javascript or tsx. [default: by its ending]",
        ),
    ] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> int:
    """Print what is known of every function's types, and where the code contradicts itself.

    Types are read from annotations, docstrings, JSDoc, comments, examples and asserts, and spread
    along assignments, calls and returns; nothing is run. A type behind a comment sign was not
    declared.
    """
    from codekiln.cli.console import visible, write_json, write_stdout
    from codekiln.cli.type_graph import as_svg, as_text
    from codekiln.core.errors import UsageError
    from codekiln.core.files import write_atomic
    from codekiln.typeflow import infer

    path = Path(file)
    typed = infer(_source(path), language or _language(path), file)
    if svg:
        try:
            write_atomic(Path(svg), as_svg(typed, file))
        except OSError as error:
            raise UsageError(
                f"{svg} cannot be written: {error.strerror or error}", "Choose another --svg FILE"
            ) from error
    if as_json:
        write_json(_as_json(file, typed))
        return 0
    lines = [_line(signature) for signature in typed.signatures] or ["no functions"]
    lines += [_conflict(file, conflict, typed.language) for conflict in typed.conflicts]
    if graph:
        lines += ["", *as_text(typed)]
    write_stdout("".join(f"{visible(line)}\n" for line in lines))
    return 0


def _language(path: Path) -> str:
    from codekiln.core.errors import UsageError

    found = _LANGUAGES.get(path.suffix.lower())
    if found is None:
        raise UsageError(
            f"{path}: no language is known for {path.suffix or 'a name without an ending'!r}",
            f"Name it with --language; files with {', '.join(_LANGUAGES)} are known",
        )
    return found


def _source(path: Path) -> str:
    from codekiln.core.errors import UsageError

    try:
        # For Python the encoding that the file names itself; what is UTF-8 is read as that.
        with (
            tokenize.open(path)
            if path.suffix in (".py", ".pyi")
            else path.open(encoding="utf-8") as file
        ):
            return file.read()
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror or error}", "Name a file that can be read"
        ) from error
    except (UnicodeDecodeError, SyntaxError) as error:
        raise UsageError(f"{path} is no text in its encoding", "Convert it to UTF-8") from error


def _line(signature: KnownSignature) -> str:
    implied = [
        f"{name}: {found.strength}"
        for name, found in [*signature.parameters.items(), ("return", signature.result)]
        if found is not None and found.strength != "declared"
    ]
    comment = "#" if signature.language == "python" else "//"
    return str(signature) + (f"  {comment} {', '.join(implied)}" if implied else "")


def _conflict(file: str, conflict: Conflict, language: str) -> str:
    from codekiln.typeflow import WRITTEN

    write = WRITTEN[language]
    said = conflict.wanted.written or write(conflict.wanted.type)
    wanted = f"{said} is {conflict.wanted.strength}"
    found = write(conflict.found)
    if conflict.other is not None:
        why = f"line {conflict.other.line} says {found}"
    else:
        steps = ", then ".join(f"line {flow.line}: {flow.text}" for flow in conflict.chain)
        why = f"{found} arrives ({steps})"
    return f"{file}:{conflict.wanted.line}: conflict at {conflict.place}: {wanted}, but {why}"


def _as_json(file: str, typed: TypedModule) -> dict[str, object]:
    from codekiln.cli.type_graph import as_data
    from codekiln.typeflow import WRITTEN, written

    write = WRITTEN[typed.language]

    def known(found: Inferred | None) -> dict[str, object] | None:
        if found is None:
            return None
        because = [{"line": item.line, "text": item.text} for item in found.because]
        return {
            "type": written(found, typed.language),
            "strength": found.strength,
            "because": because,
        }

    return {
        "file": file,
        "language": typed.language,
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
                "wanted": conflict.wanted.written or write(conflict.wanted.type),
                "strength": conflict.wanted.strength,
                "found": write(conflict.found),
                "line": conflict.wanted.line,
                "chain": [{"line": flow.line, "text": flow.text} for flow in conflict.chain],
                "other": None
                if conflict.other is None
                else {"line": conflict.other.line, "text": conflict.other.text},
            }
            for conflict in typed.conflicts
        ],
        "graph": as_data(typed),
    }
