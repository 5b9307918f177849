"""Untrusted programs try to get out; each attack is first shown to work without a sandbox."""

from __future__ import annotations

import json
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import codekiln
from codekiln.core.errors import UsageError
from codekiln.sandbox import Limits, Program, RunResult
from codekiln.sandbox.host_paths import host_paths
from codekiln.sandbox.supervised import SupervisedIsolation

SECRET = "the secret"
IS_ROOT = os.geteuid() == 0

PRELUDE = """
import ctypes, errno, json, os, signal, sys, time
lab = json.loads(os.environ['LAB'])
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def call(name, *arguments):
    raw = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result = libc.syscall(ctypes.c_long(lab['numbers'][name]), *raw)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
won = None
try:
    exec(lab['code'])
    if won is None:
        raise PermissionError('nothing gained')
    print('ESCAPED', repr(won))
except BaseException as reason:
    print('STOPPED', type(reason).__name__, reason)
"""

# (x86-64, arm64) of the calls that attacks make by number.
CALL_NUMBERS = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "finit_module": (313, 273),
    "fsopen": (430, 430),
    "inotify_add_watch": (254, 27),
    "inotify_init1": (294, 26),
    "io_uring_setup": (425, 425),
    "linkat": (265, 37),
    "memfd_create": (319, 279),
    "mount": (165, 40),
    "mq_open": (240, 180),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "ptrace": (101, 117),
    "reboot": (169, 142),
    "renameat2": (316, 276),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "shmctl": (31, 195),
    "shmget": (29, 194),
    "syslog": (103, 116),
    "tgkill": (234, 131),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}


@dataclass(frozen=True)
class Attack:
    """One entry of attacks.toml."""

    name: str
    outside: str
    code: str
    machine: str = ""
    may_die: bool = False
    only_root: bool = False

    @property
    def can_be_shown(self) -> bool:
        return self.outside == "shown" or (self.outside == "root" and IS_ROOT)


def _load_attacks() -> list[Attack]:
    text = (Path(__file__).parent / "attacks.toml").read_text()
    return [Attack(**entry) for entry in tomllib.loads(text)["attack"]]


ATTACKS = _load_attacks()


@dataclass
class Lab:
    """Harmless targets for attacks, and the state in which they must be found afterwards."""

    folder: Path
    targets: dict[str, Any]
    victim: subprocess.Popen[bytes]
    tcp: socket.socket
    udp: socket.socket
    unix: list[socket.socket] = field(default_factory=list)

    def environment(self, code: str, *, outside: bool) -> dict[str, str]:
        column = 0 if platform.machine() == "x86_64" else 1
        numbers = {name: pair[column] for name, pair in CALL_NUMBERS.items()}
        lab = {**self.targets, "numbers": numbers, "code": code, "outside": outside}
        return {"LAB": json.dumps(lab)}

    def damage(self) -> list[str]:
        """What an attack changed outside."""
        found = []
        target = Path(self.targets["target"])
        if not target.exists() or target.read_text() != "intact":
            found.append("the target file changed")
        elif target.stat().st_mode & 0o777 != 0o666 or target.stat().st_mtime < 10:
            found.append("the target file's status changed")
        names = sorted(path.name for path in self.folder.joinpath("open").iterdir())
        if names != ["abstract", "datagram", "target", "unix"][1:]:
            found.append(f"files outside: {names}")
        if self.victim.poll() is not None:
            found.append("the victim is dead")
        for receiver in (self.tcp, self.udp, *self.unix):
            receiver.setblocking(False)
            try:
                if receiver.type == socket.SOCK_STREAM:
                    receiver.accept()
                else:
                    receiver.recv(100)
            except BlockingIOError:
                continue
            found.append(f"something reached {receiver.getsockname()!r}")
        if Path("/dev/shm", self.targets["marker"]).exists():
            found.append("a file in /dev/shm")
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    # Modes are wide open, so that only the isolation can be what stops an attack.
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    open_dir = tmp_path / "open"
    home = tmp_path / "home"
    for made in (open_dir, home):
        made.mkdir()
        made.chmod(0o777)
    (home / "notes").write_text("private")
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    target = open_dir / "target"
    target.write_text("intact")
    target.chmod(0o666)
    marker = f"mark{secrets.token_hex(8)}"
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    abstract, stream = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    abstract.bind(f"\0{marker}")
    for bound, name in ((stream, "unix"), (datagram, "datagram")):
        bound.bind(str(open_dir / name))
        (open_dir / name).chmod(0o777)
    abstract.listen()
    stream.listen()
    victim = subprocess.Popen(
        ["sleep", "600"],
        env={"VICTIM_SECRET": SECRET},
        stdout=subprocess.DEVNULL,
    )
    targets: dict[str, Any] = {
        "secret": str(secret),
        "home": str(home),
        "checkout_file": str(Path(codekiln.__file__)),
        "open_dir": str(open_dir),
        "target": str(target),
        "marker": marker,
        "workdir_name": "gained",
        "victim": victim.pid,
        "tcp_port": tcp.getsockname()[1],
        "udp_port": udp.getsockname()[1],
        "abstract": marker,
        "socket_file": str(open_dir / "unix"),
        "datagram_file": str(open_dir / "datagram"),
    }
    try:
        yield Lab(tmp_path, targets, victim, tcp, udp, [abstract, stream, datagram])
    finally:
        victim.kill()
        victim.wait()
        for opened in (tcp, udp, abstract, stream, datagram):
            opened.close()
        Path("/dev/shm", marker).unlink(missing_ok=True)


