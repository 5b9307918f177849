"""Keeps what building programs of a language needs and no answer changes: drivers and archives.

A recipe's `warm` step makes it once, in the sandbox and from codekiln's own texts; it lies in the
cache, by the texts and the tools that it was made of, and later builds are shown its folder.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from codekiln.core.errors import SandboxError
from codekiln.core.settings import load_settings
from codekiln.languages.recipes import Recipe
from codekiln.languages.recipes.reading import fill
from codekiln.sandbox import Isolation, Limits, Program
from codekiln.sandbox.types import MIB

BUILD_S = 120.0
_FILE_BYTES = 512 * MIB
# One at a time: candidates are looked at side by side, and all want the same.
_LOCK = threading.Lock()


def warm_folder(
    recipe: Recipe, isolation: Isolation, values: Mapping[str, str], shown: tuple[str, ...]
) -> str:
    """The folder with what a recipe's warm step leaves; "" where it has none.

    `values` are for the placeholders, `shown` are folders that the step may read. Raises
    SandboxError when the step fails.
    """
    if not recipe.warm:
        return ""
    folder = load_settings().cache_dir / "warm" / f"{recipe.language}-{_key(recipe, values)}"
    with _LOCK:
        if not folder.is_dir():
            _build(folder, recipe, isolation, values, shown)
    return str(folder)


def _key(recipe: Recipe, values: Mapping[str, str]) -> str:
    parts = [*recipe.warm, *recipe.warm_products, *sorted(map(str, recipe.warm_files.items()))]
    parts += [f"{name}={value}" for name, value in sorted(values.items())]
    for name, *_ in recipe.tools:
        path = Path(shutil.which(name) or name).resolve()
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
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Of another version of the tools, or of codekiln.
    for old in folder.parent.glob(f"{recipe.language}-*"):
        shutil.rmtree(old, ignore_errors=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for name, data in result.collected.items():
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
