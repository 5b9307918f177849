"""llama.cpp's own HTTP server (from xllamacpp) in a process that a test may kill.

As a program, `python llama_server.py MODEL.gguf PORT` prints "listening ADDRESS" when it is
ready, and runs until its standard input closes.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

SLOTS = 4
SLOT_TOKENS = 2048


class LlamaServer:
    """A running server; `base` is its API base."""

    def __init__(self, model: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(model), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("listening "):
                self.base = line.split()[1] + "/v1"
                return
        raise RuntimeError(f"llama.cpp's server ended with {self.process.wait()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def main() -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = sys.argv[1]
    params.port = int(sys.argv[2])
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * SLOT_TOKENS
    # A prompt from the cache is computed with other roundings, so answers would depend on history.
    params.cache_prompt = False
    params.cpuparams.n_threads = max(1, len(os.sched_getaffinity(0)))
    server = xllamacpp.Server(params)
    print("listening", server.listening_address, flush=True)
    sys.stdin.read()
    # Its threads would keep the process for as long as a request runs.
    os._exit(0)


if __name__ == "__main__":
    main()