def run_attack(isolation: SupervisedIsolation, lab: Lab, code: str, **limits: Any) -> RunResult:
    program = Program(
        ("python", "-I", "-S", "-c", PRELUDE),
        env=lab.environment(code, outside=False),
        limits=Limits(**{"wall_s": 20.0, **limits}),
    )
    return isolation.run(program)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
def test_attack_works_on_an_unprotected_process(attack: Attack, lab: Lab) -> None:
    if not attack.can_be_shown:
        pytest.skip(f"not shown: {attack.outside}")
    shown = subprocess.run(
        [host_paths().python, "-I", "-S", "-c", PRELUDE],
        cwd=lab.folder,
        env=lab.environment(attack.code, outside=True),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert shown.stdout.startswith("ESCAPED"), shown.stdout + shown.stderr


@pytest.mark.escape
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name.replace(" ", "-"))
def test_attack_is_stopped(attack: Attack, lab: Lab, isolation: SupervisedIsolation) -> None:
    if attack.machine and attack.machine != platform.machine():
        pytest.skip(f"only on {attack.machine}")
    if attack.only_root and not IS_ROOT:
        pytest.skip("nothing to gain for an ordinary user")
    result = run_attack(isolation, lab, attack.code)
    told = result.stdout.decode()
    assert "ESCAPED" not in told
    assert lab.damage() == []
    assert SECRET not in told
    if not (attack.may_die and result.outcome == "signalled"):
        # The program came to the point and was refused there, not stopped by its own mistake.
        assert told.startswith("STOPPED"), (told, result)
        assert told.split()[1] not in ("NameError", "KeyError", "SyntaxError", "TypeError"), told


def marked_processes(marker: str) -> list[int]:
    """Processes of the whole machine whose command line holds the marker."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and marker.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def assert_nothing_left(marker: str, folder: Path) -> None:
    assert marked_processes(marker) == []
    assert not list(folder.glob("codekiln-*"))


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder in which an isolation without namespaces makes its scratch directories."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def python(code: str, marker: str = "", **more: Any) -> Program:
    return Program(("python", "-I", "-S", "-c", code, marker), **more)


@pytest.mark.escape
@pytest.mark.parametrize(
    "ending",
    ["time.sleep(60)", "pass"],
    ids=["when-the-time-is-up", "when-the-program-ends"],
)
def test_daemon_in_a_session_of_its_own_is_gone(
    ending: str, isolation: SupervisedIsolation, temporary: Path
) -> None:
    marker = secrets.token_hex(8)
    code = f"""
import os, signal, subprocess, sys, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, '-I', '-S', '-c',
                 'import time; time.sleep(60)', sys.argv[1]])
    os._exit(0)
