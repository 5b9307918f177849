"""A decoder's shape: ModelConfig, and what of Hugging Face's config.json fits into it.

Takes parsed JSON, gives a ModelConfig or a one-line refusal. Refused because the decoder does
not do it: scaled rotary embeddings, sliding windows in use, activations other than SiLU, output
biases in attention, weights quantised by other tools. Knows nothing of tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from codekiln.core.errors import ModelError, WeightsError

Architecture = Literal["qwen2", "qwen3", "qwen3_moe"]
ARCHITECTURES: tuple[str, ...] = get_args(Architecture)

_POSITIVE = (
    *("vocab_size", "hidden_size", "intermediate_size", "layers", "heads", "kv_heads"),
    *("head_dim", "rope_theta", "rms_norm_eps", "context_tokens", "decoder_sparse_step"),
)
# Far beyond any real model; a damaged file must not make the reader count to a billion.
_LIMITS = {"layers": 2048, "experts": 65_536}
_LIMIT = 1 << 32
_REMEDY = "Use a Qwen2, Qwen3 or Qwen3-MoE checkpoint (codekiln models list shows some)"


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything the decoder needs to know about a checkpoint, whatever file it came from.

    `intermediate_size` is that of dense layers. The expert fields are 0 for dense models; which
    layers of a mixture are dense follows from `decoder_sparse_step` and `mlp_only_layers`.
    """

    architecture: Architecture
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    rope_theta: float
    rms_norm_eps: float
    context_tokens: int
    tie_embeddings: bool
    attention_bias: bool
    qk_norm: bool
    eos_token_ids: tuple[int, ...]
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate_size: int = 0
    norm_topk_prob: bool = False
    decoder_sparse_step: int = 1
    mlp_only_layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        positive = [*_POSITIVE]
        if self.architecture == "qwen3_moe":
            positive += ["experts", "experts_per_token", "expert_intermediate_size"]
        for field in positive:
            value = getattr(self, field)
            if not 0 < value < _LIMITS.get(field, _LIMIT):
                raise WeightsError(
                    f"The checkpoint's configuration has {field} = {value}",
                    "The file is damaged; download it again",
                )
        if self.heads % self.kv_heads or self.experts_per_token > self.experts:
            raise WeightsError(
                f"The checkpoint's configuration does not add up: {self.heads} heads over "
                f"{self.kv_heads} key/value heads, {self.experts_per_token} of "
                f"{self.experts} experts",
                "The file is damaged; download it again",
            )

    def is_moe_layer(self, layer: int) -> bool:
        """True when this layer routes to experts instead of one dense MLP."""
        return (
            self.experts > 0
            and layer not in self.mlp_only_layers
            and (layer + 1) % self.decoder_sparse_step == 0
        )


def config_from_json(
    data: Mapping[str, Any], eos_token_ids: tuple[int, ...], source: str
) -> ModelConfig:
    """Read the contents of a config.json; `source` names the file in messages.

    Raises ModelError for what the decoder does not do, WeightsError for a malformed file.
    """
    architecture = data.get("model_type")
    if architecture not in ARCHITECTURES:
        raise ModelError(
            f"{source} describes the architecture {architecture!r}, which is not supported",
            _REMEDY,
        )
    _refuse_unsupported(data, source)
    try:
        rope = data.get("rope_parameters") or {}
        heads, hidden = int(data["num_attention_heads"]), int(data["hidden_size"])
        moe = architecture == "qwen3_moe"
        return ModelConfig(
            architecture=cast(Architecture, architecture),
            vocab_size=int(data["vocab_size"]),
            hidden_size=hidden,
            intermediate_size=int(data["intermediate_size"]),
            layers=int(data["num_hidden_layers"]),
            heads=heads,
            kv_heads=int(data.get("num_key_value_heads") or heads),
            head_dim=int(data.get("head_dim") or hidden // heads),
            rope_theta=float(rope.get("rope_theta") or data.get("rope_theta") or 10_000.0),
            rms_norm_eps=float(data.get("rms_norm_eps", 1e-6)),
            context_tokens=int(data["max_position_embeddings"]),
            tie_embeddings=bool(data.get("tie_word_embeddings", False)),
            attention_bias=architecture == "qwen2",
            qk_norm=architecture != "qwen2",
            eos_token_ids=eos_token_ids,
            experts=int(data.get("num_local_experts") or data["num_experts"]) if moe else 0,
            experts_per_token=int(data["num_experts_per_tok"]) if moe else 0,
            expert_intermediate_size=int(data["moe_intermediate_size"]) if moe else 0,
            norm_topk_prob=bool(data.get("norm_topk_prob", False)) if moe else False,
            decoder_sparse_step=int(data.get("decoder_sparse_step") or 1) if moe else 1,
            mlp_only_layers=tuple(data.get("mlp_only_layers") or ()) if moe else (),
        )
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"is malformed ({error})"
        raise WeightsError(f"{source} {what}", "Restore the file from its source") from error


def _refuse_unsupported(data: Mapping[str, Any], source: str) -> None:
    def refuse(what: str) -> None:
        raise ModelError(f"{source} asks for {what}, which the decoder does not do", _REMEDY)

    rope = data.get("rope_parameters") or data.get("rope_scaling") or {}
    if not isinstance(rope, Mapping):
        raise WeightsError(f"{source} has malformed rotary settings", "Restore the file")
    kind = rope.get("rope_type") or rope.get("type") or "default"
    if kind != "default":
        refuse(f"rotary scaling of type {kind!r}")
    partial = rope.get("partial_rotary_factor", data.get("partial_rotary_factor"))
    if partial not in (None, 1, 1.0):
        refuse(f"rotary embeddings on a part of each head ({partial})")
    if _slides(data):
        refuse(f"a sliding window of {data.get('sliding_window')} tokens")
    if data.get("hidden_act", "silu") != "silu":
        refuse(f"the activation {data['hidden_act']!r}")
    if data.get("attention_bias") and data["model_type"] != "qwen2":
        refuse("biases in all attention projections")
    if data.get("quantization_config"):
        method = dict(data["quantization_config"]).get("quant_method", "unknown")
        refuse(f"weights quantised with {method!r}")


def _slides(data: Mapping[str, Any]) -> bool:
    """True when some layer really uses the window; configs often carry one that is off."""
    if "layer_types" in data:
        return any(kind != "full_attention" for kind in data["layer_types"] or ())
    return bool(
        data.get("use_sliding_window")
        and data.get("sliding_window")
        and int(data.get("max_window_layers", 0)) < int(data.get("num_hidden_layers", 0))
    )
