"""GGUF files are read as their format defines, and broken ones end in one line."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import tiny_models
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from codekiln.core.errors import CodekilnError, ModelError, WeightsError
from codekiln.models import ensure, open_checkpoint
from codekiln.models.gguf_file import read_gguf


@pytest.fixture(autouse=True)
def cache_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("CODEKILN_CACHE", str(folder))
    return folder


def _scale_min(j: int, q: bytes) -> tuple[int, int]:
    if j < 4:
        return q[j] & 63, q[j + 4] & 63
    return (
        (q[j + 4] & 15) | (q[j - 4] >> 6 << 4),
        (q[j + 4] >> 4) | (q[j] >> 6 << 4),
    )


def plain_dequantize(block: bytes, kind: gguf.GGMLQuantizationType) -> list[float]:
    """One block after the format's definition, number by number."""

    def half(start: int) -> float:
        return float(struct.unpack_from("<e", block, start)[0])

    if kind == gguf.GGMLQuantizationType.Q8_0:
        return [half(0) * q for q in struct.unpack_from("<32b", block, 2)]
    if kind == gguf.GGMLQuantizationType.Q5_0:
        high = struct.unpack_from("<I", block, 2)[0]
        low = [b & 15 for b in block[6:22]] + [b >> 4 for b in block[6:22]]
        return [half(0) * ((q | (high >> i & 1) << 4) - 16) for i, q in enumerate(low)]
    out: list[float] = []
    if kind == gguf.GGMLQuantizationType.Q4_K:
        scales, quants = block[4:16], block[16:144]
        for group in range(8):
            scale, minimum = _scale_min(group, scales)
            for b in quants[group // 2 * 32 : group // 2 * 32 + 32]:
                q = b >> 4 if group % 2 else b & 15
                out.append(half(0) * scale * q - half(2) * minimum)
        return out
    assert kind == gguf.GGMLQuantizationType.Q6_K
    fours, twos, small = block[:128], block[128:192], struct.unpack_from("<16b", block, 192)
    for i in range(256):
        part, j = divmod(i, 128)
        quarter, k = divmod(j, 32)
        b = fours[part * 64 + k + 32 * (quarter % 2)]
        q = (b >> 4 if quarter >= 2 else b & 15) | (twos[part * 32 + k] >> 2 * quarter & 3) << 4
        out.append(half(208) * small[part * 8 + quarter * 2 + k // 16] * (q - 32))
    return out


@pytest.mark.parametrize("name", ["Q8_0", "Q5_0", "Q4_K", "Q6_K"])
def test_dequantisation_equals_the_formats_definition(name: str) -> None:
    kind = gguf.GGMLQuantizationType[name]
    _, size = gguf.GGML_QUANT_SIZES[kind]
    blocks = np.random.default_rng(1).integers(0, 256, (64, size), dtype=np.uint8)
    # Scales are half floats; keep them finite and moderate.
    for offset in {"Q8_0": [0], "Q5_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}[name]:
        blocks[:, offset + 1] &= 0x3B
    found = gguf.dequantize(blocks, kind)
    wanted = [plain_dequantize(block.tobytes(), kind) for block in blocks]
    assert np.allclose(found, np.array(wanted), rtol=1e-5, atol=1e-6)


def test_the_header_reader_agrees_with_the_gguf_package(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    tiny_models.write_gguf(path, tiny_models.random_model("qwen3_moe"))
    ours, theirs = read_gguf(path), gguf.GGUFReader(path)
    keys = [key for key in theirs.fields if not key.startswith("GGUF.")]
    assert list(ours.metadata) == keys
    for key in keys:
        assert ours.metadata[key] == theirs.fields[key].contents(), key
    assert [(t.name, t.offset, t.size_bytes) for t in ours.tensors.values()] == [
        (t.name, int(t.data_offset), int(t.n_bytes)) for t in theirs.tensors
    ]


@pytest.fixture(scope="module")
def small_gguf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gguf") / "m.gguf"
    tiny_models.write_gguf(path, tiny_models.random_model("qwen2", num_hidden_layers=1))
    return path.read_bytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_gguf_cut_anywhere_is_refused_in_one_line(
    small_gguf: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(small_gguf) - 1))
    path = tmp_path_factory.mktemp("cut") / "cut.gguf"
    path.write_bytes(small_gguf[:cut])
    with pytest.raises(WeightsError) as caught:
        ensure(str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_gguf_with_a_damaged_header_never_ends_in_a_traceback(
    small_gguf: bytes,
    tmp_path_factory: pytest.TempPathFactory,
    changes: list[tuple[float, int]],
) -> None:
    # The tensor data, nearly all of the file, begins after the last tensor's description.
    header = small_gguf.index(b"output_norm.weight") + 40
    damaged = bytearray(small_gguf)
    for place, value in changes:
        damaged[4 + int(place * (header - 4))] = value
    path = tmp_path_factory.mktemp("damaged") / "m.gguf"
    path.write_bytes(damaged)
    with contextlib.suppress(CodekilnError):
        checkpoint = open_checkpoint(ensure(str(path)))
        checkpoint.tokenizer().encode("def f(x): return x", specials=True)
        checkpoint.weights(torch.bfloat16)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"", "not a GGUF"),
        (b"PK\x03\x04 a zip", "not a GGUF"),
        (b"hello, this is text\n", "not a GGUF"),
        (b"GGUF\x01\x00\x00\x00" + bytes(16), "version 1"),
        (b"GGUF\x00\x00\x00\x03" + bytes(16), "version"),
    ],
)
def test_a_file_that_is_no_readable_gguf_is_named(
    tmp_path: Path, content: bytes, wanted: str
) -> None:
    path = tmp_path / "weights.gguf"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=wanted):
        ensure(str(path))


@pytest.mark.parametrize(
    ("metadata", "wanted"),
    [
        ({"arch": "mamba"}, "architecture 'mamba'"),
        ({"qwen2.rope.scaling.type": "yarn"}, "rotary scaling of type 'yarn'"),
        ({"qwen2.attention.sliding_window": 128}, "sliding window"),
    ],
)
def test_a_gguf_that_the_decoder_cannot_do_is_refused(
    tmp_path: Path, metadata: dict[str, Any], wanted: str
) -> None:
    path = tmp_path / "m.gguf"
    tiny_models.write_gguf(path, tiny_models.random_model("qwen2"), metadata=metadata)
    with pytest.raises(ModelError, match=wanted):
        open_checkpoint(ensure(str(path)))


def test_a_gguf_without_one_tensor_names_it(tmp_path: Path, cache_dir: Path) -> None:
    path = tmp_path / "m.gguf"
    tiny_models.write_gguf(path, tiny_models.random_model("qwen2"), skip="blk.1.ffn_up.weight")
    checkpoint = open_checkpoint(ensure(str(path)))
    with pytest.raises(WeightsError, match=r"lacks the tensor blk\.1\.ffn_up\.weight"):
        checkpoint.weights(torch.bfloat16)
    assert not list((cache_dir / "converted").iterdir())