os.wait()
time.sleep(0.2)
print('started', flush=True)
{ending}
"""
    result = isolation.run(python(code, marker, limits=Limits(wall_s=1.0)))
    assert result.stdout == b"started\n"
    assert result.outcome == ("exited" if ending == "pass" else "wall_limit")
    assert_nothing_left(marker, temporary)


@pytest.mark.escape
def test_fork_bomb_stays_within_the_task_limit(
    isolation: SupervisedIsolation, temporary: Path
) -> None:
    marker = secrets.token_hex(8)
    code = """
import os, time
forks = 0
for _ in range(100):
    try:
        if os.fork() == 0:
            time.sleep(30)
    except OSError:
        time.sleep(0.001)
    else:
        forks += 1
print(forks)
"""
    result = isolation.run(python(code, marker, limits=Limits(processes=10)))
    assert result.outcome == "exited"
    assert int(result.stdout) == 9
    assert_nothing_left(marker, temporary)


@pytest.mark.escape
def test_fork_bomb_of_all_processes_stays_within_the_task_limit(
    isolation: SupervisedIsolation, temporary: Path
) -> None:
    marker = secrets.token_hex(8)
    # At most 256 processes, so that a broken limit does not take the machine down.
    code = """
import os, time
for _ in range(8):
    try:
        os.fork()
    except OSError:
        pass
os.write(1, b'x')
time.sleep(20)
"""
    result = isolation.run(python(code, marker, limits=Limits(processes=12, wall_s=1.2)))
    assert result.outcome == "wall_limit"
    assert 2 <= len(result.stdout) <= 12
    assert_nothing_left(marker, temporary)


@pytest.mark.escape
def test_thread_bomb_stays_within_the_task_limit(isolation: SupervisedIsolation) -> None:
    code = """
import threading
gate = threading.Event()
started = 0
try:
    for _ in range(100):
        threading.Thread(target=gate.wait, daemon=True).start()
        started += 1
except RuntimeError:
    pass
print(started, flush=True)
gate.set()
"""
    result = isolation.run(python(code, limits=Limits(processes=10)))
    assert result.outcome == "exited"
    assert int(result.stdout) == 9


@pytest.mark.escape
@pytest.mark.parametrize(
    "bomb",
    [
        "hoard = [b'x' * (8 << 20) for _ in range(100)]",
        "import mmap; m = mmap.mmap(-1, 800 << 20); [m.write(bytes(1 << 20)) for _ in range(800)]",
        # Eight processes, each below the limit.
        "import os, time\nfor _ in range(8):\n  if os.fork() == 0:\n"
        "    hoard = b'x' * (64 << 20); time.sleep(30)\ntime.sleep(30)",
    ],
    ids=["one-process", "shared-mapping", "many-processes"],
)
def test_memory_bomb_ends_at_the_memory_limit(bomb: str, isolation: SupervisedIsolation) -> None:
    limits = Limits(memory_bytes=256 << 20, cpu_s=20.0)
    result = isolation.run(python(bomb, limits=limits))
    assert result.outcome == "memory_limit"
    # How far it ran ahead of the watch; a busy machine may delay a sample.
    assert result.peak_memory_bytes < 700 << 20


@pytest.mark.escape
def test_allocation_far_beyond_the_limit_is_refused(isolation: SupervisedIsolation) -> None:
    code = "hoard = bytearray(200 << 30)"
    result = isolation.run(python(code, limits=Limits(memory_bytes=64 << 20)))
    assert result.outcome == "memory_limit" or b"MemoryError" in result.stderr


@pytest.mark.escape
@pytest.mark.parametrize("place", ["box", "tmp", "shm"])
def test_disk_fill_is_bounded(place: str, isolation: SupervisedIsolation, temporary: Path) -> None:
    folder = {"box": "'.'", "tmp": "os.environ['TMPDIR']", "shm": "'/dev/shm'"}[place]
    code = f"""
import os
written = 0
try:
    for number in range(4000):
        with open(os.path.join({folder}, str(number)), 'wb') as file:
            written += file.write(bytes(1 << 20))
except OSError as error:
    print(written, error.errno)
