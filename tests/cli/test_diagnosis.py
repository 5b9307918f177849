"""What doctor says of tools that are there and do not work."""

from __future__ import annotations

from pathlib import Path

import pytest

from codekiln.cli.diagnosis import diagnose


@pytest.mark.parametrize("script", ["#!/bin/sh\necho no version >&2\nexit 1\n", "no program"])
def test_a_tool_that_fails_is_not_called_ok(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    tool = tmp_path / "rustc"
    tool.write_text(script)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (found,) = (item for item in diagnose() if item.name == "toolchain Rust")
    assert found.state == "absent"
    assert "does not work" in found.detail
    assert found.remedy
