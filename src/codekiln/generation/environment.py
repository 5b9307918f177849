"""What took part in an answer besides the request: versions, processor, threads. For records."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from codekiln.backends import KV_TOKEN_BYTES, BackendInfo

# Packages whose version may change what is computed or how it is judged.
_PACKAGES = ("torch", "tokenizers", "tree-sitter-language-pack")


def codekiln_version() -> str:
    """The version of this package."""
    return version("codekiln")


def tools() -> dict[str, str]:
    """Versions of Python and of the packages that matter for the result."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


# Told among the tools, by itself, or no fact about the machine.
_ELSEWHERE = ("torch", "processor", KV_TOKEN_BYTES)


def machine(info: BackendInfo) -> dict[str, str]:
    """The processor, and what the backend says of where it runs."""
    details = {k: v for k, v in info.details.items() if k not in _ELSEWHERE}
    return {"processor": processor_name(), "system": platform.platform(terse=True), **details}


def processor_name() -> str:
    """The processor's own name, as Linux tells it."""
    facts = processor_facts()
    return facts.get("model name") or facts.get("CPU part") or platform.machine()


def processor_facts() -> Mapping[str, str]:
    """The first processor's lines of /proc/cpuinfo; empty where there is no such file."""
    facts: dict[str, str] = {}
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return facts
    for line in text.splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    return facts
