"""How a language's programs are laid out, compiled and run: toolchains.toml, read and checked.

Takes a language's name and texts, gives sandbox programs. Does not know what tests mean.
"""

from __future__ import annotations

import importlib.resources
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from codekiln.core.errors import UsageError
from codekiln.languages.recipes.reading import fill
from codekiln.sandbox import Limits, Program
from codekiln.verify.programs.runner import host_folder

MIB = 1 << 20
RUN_S = 10.0
COMPILE_S = 30.0
# The clock is only there for programs that sleep: a busy machine gets three times the CPU limit.
WALL_FACTOR = 3.0
_FILE_BYTES = 128 * MIB
_OUTPUT_BYTES = 4 * MIB
_OPEN_FILES = 512
_SHOWN_ALREADY = ("/usr", "/usr/local")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """One table of toolchains.toml; the names are explained there. Patterns match nothing if unset.

    Files and commands hold placeholders such as @CODE@.
    """

    language: str
    needs: str
    definitions: tuple[str, ...]
    closer: str
    run: tuple[str, ...]
    memory_bytes: int
    processes: int
    probe: Mapping[str, str]
    files: Mapping[str, str]
    run_files: Mapping[str, str]
    stdin: str
    compile: tuple[str, ...]
    products: tuple[str, ...]
    drop_main: bool
    host_folder: tuple[str, ...]
    syntax_error: re.Pattern[str]
    out_of_memory: re.Pattern[str]
    unseen: tuple[str, ...]

    def compile_program(self, values: Mapping[str, str], speed: float) -> Program:
        """The first step, for languages that have one."""
        return self._program(self.compile, self.files, values, COMPILE_S * speed, self.products)

    def run_program(
        self, values: Mapping[str, str], products: Mapping[str, bytes], speed: float
    ) -> Program:
        """The run, given what the compile step left."""
        files = self.run_files if self.compile else self.files
        stdin = fill(self.stdin, values)
        return self._program(self.run, files, values, RUN_S * speed, (), products, stdin)

    def _program(
        self,
        argv: tuple[str, ...],
        files: Mapping[str, str],
        values: Mapping[str, str],
        cpu_s: float,
        collect: tuple[str, ...],
        products: Mapping[str, bytes] | None = None,
        stdin: str = "",
    ) -> Program:
        host = host_folder(self.host_folder, self.needs) if "@HOST@" in argv[0] else ""
        values = {**values, "HOST": host}
        laid = {fill(name, values): _bytes(fill(text, values)) for name, text in files.items()}
        return Program(
            argv=tuple(fill(word, values) for word in argv),
            files={**laid, **(products or {})},
            stdin=_bytes(stdin),
            limits=Limits(
                cpu_s=cpu_s,
                wall_s=cpu_s * WALL_FACTOR,
                memory_bytes=self.memory_bytes,
                processes=self.processes,
                file_bytes=_FILE_BYTES,
                output_bytes=_OUTPUT_BYTES,
                open_files=_OPEN_FILES,
            ),
            read_only=(host,) if host and host not in _SHOWN_ALREADY else (),
            collect=collect,
        )


def toolchain(language: str) -> Toolchain:
    """The toolchain of a language by its registry name. Raises UsageError for one without."""
    known = _toolchains()
    if language not in known:
        raise UsageError(
            f"there is no toolchain for {language!r}", f"Choose one of: {', '.join(known)}"
        )
    return known[language]


@cache
def _toolchains() -> dict[str, Toolchain]:
    folder = importlib.resources.files("codekiln.evals.scoring")
    tables = tomllib.loads(folder.joinpath("toolchains.toml").read_text("utf-8"))
    texts: dict[str, str] = tables.pop("texts")
    return {name: _toolchain(name, table, texts) for name, table in tables.items()}


def _toolchain(language: str, table: dict[str, Any], texts: dict[str, str]) -> Toolchain:
    def laid(key: str) -> dict[str, str]:
        return {name: fill(text, texts) for name, text in table.get(key, {}).items()}

    return Toolchain(
        language=language,
        needs=table["needs"],
        definitions=tuple(table["definitions"]),
        closer=table["closer"],
        run=tuple(table["run"]),
        memory_bytes=table["memory_mib"] * MIB,
        processes=table["processes"],
        probe=table["probe"],
        files=laid("files"),
        run_files=laid("run_files"),
        stdin=table.get("stdin", "@TOKEN@\n"),
        compile=tuple(table.get("compile", ())),
        products=tuple(table.get("products", ())),
        drop_main=table.get("drop_main", False),
        host_folder=tuple(table.get("host_folder", ())),
        syntax_error=re.compile(table.get("syntax_error", r"(?!)")),
        out_of_memory=re.compile(table.get("out_of_memory", r"(?!)")),
        unseen=tuple(table.get("unseen", ())),
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", errors="replace")
