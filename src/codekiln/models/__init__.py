"""Models on disk: the catalogue, getting and checking weights, reading them, tokenizing."""

from codekiln.models.catalogue import ModelEntry, catalogue, find_entry
from codekiln.models.checkpoint import Checkpoint, open_checkpoint
from codekiln.models.config import ModelConfig
from codekiln.models.layout import engine_shapes, required_memory_bytes
from codekiln.models.progress import Progress, SilentProgress
from codekiln.models.store import ModelFiles
from codekiln.models.tokenizer import ChatTokenizer

__all__ = [
    "ChatTokenizer",
    "Checkpoint",
    "ModelConfig",
    "ModelEntry",
    "ModelFiles",
    "Progress",
    "SilentProgress",
    "catalogue",
    "engine_shapes",
    "find_entry",
    "open_checkpoint",
    "required_memory_bytes",
]
