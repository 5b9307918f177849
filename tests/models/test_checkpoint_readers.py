"""Both readers give the tensors that transformers holds, and refuse what is broken."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import gguf
import psutil
import pytest
import tiny_models
import torch
from safetensors.torch import load_file, save_file

from codekiln.core.errors import (
    InsufficientResourceError,
    MissingExtraError,
    ModelError,
    WeightsError,
)
from codekiln.models import (
    ModelFiles,
    engine_shapes,
    ensure,
    open_checkpoint,
    required_memory_bytes,
)

ARCHITECTURES = ("qwen2", "qwen3", "qwen3_moe")


@pytest.fixture(autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CODEKILN_CACHE", str(folder))
    return folder


def expected_layout(model: Any) -> dict[str, torch.Tensor]:
    """The engine layout written out from transformers' parameters, slowly and plainly."""
    state: dict[str, torch.Tensor] = model.state_dict()
    out = {
        "embed.weight": state["model.embed_tokens.weight"],
        "norm.weight": state["model.norm.weight"],
    }
    if not model.config.tie_word_embeddings:
        out["lm_head.weight"] = state["lm_head.weight"]
    for i in range(model.config.num_hidden_layers):
        old, new = f"model.layers.{i}.", f"layers.{i}."
        out[new + "attn_norm.weight"] = state[old + "input_layernorm.weight"]
        out[new + "mlp_norm.weight"] = state[old + "post_attention_layernorm.weight"]
        for kind in ("weight", "bias"):
            names = [f"{old}self_attn.{x}_proj.{kind}" for x in "qkv"]
            if names[0] in state:
                out[new + "qkv." + kind] = torch.cat([state[name] for name in names])
        out[new + "o.weight"] = state[old + "self_attn.o_proj.weight"]
        for norm in ("q_norm", "k_norm"):
            if f"{old}self_attn.{norm}.weight" in state:
                out[new + norm + ".weight"] = state[f"{old}self_attn.{norm}.weight"]
        if old + "mlp.gate.weight" in state:
            out[new + "router.weight"] = state[old + "mlp.gate.weight"]
            out[new + "experts_gate_up.weight"] = state[old + "mlp.experts.gate_up_proj"]
            out[new + "experts_down.weight"] = state[old + "mlp.experts.down_proj"]
        else:
            out[new + "gate_up.weight"] = torch.cat(
                [state[old + "mlp.gate_proj.weight"], state[old + "mlp.up_proj.weight"]]
            )
            out[new + "down.weight"] = state[old + "mlp.down_proj.weight"]
    return out


def assert_same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(wanted)
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def as_bf16(layout: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.to(torch.bfloat16) for name, tensor in layout.items()}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shard", ["1GB", "50KB"])
def test_a_saved_folder_gives_the_tensors_of_transformers(
    tmp_path: Path, architecture: str, shard: str
) -> None:
    model = tiny_models.save_checkpoint(tmp_path, architecture, shard=shard)
    assert (tmp_path / "model.safetensors.index.json").exists() == (shard == "50KB")
    checkpoint = open_checkpoint(ensure(str(tmp_path)))
    assert_same(checkpoint.weights(torch.float32), expected_layout(model))
    assert_same(checkpoint.weights(torch.bfloat16), as_bf16(expected_layout(model)))
    config, ours = model.config, checkpoint.config
    assert ours.architecture == architecture
    assert (ours.heads, ours.kv_heads, ours.head_dim) == (
        4,
        2,
        16 if architecture == "qwen2" else 32,
    )
    assert ours.rope_theta == 1e6
    assert ours.rms_norm_eps == config.rms_norm_eps
    assert ours.eos_token_ids == tuple(model.generation_config.eos_token_id)
    if architecture == "qwen3_moe":
        assert (ours.experts, ours.experts_per_token, ours.norm_topk_prob) == (8, 2, True)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_gguf_file_gives_the_tensors_of_transformers(tmp_path: Path, architecture: str) -> None:
    model = tiny_models.random_model(architecture)
    tiny_models.write_gguf(tmp_path / "m.gguf", model)
    tiny_models.save_checkpoint(tmp_path / "folder", architecture)
    checkpoint = open_checkpoint(ensure(str(tmp_path / "m.gguf")))
    wanted = as_bf16(expected_layout(model))
    for _ in ("converting", "from the cache"):
        assert_same(checkpoint.weights(torch.bfloat16), wanted)
    assert_same(checkpoint.weights(torch.float32), {name: t.float() for name, t in wanted.items()})
    assert checkpoint.config == open_checkpoint(ensure(str(tmp_path / "folder"))).config


