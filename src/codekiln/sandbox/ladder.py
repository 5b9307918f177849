"""Choose the strongest isolation that really works here, by running something in each.

Takes nothing from the caller's word: a level counts as available only after a program ran in it.
The results are kept for the life of the process.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass

from codekiln.core.errors import SandboxError, SandboxUnavailableError, UsageError
from codekiln.sandbox.supervised import SupervisedIsolation
from codekiln.sandbox.supervisor import landlock, seccomp
from codekiln.sandbox.types import Isolation, IsolationLevel, Limits, Program

LEVEL_VARIABLE = "CODEKILN_ISOLATION"
_PROBE = Program(("python", "-I", "-S", "-c", "print('ready')"), limits=Limits(wall_s=20.0))
_NAMESPACE_REMEDY = (
    "Allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container a seccomp profile that "
    "permits clone with namespaces)"
)
_LANDLOCK_REMEDY = (
    "Boot Linux 5.13 or newer with Landlock (lsm=landlock,...); in a container the seccomp "
    "profile must permit the landlock calls"
)


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether one level works on this machine; `why_not` and `remedy` are empty if it does."""

    level: IsolationLevel
    name: str
    works: bool
    why_not: str = ""
    remedy: str = ""


def open_isolation(*, unsafe: bool = False, level: IsolationLevel | None = None) -> Isolation:
    """The strongest isolation that works here.

    `unsafe` permits resource limits alone (L1), and only where nothing better works. `level`
    (or the environment variable CODEKILN_ISOLATION, "L1" to "L3") asks for one level and no
    other; L1 still needs `unsafe`. Raises SandboxUnavailableError when no permitted level works.
    """
    wanted = level if level is not None else _level_from_environment()
    permitted = [IsolationLevel.L3, IsolationLevel.L2, *([IsolationLevel.L1] if unsafe else [])]
    if wanted is not None:
        permitted = [item for item in permitted if item is wanted]
    problems = []
    remedies = []
    for candidate in permitted:
        found = _availability(candidate)
        if found.works:
            return _isolation(candidate)
        problems.append(f"{candidate.name}: {found.why_not}")
        remedies.append(found.remedy)
    asked = f"isolation {wanted.name}" if wanted is not None else "isolation of level 2 or better"
    raise SandboxUnavailableError(
        f"This machine offers no {asked} ({'; '.join(problems) or 'L1 needs unsafe'})",
        remedies[-1] if remedies else "Pass --unsafe to run programs with resource limits alone",
    )


def available_isolations() -> tuple[Availability, ...]:
    """Every level, strongest first, each tried for real."""
    return tuple(_availability(level) for level in sorted(IsolationLevel, reverse=True))


def _level_from_environment() -> IsolationLevel | None:
    text = os.environ.get(LEVEL_VARIABLE, "")
    if not text:
        return None
    try:
        return IsolationLevel[text.upper()]
    except KeyError:
        raise UsageError(f"{LEVEL_VARIABLE} is {text!r}", "Use L1, L2 or L3") from None


def _isolation(level: IsolationLevel) -> SupervisedIsolation:
    abi = landlock.kernel_abi()
    name = {
        IsolationLevel.L3: f"namespaces+landlock{abi}+seccomp",
        IsolationLevel.L2: f"landlock{abi}+seccomp",
        IsolationLevel.L1: "limits-only (unsafe)",
    }[level]
    return SupervisedIsolation(level, name, abi)


@functools.cache
def _availability(level: IsolationLevel) -> Availability:
    isolation = _isolation(level)

    def missing(why: str, remedy: str) -> Availability:
        return Availability(level, isolation.name, works=False, why_not=why, remedy=remedy)

    if level >= IsolationLevel.L2 and not seccomp.supported():
        machine = os.uname().machine
        return missing(
            f"no system call filter for {machine}", "Use an x86-64 or arm64 machine with Linux"
        )
    if level >= IsolationLevel.L2 and landlock.kernel_abi() == 0:
        return missing("the kernel offers no Landlock", _LANDLOCK_REMEDY)
    try:
        result = isolation.run(_PROBE)
    except SandboxError as error:
        remedy = _NAMESPACE_REMEDY if level is IsolationLevel.L3 else error.remedy
        return missing(error.message, remedy)
    if result.stdout != b"ready\n":
        return missing(
            f"a first program ended with {result.outcome} {result.exit_code} {result.signal}: "
            f"{result.stderr.decode(errors='replace')[-200:]}",
            "Report this with the output of `codekiln doctor`",
        )
    return Availability(level, isolation.name, works=True)