"""
    limits = Limits(file_bytes=2 << 20, cpu_s=20.0)
    result = isolation.run(python(code, limits=limits))
    if result.outcome == "exited":
        assert int(result.stdout.split()[0]) <= 12 << 20
    else:
        assert result.outcome == "output_limit"
        assert result.denied
        assert "disk" in result.denied[0]
    assert_nothing_left("no marker", temporary)


@pytest.mark.escape
def test_single_file_cannot_pass_its_limit(isolation: SupervisedIsolation) -> None:
    code = """
try:
    with open('big', 'wb', buffering=0) as file:
        while True:
            file.write(bytes(1 << 20))
except OSError as error:
    print(error.errno)
import os
print(os.path.getsize('big'))
"""
    result = isolation.run(python(code, limits=Limits(file_bytes=3 << 20)))
    assert result.outcome in ("exited", "signalled")
    if result.outcome == "exited":
        assert result.stdout.split() == [b"27", str(3 << 20).encode()]


@pytest.mark.escape
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_flood_is_cut(stream: str, isolation: SupervisedIsolation) -> None:
    code = f"import sys\nwhile True: sys.{stream}.write('x' * 65536)"
    result = isolation.run(python(code, limits=Limits(output_bytes=100_000)))
    assert result.outcome == "output_limit"
    assert (len(result.stdout), len(result.stderr)) in ((100_000, 0), (0, 100_000))
    assert (result.stdout_truncated, result.stderr_truncated) == (
        stream == "stdout",
        stream == "stderr",
    )


@pytest.mark.escape
def test_open_files_are_limited(isolation: SupervisedIsolation) -> None:
    code = """
import os
try:
    for opened in range(3, 5000):
        os.dup(0)
except OSError as error:
    print(opened, error.errno)
"""
    result = isolation.run(python(code, limits=Limits(open_files=40)))
    assert result.stdout.split() == [b"40", b"24"]


@pytest.mark.escape
def test_relay_of_unreaped_children_cannot_hide_processor_time(
    isolation: SupervisedIsolation,
) -> None:
    # With SIGCHLD ignored the kernel adds nothing to the parent's children's time.
    code = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        end = time.process_time() + 0.15
        while time.process_time() < end:
            pass
        os._exit(0)
    try:
        os.wait()
    except ChildProcessError:
        pass
"""
    result = isolation.run(python(code, limits=Limits(cpu_s=0.6, wall_s=10.0)))
    assert result.outcome == "cpu_limit"


@pytest.mark.escape
def test_processor_limit_signal_cannot_be_ignored(isolation: SupervisedIsolation) -> None:
    code = """
import signal
for number in (signal.SIGXCPU, signal.SIGTERM, signal.SIGINT, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
while True:
    pass
"""
    result = isolation.run(python(code, limits=Limits(cpu_s=0.3)))
    assert result.outcome == "cpu_limit"


@pytest.mark.escape
@pytest.mark.parametrize(
    "plant",
    [
        "os.symlink(lab['secret'], 'result')",
        "os.symlink(os.path.dirname(lab['secret']), 'folder')",
        "os.link(lab['secret'], 'result')",
        "os.mkfifo('result')",
        "os.mkdir('result')",
        "os.symlink('/proc/self/root' + lab['secret'], 'result')",
    ],
    ids=["link", "linked-folder", "hard-link", "fifo", "folder", "magic-link"],
)
def test_reading_results_back_follows_nothing(
    plant: str, lab: Lab, isolation: SupervisedIsolation
) -> None:
    program = Program(
        ("python", "-I", "-S", "-c", PRELUDE),
        env=lab.environment(f"{plant}\nwon = 'planted'", outside=False),
        collect=("result", "folder/secret", "missing"),
    )
    result = isolation.run(program)
    assert result.collected == {}
    if "hard-link" not in plant and "os.link" not in plant:
        assert b"planted" in result.stdout
        assert result.denied


@pytest.mark.escape
@pytest.mark.parametrize(
    "name", ["../out", "/etc/out", "a/../../out", "a//b", "./a", "", "a/\0b", ".."]
)
def test_file_names_that_leave_the_directory_are_refused(
    name: str, isolation: SupervisedIsolation
) -> None:
    with pytest.raises(UsageError, match="does not stay"):
        isolation.run(Program(("python", "-c", "pass"), files={name: b""}))
    with pytest.raises(UsageError, match="does not stay"):
        isolation.run(Program(("python", "-c", "pass"), collect=(name,)))


