"""What every isolation must do for an honest program, and how it tells the ways to end apart."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from codekiln.core.errors import SandboxError, UsageError
from codekiln.sandbox import IsolationLevel, Limits, Program
from codekiln.sandbox.host_paths import host_paths, without_nested
from codekiln.sandbox.supervised import SupervisedIsolation

MIB = 1 << 20


def python(code: str, *arguments: str, **more: object) -> Program:
    return Program(("python", "-I", "-S", "-c", code, *arguments), **more)  # type: ignore[arg-type]


def processes_with(marker: str) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and marker.encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def wait_until(condition: object, timeout_s: float = 20.0) -> bool:
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_exit_code_and_both_streams_come_back(isolation: SupervisedIsolation) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"
    result = isolation.run(python(code))
    assert (result.outcome, result.exit_code, result.signal) == ("exited", 7, None)
    assert (result.stdout, result.stderr) == (b"out\n", b"err\n")
    assert not result.stdout_truncated
    assert not result.stderr_truncated
    assert result.level is isolation.level
    assert result.denied == ()


@pytest.mark.parametrize(
    ("how", "number"),
    [
        ("os.abort()", signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGKILL)", signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGTERM)", signal.SIGTERM),
        ("ctypes.string_at(0)", signal.SIGSEGV),
    ],
)
def test_signals_are_told_from_exit_codes(
    how: str, number: signal.Signals, isolation: SupervisedIsolation
) -> None:
    result = isolation.run(python(f"import ctypes, os, signal; {how}"))
    assert (result.outcome, result.exit_code, result.signal) == ("signalled", None, number)


def test_exit_code_137_is_not_taken_for_a_kill(isolation: SupervisedIsolation) -> None:
    result = isolation.run(python("import sys; sys.exit(137)"))
    assert (result.outcome, result.exit_code, result.signal) == ("exited", 137, None)


def test_arbitrary_bytes_pass_through_both_pipes(isolation: SupervisedIsolation) -> None:
    data = bytes(range(256)) * 1000
    code = "import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])"
    assert isolation.run(python(code, stdin=data)).stdout == data[::-1]


def test_unicode_arguments_and_environment_arrive(isolation: SupervisedIsolation) -> None:
    code = "import os, sys; print(sys.argv[1], os.environ['GRÜSSE'])"
    result = isolation.run(python(code, "日本", env={"GRÜSSE": "здравствуй"}))
    assert result.stdout.decode() == "日本 здравствуй\n"


@pytest.mark.parametrize("taste", ["nothing", "one line", "all", "after closing"])
def test_large_input_never_blocks(taste: str, isolation: SupervisedIsolation) -> None:
    code = {
        "nothing": "print('done')",
        "one line": "input(); print('done')",
        "all": "import sys; sys.stdin.read(); print('done')",
        "after closing": "import os, time; os.close(0); time.sleep(0.1); print('done')",
    }[taste]
    result = isolation.run(python(code, stdin=b"line\n" * 400_000))
    assert (result.outcome, result.stdout) == ("exited", b"done\n")


def test_output_above_the_pipe_size_is_whole(isolation: SupervisedIsolation) -> None:
    code = "import sys; sys.stdout.write('o' * 700_000); sys.stderr.write('e' * 700_000)"
    result = isolation.run(python(code))
    assert (result.outcome, len(result.stdout), len(result.stderr)) == ("exited", 700_000, 700_000)


def test_output_of_exactly_the_limit_is_not_called_truncated(
    isolation: SupervisedIsolation,
) -> None:
    result = isolation.run(python("print('x' * 999)", limits=Limits(output_bytes=1000)))
    assert (result.outcome, result.stdout_truncated) == ("exited", False)
    result = isolation.run(python("print('x' * 1000)", limits=Limits(output_bytes=1000)))
    assert (result.outcome, result.stdout_truncated) == ("output_limit", True)


def test_closing_its_streams_does_not_end_the_program(isolation: SupervisedIsolation) -> None:
    code = "import os, time; [os.close(n) for n in (0, 1, 2)]; time.sleep(0.2); os._exit(5)"
    result = isolation.run(python(code))
    assert (result.outcome, result.exit_code) == ("exited", 5)


def test_files_are_laid_out_and_results_collected(isolation: SupervisedIsolation) -> None:
    code = """
