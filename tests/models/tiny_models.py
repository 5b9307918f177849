"""Small real files for tests: checkpoints saved by transformers, and GGUF files written by gguf."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from codekiln.models.tokenizer import PRETOKENIZER_PATTERN

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>")
USER_DEFINED = ("<tool_call>", "</tool_call>")
CORPUS = (
    "def hello(name):\n    return f'Hello, {name}!'\n\n\n" * 3,
    "I'll say it's 1234 o'clock; we've DON'T they're 'S 'll",
    "naïve café Ünïcödé 你好世界 こんにちは 🙂🙃 e\u0301 ﬁ",
    "for i in range(10):\n\t\tprint(i)  # comment   \r\n  \r\n\r\n",
    "system user assistant You are Qwen, created by Alibaba Cloud.",
)
TEMPLATE = (
    "{%- if messages[0]['role'] == 'system' %}\n"
    "    {{- '<|im_start|>system\\n' + messages[0]['content'] + '<|im_end|>\\n' }}\n"
    "{%- else %}\n"
    "    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}\n"
    "{%- endif %}\n"
    "{%- for message in messages %}\n"
    "    {%- if message.role != 'system' or not loop.first %}\n"
    "        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\n"
    "    {%- endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}\n"
    "    {{- '<|im_start|>assistant\\n' }}\n"
    "{%- endif %}\n"
)

_SIZES: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "rope_theta": 1e6,
}
_MOE: dict[str, Any] = {
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "norm_topk_prob": True,
}


@cache
def vocabulary() -> tuple[dict[str, int], Any]:
    """A byte-level BPE trained on CORPUS: ordinary tokens, and merges (pairs)."""
    backend = tokenizers.Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(PRETOKENIZER_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    backend.train_from_iterator(CORPUS, trainer)
    model = json.loads(backend.to_str())["model"]
    return model["vocab"], tuple(tuple(merge) for merge in model["merges"])


def all_tokens() -> list[str]:
    """The whole vocabulary in id order: ordinary, control, user-defined, two unused."""
    ordinary = sorted(vocabulary()[0], key=vocabulary()[0].__getitem__)
    return [*ordinary, *CONTROL, *USER_DEFINED, "[PAD0]", "[PAD1]"]


def reference_tokenizer() -> Any:
    """transformers' own Qwen2 tokenizer over the same vocabulary."""
    ordinary, merges = vocabulary()
    tokenizer = transformers.Qwen2Tokenizer(
        vocab=ordinary | {token: len(ordinary) + i for i, token in enumerate(CONTROL)},
        merges=[*merges],
    )
    tokenizer.add_tokens(
        [tokenizers.AddedToken(token, special=True, normalized=False) for token in CONTROL],
        special_tokens=True,
    )
    tokenizer.add_tokens(
        [tokenizers.AddedToken(t, special=False, normalized=False) for t in USER_DEFINED]
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def random_model(architecture: str, **changes: Any) -> Any:
    """A transformers model with random weights, float32."""
    kinds: dict[str, tuple[Any, Any, dict[str, Any]]] = {
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM, {}),
        "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM, {"head_dim": 32}),
        "qwen3_moe": (
            transformers.Qwen3MoeConfig,
            transformers.Qwen3MoeForCausalLM,
            {"head_dim": 32, **_MOE},
        ),
    }
    config, model, extra = kinds[architecture]
    torch.manual_seed(0)
    made = model(config(**{**_SIZES, **extra, "vocab_size": len(all_tokens()), **changes}))
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def save_checkpoint(folder: Path, architecture: str, *, shard: str = "1GB", **changes: Any) -> Any:
    """Save a random model with tokenizer as transformers does; give the model."""
    model = random_model(architecture, **changes)
    ends = {token: i for i, token in enumerate(all_tokens())}
    model.generation_config.eos_token_id = [ends["<|im_end|>"], ends["<|endoftext|>"]]
    model.save_pretrained(folder, max_shard_size=shard)
    reference_tokenizer().save_pretrained(folder)
    return model


_GGUF_ARCHITECTURE = {"qwen2": "qwen2", "qwen3": "qwen3", "qwen3_moe": "qwen3moe"}
_GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
}


def write_gguf(
    path: Path,
    model: Any,
    *,
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    metadata: dict[str, Any] | None = None,
    skip: str = "",
) -> None:
    """Write a transformers model as GGUF with the official writer.

    `kind` is the type of all matrices, `metadata` adds or replaces string keys, `skip` leaves
    one tensor out.
    """
    config = model.config
    architecture = _GGUF_ARCHITECTURE[config.model_type]
    writer = gguf.GGUFWriter(path, (metadata or {}).pop("arch", architecture))
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    if config.model_type != "qwen2":
        writer.add_key_length(config.head_dim)
    if config.model_type == "qwen3_moe":
        writer.add_expert_count(config.num_experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    _add_tokenizer(writer)
    for key, value in (metadata or {}).items():
        if isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_uint32(key, value)
    for name, values in _gguf_tensors(model):
        if name == skip:
            continue
        if values.ndim == 1 or kind == gguf.GGMLQuantizationType.F32:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    tokens, merges = all_tokens(), vocabulary()[1]
    kinds = [1] * len(vocabulary()[0]) + [3] * len(CONTROL) + [4] * len(USER_DEFINED) + [5] * 2
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_chat_template(TEMPLATE)


def _gguf_tensors(model: Any) -> list[tuple[str, np.ndarray[Any, Any]]]:
    tensors: list[tuple[str, np.ndarray[Any, Any]]] = []
    for name, tensor in model.state_dict().items():
        values = tensor.detach().float().numpy()
        if name.endswith("experts.gate_up_proj"):
            block = f"blk.{name.split('.')[2]}."
            half = values.shape[1] // 2
            tensors.append((block + "ffn_gate_exps.weight", values[:, :half].copy()))
            tensors.append((block + "ffn_up_exps.weight", values[:, half:].copy()))
        elif name.endswith("experts.down_proj"):
            tensors.append((f"blk.{name.split('.')[2]}.ffn_down_exps.weight", values))
        elif name.startswith("model.layers."):
            _, _, layer, rest = name.split(".", 3)
            inner, suffix = rest.rsplit(".", 1)
            tensors.append((f"blk.{layer}.{_GGUF_NAMES[inner]}.{suffix}", values))
        else:
            plain = {
                "model.embed_tokens.weight": "token_embd.weight",
                "model.norm.weight": "output_norm.weight",
                "lm_head.weight": "output.weight",
            }
            tensors.append((plain[name], values))
    return tensors
