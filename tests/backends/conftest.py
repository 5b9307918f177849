"""The backends of the conformance suite, opened on a real model, and servers with faults."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from llama_server import LlamaServer
from raw_server import Answer, RawServer, Start

from codekiln.backends import Backend, open_backend
from codekiln.models import ensure

MODEL = "qwen2.5-coder-0.5b"


@pytest.fixture(scope="session")
def model_file() -> Path:
    """A GGUF of the small real model; CODEKILN_TEST_GGUF names one that is already there."""
    given = os.environ.get("CODEKILN_TEST_GGUF")
    return Path(given) if given else ensure(MODEL).path


@pytest.fixture(scope="session")
def start_llama(model_file: Path) -> Iterator[Callable[[], LlamaServer]]:
    pytest.importorskip("xllamacpp", reason="xllamacpp is not installed (extra: bench)")
    servers: list[LlamaServer] = []

    def start() -> LlamaServer:
        servers.append(LlamaServer(model_file))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def llama(start_llama: Callable[[], LlamaServer]) -> LlamaServer:
    return start_llama()


Opener = Callable[[], Backend]


def openai_opener(request: pytest.FixtureRequest) -> Opener:
    server: LlamaServer = request.getfixturevalue("llama")
    return lambda: open_backend(f"openai:{MODEL}@{server.base}")


def local_opener(request: pytest.FixtureRequest) -> Opener:
    model: Path = request.getfixturevalue("model_file")
    return lambda: open_backend(f"local:{model}")


# A new backend joins the conformance suite with one line here.
OPENERS = {"openai": openai_opener, "local": local_opener}


@pytest.fixture(scope="session", params=OPENERS)
def opener(request: pytest.FixtureRequest) -> Opener:
    return OPENERS[request.param](request)


@pytest.fixture(scope="session")
def backend(opener: Opener) -> Iterator[Backend]:
    """One open backend that all tests share: what a test leaves behind shows in the next."""
    with opener() as opened:
        yield opened


@pytest.fixture
def start() -> Iterator[Start]:
    """Start fault-injecting servers that end with the test."""
    servers: list[RawServer] = []

    def begin(*answers: Answer) -> RawServer:
        servers.append(RawServer(*answers))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()
