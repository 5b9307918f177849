"""Open a model on disk, whatever its format: configuration, tokenizer and weights.

Takes ModelFiles, gives a Checkpoint. The only place that knows both formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from codekiln.core.errors import WeightsError
from codekiln.core.settings import load_settings
from codekiln.models.catalogue import find_entry
from codekiln.models.config import ModelConfig
from codekiln.models.gguf_file import GgufFile, read_gguf
from codekiln.models.gguf_weights import ensure_converted, gguf_config, map_converted
from codekiln.models.layout import check_memory
from codekiln.models.progress import Progress, SilentProgress
from codekiln.models.resolve import checkpoint_path, local_path
from codekiln.models.safetensors_weights import (
    directory_config,
    directory_weights,
    shard_files,
)
from codekiln.models.store import ModelFiles
from codekiln.models.tokenizer import ChatTokenizer, directory_tokenizer, gguf_tokenizer

if TYPE_CHECKING:
    import torch


class Checkpoint(Protocol):
    """A model that can be loaded."""

    @property
    def files(self) -> ModelFiles:
        """Where it comes from."""

    @property
    def config(self) -> ModelConfig:
        """The decoder's shape."""

    def tokenizer(self) -> ChatTokenizer:
        """Its tokenizer with the chat template."""

    def weights(
        self, dtype: torch.dtype, progress: Progress | None = None
    ) -> dict[str, torch.Tensor]:
        """All tensors in engine layout, on the CPU; do not write to them.

        Raises InsufficientResourceError before allocating when memory is too small.
        """


def open_checkpoint(files: ModelFiles) -> Checkpoint:
    """Read and check headers and configuration; weights and tokenizer follow on demand."""
    if files.format == "gguf":
        gguf = read_gguf(files.path)
        return GgufCheckpoint(files, gguf_config(gguf), gguf)
    config = directory_config(files.path)
    shard_files(files.path)
    return SafetensorsCheckpoint(files, config)


def read_config(name_or_path: str) -> ModelConfig:
    """A model's shape without loading, hashing or downloading it.

    Raises UsageError for an unknown name, WeightsError for a file that cannot be read.
    """
    path = local_path(name_or_path)
    if path is None:
        return find_entry(name_or_path).config
    path = checkpoint_path(path)
    return directory_config(path) if path.is_dir() else gguf_config(read_gguf(path))


@dataclass(frozen=True, slots=True)
class GgufCheckpoint:
    """A GGUF file; the first load leaves a bf16 copy in the cache that later loads map."""

    files: ModelFiles
    config: ModelConfig
    gguf: GgufFile

    def tokenizer(self) -> ChatTokenizer:
        """The tokenizer in the file's metadata."""
        return gguf_tokenizer(self.gguf, self.config)

    def weights(
        self, dtype: torch.dtype, progress: Progress | None = None
    ) -> dict[str, torch.Tensor]:
        """See Checkpoint."""
        check_memory(self.config, dtype, self.files.name)
        cache_dir, progress = load_settings().cache_dir, progress or SilentProgress()
        for attempt in ("cached", "fresh"):
            copy = ensure_converted(self.gguf, self.config, self.files.sha256, cache_dir, progress)
            try:
                weights = map_converted(copy, self.config)
                break
            except WeightsError:
                if attempt == "fresh":
                    raise
                copy.unlink(missing_ok=True)
        return {name: tensor.to(dtype) for name, tensor in weights.items()}


@dataclass(frozen=True, slots=True)
class SafetensorsCheckpoint:
    """A Hugging Face folder; rearranged in memory at each load."""

    files: ModelFiles
    config: ModelConfig

    def tokenizer(self) -> ChatTokenizer:
        """The tokenizer from tokenizer.json."""
        return directory_tokenizer(self.files.path, self.config)

    def weights(
        self, dtype: torch.dtype, progress: Progress | None = None
    ) -> dict[str, torch.Tensor]:
        """See Checkpoint."""
        check_memory(self.config, dtype, self.files.name)
        return directory_weights(self.files.path, self.config, dtype)
