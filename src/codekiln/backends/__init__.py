"""Where completions come from: one protocol over the embedded engine and over any server."""

from codekiln.backends.opening import open_backend
from codekiln.backends.protocol import (
    KV_TOKEN_BYTES,
    Attention,
    Backend,
    BackendInfo,
    Cancel,
    Completion,
    CompletionRequest,
    Delta,
    as_attention,
)

__all__ = [
    "KV_TOKEN_BYTES",
    "Attention",
    "Backend",
    "BackendInfo",
    "Cancel",
    "Completion",
    "CompletionRequest",
    "Delta",
    "as_attention",
    "open_backend",
]
