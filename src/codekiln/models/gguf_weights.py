"""Turn a GGUF file into the engine layout: its ModelConfig, and a bf16 copy in the cache.

Takes a parsed GgufFile. Reads every tensor type that the `gguf` package can dequantise, a few
thousand rows at a time, so that memory stays small whatever the model's size.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from codekiln.core.errors import ModelError, WeightsError
from codekiln.models.config import Architecture, ModelConfig
from codekiln.models.disk import disk_errors, require_free
from codekiln.models.extras import local_extra
from codekiln.models.gguf_file import GgufFile, GgufTensor
from codekiln.models.layout import LAYOUT_VERSION, engine_shapes, parameter_count
from codekiln.models.locks import exclusive
from codekiln.models.progress import Progress

if TYPE_CHECKING:
    import torch

_ARCHITECTURES: dict[str, Architecture] = {
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "qwen3moe": "qwen3_moe",
}
_BF16_BYTES = 2
_CHUNK_VALUES = 4 << 20
# Tokens that end an answer in the Qwen family, whether or not the file lists them as such.
_END_TOKENS = ("<|im_end|>", "<|endoftext|>")
_CONTROL = 3


def gguf_config(gguf: GgufFile) -> ModelConfig:
    """The decoder's shape as the file's metadata and tensor table tell it."""
    meta, tensors = gguf.metadata, gguf.tensors
    name = meta.get("general.architecture")
    if name not in _ARCHITECTURES:
        raise ModelError(
            f"{gguf.path} has the architecture {name!r}, which is not supported",
            "Use a Qwen2, Qwen3 or Qwen3-MoE file (codekiln models list shows some)",
        )
    if meta.get(f"{name}.rope.scaling.type", "none") != "none":
        kind = meta[f"{name}.rope.scaling.type"]
        raise ModelError(
            f"{gguf.path} asks for rotary scaling of type {kind!r}, which the decoder does not do",
            "Use the file without context extension",
        )
    if meta.get(f"{name}.attention.sliding_window"):
        raise ModelError(
            f"{gguf.path} asks for a sliding window, which the decoder does not do",
            "Use a Qwen2, Qwen3 or Qwen3-MoE file with full attention",
        )

    def key(suffix: str) -> Any:
        try:
            return meta[f"{name}.{suffix}"]
        except KeyError:
            raise WeightsError(
                f"{gguf.path} lacks the metadata key {name}.{suffix}", "Download it again"
            ) from None

    moe = name == "qwen3moe"
    try:
        heads, hidden = int(key("attention.head_count")), int(key("embedding_length"))
        layers = int(key("block_count"))
        if layers > len(tensors):
            raise ValueError(f"{layers} layers in {len(tensors)} tensors")
        return ModelConfig(
            architecture=_ARCHITECTURES[cast(str, name)],
            vocab_size=_tensor(gguf, "token_embd.weight").shape[0],
            hidden_size=hidden,
            intermediate_size=int(key("feed_forward_length")),
            layers=layers,
            heads=heads,
            kv_heads=int(key("attention.head_count_kv")),
            head_dim=int(meta.get(f"{name}.attention.key_length") or hidden // heads),
            rope_theta=float(meta.get(f"{name}.rope.freq_base", 10_000.0)),
            # Stored as float32; the shortest decimal is the number the vendor wrote.
            rms_norm_eps=float(f"{float(key('attention.layer_norm_rms_epsilon')):.6g}"),
            context_tokens=int(key("context_length")),
            tie_embeddings="output.weight" not in tensors,
            attention_bias=name == "qwen2",
            qk_norm=name != "qwen2",
            eos_token_ids=gguf_eos_ids(gguf),
            experts=int(key("expert_count")) if moe else 0,
            experts_per_token=int(key("expert_used_count")) if moe else 0,
            expert_intermediate_size=int(key("expert_feed_forward_length")) if moe else 0,
            norm_topk_prob=moe,
            mlp_only_layers=tuple(
                i for i in range(layers) if f"blk.{i}.ffn_gate_inp.weight" not in tensors
            )
            if moe
            else (),
        )
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{gguf.path} has malformed metadata ({error})", "Download it again"
        ) from error


def gguf_eos_ids(gguf: GgufFile) -> tuple[int, ...]:
    """Ids after which an answer is over."""
    found = [
        gguf.metadata[key]
        for key in ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id")
        if key in gguf.metadata
    ]
    tokens = gguf.metadata.get("tokenizer.ggml.tokens", [])
    kinds = gguf.metadata.get("tokenizer.ggml.token_type", [])
    found += [
        index
        for index, (token, kind) in enumerate(zip(tokens, kinds, strict=False))
        if kind == _CONTROL and token in _END_TOKENS
    ]
    return tuple(dict.fromkeys(int(token_id) for token_id in found))


@dataclass(frozen=True, slots=True)
class _RowSlice:
    """Rows [start, stop) of a tensor seen as a matrix with its fastest dimension as columns."""

    tensor: GgufTensor
    start: int
    stop: int


def _sources(gguf: GgufFile, config: ModelConfig) -> dict[str, list[_RowSlice]]:
    """For each engine tensor the row slices that, one after the other, make it up."""

    def whole(*names: str) -> list[_RowSlice]:
        tensors = [_tensor(gguf, name) for name in names]
        return [_RowSlice(tensor, 0, tensor.rows) for tensor in tensors]

    def stack(block: str, kind: str) -> list[_RowSlice]:
        return whole(*(f"{block}attn_{letter}.{kind}" for letter in "qkv"))

    sources = {"embed.weight": whole("token_embd.weight")}
    for i in range(config.layers):
        layer, block = f"layers.{i}.", f"blk.{i}."
        sources[layer + "attn_norm.weight"] = whole(block + "attn_norm.weight")
        sources[layer + "qkv.weight"] = stack(block, "weight")
        if config.attention_bias:
            sources[layer + "qkv.bias"] = stack(block, "bias")
        if config.qk_norm:
            sources[layer + "q_norm.weight"] = whole(block + "attn_q_norm.weight")
            sources[layer + "k_norm.weight"] = whole(block + "attn_k_norm.weight")
        sources[layer + "o.weight"] = whole(block + "attn_output.weight")
        sources[layer + "mlp_norm.weight"] = whole(block + "ffn_norm.weight")
        if config.is_moe_layer(i):
            sources[layer + "router.weight"] = whole(block + "ffn_gate_inp.weight")
            gate = _tensor(gguf, block + "ffn_gate_exps.weight")
            up = _tensor(gguf, block + "ffn_up_exps.weight")
            inner = config.expert_intermediate_size
            sources[layer + "experts_gate_up.weight"] = [
                _RowSlice(half, expert * inner, (expert + 1) * inner)
                for expert in range(config.experts)
                for half in (gate, up)
            ]
            sources[layer + "experts_down.weight"] = whole(block + "ffn_down_exps.weight")
        else:
            sources[layer + "gate_up.weight"] = whole(
                block + "ffn_gate.weight", block + "ffn_up.weight"
            )
            sources[layer + "down.weight"] = whole(block + "ffn_down.weight")
    sources["norm.weight"] = whole("output_norm.weight")
    if not config.tie_embeddings:
        sources["lm_head.weight"] = whole("output.weight")
    return sources


def _tensor(gguf: GgufFile, name: str) -> GgufTensor:
    try:
        return gguf.tensors[name]
    except KeyError:
        raise WeightsError(f"{gguf.path} lacks the tensor {name}", "Download it again") from None


def _checked_sources(
    gguf: GgufFile, config: ModelConfig, shapes: dict[str, tuple[int, ...]]
) -> dict[str, list[_RowSlice]]:
    sources = _sources(gguf, config)
    for name, shape in shapes.items():
        width, size = shape[-1], math.prod(shape)
        # A vector is one row in the file, and stacked vectors are several.
        fits = sum((s.stop - s.start) * s.tensor.shape[-1] for s in sources[name]) == size and all(
            s.stop <= s.tensor.rows and (len(shape) == 1 or s.tensor.shape[-1] == width)
            for s in sources[name]
        )
        if not fits:
            found = ", ".join(f"{s.tensor.name} {s.tensor.shape}" for s in sources[name][:3])
            raise WeightsError(
                f"{gguf.path}: {found} do not make up the shape {shape} of {name}",
                "The file is damaged; download it again",
            )
    return sources


def converted_path(cache_dir: Path, sha256: str) -> Path:
    """Where the engine-layout copy of the GGUF file with this hash lies."""
    return cache_dir / "converted" / f"{sha256}-v{LAYOUT_VERSION}.safetensors"


def ensure_converted(
    gguf: GgufFile, config: ModelConfig, sha256: str, cache_dir: Path, progress: Progress
) -> Path:
    """Dequantise to bf16 once; give the path of the safetensors file in engine layout.

    Two processes that need the same file convert once. Raises InsufficientResourceError before
    writing when the disk is too full.
    """
    target = converted_path(cache_dir, sha256)
    if target.exists():
        return target
    with disk_errors(cache_dir), exclusive(cache_dir, sha256, progress):
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        total = parameter_count(config) * _BF16_BYTES
        require_free(target.parent, total, f"Converting {gguf.path.name}")
        partial = target.with_suffix(".partial")
        progress.start(f"Converting {gguf.path.name} (once)", total)
        try:
            _write(gguf, config, partial, progress)
            partial.replace(target)
        finally:
            progress.finish()
            partial.unlink(missing_ok=True)
    return target


def map_converted(path: Path, config: ModelConfig) -> dict[str, torch.Tensor]:
    """The tensors of an engine-layout copy, each mapped by itself and read-only.

    A tensor that is dropped gives its memory back, which one mapping of the whole file would
    not. Raises WeightsError when the copy is damaged.
    """
    import numpy as np
    import torch

    shapes = engine_shapes(config)
    weights: dict[str, torch.Tensor] = {}
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header: dict[str, Any] = json.loads(file.read(size))
        for name, shape in shapes.items():
            start, end = header[name]["data_offsets"]
            if (
                tuple(header[name]["shape"]) != shape
                or end - start != math.prod(shape) * _BF16_BYTES
            ):
                raise ValueError(f"{name} has another shape")
            data = np.memmap(path, np.uint16, "r", 8 + size + start, shape)
            with warnings.catch_warnings():
                # Read-only memory is what is wanted.
                warnings.simplefilter("ignore", UserWarning)
                weights[name] = torch.from_numpy(data).view(torch.bfloat16)
    except (OSError, ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
        raise WeightsError(f"{path} is damaged ({error})", "Delete it") from error
    return weights


def _write(gguf: GgufFile, config: ModelConfig, target: Path, progress: Progress) -> None:
    """Write the safetensors format directly, for its own writer wants the whole model at once."""
    shapes = engine_shapes(config)
    sources = _checked_sources(gguf, config, shapes)
    header: dict[str, object] = {"__metadata__": {"format": "pt", "source": gguf.path.name}}
    offset = 0
    for name, shape in shapes.items():
        size = _BF16_BYTES * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with target.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in shapes:
            for piece in sources[name]:
                for data in _bf16_chunks(gguf.path, piece):
                    file.write(data)
                    progress.advance(len(data))
        file.flush()
        os.fsync(file.fileno())


def _bf16_chunks(path: Path, piece: _RowSlice) -> Iterator[bytes]:
    """Dequantised rows as bf16 bytes, rounded to nearest even."""
    with local_extra("Reading GGUF files"):
        import gguf
        import numpy as np
        import torch
    tensor = piece.tensor
    kind = gguf.GGMLQuantizationType(tensor.type)
    data = np.memmap(path, np.uint8, "r", tensor.offset, (tensor.rows, tensor.row_bytes))
    step = max(1, _CHUNK_VALUES // tensor.shape[-1])
    for start in range(piece.start, piece.stop, step):
        rows = np.array(data[start : min(start + step, piece.stop)])
        try:
            values = gguf.dequantize(rows, kind)
        except NotImplementedError as error:
            raise ModelError(
                f"{path}: tensor {tensor.name} has the type {kind.name}, which cannot be read",
                "Use another quantisation of the model, such as Q4_K_M",
            ) from error
        half = torch.from_numpy(values.astype(np.float32, copy=False)).to(torch.bfloat16)
        yield half.view(torch.int16).numpy().tobytes()
