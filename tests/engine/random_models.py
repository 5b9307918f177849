"""Small random decoders in the engine layout, and the slow way to run them."""

from __future__ import annotations

import torch
from torch import Tensor

from codekiln.attention import attend_block_plain
from codekiln.core import Sampling
from codekiln.engine import Decoder, Engine, EngineLimits, Finished, GenerationRequest
from codekiln.models.config import ModelConfig

VOCAB = 300


def random_config(heads: int = 6, kv_heads: int = 2) -> ModelConfig:
    return ModelConfig(
        architecture="qwen2",
        vocab_size=VOCAB,
        hidden_size=48,
        intermediate_size=96,
        layers=2,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=16,
        rope_theta=10_000.0,
        rms_norm_eps=1e-6,
        context_tokens=4096,
        tie_embeddings=True,
        attention_bias=True,
        qk_norm=False,
        eos_token_ids=(),
    )


def random_decoder(seed: int = 0, heads: int = 6, kv_heads: int = 2) -> Decoder:
    """Weights large enough that the logits have clear winners."""
    config = random_config(heads, kv_heads)
    generator = torch.Generator().manual_seed(seed)

    def weight(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * 0.3

    hidden, width = config.hidden_size, config.intermediate_size
    qkv = (config.heads + 2 * config.kv_heads) * config.head_dim
    weights = {"embed.weight": weight(VOCAB, hidden), "norm.weight": torch.ones(hidden)}
    for layer in range(config.layers):
        name = f"layers.{layer}."
        weights |= {
            name + "attn_norm.weight": torch.ones(hidden),
            name + "qkv.weight": weight(qkv, hidden),
            name + "qkv.bias": weight(qkv),
            name + "o.weight": weight(hidden, config.heads * config.head_dim),
            name + "mlp_norm.weight": torch.ones(hidden),
            name + "gate_up.weight": weight(2 * width, hidden),
            name + "down.weight": weight(hidden, width),
        }
    return Decoder(config, weights)


def byte_of(token: int) -> bytes:
    """A vocabulary in which most tokens are one byte of text."""
    return bytes([token]) if token < 256 else f"<{token}>".encode()


def random_engine(decoder: Decoder, eos: tuple[int, ...] = (), **limits: int) -> Engine:
    return Engine(decoder, byte_of, eos, EngineLimits(**limits))


def run(engine: Engine, *requests: GenerationRequest) -> list[Finished]:
    """Submit all, step until idle, and give the results in order."""
    tickets = [engine.submit(request) for request in requests]
    return drain(engine, tickets)


def drain(engine: Engine, tickets: list[int]) -> list[Finished]:
    done: dict[int, Finished] = {}
    while not engine.is_idle:
        for event in engine.step():
            if event.finished is not None:
                done[event.ticket] = event.finished
    return [done[ticket] for ticket in tickets]


class _WholeContext:
    """Attention over one whole sequence, written out."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (part.transpose(0, 1).unsqueeze(0) for part in (q, k, v))
        return attend_block_plain(q, k, v, causal=True).out[0].transpose(0, 1)


def naive_logits(decoder: Decoder, tokens: list[int]) -> Tensor:
    """Logits after each token, recomputed from nothing: [tokens, vocab]."""
    ids = torch.tensor(tokens)
    hidden = decoder.forward(ids, torch.arange(len(tokens)), len(tokens) - 1, _WholeContext())
    return decoder.logits(hidden)


def naive_greedy(decoder: Decoder, prompt: tuple[int, ...], count: int) -> tuple[int, ...]:
    tokens = list(prompt)
    for _ in range(count):
        tokens.append(int(naive_logits(decoder, tokens)[-1].argmax()))
    return tuple(tokens[len(prompt) :])


def greedy(prompt: tuple[int, ...], count: int, **fields: object) -> GenerationRequest:
    return GenerationRequest(prompt, Sampling(max_tokens=count, **fields))  # type: ignore[arg-type]
