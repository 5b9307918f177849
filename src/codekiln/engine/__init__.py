"""Local inference: decoder, KV cache, continuous batching, sampling, decode guards.

Token ids in, tokens and text out; prompts and chat templates are the business of
codekiln.models and codekiln.backends.
"""

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    from codekiln.core.errors import MissingExtraError

    raise MissingExtraError("Running a model in this process", "local") from error

from codekiln.engine.decoder import Decoder
from codekiln.engine.engine import Engine, EngineLimits, EngineStats
from codekiln.engine.guard import Accept, DecodeGuard, GuardDecision, RollBack
from codekiln.engine.hardware import Hardware, detect_hardware
from codekiln.engine.sequence import Event, Finished, GenerationRequest
from codekiln.engine.token_guard import TokenGuard

__all__ = [
    "Accept",
    "DecodeGuard",
    "Decoder",
    "Engine",
    "EngineLimits",
    "EngineStats",
    "Event",
    "Finished",
    "GenerationRequest",
    "GuardDecision",
    "Hardware",
    "RollBack",
    "TokenGuard",
    "detect_hardware",
]
