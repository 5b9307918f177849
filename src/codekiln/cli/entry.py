"""The process boundary: runs a command, turns what it raises into one line and an exit code.

0 done, 1 failure, 2 usage, 130 Ctrl-C; commands define further ones. Never shows a traceback
unless CODEKILN_DEBUG is set.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from codekiln.cli.console import error_line
from codekiln.core.errors import CodekilnError

DEBUG_VARIABLE = "CODEKILN_DEBUG"
FAILURE, USAGE = 1, 2


class Interrupted(BaseException):
    """SIGINT or SIGTERM arrived. Not a KeyboardInterrupt, which typer would make an exit code."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def main() -> NoReturn:
    """Run the command of this process and leave."""
    try:
        # A shell has its background jobs ignore SIGINT; that stays so.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, _interrupt)
        signal.signal(signal.SIGTERM, _interrupt)
        code = run(sys.argv[1:])
        _flush()
    except Interrupted as stop:
        error_line("interrupted")
        # Threads may still wait for programs in the sandbox. These die with this process.
        os._exit(stop.exit_code)
    sys.exit(code)


def run(argv: Sequence[str]) -> int:
    """The exit code of a command line. Raises only Interrupted."""
    try:
        # Typer takes a while to import; nothing before it should have to wait.
        from codekiln.cli.app import app

        result = app(args=list(argv), prog_name="codekiln", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except CodekilnError as error:
        error_line(str(error))
        return error.exit_code
    except BrokenPipeError:
        return FAILURE
    except SystemExit as leaving:
        # Typer leaves by itself when a pipe's reader has gone.
        return leaving.code if isinstance(leaving.code, int) else FAILURE
    # The boundary of the process: whatever broke, the user gets one line.
    except Exception as error:  # noqa: BLE001
        return _unexpected(error)


def _unexpected(error: Exception) -> int:
    wording = getattr(error, "format_message", None)
    if callable(wording):
        # A command line that does not parse; typer's own copy of click has no public names.
        context = getattr(error, "ctx", None)
        path = getattr(context, "command_path", "codekiln")
        message = " ".join(str(wording()).split())
        if message:
            error_line(f"{message.rstrip('.')}. See '{path} --help'")
        return USAGE
    message = " ".join(str(error).split()) or "no message"
    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        traceback.print_exception(error)
        return FAILURE
    error_line(
        f"unexpected {type(error).__name__}: {message}. "
        f"This is a fault of codekiln; run with {DEBUG_VARIABLE}=1 for the traceback"
    )
    return FAILURE


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    raise Interrupted(number)


def _flush() -> None:
    """Flush what was printed; a reader that has gone is no error at this point."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Or the interpreter complains when it flushes once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
