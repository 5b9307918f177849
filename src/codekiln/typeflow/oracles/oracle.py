"""What the guard asks of a type checker, and the checkers that answer: one per language.

An oracle holds one document. Texts are checked as they are; that a prefix is no program is the
guard's business. A server that fails is started anew with the next question, a few times.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from codekiln.core.errors import CodekilnError, UsageError
from codekiln.core.settings import load_settings
from codekiln.typeflow.oracles.language_server import LanguageServer, ServerError

# A check of a file takes milliseconds; the first one, of a cold server, a few hundred of them.
_TIMEOUT_S = 10.0
_MOST_STARTS = 4
_ERROR = 1
_VERSIONS: dict[Path, str] = {}


class OracleError(CodekilnError):
    """A type checker is missing or does not answer."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """What a checker says about text[start:end]; offsets count characters."""

    start: int
    end: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.code} at {self.start}: {self.message}"


class Oracle(Protocol):
    """A type checker that is asked again and again about a text that grows."""

    @property
    def name(self) -> str:
        """The checker and its version."""

    @property
    def starts(self) -> int:
        """How often a server was started; more than once means that one failed."""

    def check(self, text: str) -> tuple[Diagnostic, ...]:
        """The errors in a text, in order. Raises OracleError."""

    def close(self) -> None:
        """End what runs; a closed oracle raises OracleError."""


@dataclass(frozen=True, slots=True)
class Availability:
    """Where a language's checker is; `path` None: not here, and `remedy` mends it."""

    language: str
    tool: str
    path: Path | None
    version: str
    remedy: str


def oracle_languages() -> tuple[str, ...]:
    """The languages that have a checker."""
    return tuple(_specifications())


def find_oracle(language: str) -> Availability:
    """Look for a language's checker. Raises UsageError for a language that has none."""
    found = _specification(language)
    tool = found["command"][0]
    for folder in (
        Path(sys.executable).parent,
        load_settings().cache_dir / "toolchains" / found["folder"],
        *map(Path, os.get_exec_path()),
    ):
        path = folder / tool
        if path.is_file() and os.access(path, os.X_OK):
            version = _version(path)
            if version and re.search(found["version"], version):
                return Availability(language, tool, path, version, "")
    return Availability(language, tool, None, "", found["remedy"])


def open_oracle(language: str, timeout_s: float = _TIMEOUT_S) -> LspOracle:
    """The checker of a language. Raises OracleError where it is not installed."""
    found = find_oracle(language)
    if found.path is None:
        raise OracleError(f"the type checker of {language}, {found.tool}, is missing", found.remedy)
    return LspOracle(language, found, timeout_s)


class LspOracle:
    """A checker behind a language server; also a context manager."""

    def __init__(self, language: str, found: Availability, timeout_s: float) -> None:
        assert found.path is not None
        self.language = language
        self._specification = _specification(language)
        self._command = (str(found.path), *self._specification["command"][1:])
        self._timeout_s = timeout_s
        self.folder = Path(tempfile.mkdtemp(prefix="codekiln-types-"))
        for name, text in self._specification["files"].items():
            (self.folder / name).write_text(text, "utf-8")
        self._uri = (self.folder / self._specification["document"]).as_uri()
        self._server: LanguageServer | None = None
        self._is_closed = False
        self._edition = 0
        self.starts = 0
        self.name = f"{found.tool} {found.version}"

    def __enter__(self) -> LspOracle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def check(self, text: str) -> tuple[Diagnostic, ...]:
        """See Oracle."""
        answer = self._ask(text)
        try:
            found = _diagnostics(answer, _Offsets(text))
        except (AttributeError, KeyError, TypeError) as error:
            self._drop()
            raise OracleError(f"{self.name} answered with something else: {error!r}") from error
        return tuple(sorted(found, key=lambda diagnostic: diagnostic.start))

    def close(self) -> None:
        """See Oracle."""
        self._is_closed = True
        self._drop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, text: str) -> Any:
        if self._is_closed:
            raise OracleError(f"{self.name} was closed")
        document = {"textDocument": {"uri": self._uri}}
        try:
            return self._with(text).request("textDocument/diagnostic", document)
        except ServerError as error:
            self._drop()
            raise OracleError(f"{self.name} failed: {error}") from error

    def _with(self, text: str) -> LanguageServer:
        """A server that holds `text`."""
        self._edition += 1
        if self._server is not None:
            self._server.notify(
                "textDocument/didChange",
                {
                    "textDocument": {"uri": self._uri, "version": self._edition},
                    "contentChanges": [{"text": text}],
                },
            )
            return self._server
        if self.starts >= _MOST_STARTS:
            raise OracleError(f"{self.name} failed {self.starts} times and is not started again")
        self.starts += 1
        self._server = LanguageServer(
            self._command, self.folder, _environment(self.folder), self._timeout_s
        )
        document = {
            "uri": self._uri,
            "languageId": self._specification["language_id"],
            "version": self._edition,
            "text": text,
        }
        self._server.notify("textDocument/didOpen", {"textDocument": document})
        return self._server

    def _drop(self) -> None:
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.close()
            self._server = None


def _diagnostics(answer: Any, offsets: _Offsets) -> list[Diagnostic]:
    return [
        Diagnostic(
            offsets.of(item["range"]["start"]),
            offsets.of(item["range"]["end"]),
            str(item.get("code", "")),
            _message(item),
        )
        for item in (answer or {}).get("items", ())
        if item.get("severity", _ERROR) == _ERROR
    ]


class _Offsets:
    """From LSP positions, lines and UTF-16 units in them, to offsets in characters."""

    def __init__(self, text: str) -> None:
        self._text = text
        # What LSP calls a line end.
        self._starts = [0, *(found.end() for found in re.finditer(r"\r\n|\n|\r", text))]

    def of(self, position: dict[str, int]) -> int:
        """The offset of a position; one behind a line's end is its end."""
        line = position["line"]
        if line >= len(self._starts):
            return len(self._text)
        start, units = self._starts[line], position["character"]
        rest = self._text[start : start + units]
        if rest.isascii():
            return start + len(rest)
        taken = rest.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")
        return start + len(taken)


def _message(item: dict[str, Any]) -> str:
    message = item.get("message", "")
    return str(message.get("value", "") if isinstance(message, dict) else message)


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's: what a checker finds must not hang on the shell that started it."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(folder), "TMPDIR": str(folder)}


def _version(path: Path) -> str:
    """What a tool says its version is; only a good answer is remembered."""
    if path not in _VERSIONS:
        try:
            done = subprocess.run(
                [str(path), "--version"], capture_output=True, text=True, timeout=30
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        if done.returncode or not done.stdout.strip():
            return ""
        _VERSIONS[path] = done.stdout.strip().splitlines()[0]
    return _VERSIONS[path]


@functools.cache
def _specifications() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("oracles.toml").read_text("utf-8"))


def _specification(language: str) -> dict[str, Any]:
    known = _specifications()
    if language not in known:
        raise UsageError(
            f"{language} has no type checker here", f"Those that have one: {', '.join(known)}"
        )
    found: dict[str, Any] = known[language]
    return found
