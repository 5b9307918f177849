"""What this machine offers the engine: device, number format, threads. Detects, never assumes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

_BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16", "bf16"})  # the last one is Arm's


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where and in which number format the decoder runs."""

    device: torch.device
    dtype: torch.dtype
    description: str


def processor_flags() -> frozenset[str]:
    """Instruction-set flags of the first processor, as Linux names them; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return frozenset(value.split())
    return frozenset()


def detect_hardware() -> Hardware:
    """CUDA when present; else bfloat16 where the processor multiplies it natively, or float32."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
        return Hardware(torch.device("cuda"), torch.bfloat16, f"CUDA, {name}, bfloat16")
    native = sorted(_BF16_FLAGS & processor_flags())
    cpu = torch.device("cpu")
    if native:
        return Hardware(cpu, torch.bfloat16, f"CPU, bfloat16 ({', '.join(native)})")
    return Hardware(cpu, torch.float32, "CPU, float32 (no native bfloat16)")
