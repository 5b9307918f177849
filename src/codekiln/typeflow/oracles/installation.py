"""Installs the type checkers that are no Python packages, below the cache, without root."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from codekiln.core.errors import CodekilnError
from codekiln.core.settings import load_settings
from codekiln.typeflow.oracles.oracle import Availability, find_oracle

# The first generation whose compiler and language server are native programs.
TYPESCRIPT = "typescript@7.0.2"
_TIMEOUT_S = 600


class InstallationError(CodekilnError):
    """A type checker could not be installed."""


def typescript_folder() -> Path:
    """Where `install_typescript` puts it."""
    return load_settings().cache_dir / "toolchains" / "typescript"


def install_typescript() -> Availability:
    """Install TypeScript's native compiler with npm; nothing is done where it is there.

    Raises InstallationError when npm is missing or fails; then nothing is left behind.
    """
    found = find_oracle("typescript")
    if found.path is not None:
        return found
    npm = shutil.which("npm")
    if npm is None:
        raise InstallationError(
            "TypeScript is installed with npm, which is not on the PATH",
            "Install Node.js with npm (Debian: apt install npm, or https://nodejs.org)",
        )
    target = typescript_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=target.parent, prefix=".typescript-", ignore_cleanup_errors=True
    ) as made:
        command = [npm, "install", "--prefix", made, "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            done = subprocess.run(
                [*command, TYPESCRIPT],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InstallationError(f"npm failed: {error}", "Try again") from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no reason given"]
            raise InstallationError(
                f"npm could not install {TYPESCRIPT}: {said[-1]}",
                "Check the network and npm's registry (npm config get registry), then try again",
            )
        shutil.rmtree(target, ignore_errors=True)
        # Programs in the sandbox belong to nobody, and compile with it.
        Path(made).chmod(0o755)
        Path(made).rename(target)
    found = find_oracle("typescript")
    if found.path is None:
        raise InstallationError(
            f"{TYPESCRIPT} was installed in {target} and does not run", "Try: codekiln doctor"
        )
    return found
