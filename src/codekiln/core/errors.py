"""The error hierarchy: every error that codekiln raises on purpose.

A message names the input, the cause and the remedy. `str(error)` is one line that a
command line can print as it stands; `exit_code` is what the process should return.
"""

from __future__ import annotations


class CodekilnError(Exception):
    """Base of all deliberate errors.

    `message` says what is wrong and with which input, `remedy` what the user can do.
    """

    exit_code = 1

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message.strip()
        self.remedy = remedy.strip()

    def __str__(self) -> str:
        text = f"{self.message.rstrip('.')}. {self.remedy}" if self.remedy else self.message
        return " ".join(text.split())


class UsageError(CodekilnError):
    """The request itself is malformed: a bad option, an unreadable task, an unknown language."""

    exit_code = 2


class MissingExtraError(CodekilnError):
    """A feature needs an optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the optional extra '{extra}'",
            f'Install it with: pip install "codekiln[{extra}]"',
        )


class ModelError(CodekilnError):
    """A model name, file or architecture that cannot be used."""


class WeightsError(ModelError):
    """Weights that are missing, truncated, corrupt or of an unknown format."""


class DownloadError(ModelError):
    """No source could deliver the weights."""


class InsufficientResourceError(CodekilnError):
    """Too little memory or disk; the message carries the figure needed and the figure there."""


class ContextOverflowError(CodekilnError):
    """Prompt and requested tokens do not fit the context window."""


class BackendError(CodekilnError):
    """A model server failed or answered with something that is not an answer."""


class BackendUnavailableError(BackendError):
    """The server cannot be reached, or went away during a request."""


class BackendTimeoutError(BackendError):
    """The server did not answer within the time limit."""


class RateLimitedError(BackendError):
    """The server kept answering 429 after every allowed retry."""


class SandboxError(CodekilnError):
    """The sandbox could not be set up, or broke while a program ran."""


class SandboxUnavailableError(SandboxError):
    """This machine offers no isolation of level 2 or better, and `unsafe` was not asked for."""


class CancelledError(CodekilnError):
    """The caller cancelled the work."""

    exit_code = 130