import os
print(sorted(os.listdir('.')), open('a/b/data', 'rb').read())
os.makedirs('out')
open('out/result', 'wb').write(b'\\x00\\xff')
"""
    program = python(
        code,
        files={"a/b/data": b"\x01\x02", "top": b""},
        collect=("out/result", "top", "missing", "a"),
    )
    result = isolation.run(program)
    assert result.stdout == b"['a', 'top'] b'\\x01\\x02'\n"
    assert result.collected == {"out/result": b"\x00\xff", "top": b""}
    assert [note for note in result.denied if "collect a:" in note]


def test_large_files_are_not_collected_but_mentioned(isolation: SupervisedIsolation) -> None:
    result = isolation.run(
        Program(
            ("python", "-c", "pass"),
            files={"big": bytes(2 * MIB)},
            collect=("big",),
            limits=Limits(file_bytes=MIB),
        )
    )
    assert result.collected == {}
    assert "larger" in result.denied[0]


def test_results_are_collected_after_a_limit_too(isolation: SupervisedIsolation) -> None:
    code = "open('half', 'w').write('done so far')\nwhile True: pass"
    result = isolation.run(python(code, collect=("half",), limits=Limits(cpu_s=0.3)))
    assert result.outcome == "cpu_limit"
    assert result.collected == {"half": b"done so far"}


def test_working_directory_home_and_temporary_directory_are_usable(
    isolation: SupervisedIsolation,
) -> None:
    code = """
import os, shutil, tempfile
assert os.getcwd() == os.environ['HOME'], os.getcwd()
with tempfile.NamedTemporaryFile() as file:
    assert file.name.startswith(os.environ['TMPDIR'])
open('a', 'w').write('x')
os.chmod('a', 0o640)
assert os.stat('a').st_mode & 0o777 == 0o640
with open('a') as file:
    os.fchmod(file.fileno(), 0o755)
assert os.stat('a').st_mode & 0o777 == 0o755
os.utime('a', (1, 2))
assert os.stat('a').st_mtime == 2
os.utime('a')
assert os.stat('a').st_mtime > 2
shutil.copy2('a', 'b')
shutil.copytree('.', os.path.join(os.environ['TMPDIR'], 'copy'))
os.symlink('a', 'link')
assert open('link').read() == 'x'
os.rename('b', 'c')
os.truncate('c', 0) if os.environ.get('TRUNCATE') else open('c', 'w').close()
os.unlink('c')
print('fine')
"""
    result = isolation.run(python(code))
    assert (result.stdout, result.stderr) == (b"fine\n", b"")


def test_threads_processes_and_pipes_work(isolation: SupervisedIsolation) -> None:
    code = """
import os, subprocess, sys, threading
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    assert sum(pool.map(lambda n: n * n, range(10))) == 285
echo = subprocess.Popen(['echo', 'piped'], stdout=subprocess.PIPE)
out = subprocess.run(['tr', 'a-z', 'A-Z'], stdin=echo.stdout, capture_output=True, text=True)
assert out.stdout == 'PIPED\\n', out
child = subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(60)'])
if sys.argv[1] == 'terminate':
    child.terminate()
    assert child.wait() == -15
os.write(1, b'fine')
"""
    # Without signal scopes a program cannot signal its children; leaving them behind is safe.
    way = "leave" if isolation.name.startswith("landlock1") else "terminate"
    result = isolation.run(python(code, way))
    assert (result.outcome, result.stdout, result.stderr) == ("exited", b"fine", b"")


def test_asyncio_works_without_a_network(isolation: SupervisedIsolation) -> None:
    code = """
import asyncio
async def main():
    process = await asyncio.create_subprocess_exec('echo', 'x', stdout=asyncio.subprocess.PIPE)
    await asyncio.sleep(0.01)
    return (await process.communicate())[0]
