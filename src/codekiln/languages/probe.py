"""Asks a process of its own whether a parser comes to an end on a text.

Some grammars have scanners in C that go round for ever on a text that breaks off in the wrong
place; nothing inside of this process could stop them. `python -m codekiln.languages.probe` is
the other side: it answers each text with a line when it has parsed it.
"""

from __future__ import annotations

import atexit
import os
import selectors
import subprocess
import sys
import threading
from typing import IO, cast

# A text of the longest answer takes milliseconds; starting the process takes a part of a second.
DEADLINE_S = 5.0


class Prober:
    """One process, started when it is first asked and again after it was killed."""

    def __init__(self, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def ends(self, grammar: str, source: bytes) -> bool:
        """Whether the parser of a grammar came to an end in time."""
        with self._lock:
            process = self._process = self._process or _start()
            pipe_in, pipe_out = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
            try:
                pipe_in.write(f"{grammar} {len(source)}\n".encode() + source)
                pipe_in.flush()
                with selectors.DefaultSelector() as selector:
                    selector.register(pipe_out, selectors.EVENT_READ)
                    if selector.select(self._deadline_s) and pipe_out.readline():
                        return True
            except BrokenPipeError:
                pass
            self._stop()
            return False

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._process = None


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "codekiln.languages.probe"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Ctrl-C is for this process, which ends that one.
        start_new_session=True,
    )


_prober = Prober()
atexit.register(_prober.close)


def _forget() -> None:
    global _prober
    _prober = Prober()


# A child of a fork must not talk to its parent's process.
os.register_at_fork(after_in_child=_forget)


def parser_ends(grammar: str, source: bytes) -> bool:
    """Whether parsing `source` comes to an end within seconds."""
    return _prober.ends(grammar, source)


def main() -> None:
    """Parse what comes in until there is nothing more."""
    from tree_sitter_language_pack import get_parser

    while head := sys.stdin.buffer.readline():
        grammar, size = head.decode().split(" ")
        get_parser(grammar).parse(sys.stdin.buffer.read(int(size)))  # type: ignore[arg-type]
        print("parsed", flush=True)


if __name__ == "__main__":
    main()
