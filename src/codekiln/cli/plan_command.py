"""`codekiln plan`: whether a model with a context fits a machine, with the sums shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from codekiln.models import ModelConfig
    from codekiln.models.machines import Machine, Plan


def plan(
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Name or path of the model.")
    ] = None,
    context: Annotated[
        int | None,
        typer.Option(
            "--context", metavar="TOKENS", help="Prompt and answer; the model's window if absent."
        ),
    ] = None,
    hardware: Annotated[
        str, typer.Option("--hardware", help="this, or a card: a100-80gb, h200, v100-32gb, …")
    ] = "this",
    sequences: Annotated[
        int, typer.Option("--sequences", help="Contexts that are in memory together.")
    ] = 1,
    devices: Annotated[
        int, typer.Option("--devices", help="Cards that share the model (tensor parallelism).")
    ] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> int:
    """Compute the memory of a model at work and the largest context that fits.

    Nothing is loaded or downloaded. Exit code 0 if it fits, else 1.
    """
    from codekiln.cli.console import write_json, write_stdout
    from codekiln.core.settings import load_settings
    from codekiln.models import read_config
    from codekiln.models.machines import find_machine, make_plan

    name = model or load_settings().model
    config = read_config(name)
    machine = _this_machine() if hardware == "this" else find_machine(hardware)
    made = make_plan(
        config,
        machine,
        config.context_tokens if context is None else context,
        sequences=sequences,
        devices=devices,
    )
    if as_json:
        write_json(_as_json(name, config, made))
    else:
        write_stdout(_text(name, config, made))
    return 0 if made.fits else 1


def _this_machine() -> Machine:
    """What codekiln's own engine would use here."""
    from codekiln.models.extras import local_extra
    from codekiln.models.layout import available_memory_bytes
    from codekiln.models.machines import Machine

    with local_extra("Planning for this machine"):
        import torch

        from codekiln.engine import detect_hardware

    found = detect_hardware()
    on_cpu = found.device.type == "cpu"
    return Machine(
        name="this",
        title=f"this machine ({found.description})",
        available=available_memory_bytes() if on_cpu else torch.cuda.mem_get_info()[0],
        dtype=str(found.dtype).removeprefix("torch."),
        itemsize=found.dtype.itemsize,
        is_server=False,
    )


def _text(name: str, config: ModelConfig, made: Plan) -> str:
    from codekiln.models.footprint import KV_MEMORY_SHARE, LIVE_ROWS, SAMPLER_BYTES, row_width
    from codekiln.models.layout import packed_head_count, parameter_count
    from codekiln.models.machines import SERVER_SHARE
    from codekiln.models.progress import format_bytes

    machine, need = made.machine, made.need
    size = machine.itemsize
    shared = f", {made.devices} of them; per card" if made.devices > 1 else ""
    split = f" / {made.devices}" if made.devices > 1 else ""
    copied = 0 if machine.is_server else packed_head_count(config, size)
    twice = f"({parameter_count(config):,} + {copied:,} of the head, held twice)"
    numbers = twice if copied else f"{parameter_count(config):,}"
    rows = [
        (
            "weights",
            need.weights,
            f"{numbers} × {size} bytes{split}",
        ),
        (
            "keys and values",
            need.kv,
            f"{config.layers} layers × 2 × {made.kv_heads} KV heads × {config.head_dim} × {size} "
            f"bytes = {need.kv_token:,} bytes per token, × {made.context:,}"
            + (f" × {made.sequences}" if made.sequences > 1 else ""),
        ),
        (
            "activations",
            need.activations,
            f"{made.prefill_rows:,} tokens per step × {LIVE_ROWS} × {row_width(config):,} × {size} "
            f"bytes, and {size + SAMPLER_BYTES} bytes for each of "
            f"{config.vocab_size:,} scores",
        ),
    ]
    lines = [
        f"{name} with {made.sequences} × {made.context:,} tokens in {machine.dtype}",
        f"on {machine.title}{shared}",
        "",
        *(f"{what:<16}{format_bytes(count):>9}   {sums}" for what, count, sums in rows),
        f"{'together':<16}{format_bytes(need.total):>9}   of {format_bytes(machine.available)} "
        + (f"({SERVER_SHARE:.0%} of the card, vLLM's default)" if machine.is_server else "free"),
        "",
    ]
    rule = (
        "what weights and activations leave"
        if machine.is_server
        else f"{KV_MEMORY_SHARE:.0%} of what the weights leave"
    )
    lines.append(f"Keys and values may take {format_bytes(made.kv_room)}, {rule}.")
    if not made.kv_room:
        alone = "Weights and activations" if machine.is_server else "The weights"
        lines[-1] = f"{alone} alone do not fit."
    elif made.largest_context == config.context_tokens:
        lines.append(f"Largest context: {made.largest_context:,} tokens, the model's window.")
    else:
        lines.append(f"Largest context: {made.largest_context:,} tokens.")
    lines.append("It fits." if made.fits else f"It does not fit. {made.remedy}")
    return "\n".join(lines) + "\n"


def _as_json(name: str, config: ModelConfig, made: Plan) -> dict[str, object]:
    machine, need = made.machine, made.need
    return {
        "model": name,
        "hardware": machine.name,
        "title": machine.title,
        "dtype": machine.dtype,
        "devices": made.devices,
        "context": made.context,
        "sequences": made.sequences,
        "prefill_tokens": made.prefill_rows,
        "weights_bytes": need.weights,
        "kv_bytes_per_token": need.kv_token,
        "kv_bytes": need.kv,
        "activations_bytes": need.activations,
        "total_bytes": need.total,
        "available_bytes": machine.available,
        "kv_room_bytes": made.kv_room,
        "largest_context": made.largest_context,
        "window": config.context_tokens,
        "fits": made.fits,
    }
