"""Read a Hugging Face checkpoint folder into the engine layout, in memory.

Takes a folder with config.json and one or more safetensors files. Experts may be saved one by
one or fused. Nothing is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codekiln.core.errors import WeightsError
from codekiln.models.config import ModelConfig, config_from_json
from codekiln.models.extras import local_extra
from codekiln.models.layout import engine_shapes

if TYPE_CHECKING:
    import torch

_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"


def read_json(path: Path, *, missing_remedy: str) -> dict[str, Any]:
    """A JSON object from a file, or a WeightsError that names it."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{path.parent} lacks {path.name}", missing_remedy) from None
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read as JSON ({error})", "Restore the file from its source"
        ) from error
    if not isinstance(data, dict):
        raise WeightsError(f"{path} holds no JSON object", "Restore the file from its source")
    return data


def directory_config(folder: Path) -> ModelConfig:
    """The decoder's shape from config.json, ends of answers from generation_config.json."""
    data = read_json(
        folder / "config.json",
        missing_remedy="Give the folder of a complete checkpoint, or a .gguf file",
    )
    ends = data.get("eos_token_id")
    generation = folder / "generation_config.json"
    if generation.exists():
        ends = read_json(generation, missing_remedy="").get("eos_token_id") or ends
    if ends is None:
        ends = []
    ids = ends if isinstance(ends, list) else [ends]
    if not all(isinstance(i, int) for i in ids):
        raise WeightsError(
            f"{folder} has malformed end tokens: {ids!r}", "Restore generation_config.json"
        )
    return config_from_json(data, tuple(ids), str(folder / "config.json"))


def shard_files(folder: Path) -> tuple[Path, ...]:
    """The safetensors files of a checkpoint, in name order; all of them exist."""
    if (folder / _INDEX).exists():
        weight_map = read_json(folder / _INDEX, missing_remedy="").get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise WeightsError(f"{folder / _INDEX} lists no tensors", "Restore the file")
        names = sorted({str(name) for name in weight_map.values()})
        for name in names:
            if Path(name).name != name:
                raise WeightsError(
                    f"{folder / _INDEX} names {name!r}, which is outside the folder",
                    "Do not use this checkpoint",
                )
            if not (folder / name).is_file():
                raise WeightsError(
                    f"{folder} lacks the shard {name} that {_INDEX} names",
                    "Download the missing file again",
                )
        return tuple(folder / name for name in names)
    if not (folder / _SINGLE).is_file():
        raise WeightsError(
            f"{folder} lacks {_SINGLE} (or {_INDEX} with its shards)",
            "Give the folder of a complete checkpoint, or a .gguf file",
        )
    return (folder / _SINGLE,)


def load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of one file, mapped rather than read."""
    with local_extra("Reading safetensors files"):
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged ({error})", "Download it again") from error
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error})", "Check the file") from error


def directory_weights(
    folder: Path, config: ModelConfig, dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """All tensors in engine layout at `dtype`."""
    import torch

    found: dict[str, torch.Tensor] = {}
    for shard in shard_files(folder):
        found.update(load_safetensors(shard))
    weights: dict[str, torch.Tensor] = {}
    for name, shape in engine_shapes(config).items():
        parts = [_fetch(found, part, folder) for part in _parts(name, config, found)]
        rows = [
            part.reshape(-1, shape[-1]) if part.shape[-1] == shape[-1] else part for part in parts
        ]
        if sum(part.numel() for part in parts) != torch.Size(shape).numel() or (
            len(shape) > 1 and any(part.dim() != 2 for part in rows)
        ):
            shapes = ", ".join(str(tuple(part.shape)) for part in parts[:3])
            raise WeightsError(
                f"{folder}: tensors of shape {shapes} do not make up {shape} of {name}",
                "The files are damaged or mixed; download them again",
            )
        if len(parts) == 1:
            weights[name] = parts[0].reshape(shape).to(dtype)
            continue
        target = torch.empty(shape, dtype=dtype)
        flat, start = target.view(-1), 0
        for part in parts:
            flat[start : start + part.numel()].copy_(part.reshape(-1))
            start += part.numel()
        weights[name] = target
    return weights


def _fetch(found: Mapping[str, torch.Tensor], name: str, folder: Path) -> torch.Tensor:
    try:
        return found[name]
    except KeyError:
        raise WeightsError(
            f"{folder} lacks the tensor {name}", "Download the checkpoint again"
        ) from None


_RENAMED = {
    "attn_norm.weight": "input_layernorm.weight",
    "q_norm.weight": "self_attn.q_norm.weight",
    "k_norm.weight": "self_attn.k_norm.weight",
    "o.weight": "self_attn.o_proj.weight",
    "mlp_norm.weight": "post_attention_layernorm.weight",
    "router.weight": "mlp.gate.weight",
    "down.weight": "mlp.down_proj.weight",
    "embed.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "lm_head.weight": "lm_head.weight",
}


def _parts(name: str, config: ModelConfig, found: Mapping[str, torch.Tensor]) -> list[str]:
    """The checkpoint's tensors that, stacked in order, make up one engine tensor."""
    if not name.startswith("layers."):
        return [_RENAMED[name]]
    _, index, kind = name.split(".", 2)
    layer = f"model.layers.{index}."
    if kind in _RENAMED:
        return [layer + _RENAMED[kind]]
    if kind.startswith("qkv."):
        suffix = kind.removeprefix("qkv.")
        return [f"{layer}self_attn.{letter}_proj.{suffix}" for letter in "qkv"]
    if kind == "gate_up.weight":
        return [layer + "mlp.gate_proj.weight", layer + "mlp.up_proj.weight"]
    projections = ("gate_proj", "up_proj") if kind == "experts_gate_up.weight" else ("down_proj",)
    fused = f"{layer}mlp.experts.{'gate_up_proj' if len(projections) == 2 else 'down_proj'}"
    if fused in found:
        return [fused]
    return [
        f"{layer}mlp.experts.{expert}.{projection}.weight"
        for expert in range(config.experts)
        for projection in projections
    ]
