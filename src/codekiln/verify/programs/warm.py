"""Keeps what building programs of a language needs and no answer changes: drivers and archives.

A recipe's `warm` step makes it once, in the sandbox and from codekiln's own texts; it lies in the
cache, by the texts and the tools that it was made of, and later builds are shown its folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from codekiln.core.errors import SandboxError
from codekiln.core.settings import load_settings
from codekiln.languages.recipes import Recipe
from codekiln.languages.recipes.reading import fill
from codekiln.sandbox import Isolation, Limits, Program
from codekiln.sandbox.types import MIB

BUILD_S = 120.0
KEPT_DAYS = 30
_FILE_BYTES = 512 * MIB
# One at a time: candidates are looked at side by side, and all want the same.
_LOCK = threading.Lock()
_USED: set[Path] = set()


def warm_folder(
    recipe: Recipe, isolation: Isolation, values: Mapping[str, str], shown: tuple[str, ...]
) -> str:
    """The folder with what a recipe's warm step leaves; "" where it has none.

    `values` are for the placeholders, `shown` are folders that the step may read. Raises
    SandboxError when the step fails.
    """
    if not recipe.warm:
        return ""
    # The sandbox shows folders by where they really are.
    parent = load_settings().cache_dir.resolve() / "warm"
    if re.search(r"""[:"'$`\\\n]""", str(parent)):
        raise SandboxError(
            f"compilers cannot be given files in {parent}, for the signs in its name",
            "Set CODEKILN_CACHE to another folder",
        )
    folder = parent / f"{recipe.language}-{_key(recipe, values)}"
    with _LOCK:
        if not folder.is_dir():
            _build(folder, recipe, isolation, values, shown)
        elif folder not in _USED:
            _USED.add(folder)
            with contextlib.suppress(OSError):
                os.utime(folder)
    return str(folder)


def _key(recipe: Recipe, values: Mapping[str, str]) -> str:
    parts = [*recipe.warm, *recipe.warm_products, *sorted(map(str, recipe.warm_files.items()))]
    parts += [f"{name}={value}" for name, value in sorted(values.items())]
    for name, *_ in recipe.tools:
        # What is on the path may be a proxy; then the tool itself is where it says.
        for path in (
            Path(shutil.which(name) or name).resolve(),
            Path(values.get("HOST", ""), "bin", name),
        ):
            parts.append(f"{path} {path.stat().st_mtime_ns if path.exists() else ''}")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _build(
    folder: Path,
    recipe: Recipe,
    isolation: Isolation,
    values: Mapping[str, str],
    shown: tuple[str, ...],
) -> None:
    result = isolation.run(
        Program(
            argv=tuple(fill(word, values) for word in recipe.warm),
            files={
                name: fill(text, values).encode("utf-8") for name, text in recipe.warm_files.items()
            },
            limits=Limits(
                cpu_s=BUILD_S,
                wall_s=3 * BUILD_S,
                memory_bytes=recipe.memory_mib * MIB,
                processes=recipe.processes,
                file_bytes=_FILE_BYTES,
                open_files=1024,
            ),
            read_only=shown,
            collect=recipe.warm_products,
        )
    )
    lacking = [name for name in recipe.warm_products if name not in result.collected]
    if result.exit_code != 0 or lacking:
        said = (result.stderr + result.stdout).decode("utf-8", "replace").strip()
        raise SandboxError(
            f"what {recipe.language} programs are built with cannot be made ({result.outcome}): "
            f"{said[-300:] or 'it says nothing'}",
            f"It needs {recipe.needs}",
        )
    try:
        _keep(folder, result.collected)
    except OSError as error:
        raise SandboxError(
            f"{folder.parent} cannot be written: {error.strerror or error}",
            "Set CODEKILN_CACHE to a folder that can",
        ) from error


def _keep(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files beside the folder, then rename. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_old(folder.parent)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix="new-"))
    try:
        for name, data in files.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(data)
        beside.chmod(0o755)
        beside.replace(folder)
    except OSError:
        # Another process was faster.
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _remove_old(parent: Path) -> None:
    """Remove what nobody used for long: other versions, and what broken builds left over."""
    for path in parent.iterdir():
        # Another process may be doing the same.
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT_DAYS * 86_400:
                shutil.rmtree(path)
