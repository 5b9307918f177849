"""Finds benchmark files and believes them only by their hash. Does not know what they mean.

A folder that the caller or CODEKILN_DATA names is the only place then; otherwise files come from
the cache, and what is missing there is downloaded from its public home.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.resources
import json
import os
import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from codekiln.core.errors import CodekilnError, UsageError
from codekiln.core.files import write_atomic
from codekiln.core.settings import load_settings

DATA_VARIABLE = "CODEKILN_DATA"
_DOWNLOAD_S = 60.0


class DataError(CodekilnError):
    """A benchmark file that is missing, altered, or cannot be fetched."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of benchmark data; `sha256` is of its uncompressed text.

    It is empty for a file that users bring, of which there are versions: any is taken.
    """

    name: str
    path: str
    sha256: str
    url: str
    licence: str


@dataclass(frozen=True, slots=True)
class Suite:
    """A set of problems: which reader understands it, which file holds each language.

    `problems` says how many a whole suite holds per language; 0 means that the data are part of
    codekiln. `excluded` names a file whose problems are left out. `brought` are files that users
    bring in further languages.
    """

    name: str
    title: str
    kind: str
    tests: str
    files: dict[str, str]
    problems: dict[str, int]
    excluded: str = ""
    brought: Mapping[str, str] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages in the order of the registry, the default first."""
        return (*self.problems, *self.brought)


@cache
def _registry() -> dict[str, Any]:
    text = importlib.resources.files("codekiln.evals").joinpath("suites.toml").read_text("utf-8")
    return tomllib.loads(text)


def suites() -> tuple[Suite, ...]:
    """Every suite."""
    return tuple(
        Suite(
            name=name,
            title=entry["title"],
            kind=entry["kind"],
            tests=entry["tests"],
            files=entry.get("files", {}),
            problems=entry["problems"],
            excluded=entry.get("excluded", ""),
            brought=entry.get("brought", {}),
        )
        for name, entry in _registry()["suites"].items()
    )


def find_suite(name: str) -> Suite:
    """The suite of this name. Raises UsageError that lists those there are."""
    for suite in suites():
        if suite.name == name.casefold():
            return suite
    known = ", ".join(suite.name for suite in suites())
    raise UsageError(f"there is no suite {name!r}", f"Choose one of: {known}")


def data_file(name: str) -> DataFile:
    """The registered file of this name."""
    return DataFile(name=name, **_registry()["files"][name])


def brought_file(path: str) -> DataFile:
    """A file that users bring, by its place in the folder of benchmark files."""
    home = _registry()["homes"][path.partition("/")[0]]
    return DataFile(path, path, "", home["url"], home["licence"])


def read_rows(file: DataFile, data: Path | None = None) -> list[dict[str, Any]]:
    """The JSON objects of a file, in order. Raises DataError."""
    return rows_of(read_text(file, data), file)


def rows_of(text: str, file: DataFile) -> list[dict[str, Any]]:
    """The JSON objects in the text of a file, in order. Raises DataError."""
    rows: list[dict[str, Any]] = []
    # JSON may hold what else counts as the end of a line.
    for number, line in enumerate(text.split("\n"), 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError as error:
            raise DataError(
                f"line {number} of {file.path} is no JSON: {error}", f"Get it anew from {file.url}"
            ) from error
        if row is not None:
            rows.append(row)
    return rows


def read_text(file: DataFile, data: Path | None = None) -> str:
    """The text of a file, whose hash was compared. Raises DataError."""
    folder = data or _folder_of_environment()
    if folder is not None:
        return _decoded(file, _checked(file, _existing(file, folder)))
    cached = load_settings().cache_dir / "benchmarks"
    if not file.sha256:
        return _decoded(file, _checked(file, _existing(file, cached)))
    if not (cached / file.path).is_file():
        _download(file, cached / file.path)
    return _decoded(file, _checked(file, cached / file.path))


def _folder_of_environment() -> Path | None:
    value = os.environ.get(DATA_VARIABLE, "")
    return Path(value).expanduser() if value else None


def _existing(file: DataFile, folder: Path) -> Path:
    for path in (folder / file.path, (folder / file.path).with_suffix("")):
        if path.is_file():
            return path
    if not folder.is_dir():
        raise DataError(
            f"there is no folder {folder} for benchmark files",
            f"Check --data and {DATA_VARIABLE}",
        )
    raise DataError(
        f"{folder} has no {file.path} ({file.licence})",
        f"Get it from {file.url} and put it there",
    )


def _checked(file: DataFile, path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read: {error}", f"Get it anew from {file.url}"
        ) from error
    found = hashlib.sha256(text).hexdigest()
    if file.sha256 and found != file.sha256:
        raise DataError(
            f"{path} is not the published file: the SHA-256 of its text is {found[:16]}…, "
            f"not {file.sha256[:16]}…",
            f"Get it anew from {file.url}",
        )
    return text


def _decoded(file: DataFile, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.path} is not UTF-8 text (byte {error.start})", f"Get it anew from {file.url}"
        ) from error


def _download(file: DataFile, target: Path) -> None:
    if load_settings().offline:
        raise DataError(
            f"{file.path} is not in the cache, and CODEKILN_OFFLINE forbids the network",
            f"Get it from {file.url} and give its folder with --data or {DATA_VARIABLE}",
        )
    import httpx

    try:
        answer = httpx.get(file.url, follow_redirects=True, timeout=_DOWNLOAD_S)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise DataError(
            f"{file.path} cannot be downloaded from {file.url}: {error or type(error).__name__}",
            f"Get it by other means and give its folder with --data or {DATA_VARIABLE}",
        ) from error
    plain = answer.content
    packed = plain if plain[:2] == b"\x1f\x8b" else gzip.compress(plain, mtime=0)
    write_atomic(target, packed)