@pytest.mark.escape
@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc on this machine")
@pytest.mark.parametrize("way", ["include", "incbin", "embed-at-link", "command"])
def test_compiling_cannot_read_the_host(way: str, lab: Lab, isolation: SupervisedIsolation) -> None:
    secret = lab.targets["secret"]
    source = {
        "include": f'#include "{secret}"\nint main(void) {{ return 0; }}\n',
        "incbin": f'__asm__(".incbin \\"{secret}\\"");\nint main(void) {{ return 0; }}\n',
        "embed-at-link": "int main(void) { return 0; }\n",
        "command": "int main(void) { return 0; }\n",
    }[way]
    options = {
        "embed-at-link": ("-Wl,--format=binary", f"-Wl,{secret}", "-Wl,--format=default"),
        "command": ("-wrapper", f"sh,-c,cat {secret} > stolen; cat {secret}; false"),
    }.get(way, ())
    compiler = ("gcc", "a.c", *options, "-o", "a.out")
    folder = lab.folder / "compile"
    folder.mkdir()
    (folder / "a.c").write_text(source)
    shown = subprocess.run(compiler, cwd=folder, capture_output=True, check=False)
    built = folder / "a.out"
    evidence = shown.stdout + shown.stderr + (built.read_bytes() if built.exists() else b"")
    assert SECRET.encode() in evidence or b"the secret" in evidence
    program = Program(
        compiler,
        files={"a.c": source.encode()},
        collect=("a.out", "stolen"),
        limits=Limits(cpu_s=20),
    )
    result = isolation.run(program)
    everything = result.stdout + result.stderr + b"".join(result.collected.values())
    assert SECRET.encode() not in everything
    assert any(word in everything for word in (b"ermission denied", b"o such file", b"not found"))


@pytest.mark.escape
def test_directories_without_permissions_and_without_end_are_cleaned_up(
    isolation: SupervisedIsolation, temporary: Path
) -> None:
    code = """
import os
for _ in range(300):
    os.mkdir('d')
    os.chdir('d')
open('leaf', 'w').close()
os.chdir(os.environ['HOME'])
os.makedirs('shut/inner')
open('shut/file', 'w').close()
for path in ('shut/inner', 'shut', '.'):
    try:
        os.chmod(path, 0)
    except OSError:
        pass
"""
    result = isolation.run(python(code))
    assert result.outcome == "exited"
    assert result.exit_code == 0, result.stderr
    assert_nothing_left("no marker", temporary)


@pytest.mark.escape
def test_environment_of_the_caller_stays_out(
    isolation: SupervisedIsolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", SECRET)
    code = "import os; print(sorted(os.environ))"
    result = isolation.run(python(code))
    assert eval(result.stdout) == ["HOME", "LANG", "PATH", "TMPDIR"]


@pytest.mark.escape
def test_virtual_environment_is_not_readable(isolation: SupervisedIsolation) -> None:
    if sys.prefix == sys.base_prefix:
        pytest.skip("the tests do not run in a virtual environment")
    path = sysconfig.get_paths()["purelib"]
    result = isolation.run(python(f"import os; print(os.listdir({path!r}))"))
    assert result.exit_code == 1
    assert b"Error" in result.stderr


@pytest.mark.escape
def test_runs_cannot_see_each_other(isolation: SupervisedIsolation, temporary: Path) -> None:
    marker = secrets.token_hex(8)
    isolation.run(python(f"open('{marker}', 'w').write('x')"))
    code = f"""
import os
found = []
for top in (os.environ['HOME'], os.environ['TMPDIR'], {str(temporary)!r}):
    for folder, _, names in os.walk(top):
        found += names
print(found)
"""
    result = isolation.run(python(code))
    assert marker not in result.stdout.decode()


def test_at_least_one_level_of_isolation_works_here() -> None:
    from codekiln.sandbox import IsolationLevel, open_isolation

    assert open_isolation().level >= IsolationLevel.L2
