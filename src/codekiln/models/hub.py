"""Get a catalogue model from the Hugging Face hub.

Takes an entry and a staging folder, gives verified files in it. An unreachable hub costs at most
`PROBE_S` seconds and is remembered for `REMEMBER_S`; an interrupted download resumes where it
stopped.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from fnmatch import fnmatch
from pathlib import Path

import httpx

from codekiln.core.errors import DownloadError
from codekiln.core.files import sha256_file, write_atomic
from codekiln.models.catalogue import ModelEntry
from codekiln.models.disk import require_free
from codekiln.models.extras import local_extra
from codekiln.models.progress import Progress
from codekiln.models.watched import folder_bytes, run_watched

CONNECT_S = 3.0
PROBE_S = 4.0
STALL_S = 30.0
REMEMBER_S = 600.0

# What a checkpoint consists of; other weights formats in the same repository are left alone.
_CHECKPOINT_PATTERNS = ("*.safetensors", "*.json", "*.jinja", "LICENSE*")


def endpoint() -> str:
    """The hub's address; HF_ENDPOINT changes it as it does for huggingface_hub."""
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def remembered_failure(cache_dir: Path) -> str | None:
    """Why the hub failed lately, or None when it is worth a try."""
    try:
        memory = json.loads((cache_dir / "hub-failure.json").read_text(encoding="utf-8"))
        age = time.time() - float(memory["time"])
        if memory["endpoint"] == endpoint() and 0 <= age < REMEMBER_S:
            return f"{memory['reason']} ({age / 60:.0f} min ago)"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def remember_failure(cache_dir: Path, reason: str) -> None:
    """Let the next downloads of the coming minutes skip the hub."""
    memory = {"endpoint": endpoint(), "reason": reason, "time": time.time()}
    write_atomic(cache_dir / "hub-failure.json", json.dumps(memory))


def forget_failure(cache_dir: Path) -> None:
    """The hub works again."""
    (cache_dir / "hub-failure.json").unlink(missing_ok=True)


def probe(entry: ModelEntry) -> None:
    """Fetch one byte (or the repository's description); DownloadError when that fails.

    Runs in a thread, for the name look-up inside obeys no time-out.
    """
    if entry.file:
        url = f"{endpoint()}/{entry.hub}/resolve/main/{entry.file}"
    else:
        url = f"{endpoint()}/api/models/{entry.hub}"
    outcome: list[str] = []

    def ask() -> None:
        try:
            with httpx.stream(
                "GET", url, headers={"Range": "bytes=0-0"}, timeout=CONNECT_S, follow_redirects=True
            ) as answer:
                # Any answer short of a failing server is the worker's to deal with.
                failing = answer.is_server_error or answer.status_code == 429
                outcome.append(f"HTTP {answer.status_code}" if failing else "")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            outcome.append(str(error) or type(error).__name__)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_S)
    reason = outcome[0] if outcome else f"no answer within {PROBE_S:.0f} seconds"
    if reason:
        raise DownloadError(f"{endpoint()} cannot be reached ({reason})")


def fetch_from_hub(entry: ModelEntry, staging: Path, progress: Progress) -> Path:
    """Download into `staging`; give the GGUF file or checkpoint folder, checked by SHA-256.

    Raises DownloadError; what has arrived stays in `staging` for the next attempt.
    """
    with local_extra("Downloading from the hub"):
        import huggingface_hub  # noqa: F401 (the worker needs it)
    folder = staging / "hub"
    folder.mkdir(parents=True, exist_ok=True)
    sizes, hashes = _expected(entry)
    total = sum(sizes.values())
    present = min(total, folder_bytes(folder))
    require_free(folder, total - present, f"Downloading {entry.name}")
    progress.start(f"Downloading {entry.name} from the hub", total)
    try:
        progress.advance(present)
        run_watched(
            [
                *(sys.executable, "-P", "-m", "codekiln.models.hub_worker"),
                *(endpoint(), entry.hub, str(folder), *sizes),
            ],
            env=os.environ | {"HF_HUB_DISABLE_TELEMETRY": "1"},
            folder=folder,
            progress=progress,
            stall_s=STALL_S,
        )
    finally:
        progress.finish()
    for name, size in sizes.items():
        _check(folder / name, size, hashes.get(name), progress)
    return folder / entry.file if entry.file else folder


def _expected(entry: ModelEntry) -> tuple[dict[str, int], dict[str, str]]:
    """Sizes and SHA-256 by file name: from the catalogue, else as the hub declares them."""
    if entry.file and entry.size_bytes and entry.sha256:
        return {entry.file: entry.size_bytes}, {entry.file: entry.sha256}
    url = f"{endpoint()}/api/models/{entry.hub}?blobs=true"
    try:
        answer = httpx.get(url, timeout=CONNECT_S, follow_redirects=True).raise_for_status()
        files = answer.json()["siblings"]
        wanted = [
            file
            for file in files
            if any(fnmatch(file["rfilename"], pattern) for pattern in _CHECKPOINT_PATTERNS)
            and Path(file["rfilename"]).name == file["rfilename"]
        ]
        sizes = {file["rfilename"]: int(file["size"]) for file in wanted}
        hashes = {f["rfilename"]: str(f["lfs"]["sha256"]) for f in wanted if f.get("lfs")}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise DownloadError(f"{url} gives no list of files ({error})") from error
    return sizes, hashes


def _check(path: Path, size: int, sha256: str | None, progress: Progress) -> None:
    """Compare with what was promised; a wrong file is deleted, since resuming cannot mend it."""
    if not path.is_file():
        raise DownloadError(f"the hub did not deliver {path.name}")
    found = path.stat().st_size
    problem = f"{found:,} bytes instead of {size:,}" if found != size else ""
    if not problem and sha256 is not None:
        progress.start(f"Checking {path.name}", size)
        try:
            digest = sha256_file(path, progress.advance)
        finally:
            progress.finish()
        if digest != sha256:
            problem = f"SHA-256 {digest[:12]}… instead of {sha256[:12]}…"
    if problem:
        path.unlink()
        raise DownloadError(f"the hub delivered {path.name} with {problem}")