print(asyncio.run(main()))
"""
    assert isolation.run(python(code)).stdout == b"b'x\\n'\n"


def test_python_means_the_base_installation(isolation: SupervisedIsolation) -> None:
    result = isolation.run(python("import os, sys; print(os.path.realpath(sys.executable))"))
    assert result.stdout.decode().strip() == host_paths().python


def test_read_only_paths_can_be_read_and_not_written(
    isolation: SupervisedIsolation, tmp_path: Path
) -> None:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "data").write_text("visible")
    (tmp_path / "beside").write_text("invisible")
    code = """
import os, sys
print(open(sys.argv[1] + '/data').read())
for name in ('/data', '/new', '/../beside'):
    try:
        open(sys.argv[1] + name, 'r+' if name == '/data' else 'w' if name == '/new' else 'r')
    except OSError:
        print('refused')
"""
    result = isolation.run(python(code, str(shared), read_only=(str(shared),)))
    assert result.stdout.split() == [b"visible", b"refused", b"refused", b"refused"]


def test_processor_and_wall_time_are_told_apart(isolation: SupervisedIsolation) -> None:
    busy = isolation.run(python("while True: pass", limits=Limits(cpu_s=0.3)))
    assert busy.outcome == "cpu_limit"
    assert busy.cpu_s >= 0.29
    idle = isolation.run(python("import time; time.sleep(60)", limits=Limits(wall_s=0.4)))
    assert idle.outcome == "wall_limit"
    assert idle.cpu_s < 0.4
    assert (busy.exit_code, busy.signal, idle.exit_code, idle.signal) == (None, None, None, None)


def test_processor_time_of_children_counts(isolation: SupervisedIsolation) -> None:
    code = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        while time.process_time() < 0.1:
            pass
        os._exit(0)
    os.wait()
"""
    result = isolation.run(python(code))
    assert result.outcome == "exited"
    assert result.cpu_s >= 0.3


def test_peak_memory_is_about_what_was_used(isolation: SupervisedIsolation) -> None:
    small = isolation.run(python("pass"))
    large = isolation.run(python("hoard = b'x' * (100 << 20)"))
    assert small.peak_memory_bytes < 40 * MIB
    assert 100 * MIB <= large.peak_memory_bytes < 150 * MIB


def test_shared_pages_of_forks_are_counted_once(isolation: SupervisedIsolation) -> None:
    code = """
import os, time
hoard = os.urandom(100 << 20)
for _ in range(5):
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)
for _ in range(5):
    os.wait()
"""
    result = isolation.run(python(code, limits=Limits(memory_bytes=300 * MIB)))
    assert result.outcome == "exited"


def test_reserving_address_space_is_not_using_memory(isolation: SupervisedIsolation) -> None:
    code = "import mmap; m = mmap.mmap(-1, 8 << 30, prot=mmap.PROT_READ); print('fine')"
    result = isolation.run(python(code, limits=Limits(memory_bytes=64 * MIB)))
    assert (result.outcome, result.stdout) == ("exited", b"fine\n")


def test_unknown_command_is_an_error_that_names_it(isolation: SupervisedIsolation) -> None:
    with pytest.raises(SandboxError, match="no-such-compiler is not on the PATH"):
        isolation.run(Program(("no-such-compiler",)))


def test_malformed_programs_are_refused(isolation: SupervisedIsolation) -> None:
    for program in (
        Program(()),
        Program(("",)),
        Program(("python", "a\0b")),
        Program(("python",), env={"A": "\0"}),
        Program(("python",), env={"A=B": "c"}),
        Program(("python",), files={"a": b"", "a/b": b""}),
        Program(("python",), read_only=("relative",)),
        Program(("python",), read_only=("/does/not/exist",)),
    ):
        with pytest.raises(UsageError):
            isolation.run(program)


def test_many_threads_run_programs_at_once(isolation: SupervisedIsolation) -> None:
    def run(number: int) -> bytes:
        code = "import sys; open('f', 'w').write(sys.argv[1]); print(open('f').read())"
        return isolation.run(python(code, str(number))).stdout

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(24))) == [f"{n}\n".encode() for n in range(24)]


def test_nothing_is_left_of_descriptors_and_processes(isolation: SupervisedIsolation) -> None:
    isolation.run(python("pass"))
    before = {path.name for path in Path("/proc/self/fd").iterdir()}
    for _ in range(5):
        isolation.run(python("pass"))
    assert {path.name for path in Path("/proc/self/fd").iterdir()} == before


