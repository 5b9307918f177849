"""Building the kernels: what is tried, what is remembered, what a failure leaves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codekiln.attention.native.build import load_native

build = load_native.__wrapped__


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that notes each call beside itself and fails."""
    script = tmp_path / "broken-compiler"
    script.write_text(
        f"#!/bin/sh\necho called >> {tmp_path}/calls\necho no such flag >&2\nexit 1\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    monkeypatch.setenv("CODEKILN_CACHE", str(tmp_path / "cache"))
    return script


def calls(compiler: Path) -> int:
    """How often the compiler was asked."""
    return len((compiler.parent / "calls").read_text().splitlines())


def test_a_compiler_that_fails_is_asked_once(
    compiler: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        assert build() is None
        assert build() is None
    assert calls(compiler) == 1
    assert "no such flag" in caplog.messages[0]
    assert "to try again" in caplog.messages[1]


def test_another_version_of_it_is_asked_again(compiler: Path) -> None:
    assert build() is None
    os.utime(compiler, (1, 1))
    assert build() is None
    assert calls(compiler) == 2


def test_a_failed_build_leaves_nothing_but_its_reason(compiler: Path) -> None:
    assert build() is None
    (left,) = (compiler.parent / "cache" / "kernels").iterdir()
    assert left.read_text() == "no such flag"
