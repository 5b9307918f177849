"""Looks at this machine: what generating and checking code needs, and whether it is there.

Gives findings as data. Only reads; runs `--version` of toolchains and one program per isolation
level. Never touches the network.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil

from codekiln.core.settings import Settings, load_settings
from codekiln.generation.environment import processor_facts, processor_name
from codekiln.languages import get_language
from codekiln.languages.recipes import compiled_languages, recipe_languages, recipe_of
from codekiln.models import ModelStatus, list_models
from codekiln.models.progress import format_bytes
from codekiln.sandbox import IsolationLevel, available_isolations
from codekiln.typeflow.oracles import find_oracle, oracle_languages
from codekiln.verify.toolchains import toolchain_folder

State = Literal["ok", "absent", "problem"]

# What the engine or its matrix library can make use of, as Linux names it.
_INSTRUCTION_SETS = (
    "sse4_2",
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "bf16",
    "i8mm",
    "sve",
)
_NATIVE_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
# Package on the index -> module to import.
_LOCAL_EXTRA = {
    "torch": "torch",
    "tokenizers": "tokenizers",
    "safetensors": "safetensors",
    "gguf": "gguf",
    "numpy": "numpy",
    "jinja2": "jinja2",
    "huggingface-hub": "huggingface_hub",
}
# Beside the weights: activations, keys and values of the candidates, the interpreter.
_WORKING_MEMORY_BYTES = 1_500_000_000
_VERSION_TIMEOUT_S = 10


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at.

    `absent` is something that can be done without; a `problem` keeps the main job from running.
    """

    name: str
    state: State
    detail: str
    remedy: str = ""


def diagnose() -> tuple[Diagnosis, ...]:
    """Everything, in an order to read. Raises UsageError for malformed settings."""
    settings = load_settings()
    return (
        _python(),
        _processor(settings),
        _memory(settings),
        *_disk(settings),
        _local_extra(),
        _cuda(),
        *_isolation(),
        *_weights(settings),
        _pip(),
        *_type_checkers(),
        *_toolchains(),
        _variables(),
    )


def can_run(found: tuple[Diagnosis, ...]) -> bool:
    """True when nothing keeps the main job from running."""
    return not any(item.state == "problem" for item in found)


def _python() -> Diagnosis:
    where = f"{platform.python_version()} at {sys.executable}"
    return Diagnosis("python", "ok", f"{where}, codekiln {version('codekiln')}")


def _processor(settings: Settings) -> Diagnosis:
    facts = processor_facts()
    flags = set((facts.get("flags") or facts.get("Features") or "").split())
    known = [name for name in _INSTRUCTION_SETS if name in flags]
    usable = len(os.sched_getaffinity(0))
    numbers = "bfloat16" if _NATIVE_BF16 & flags else "float32, slower (no native bfloat16)"
    detail = (
        f"{processor_name()}, {usable} of {os.cpu_count()} cores usable, "
        f"{settings.threads} threads; {' '.join(known) or 'no known instruction sets'}; {numbers}"
    )
    return Diagnosis("processor", "ok", detail)


def _memory(settings: Settings) -> Diagnosis:
    memory = psutil.virtual_memory()
    detail = f"{format_bytes(memory.available)} of {format_bytes(memory.total)} available"
    chosen = _chosen(settings)
    if chosen is None or _uses_server():
        return Diagnosis("memory", "ok", detail)
    needed = chosen.entry.memory_bytes + _WORKING_MEMORY_BYTES
    if memory.available < chosen.entry.memory_bytes:
        return Diagnosis(
            "memory",
            "problem",
            f"{detail}; {chosen.entry.name} needs about {format_bytes(needed)}",
            "Close other programs, or choose a smaller model with CODEKILN_MODEL",
        )
    return Diagnosis("memory", "ok", f"{detail}; {chosen.entry.name}: {format_bytes(needed)}")


def _disk(settings: Settings) -> Iterator[Diagnosis]:
    for name, folder, variable in (
        ("cache", settings.cache_dir, "CODEKILN_CACHE"),
        ("state", settings.state_dir, "CODEKILN_STATE"),
    ):
        existing = folder
        while not existing.exists():
            existing = existing.parent
        free = shutil.disk_usage(existing).free
        detail = f"{folder}, {format_bytes(free)} free"
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            yield Diagnosis(
                name,
                "problem",
                f"{detail}, no write access to {existing}",
                f"Point {variable} to a folder that you can write to",
            )
            continue
        chosen = _chosen(settings)
        if name == "cache" and chosen is not None and not chosen.present and not _uses_server():
            # The download and the copy in bfloat16 that is mapped into memory.
            needed = (chosen.entry.size_bytes or 0) + chosen.entry.memory_bytes
            if free < needed:
                yield Diagnosis(
                    name,
                    "problem",
                    f"{detail}; {chosen.entry.name} takes {format_bytes(needed)}",
                    f"Free some space or point {variable} to a larger disk",
                )
                continue
        yield Diagnosis(name, "ok", detail)


def _local_extra() -> Diagnosis:
    missing = [name for name, module in _LOCAL_EXTRA.items() if find_spec(module) is None]
    if not missing:
        return Diagnosis("extra local", "ok", f"torch {_version('torch')} and what else it needs")
    state: State = "absent" if _uses_server() else "problem"
    return Diagnosis(
        "extra local",
        state,
        f"not installed: {', '.join(missing)}",
        'pip install "codekiln[local]", or use a server with --api-base',
    )


