"""Every type checker behind the same contract, asked as it really runs."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core.errors import UsageError
from codekiln.typeflow.oracles import OracleError, find_oracle, open_oracle, oracle_languages
from codekiln.typeflow.oracles.oracle import LspOracle, _Offsets

# Per language: a program with one error, the wrong part, and one without. The first line holds
# characters that UTF-16 and UTF-8 count differently.
PROGRAMS = {
    "python": ('s = "é𝒳"; t = len(3)\n', "3", 's = "é𝒳"; t = len(s)\n'),
    "typescript": (
        'const s = "é𝒳"; const t: number = s.length.foo;\n',
        "foo",
        'const s = "é𝒳"; const t: number = s.length;\n',
    ),
    "javascript": (
        'const s = "é𝒳"; Math.abs(s);\n',
        "s",
        'const s = "é𝒳"; Math.abs(s.length);\n',
    ),
}


@pytest.fixture(params=sorted(PROGRAMS))
def oracle(request: pytest.FixtureRequest) -> Iterator[LspOracle]:
    if find_oracle(request.param).path is None:
        pytest.skip(f"no type checker of {request.param}: {find_oracle(request.param).remedy}")
    with open_oracle(request.param) as opened:
        yield opened


def server_of(oracle: LspOracle) -> psutil.Process:
    """The running server itself, at the end of what was started for it."""
    (found,) = (process for process in started_for(oracle) if not process.children())
    return found


def started_for(oracle: LspOracle) -> list[psutil.Process]:
    """What runs in the oracle's folder; other tests have processes of their own."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.cwd() == str(oracle.folder):
                found.append(process)
    return found


def test_every_language_with_a_checker_is_held_to_the_contract() -> None:
    assert set(PROGRAMS) == set(oracle_languages())


def test_an_error_is_found_where_it_is(oracle: LspOracle) -> None:
    wrong, part, _ = PROGRAMS[oracle.language]
    (found,) = oracle.check(wrong)
    assert wrong[found.start : found.end] == part
    assert found.code
    assert found.message


def test_the_last_text_counts(oracle: LspOracle) -> None:
    wrong, _, right = PROGRAMS[oracle.language]
    for _ in range(2):
        assert oracle.check(right) == ()
        assert len(oracle.check(wrong)) == 1
    assert oracle.starts == 1


def test_a_server_that_died_is_an_error_and_is_started_anew(oracle: LspOracle) -> None:
    wrong, _, right = PROGRAMS[oracle.language]
    oracle.check(right)
    server_of(oracle).kill()
    with pytest.raises(OracleError, match="failed"):
        oracle.check(wrong)
    assert len(oracle.check(wrong)) == 1
    assert oracle.starts == 2


def test_a_server_that_hangs_is_an_error_and_is_ended() -> None:
    with open_oracle("python", timeout_s=2.0) as oracle:
        oracle.check("x = 1\n")
        server = server_of(oracle)
        os.kill(server.pid, signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(OracleError, match="no answer"):
            oracle.check("x = 2\n")
        assert time.monotonic() - begun < 30
        assert not server.is_running()
        assert oracle.check("x = 3\n") == ()


def test_a_server_that_keeps_failing_is_given_up() -> None:
    with open_oracle("python") as oracle:
        for _ in range(4):
            oracle.check("x = 1\n")
            server_of(oracle).kill()
            with pytest.raises(OracleError):
                oracle.check("x = 1\n")
        with pytest.raises(OracleError, match="not started again"):
            oracle.check("x = 1\n")


SERVERS = {
    "that says nothing": "import time; time.sleep(60)",
    "that talks for ever": """
import sys
body = '{"jsonrpc": "2.0", "method": "x"}'
while True:
    sys.stdout.write(1000 * ('Content-Length: %d\\r\\n\\r\\n%s' % (len(body), body)))
""",
    "that answers nonsense": """
import sys
body = '{"jsonrpc": "2.0", "id": 1, "error": "no"}'
sys.stdout.write('Content-Length: %d\\r\\n\\r\\n%s' % (len(body), body))
sys.stdout.flush()
sys.stdin.read()
""",
}


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_that_is_none_is_an_error_and_leaves_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    oracle = open_oracle("python", timeout_s=2.0)
    monkeypatch.setattr(oracle, "_command", (sys.executable, "-c", SERVERS[name]))
    with pytest.raises(OracleError, match="failed"):
        oracle.check("x = 1\n")
    assert not started_for(oracle)
    oracle.close()


def test_nothing_is_left_when_it_is_closed() -> None:
    oracle = open_oracle("python")
    oracle.check("x = 1\n")
    server = server_of(oracle)
    folder = oracle.folder
    assert folder.is_dir()
    oracle.close()
    assert not server.is_running()
    assert not folder.exists()
    with pytest.raises(OracleError, match="closed"):
        oracle.check("x = 1\n")


def test_a_missing_checker_is_told_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codekiln.typeflow.oracles.oracle._version", lambda path: "")
    with pytest.raises(OracleError, match="codekiln setup typescript"):
        open_oracle("typescript")
    with pytest.raises(UsageError, match="cobol has no type checker"):
        open_oracle("cobol")


@given(st.text(alphabet="a𝒳é\n\r", max_size=30), st.integers(0, 30))
def test_a_position_is_found_in_the_text(text: str, at: int) -> None:
    at = min(at, len(text))
    # A position inside "\r\n" is none.
    if text[at - 1 : at + 1] != "\r\n":
        lines = re.split(r"\r\n|\n|\r", text[:at])
        units = len(lines[-1].encode("utf-16-le")) // 2
        assert _Offsets(text).of({"line": len(lines) - 1, "character": units}) == at
