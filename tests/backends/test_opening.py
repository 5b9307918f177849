from __future__ import annotations

import re
import subprocess
import sys

import pytest
from raw_server import (
    Start,
    text_answer,
)

from codekiln.backends import CompletionRequest, open_backend
from codekiln.core import Message, Prompt, Sampling
from codekiln.core.errors import CodekilnError, UsageError

KEY = "sk-very-secret-0123456789"
ASK = CompletionRequest(Prompt((Message("user", "hi"),)), Sampling(max_tokens=8, seed=5))


def test_a_proxy_setting_does_not_come_between_this_machine_and_itself(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with open_backend("m", api_base=start(text_answer("direct")).base) as backend:
        assert backend.complete([ASK])[0][0].text == "direct"


def test_the_environment_names_server_and_key(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(text_answer("x"))
    monkeypatch.setenv("CODEKILN_API_BASE", server.base.removesuffix("/v1") + "/")
    monkeypatch.setenv("CODEKILN_API_KEY", KEY)
    with open_backend("m") as backend:
        backend.complete([ASK])
    assert server.completions[0].path == "/v1/chat/completions"
    assert server.completions[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("base", ["127.0.0.1:8000", "ftp://h/v1", "http://", "http://[::1", "  "])
def test_an_address_that_is_none_is_a_usage_error(base: str) -> None:
    with pytest.raises(UsageError, match=re.escape("http://127.0.0.1:8000/v1")):
        open_backend("m", api_base=base)


def test_a_remote_model_without_a_server_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CODEKILN_API_BASE", raising=False)
    with pytest.raises(UsageError, match="names no server"):
        open_backend("openai:qwen")


def test_a_key_that_no_header_can_carry_is_refused_without_being_shown() -> None:
    with pytest.raises(UsageError) as caught:
        open_backend("m", api_base="http://127.0.0.1:1", api_key=f"{KEY}\nX: y")
    assert KEY not in str(caught.value)


def test_a_model_that_names_its_server_goes_before_the_environment(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(text_answer("x"))
    monkeypatch.setenv("CODEKILN_API_BASE", "http://127.0.0.1:9/v1")
    with open_backend(f"openai:org/name:7b@{server.base}") as backend:
        backend.complete([ASK])
    assert server.completions[0].body["model"] == "org/name:7b"


def test_a_way_of_attending_that_is_none_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(UsageError, match="flash"):
        open_backend("qwen2.5-coder-0.5b", attention="flash")  # type: ignore[arg-type]


def test_a_server_cannot_be_told_how_to_attend() -> None:
    with pytest.raises(UsageError, match="sparse attention"):
        open_backend("m", api_base="http://127.0.0.1:9/v1", attention="sparse")


def test_a_local_model_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEKILN_API_BASE", "http://127.0.0.1:9/v1")
    with pytest.raises(CodekilnError, match="no-such-model"):
        open_backend("local:no-such-model")


def test_importing_the_package_loads_neither_torch_nor_httpx() -> None:
    code = "import sys, codekiln.backends; print({'torch', 'httpx'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
