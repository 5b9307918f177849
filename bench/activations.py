"""Holds the activations that `codekiln plan` reckons with against the peak of the resident set.

    python bench/activations.py --model qwen2.5-coder-0.5b

Linux only. One prompt per row, with an engine of its own; keys and values are taken off.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from codekiln.core import Sampling
from codekiln.core.settings import load_settings
from codekiln.engine import Decoder, Engine, EngineLimits, GenerationRequest, detect_hardware
from codekiln.models import ensure, open_checkpoint
from codekiln.models.footprint import footprint

NEW_TOKENS = 4


def main() -> None:
    """Print one line per size of step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="qwen2.5-coder-0.5b")
    options = parser.parse_args()
    hardware = detect_hardware()
    torch.set_num_threads(load_settings().threads)
    checkpoint = open_checkpoint(ensure(options.model))
    config = checkpoint.config
    decoder = Decoder(config, checkpoint.weights(hardware.dtype))
    tokenizer = checkpoint.tokenizer()
    print(f"{options.model}, {hardware.description}, torch {torch.__version__}")
    # The first touches the mapped weights; what it measures is theirs too.
    for number, step in enumerate((256, 1024, 4096)):
        engine = Engine(decoder, tokenizer.token_bytes, (), EngineLimits(prefill_tokens=step))
        prompt = tuple(torch.randint(1000, 50_000, (step,)).tolist())
        before = _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak
        engine.submit(GenerationRequest(prompt, Sampling(max_tokens=NEW_TOKENS, temperature=0.8)))
        while not engine.is_idle:
            engine.step()
        planned = footprint(config, step, prefill_tokens=step, itemsize=hardware.dtype.itemsize)
        measured = _resident("VmHWM") - before - planned.kv
        if number:
            print(
                f"steps of {step:>5} tokens: {measured / 1e6:7.1f} MB measured, "
                f"{planned.activations / 1e6:7.1f} MB planned, "
                f"{measured / planned.activations:.2f} of it"
            )


def _resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main()