@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc on this machine")
def test_c_program_is_compiled_and_run_inside(isolation: SupervisedIsolation) -> None:
    source = b'#include <stdio.h>\nint main(void) { puts("built inside"); return 3; }\n'
    limits = Limits(cpu_s=20.0, wall_s=60.0)
    both = isolation.run(
        Program(("sh", "-c", "gcc a.c -o a && ./a"), files={"a.c": source}, limits=limits)
    )
    assert (both.exit_code, both.stdout) == (3, b"built inside\n"), both.stderr
    compiled = isolation.run(
        Program(("gcc", "a.c", "-o", "a"), files={"a.c": source}, collect=("a",), limits=limits)
    )
    run = isolation.run(Program(("./a",), files={"a": compiled.collected["a"]}))
    assert (run.exit_code, run.stdout) == (3, b"built inside\n")


RUNTIME_LIMITS = Limits(processes=64, cpu_s=20.0, wall_s=60.0)


@pytest.mark.skipif(not shutil.which("node"), reason="no node on this machine")
def test_node_runs_below_the_default_memory_limit(isolation: SupervisedIsolation) -> None:
    program = Program(("node", "-e", "console.log([3,1,2].sort())"), limits=RUNTIME_LIMITS)
    result = isolation.run(program)
    assert result.stdout == b"[ 1, 2, 3 ]\n", result.stderr


@pytest.mark.skipif(not shutil.which("javac"), reason="no Java compiler on this machine")
def test_java_runs_below_the_default_memory_limit(isolation: SupervisedIsolation) -> None:
    if isolation.name != "landlock1+seccomp" and isolation.level is not IsolationLevel.L3:
        pytest.skip("slow; shown for the strongest and the weakest")
    source = b'class A { public static void main(String[] a) { System.out.println("java"); } }'
    result = isolation.run(
        Program(("java", "A.java"), files={"A.java": source}, limits=RUNTIME_LIMITS)
    )
    assert result.stdout == b"java\n", result.stderr


def _driver(level: IsolationLevel, marker: str, scratch: Path) -> list[str]:
    code = f"""
import sys, tempfile
from codekiln.sandbox import IsolationLevel, Limits, Program, open_isolation
tempfile.tempdir = {str(scratch)!r}
isolation = open_isolation(level=IsolationLevel({int(level)}))
print('ready', flush=True)
try:
    isolation.run(Program(('python', '-c', 'import time; time.sleep(90)', {marker!r}),
                          limits=Limits(wall_s=90)))
except KeyboardInterrupt:
    print('interrupted', flush=True)
"""
    return [sys.executable, "-c", code]


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    yield tmp_path
    assert not list(tmp_path.glob("codekiln-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_or_killed_caller_leaves_nothing(
    number: signal.Signals, isolation: SupervisedIsolation, scratch: Path
) -> None:
    marker = secrets.token_hex(8)
    caller = subprocess.Popen(
        _driver(isolation.level, marker, scratch), stdout=subprocess.PIPE, text=True
    )
    assert caller.stdout is not None
    with caller:
        assert caller.stdout.readline() == "ready\n"
        assert wait_until(lambda: len(processes_with(marker)) >= 2)
        caller.send_signal(number)
        told = caller.stdout.read()
    if number is signal.SIGINT:
        # The caller itself waits until all is gone.
        assert told == "interrupted\n"
        assert processes_with(marker) == []
        assert not list(scratch.glob("codekiln-*"))
    assert wait_until(lambda: not processes_with(marker))
    assert wait_until(lambda: not list(scratch.glob("codekiln-*")))


def test_killed_supervisor_server_is_replaced(isolation: SupervisedIsolation) -> None:
    isolation.run(python("pass"))
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
    servers = [
        int(pid) for pid in children if b"import serve" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(servers) == 1
    os.kill(servers[0], signal.SIGKILL)
    assert isolation.run(python("print('again')")).stdout == b"again\n"


def test_nested_paths_are_shown_once() -> None:
    paths = ["/usr/lib/x", "/usr/lib", "/usr/library", "/usr/lib", "/a"]
    assert without_nested(paths) == ("/a", "/usr/lib", "/usr/library")
