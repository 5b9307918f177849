"""Whether a model with a context fits a machine: the accelerators known by name, and the sum.

Takes a shape and a machine, gives a Plan. Looks at no hardware; this machine is described by the
caller.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from codekiln.core.errors import UsageError
from codekiln.models.config import ModelConfig
from codekiln.models.footprint import ENGINE_PREFILL_TOKENS, KV_MEMORY_SHARE, Footprint, footprint
from codekiln.models.layout import BFLOAT16_BYTES, packed_head_count

_GIB = 1 << 30
# What vLLM takes of a card unless told otherwise (gpu_memory_utilization).
SERVER_SHARE = 0.9
# Prompt tokens per step, which size the activations: vLLM's default on large cards.
SERVER_PREFILL_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a model is to run. `available` bytes per device may be used.

    `is_server`: through vLLM on accelerators; else codekiln's own engine in this machine's memory.
    """

    name: str
    title: str
    available: int
    dtype: str
    itemsize: int = BFLOAT16_BYTES
    is_server: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """A footprint held against a machine. Bytes and KV heads are per device, contexts in tokens.

    `kv_room` is what keys and values may take there; 0 means that what comes before them does not
    fit already.
    """

    machine: Machine
    devices: int
    sequences: int
    kv_heads: int
    prefill_rows: int
    context: int
    need: Footprint
    kv_room: int
    largest_context: int

    @property
    def fits(self) -> bool:
        """Whether everything fits."""
        return self.need.kv <= self.kv_room and self.need.total <= self.machine.available

    @property
    def remedy(self) -> str:
        """What to change where it does not fit."""
        fewer = "fewer --sequences, " if self.sequences > 1 and self.kv_room else ""
        if self.largest_context:
            return f"Give --context {self.largest_context}, {fewer}or a larger machine"
        if fewer:
            return f"Give {fewer}or a larger machine"
        if self.machine.is_server:
            return "Give more --devices, a larger card or a smaller model"
        return "Free memory, or choose a smaller model"


@cache
def machines() -> tuple[Machine, ...]:
    """The accelerators known by name."""
    text = resources.files("codekiln.models").joinpath("machines.toml").read_text("utf-8")
    return tuple(
        Machine(
            name=table["name"],
            title=table["title"],
            available=int(table["memory_gib"] * _GIB * SERVER_SHARE),
            dtype=table["dtype"],
        )
        for table in tomllib.loads(text)["machine"]
    )


def find_machine(name: str) -> Machine:
    """The accelerator of this name, in any case; else a UsageError."""
    wanted = name.strip().casefold()
    by_name = {machine.name: machine for machine in machines()}
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(
        f"Unknown hardware {name!r}", f"{hint}Known: this (this machine), {', '.join(by_name)}"
    )


def make_plan(
    config: ModelConfig, machine: Machine, context: int, *, sequences: int = 1, devices: int = 1
) -> Plan:
    """Hold a model with `sequences` contexts of `context` tokens against `devices` of a machine.

    Several devices share the weights evenly and the KV heads as far as there are some for each
    (tensor parallelism). Raises UsageError for numbers that make no sense.
    """
    _refuse_nonsense(config, machine, context, sequences, devices)
    rows = SERVER_PREFILL_TOKENS if machine.is_server else ENGINE_PREFILL_TOKENS
    whole = footprint(
        config, context, sequences=sequences, prefill_tokens=rows, itemsize=machine.itemsize
    )
    weights = whole.weights
    if machine.is_server:
        weights -= packed_head_count(config, machine.itemsize) * machine.itemsize
    # Where there are more devices than KV heads, some heads are held more than once.
    kv_heads = -(-config.kv_heads // devices)
    need = Footprint(
        weights=-(-weights // devices),
        kv_token=whole.kv_token // config.kv_heads * kv_heads,
        kv=whole.kv // config.kv_heads * kv_heads,
        activations=whole.activations,
    )
    beside = machine.available - need.weights
    room = beside - need.activations if machine.is_server else int(beside * KV_MEMORY_SHARE)
    room = max(0, room)
    return Plan(
        machine=machine,
        devices=devices,
        sequences=sequences,
        kv_heads=kv_heads,
        prefill_rows=min(rows, context * sequences),
        context=context,
        need=need,
        kv_room=room,
        largest_context=min(config.context_tokens, room // (need.kv_token * sequences)),
    )


def _refuse_nonsense(
    config: ModelConfig, machine: Machine, context: int, sequences: int, devices: int
) -> None:
    if min(context, sequences, devices) < 1:
        raise UsageError(
            f"a plan for {context} tokens, {sequences} sequences and {devices} devices",
            "Give at least 1 of each",
        )
    if context > config.context_tokens:
        raise UsageError(
            f"a context of {context:,} tokens, but the model's window holds "
            f"{config.context_tokens:,}",
            f"Give --context {config.context_tokens} or less",
        )
    if devices > 1 and not machine.is_server:
        raise UsageError(
            f"{devices} devices on this machine, but codekiln's engine runs on one",
            "Name the card with --hardware to plan for a server with several",
        )
    if config.heads % devices:
        raise UsageError(
            f"{config.heads} attention heads cannot be split evenly over {devices} devices",
            "Give a number of devices that divides them",
        )
