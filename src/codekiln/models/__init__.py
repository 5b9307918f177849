"""Models on disk: the catalogue, getting and checking weights, reading them, tokenizing."""

from codekiln.models.catalogue import ModelEntry, catalogue, find_entry
from codekiln.models.checkpoint import Checkpoint, open_checkpoint
from codekiln.models.config import ModelConfig
from codekiln.models.inventory import (
    ModelStatus,
    Removal,
    Verification,
    list_models,
    model_path,
    remove,
    verify_files,
)
from codekiln.models.layout import engine_shapes, required_memory_bytes
from codekiln.models.progress import Progress, SilentProgress
from codekiln.models.resolve import ensure, pull
from codekiln.models.store import ModelFiles
from codekiln.models.tokenizer import ChatTokenizer

__all__ = [
    "ChatTokenizer",
    "Checkpoint",
    "ModelConfig",
    "ModelEntry",
    "ModelFiles",
    "ModelStatus",
    "Progress",
    "Removal",
    "SilentProgress",
    "Verification",
    "catalogue",
    "engine_shapes",
    "ensure",
    "find_entry",
    "list_models",
    "model_path",
    "open_checkpoint",
    "pull",
    "remove",
    "required_memory_bytes",
    "verify_files",
]
