"""Where codekiln keeps things and which environment variables it reads.

| variable | meaning |
|---|---|
| `CODEKILN_CACHE` | weights and converted weights (default: the user's cache folder) |
| `CODEKILN_STATE` | records of answers (default: the user's state folder) |
| `CODEKILN_MODEL` | default model |
| `CODEKILN_OFFLINE` | any value but 0: never touch the network |
| `CODEKILN_THREADS` | threads of the local engine (default: the processors this process may use) |
| `CODEKILN_API_BASE`, `CODEKILN_API_KEY` | a server to ask, and its key; read by backends |
| `CODEKILN_ISOLATION` | L1, L2 or L3: this isolation level and no other; read by the sandbox |
| `CODEKILN_DEBUG` | any value: show tracebacks; read by the command line |
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from codekiln.core.errors import UsageError

DEFAULT_MODEL = "qwen2.5-coder-0.5b"


@dataclass(frozen=True, slots=True)
class Settings:
    """Resolved settings of this process."""

    cache_dir: Path
    state_dir: Path
    model: str
    offline: bool
    threads: int


def load_settings() -> Settings:
    """Read the environment anew, so that tests and servers can change it."""
    env = os.environ
    threads_text = env.get("CODEKILN_THREADS", "")
    if threads_text and (not threads_text.isdigit() or int(threads_text) < 1):
        raise UsageError(f"CODEKILN_THREADS is {threads_text!r}", "Use a positive whole number")
    return Settings(
        cache_dir=_folder("CODEKILN_CACHE", platformdirs.user_cache_path("codekiln")),
        state_dir=_folder("CODEKILN_STATE", platformdirs.user_state_path("codekiln")),
        model=env.get("CODEKILN_MODEL") or DEFAULT_MODEL,
        offline=env.get("CODEKILN_OFFLINE", "0") not in ("", "0"),
        threads=int(threads_text) if threads_text else len(os.sched_getaffinity(0)),
    )


def _folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable, "")
    return Path(value).expanduser().absolute() if value else default
