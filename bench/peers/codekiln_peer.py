"""codekiln's engine as a benchmark peer."""

from __future__ import annotations

import sys

import torch
from protocol import Workload, serve

from codekiln.core import Sampling
from codekiln.core.settings import load_settings
from codekiln.engine import Decoder, Engine, EngineLimits, GenerationRequest, detect_hardware
from codekiln.models import ensure, open_checkpoint


def main(model: str) -> None:
    hardware = detect_hardware()
    torch.set_num_threads(load_settings().threads)
    checkpoint = open_checkpoint(ensure(model))
    decoder = Decoder(checkpoint.config, checkpoint.weights(hardware.dtype))
    token_bytes = checkpoint.tokenizer().token_bytes

    def run(workload: Workload) -> int:
        engine = Engine(decoder, token_bytes, eos_ids=(), limits=EngineLimits())
        for index, prompt in enumerate(workload.prompts):
            sampling = Sampling(
                temperature=workload.temperature,
                max_tokens=workload.new_tokens,
                seed=workload.seed + index,
            )
            engine.submit(GenerationRequest(tuple(prompt), sampling))
        tokens = 0
        while not engine.is_idle:
            tokens += sum(len(e.finished.tokens) for e in engine.step() if e.finished)
        return tokens

    serve(run, {"torch": torch.__version__, "hardware": hardware.description})


if __name__ == "__main__":
    main(sys.argv[1])
