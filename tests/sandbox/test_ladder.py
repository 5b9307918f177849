"""How the strongest isolation is chosen, and that nothing runs where there is none."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import codekiln
from codekiln.core.errors import SandboxUnavailableError, UsageError
from codekiln.sandbox import (
    IsolationLevel,
    Limits,
    Program,
    available_isolations,
    open_isolation,
)
from codekiln.sandbox.ladder import LEVEL_VARIABLE
from codekiln.sandbox.supervisor import kernel


def works(level: IsolationLevel) -> bool:
    return next(item for item in available_isolations() if item.level is level).works


def test_strongest_level_that_works_is_chosen() -> None:
    strongest = next(item for item in available_isolations() if item.works)
    assert open_isolation().level is strongest.level
    assert open_isolation(unsafe=True).level is strongest.level
    assert open_isolation().name == strongest.name


def test_every_level_that_does_not_work_says_why_and_what_to_do() -> None:
    levels = [item.level for item in available_isolations()]
    assert levels == sorted(IsolationLevel, reverse=True)
    for item in available_isolations():
        assert item.works == (not item.why_not) == (not item.remedy)


def test_limits_alone_need_a_word_from_the_user() -> None:
    with pytest.raises(SandboxUnavailableError, match="unsafe"):
        open_isolation(level=IsolationLevel.L1)
    isolation = open_isolation(unsafe=True, level=IsolationLevel.L1)
    assert "unsafe" in isolation.name
    result = isolation.run(Program(("python", "-c", "print(1)")))
    assert result.level is IsolationLevel.L1
    assert "no isolation" in result.denied[0]


def test_limits_hold_without_isolation_too() -> None:
    isolation = open_isolation(unsafe=True, level=IsolationLevel.L1)

    def outcome(code: str, limits: Limits) -> str:
        return isolation.run(Program(("python", "-c", code), limits=limits)).outcome

    assert outcome("while True: pass", Limits(cpu_s=0.3)) == "cpu_limit"
    assert outcome("import time; time.sleep(60)", Limits(wall_s=0.3)) == "wall_limit"
    assert outcome("x = b'x' * (200 << 20)", Limits(memory_bytes=100 << 20)) == "memory_limit"
    assert outcome("while True: print('x' * 999)", Limits()) == "output_limit"


def test_environment_variable_forces_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LEVEL_VARIABLE, "l2")
    if works(IsolationLevel.L2):
        assert open_isolation().level is IsolationLevel.L2
    monkeypatch.setenv(LEVEL_VARIABLE, "L1")
    with pytest.raises(SandboxUnavailableError):
        open_isolation()
    monkeypatch.setenv(LEVEL_VARIABLE, "strong")
    with pytest.raises(UsageError, match=LEVEL_VARIABLE):
        open_isolation()


# A process that may neither make namespaces nor use Landlock, as under a strict container.
_REFUSE = """
import ctypes, struct, sys
from codekiln.sandbox.supervisor import kernel, seccomp
program = bytes.fromhex(sys.argv[1])
seccomp.install(program, listener=False)
from codekiln.sandbox import available_isolations, open_isolation
for item in available_isolations():
    print(item.level.name, item.works)
try:
    print(open_isolation().name)
except Exception as error:
    print(type(error).__name__, error)
print(open_isolation(unsafe=True).level.name)
"""


def _refusing(numbers: list[int], *, clone_flags: bool) -> str:
    load, equal, bits, back = 0x20, 0x15, 0x45, 0x06
    allow, refuse = 0x7FFF_0000, 0x0005_0001
    program = [(load, 0, 0, 0)]
    for number in numbers:
        program += [(equal, 0, 1, number), (back, 0, 0, refuse)]
    if clone_flags:
        program += [
            (equal, 0, 4, kernel.SYS_CLONE),
            (load, 0, 0, 16),
            (bits, 0, 1, kernel.CLONE_NEWUSER),
            (back, 0, 0, refuse),
            (back, 0, 0, allow),
        ]
    program.append((back, 0, 0, allow))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program).hex()


def _ladder_under(program: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _REFUSE, program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(not works(IsolationLevel.L2), reason="L2 does not work here")
def test_landlock_alone_is_used_where_namespaces_are_refused() -> None:
    lines = _ladder_under(_refusing([], clone_flags=True))
    assert lines[:3] == ["L3 False", "L2 True", "L1 True"]
    assert lines[3].startswith("landlock")
    assert lines[4] == "L2"


def test_nothing_runs_where_neither_works() -> None:
    landlock = [kernel.SYS_LANDLOCK_CREATE_RULESET]
    lines = _ladder_under(_refusing(landlock, clone_flags=True))
    assert lines[:3] == ["L3 False", "L2 False", "L1 True"]
    assert lines[3].startswith("SandboxUnavailableError")
    assert "Landlock" in lines[3]
    assert lines[4] == "L1"


@pytest.mark.skipif(not works(IsolationLevel.L3), reason="L3 does not work here")
def test_ladder_works_inside_a_sandbox_where_only_the_second_level_is_left() -> None:
    """A sandbox in a sandbox: no namespaces, no privileges, another user, little of a host."""
    source = Path(codekiln.__file__).parent.parent
    site = sysconfig.get_paths()["purelib"]
    code = f"""
import sys
sys.path += [{str(source)!r}, {site!r}]
from codekiln.sandbox import Program, open_isolation
isolation = open_isolation()
result = isolation.run(Program(('python', '-I', '-c', 'open("f", "w"); print(6 * 7)')))
print(isolation.level.name, result.outcome, result.stdout)
"""
    result = open_isolation(level=IsolationLevel.L3).run(
        Program(
            ("python", "-I", "-c", code),
            read_only=(str(source), site),
            limits=Limits(processes=40, cpu_s=20.0, wall_s=60.0),
        )
    )
    assert result.stdout == b"L2 exited b'42\\n'\n", result.stderr[-2000:]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_both_levels_work_for_an_ordinary_user(tmp_path: Path) -> None:
    interpreter = Path("/usr/bin/python3")
    if not interpreter.exists():
        pytest.skip("no interpreter that another user may run")
    source = Path(codekiln.__file__).parent.parent
    site = sysconfig.get_paths()["purelib"]
    copied = tmp_path / "src"
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    subprocess.run(["cp", "-r", str(source), str(copied)], check=True)
    subprocess.run(["chmod", "-R", "a+rX", str(copied)], check=True)
    code = f"""
import sys
sys.path += [{str(copied)!r}, {site!r}]
from codekiln.sandbox import IsolationLevel, Program, available_isolations, open_isolation
code = "import os; open('f', 'w').close(); os.chmod('f', 0o700); print(os.stat('f').st_mode & 511)"
for item in available_isolations()[:2]:
    print(item, file=sys.stderr)
    if item.works:
        isolation = open_isolation(level=item.level)
        print(item.level.name, isolation.run(Program(('python', '-I', '-c', code))).stdout)
"""
    nobody = 65534
    done = subprocess.run(
        [str(interpreter), "-I", "-c", code],
        capture_output=True,
        text=True,
        user=nobody,
        group=nobody,
        extra_groups=[],
        cwd="/",
        env={},
        check=False,
    )
    if "requires a different Python" in done.stderr or "ImportError" in done.stderr:
        pytest.skip("the other interpreter cannot load the package")
    expected = [f"{name} b'448\\n'" for name in ("L3", "L2") if works(IsolationLevel[name])]
    assert done.stdout.splitlines() == expected, done.stderr
