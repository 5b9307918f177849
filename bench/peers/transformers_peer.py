"""transformers `generate` in bfloat16 as a benchmark peer, on the very same weights."""

from __future__ import annotations

import os
import sys
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from protocol import Workload, serve
from torch import Tensor

from codekiln.core.settings import load_settings
from codekiln.models import ModelConfig, ensure, open_checkpoint


def as_transformers(config: ModelConfig, weights: dict[str, Tensor]) -> Any:
    """A Qwen2ForCausalLM that shares the engine's tensors. Raises ValueError for others."""
    if config.architecture != "qwen2":
        raise ValueError(f"only qwen2 is converted, not {config.architecture}")
    shape = transformers.Qwen2Config(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.kv_heads,
        max_position_embeddings=config.context_tokens,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        rms_norm_eps=config.rms_norm_eps,
        tie_word_embeddings=config.tie_embeddings,
        use_sliding_window=False,
        eos_token_id=None,
        bos_token_id=None,
    )
    state = {
        "model.embed_tokens.weight": weights["embed.weight"],
        "model.norm.weight": weights["norm.weight"],
        "lm_head.weight": weights.get("lm_head.weight", weights["embed.weight"]),
    }
    q, kv = config.heads * config.head_dim, config.kv_heads * config.head_dim
    for i in range(config.layers):
        ours, theirs = f"layers.{i}.", f"model.layers.{i}."
        for kind in ("weight", "bias"):
            parts = torch.split(weights[f"{ours}qkv.{kind}"], [q, kv, kv])
            for letter, part in zip("qkv", parts, strict=True):
                state[f"{theirs}self_attn.{letter}_proj.{kind}"] = part
        gate, up = weights[ours + "gate_up.weight"].chunk(2)
        state |= {
            theirs + "self_attn.o_proj.weight": weights[ours + "o.weight"],
            theirs + "mlp.gate_proj.weight": gate,
            theirs + "mlp.up_proj.weight": up,
            theirs + "mlp.down_proj.weight": weights[ours + "down.weight"],
            theirs + "input_layernorm.weight": weights[ours + "attn_norm.weight"],
            theirs + "post_attention_layernorm.weight": weights[ours + "mlp_norm.weight"],
        }
    # Rotary buffers are not part of a checkpoint, so only the parameters are made empty.
    with torch.device("meta"):
        model = transformers.Qwen2ForCausalLM(shape)
    model.load_state_dict(state, assign=True)
    model.model.rotary_emb = type(model.model.rotary_emb)(shape)
    model.train(False)
    return model


def main(model_name: str) -> None:
    torch.set_num_threads(load_settings().threads)
    checkpoint = open_checkpoint(ensure(model_name))
    model = as_transformers(checkpoint.config, checkpoint.weights(torch.bfloat16))

    def run(workload: Workload) -> int:
        torch.manual_seed(workload.seed)
        prompts = torch.tensor(workload.prompts)
        tokens = model.generate(
            prompts,
            attention_mask=torch.ones_like(prompts),
            do_sample=workload.temperature > 0,
            temperature=workload.temperature or None,
            top_k=0,
            max_new_tokens=workload.new_tokens,
            min_new_tokens=workload.new_tokens,
            pad_token_id=0,
        )
        return int((tokens.shape[1] - prompts.shape[1]) * tokens.shape[0])

    serve(run, {"torch": torch.__version__, "transformers": transformers.__version__})


if __name__ == "__main__":
    main(sys.argv[1])
