"""Models on disk: the catalogue, getting and checking weights, reading them, tokenizing."""

from codekiln.models.catalogue import ModelEntry, catalogue, find_entry
from codekiln.models.checkpoint import Checkpoint, open_checkpoint, read_config
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
from codekiln.models.layout import engine_shapes, kv_token_bytes, required_memory_bytes
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
    "kv_token_bytes",
    "list_models",
    "model_path",
    "open_checkpoint",
    "pull",
    "read_config",
    "remove",
    "required_memory_bytes",
    "verify_files",
]
