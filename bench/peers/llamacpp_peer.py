"""llama.cpp (prebuilt, through xllamacpp) as a benchmark peer: Q4_K_M weights, parallel slots."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

import xllamacpp
from protocol import Workload, serve

from codekiln.core.settings import load_settings
from codekiln.models import ensure

SLOTS = 8
SLOT_TOKENS = 4096


def main(model: str) -> None:
    threads = load_settings().threads
    params = xllamacpp.CommonParams()
    params.model.path = str(ensure(model).path)
    params.n_parallel = SLOTS
    params.n_ctx = SLOTS * SLOT_TOKENS
    params.cpuparams.n_threads = threads
    params.cpuparams_batch.n_threads = threads
    params.warmup = True
    server = xllamacpp.Server(params)

    def complete(workload: Workload, index: int) -> int:
        answer = server.handle_completions(
            {
                "prompt": list(workload.prompts[index]),
                "max_tokens": workload.new_tokens,
                "temperature": workload.temperature,
                "top_k": 0,
                "top_p": 1.0,
                "min_p": 0.0,
                "seed": workload.seed + index,
                "ignore_eos": True,
            }
        )
        return int(answer["usage"]["completion_tokens"])

    def run(workload: Workload) -> int:
        with ThreadPoolExecutor(SLOTS) as pool:
            return sum(pool.map(lambda i: complete(workload, i), range(len(workload.prompts))))

    serve(run, {"xllamacpp": version("xllamacpp"), "slots": str(SLOTS)})


if __name__ == "__main__":
    main(sys.argv[1])