def test_tied_embeddings_give_no_head(tmp_path: Path) -> None:
    model = tiny_models.save_checkpoint(tmp_path / "folder", "qwen2", tie_word_embeddings=True)
    tiny_models.write_gguf(tmp_path / "m.gguf", model, skip="output.weight")
    for path in (tmp_path / "folder", tmp_path / "m.gguf"):
        checkpoint = open_checkpoint(ensure(str(path)))
        assert checkpoint.config.tie_embeddings
        assert_same(checkpoint.weights(torch.bfloat16), as_bf16(expected_layout(model)))


def test_dense_layers_inside_a_mixture_are_found(tmp_path: Path) -> None:
    model = tiny_models.save_checkpoint(tmp_path / "folder", "qwen3_moe", mlp_only_layers=[0])
    tiny_models.write_gguf(tmp_path / "m.gguf", model)
    for path in (tmp_path / "folder", tmp_path / "m.gguf"):
        checkpoint = open_checkpoint(ensure(str(path)))
        assert [checkpoint.config.is_moe_layer(i) for i in (0, 1)] == [False, True]
        assert_same(checkpoint.weights(torch.bfloat16), as_bf16(expected_layout(model)))


def test_fused_experts_are_read_like_single_ones(tmp_path: Path) -> None:
    model = tiny_models.save_checkpoint(tmp_path, "qwen3_moe")
    save_file(
        {name: t.contiguous() for name, t in model.state_dict().items()},
        tmp_path / "model.safetensors",
    )
    assert "model.layers.0.mlp.experts.gate_up_proj" in load_file(tmp_path / "model.safetensors")
    checkpoint = open_checkpoint(ensure(str(tmp_path)))
    assert_same(checkpoint.weights(torch.float32), expected_layout(model))


def test_the_memory_figure_is_the_sum_of_the_tensors(tmp_path: Path) -> None:
    tiny_models.save_checkpoint(tmp_path, "qwen3_moe")
    checkpoint = open_checkpoint(ensure(str(tmp_path)))
    weights = checkpoint.weights(torch.float32)
    assert {name: tuple(t.shape) for name, t in weights.items()} == engine_shapes(checkpoint.config)
    total = sum(t.numel() * t.element_size() for t in weights.values())
    assert required_memory_bytes(checkpoint.config, torch.float32.itemsize) == total


@pytest.mark.parametrize(
    "kind", [gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.Q5_0], ids=str
)
def test_quantised_matrices_come_back_close_to_the_original(
    tmp_path: Path, kind: gguf.GGMLQuantizationType
) -> None:
    model = tiny_models.random_model("qwen2")
    tiny_models.write_gguf(tmp_path / "m.gguf", model, kind=kind)
    weights = open_checkpoint(ensure(str(tmp_path / "m.gguf"))).weights(torch.float32)
    for name, wanted in expected_layout(model).items():
        limit = 0.2 if kind == gguf.GGMLQuantizationType.Q5_0 else 0.03
        assert (weights[name] - wanted).abs().max() < limit, name


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"model_type": "llama"}, "architecture 'llama'"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6}}, "scaling of type 'yarn'"),
        ({"rope_parameters": None, "rope_scaling": {"type": "linear"}}, "type 'linear'"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "sliding window"),
        ({"hidden_act": "gelu"}, "activation 'gelu'"),
        ({"attention_bias": True}, "biases"),
        ({"quantization_config": {"quant_method": "awq"}}, "'awq'"),
        ({"num_hidden_layers": 10**9}, "layers"),
        ({"num_attention_heads": 0}, "config"),
        ({"hidden_size": "wide"}, "malformed"),
        ({"num_key_value_heads": 3}, "does not add up"),
        ({"hidden_size": 128}, "do not make up"),
        ({"num_hidden_layers": 3}, "lacks the tensor model.layers.2"),
    ],
)
def test_a_folder_that_the_decoder_cannot_do_is_refused(
    tmp_path: Path, changes: dict[str, Any], wanted: str
) -> None:
    tiny_models.save_checkpoint(tmp_path, "qwen3")
    edit_json(tmp_path / "config.json", **changes)
    with pytest.raises(ModelError, match=wanted):
        open_checkpoint(ensure(str(tmp_path))).weights(torch.float32)