def _cuda() -> Diagnosis:
    driver = Path("/proc/driver/nvidia/version")
    if not driver.exists():
        return Diagnosis("cuda", "absent", "no NVIDIA driver; the processor computes")
    build = _version("torch")
    if "+cpu" in build:
        return Diagnosis(
            "cuda",
            "absent",
            f"a driver is here, but torch {build} is built for the processor only",
            "Install a torch build with CUDA",
        )
    return Diagnosis("cuda", "ok", f"driver loaded, torch {build}")


def _isolation() -> Iterator[Diagnosis]:
    levels = available_isolations()
    safe = any(item.works and item.level >= IsolationLevel.L2 for item in levels)
    for item in levels:
        name = f"isolation {item.level.name}"
        if item.works:
            usage = ", only with --unsafe" if item.level is IsolationLevel.L1 else ""
            yield Diagnosis(name, "ok", f"{item.name}{usage}")
        else:
            state: State = "absent" if safe or item.level is IsolationLevel.L1 else "problem"
            yield Diagnosis(name, state, item.why_not, item.remedy)


def _weights(settings: Settings) -> Iterator[Diagnosis]:
    chosen = _chosen(settings)
    if chosen is None and not _uses_server():
        yield _local_model(settings.model)
    for status in list_models():
        name = f"weights {status.entry.name}"
        is_chosen = chosen is not None and status.entry.name == chosen.entry.name
        if status.present:
            mark = ", the default" if is_chosen else ""
            yield Diagnosis(name, "ok", f"{format_bytes(status.size_bytes)}{mark}")
            continue
        pull = f"codekiln models pull {status.entry.name}"
        if is_chosen and settings.offline and not _uses_server():
            yield Diagnosis(name, "problem", "not here, and CODEKILN_OFFLINE is set", pull)
        else:
            later = ", the default; downloaded on first use" if is_chosen else ""
            yield Diagnosis(name, "absent", f"not here{later}", pull)


def _local_model(model: str) -> Diagnosis:
    path = Path(model.removeprefix("local:")).expanduser()
    if path.exists():
        return Diagnosis("weights", "ok", str(path))
    return Diagnosis(
        "weights",
        "problem",
        f"CODEKILN_MODEL is {model!r}, neither a known model nor a path",
        "codekiln models list",
    )


def _pip() -> Diagnosis:
    if find_spec("pip") is not None:
        return Diagnosis("pip", "ok", _version("pip"))
    return Diagnosis(
        "pip",
        "absent",
        "not in this environment; weights come from the hub only",
        f"{sys.executable} -m ensurepip",
    )


def _type_checkers() -> Iterator[Diagnosis]:
    for language in oracle_languages():
        found = find_oracle(language)
        name = f"type checker {language}"
        if found.path is None:
            yield Diagnosis(name, "absent", f"no {found.tool}; not needed yet", found.remedy)
        else:
            yield Diagnosis(name, "ok", f"{found.version} at {found.path}")


def _toolchains() -> Iterator[Diagnosis]:
    with ThreadPoolExecutor() as pool:
        yield from pool.map(_toolchain, (*recipe_languages(), *compiled_languages()))


def _toolchain(language: str) -> Diagnosis:
    """Whether a language's tools are here; of a tool without a version only where it is."""
    recipe = recipe_of(language)
    name = f"toolchain {get_language(language).display_name}"
    packages = " ".join(recipe.install.get("debian", ()))
    remedy = f"apt install {packages} ({recipe.needs})" if packages else recipe.needs
    without = "run" if recipe.run else "compiled"
    found = [(tool, shutil.which(tool[0])) for tool in recipe.tools]
    for tool, path in found:
        if path is None:
            detail = f"no {tool[0]}; answers are not {without} without it"
            return Diagnosis(name, "absent", detail, remedy)
    if recipe.folder and not Path(toolchain_folder(recipe)).is_dir():
        detail = f"not set up; answers are not {without} without it"
        return Diagnosis(name, "absent", detail, recipe.needs)
    if not found:
        return Diagnosis(name, "ok", f"set up at {toolchain_folder(recipe)}")
    (_, *arguments), path = found[0]
    works, said = _tool_version(str(path), arguments) if arguments else (True, str(path))
    if works:
        return Diagnosis(name, "ok", said)
    return Diagnosis(name, "absent", f"it does not work: {said}", remedy)


def _tool_version(path: str, arguments: list[str]) -> tuple[bool, str]:
    """Whether the tool tells its version, and what it says."""
    try:
        done = subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{path} does not start ({type(error).__name__})"
    lines = (done.stdout or done.stderr).decode(errors="replace").strip().splitlines()
    said = f"{lines[0][:70]} at {path}" if lines else path
    return done.returncode == 0, said


def _variables() -> Diagnosis:
    # A key is a secret; that it is set is enough.
    shown = [
        f"{name}={'***' if 'KEY' in name else value}"
        for name, value in sorted(os.environ.items())
        if name.startswith("CODEKILN_")
    ]
    return Diagnosis("variables", "ok", " ".join(shown) or "no CODEKILN_ variable is set")


def _chosen(settings: Settings) -> ModelStatus | None:
    """The catalogue model that is used by default; None when that is a path or unknown."""
    wanted = settings.model.removeprefix("local:").strip().casefold()
    for status in list_models():
        if wanted in (name.casefold() for name in status.entry.names):
            return status
    return None


def _uses_server() -> bool:
    return bool(os.environ.get("CODEKILN_API_BASE"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
