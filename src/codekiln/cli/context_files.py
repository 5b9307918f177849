"""Reads what `--context` names: files, folders and patterns such as `src/**/*.py`."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codekiln.core import ContextFile
from codekiln.core.errors import UsageError
from codekiln.languages import language_of_path

# Folders of tools, not of the project.
_SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "site-packages", "target", "dist"})


@dataclass(frozen=True, slots=True)
class Context:
    """Files in the order in which they were named, and paths that were found but are no text."""

    files: tuple[ContextFile, ...]
    skipped: tuple[str, ...]


def read_context(names: Sequence[str]) -> Context:
    """Read all files that are named. What a folder or pattern finds must be source code to count.

    Raises UsageError for a file that cannot be read and a name that finds nothing.
    """
    files: dict[str, ContextFile] = {}
    skipped: list[str] = []
    for name in names:
        path = Path(name)
        if path.is_dir() or (glob.has_magic(name) and not path.exists()):
            found = list(_found(name))
            if not found:
                raise UsageError(
                    f"no source file is found for --context {name}", "Check the path or pattern"
                )
            for item in found:
                try:
                    files.setdefault(item, _read(item))
                except UsageError:
                    skipped.append(item)
        else:
            files.setdefault(name, _read(name))
    return Context(tuple(files.values()), tuple(skipped))


def _found(name: str) -> Iterator[str]:
    """Source files below a folder, or that a pattern matches, in the order of their names."""
    if Path(name).is_dir():
        for folder, folders, found in os.walk(name):
            folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
            yield from (
                str(Path(folder) / file)
                for file in sorted(found)
                if not file.startswith(".") and _is_source(file)
            )
        return
    # Path.glob takes no pattern that begins at the root.
    for item in sorted(glob.glob(name, recursive=True)):  # noqa: PTH207
        parts = set(Path(item).parts)
        if Path(item).is_file() and not parts & _SKIPPED and _is_source(item):
            yield item


def _is_source(path: str) -> bool:
    """Whether a file is code; texts and data are taken where they are named themselves."""
    language = language_of_path(path)
    return language is not None and language.kind in ("programming", "shell", "query")


def _read(path: str) -> ContextFile:
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"the context file {path} cannot be read: {reason}", "Check the path"
        ) from error
    if b"\0" in data:
        raise UsageError(f"the context file {path} is binary", "Give text files")
    try:
        return ContextFile(path, data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(
            f"the context file {path} is not UTF-8 text (byte {error.start})", "Save it as UTF-8"
        ) from error