def test_a_sliding_window_that_is_switched_off_is_no_obstacle(tmp_path: Path) -> None:
    tiny_models.save_checkpoint(tmp_path, "qwen2")
    config = json.loads((tmp_path / "config.json").read_text())
    # As in the vendor's older files.
    config |= {"sliding_window": 131072, "use_sliding_window": False, "rope_theta": 5e5}
    del config["layer_types"], config["rope_parameters"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert open_checkpoint(ensure(str(tmp_path))).config.rope_theta == 5e5


@pytest.mark.parametrize("missing", ["config.json", "model-00002-of-", "tokenizer.json"])
def test_a_missing_file_of_a_folder_is_named(tmp_path: Path, missing: str) -> None:
    tiny_models.save_checkpoint(tmp_path, "qwen2", shard="50KB")
    next(tmp_path.glob(missing + "*")).unlink()
    with pytest.raises(WeightsError, match=missing):
        open_checkpoint(ensure(str(tmp_path))).tokenizer()


def test_an_empty_folder_and_a_missing_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="empty folder"):
        ensure(str(tmp_path))
    with pytest.raises(WeightsError, match="does not exist"):
        ensure(str(tmp_path / "nothing.gguf"))


def test_an_index_cannot_lead_out_of_its_folder(tmp_path: Path) -> None:
    tiny_models.save_checkpoint(tmp_path, "qwen2", shard="50KB")
    edit_json(tmp_path / "model.safetensors.index.json", weight_map={"a": "../../etc/passwd"})
    with pytest.raises(WeightsError, match="outside the folder"):
        open_checkpoint(ensure(str(tmp_path)))


@pytest.mark.parametrize("damage", ["header", "cut", "text"])
def test_damaged_safetensors_are_refused(tmp_path: Path, damage: str) -> None:
    tiny_models.save_checkpoint(tmp_path, "qwen2")
    path = tmp_path / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(
        {"header": data[:8] + b"!" * 64 + data[72:], "cut": data[:-100], "text": b"hi"}[damage]
    )
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged"):
        open_checkpoint(ensure(str(tmp_path))).weights(torch.float32)


def test_a_converted_copy_that_got_damaged_is_made_anew(tmp_path: Path, cache_dir: Path) -> None:
    model = tiny_models.random_model("qwen2")
    tiny_models.write_gguf(tmp_path / "m.gguf", model)
    checkpoint = open_checkpoint(ensure(str(tmp_path / "m.gguf")))
    checkpoint.weights(torch.bfloat16)
    (copy,) = (cache_dir / "converted").iterdir()
    copy.write_bytes(copy.read_bytes()[:1000])
    assert_same(checkpoint.weights(torch.bfloat16), as_bf16(expected_layout(model)))


def test_too_little_memory_is_said_with_both_figures_before_anything_is_read(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_models.write_gguf(tmp_path / "m.gguf", tiny_models.random_model("qwen2"))
    checkpoint = open_checkpoint(ensure(str(tmp_path / "m.gguf")))
    memory = psutil.virtual_memory()._replace(available=100_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    with pytest.raises(InsufficientResourceError, match=r"needs .*kB of memory.*100\.0 kB"):
        checkpoint.weights(torch.bfloat16)
    assert not (cache_dir / "converted").exists()


def test_too_little_disk_for_the_converted_copy_is_said_with_both_figures(
    tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny_models.write_gguf(tmp_path / "m.gguf", tiny_models.random_model("qwen2"))
    checkpoint = open_checkpoint(ensure(str(tmp_path / "m.gguf")))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 5000}))
    with pytest.raises(InsufficientResourceError, match=r"needs .*MB.*5\.0 kB are free"):
        checkpoint.weights(torch.bfloat16)
    assert not list((cache_dir / "converted").iterdir())


@pytest.mark.parametrize("package", ["gguf", "tokenizers", "safetensors"])
def test_a_missing_package_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    if package == "safetensors":
        tiny_models.save_checkpoint(tmp_path / "m", "qwen2")
        files = ModelFiles("m", tmp_path / "m", "safetensors", "")
    else:
        tiny_models.write_gguf(tmp_path / "m.gguf", tiny_models.random_model("qwen2"))
        files = ModelFiles("m", tmp_path / "m.gguf", "gguf", "0" * 64)
    for module in [m for m in sys.modules if m.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, package, None)

    def use() -> None:
        checkpoint = open_checkpoint(files)
        if package != "safetensors":
            checkpoint.tokenizer()
        checkpoint.weights(torch.bfloat16)

    with pytest.raises(MissingExtraError, match=r"codekiln\[local\]"):
        use()


def test_a_cache_that_cannot_take_the_converted_copy_is_said(
    tmp_path: Path, cache_dir: Path
) -> None:
    tiny_models.write_gguf(tmp_path / "m.gguf", tiny_models.random_model("qwen2"))
    checkpoint = open_checkpoint(ensure(str(tmp_path / "m.gguf")))
    (cache_dir / "converted").write_text("in the way")
    with pytest.raises(ModelError, match="CODEKILN_CACHE"):
        checkpoint.weights(torch.bfloat16)
