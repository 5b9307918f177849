"""The command line as a process: what needs no model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

SVG = "{http://www.w3.org/2000/svg}"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run_codekiln(
        *arguments: str, stdin: str = "", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "codekiln", *arguments],
            input=stdin,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "CODEKILN_CACHE": str(tmp_path / "cache"),
                "CODEKILN_STATE": str(tmp_path / "state"),
                "CODEKILN_OFFLINE": "1",
                **variables,
            },
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run_codekiln


def assert_one_error_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_help_names_every_command_with_examples(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("generate", "models", "replay", "records", "plan", "doctor", "Examples:"):
        assert word in done.stdout


@pytest.mark.parametrize(
    "command",
    [["generate"], ["models"], ["models", "pull"], ["replay"], ["records"], ["plan"], ["doctor"]],
)
def test_every_command_has_help(run: Run, command: list[str]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: codekiln " + " ".join(command))


def test_the_version_is_that_of_the_package(run: Run) -> None:
    import codekiln

    assert run("--version").stdout == f"codekiln {codekiln.__version__}\n"


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["models", "list"]])
def test_what_has_to_start_fast_imports_no_engine(arguments: list[str]) -> None:
    program = (
        "import sys\n"
        "from codekiln.cli.entry import run\n"
        f"assert run({arguments!r}) == 0\n"
        "heavy = {'torch', 'transformers', 'numpy', 'codekiln.engine'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["frobnicate"], "frobnicate"),
        (["generate", "x", "--frob"], "--frob"),
        (["generate", "x", "-n", "many"], "-n"),
        (["generate", "x", "-n", "0"], "n is 0"),
        (["generate", "x", "--temperature", "nan"], "nan"),
        (["generate"], "no task"),
        (["generate", "x", "--task", "y"], "--task"),
        (["generate", "--task", "/no/such/file.md"], "/no/such/file.md"),
        (["generate", "x", "--context", "/no/such/file.py"], "/no/such/file.py"),
        (["generate", "x", "--language", "pyhton"], "pyhton"),
        (["generate", "x", "--model", "no-such-model"], "no-such-model"),
        (["generate", "x", "--out", "/"], "folder"),
        (["generate", "x", "--out", f"{__file__}/y.py"], __file__),
        (["generate", "-"], "stdin is empty"),
        (["replay", "nothing"], "nothing"),
        (["replay"], "ID"),
        (["models", "pull", "no-such-model"], "no-such-model"),
        (["models", "path"], "NAME"),
    ],
)
def test_a_malformed_request_is_one_line_and_exit_code_2(
    run: Run, arguments: list[str], named: str
) -> None:
    assert named in assert_one_error_line(run(*arguments), 2)


def test_a_file_given_as_text_is_told_the_option(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "task.md"
    file.write_text("Write f.")
    assert f"--task {file}" in assert_one_error_line(run("generate", str(file)), 2)


def test_weights_that_are_missing_offline_are_one_line_and_exit_code_1(run: Run) -> None:
    line = assert_one_error_line(run("generate", "Write f."), 1)
    assert "models pull" in line


def test_a_server_that_is_not_there_is_one_line_and_exit_code_1(run: Run) -> None:
    done = run("generate", "Write f.", "--api-base", "http://127.0.0.1:9/v1")
    assert "127.0.0.1:9" in assert_one_error_line(done, 1)


@pytest.mark.parametrize("command", ["path", "verify"])
def test_a_model_that_is_not_here_is_told_how_to_get_it(run: Run, command: str) -> None:
    line = assert_one_error_line(run("models", command, "qwen2.5-coder-0.5b"), 1)
    assert "codekiln models pull qwen2.5-coder-0.5b" in line


def test_an_unexpected_failure_is_one_line_that_names_the_switch(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "import codekiln.cli.app as app\n"
        "def broken(**_): raise ZeroDivisionError('by the test')\n"
        "app.app = broken\n"
        "from codekiln.cli.entry import run\n"
        "sys.exit(run([]))\n"
    )

    def outcome(**variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program],
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert "CODEKILN_DEBUG=1" in assert_one_error_line(outcome(), 1)
    assert "ZeroDivisionError: by the test" in outcome().stderr
    assert "Traceback" in outcome(CODEKILN_DEBUG="1").stderr


def test_the_list_of_models_is_one_json_object(run: Run) -> None:
    done = run("models", "list", "--json")
    models = json.loads(done.stdout)["models"]
    assert [model["name"] for model in models if model["default"]] == ["qwen2.5-coder-0.5b"]
    assert not any(model["present"] for model in models)


def test_piped_output_is_plain_text_without_colours(run: Run) -> None:
    for arguments in (["models", "list"], ["doctor"], ["records"]):
        done = run(*arguments, NO_COLOR="1")
        assert "\x1b" not in done.stdout + done.stderr


def test_removing_what_is_not_there_is_no_error(run: Run) -> None:
    done = run("models", "remove", "qwen2.5-coder-0.5b", "--json")
    assert json.loads(done.stdout)["freed_bytes"] == 0


def test_a_plan_says_the_same_in_json_and_in_its_exit_code(run: Run) -> None:
    card = ("plan", "-m", "qwen3-coder-30b-a3b", "--context", "4096", "--hardware")
    fits = run(*card, "h200", "--json")
    assert (fits.returncode, json.loads(fits.stdout)["fits"]) == (0, True)
    fails = run(*card, "v100-32gb", "--json")
    assert (fails.returncode, json.loads(fails.stdout)["fits"]) == (1, False)
    assert "98,304 bytes per token, × 4,096" in run(*card, "h200").stdout
    assert "activations alone do not fit" in run(*card, "v100-32gb").stdout
    here = run("plan")
    assert here.returncode == 0
    assert "bytes per token, × 32,768" in here.stdout
    assert_one_error_line(run("plan", "--hardware", "abacus"), 2)
    assert "holds 32,768" in assert_one_error_line(run("plan", "--context", "40000"), 2)


def test_the_doctor_says_the_same_in_json_and_in_its_exit_code(run: Run) -> None:
    done = run("doctor", "--json")
    found = json.loads(done.stdout)
    # Offline without weights the main job cannot run.
    assert (done.returncode, found["ready"]) == (1, False)
    problems = [check for check in found["checks"] if check["state"] == "problem"]
    assert any(check["name"] == "weights qwen2.5-coder-0.5b" for check in problems)
    assert all(check["remedy"] for check in found["checks"] if check["state"] == "problem")
    names = {check["name"] for check in found["checks"]}
    assert {"processor", "memory", "cache", "isolation L3", "isolation L2", "pip"} <= names


def test_the_doctor_is_content_when_the_weights_can_be_downloaded(run: Run) -> None:
    done = run("doctor", "--json", CODEKILN_OFFLINE="0")
    found = json.loads(done.stdout)
    problems = [c["name"] for c in found["checks"] if c["state"] == "problem"]
    assert found["ready"] == (not problems)
    assert "weights qwen2.5-coder-0.5b" not in problems


def test_the_doctor_shows_no_secret(run: Run) -> None:
    done = run("doctor", CODEKILN_API_KEY="sk-very-secret")
    assert "sk-very-secret" not in done.stdout
    assert "CODEKILN_API_KEY=***" in done.stdout


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m codekiln generate --help | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[0].startswith("Usage:")
    assert done.stdout.splitlines()[1] in ("0", "141")


def test_without_records_the_list_says_so(run: Run) -> None:
    assert run("records").stdout == "there are no records yet\n"
    assert json.loads(run("records", "--json").stdout) == {"records": []}


def test_languages_are_listed_with_what_can_be_proved(run: Run) -> None:
    listed = run("languages")
    assert listed.returncode == 0, listed.stderr
    heading, *rows = listed.stdout.splitlines()
    assert heading.split() == ["NAME", "KIND", "LEVEL", "INSTALLED", "TOOLCHAIN"]
    assert len(rows) >= 150
    found = {
        each["name"]: each for each in json.loads(run("languages", "--json").stdout)["languages"]
    }
    assert found["python"]["level"] == "run"
    assert found["rust"]["toolchain"].startswith("rustc")
    assert (found["cairo"]["level"], found["cairo"]["installed"]) == ("parse", None)
    assert found["cobol"]["level"] == "compile"
    one = run("languages", "c++")
    assert "name          cpp" in one.stdout
    # Without its checker below the cache, which is empty here.
    assert "installed     no" in run("languages", "typescript").stdout
    assert json.loads(run("languages", "c++", "--json").stdout)["extensions"][0] == ".cpp"
    assert "is not known" in run("languages", "klingon").stderr


def test_setup_says_what_it_would_install_and_refuses_what_it_cannot(run: Run) -> None:
    told = json.loads(run("setup", "rust", "--dry-run", "--json").stdout)
    assert told["plan"].startswith("apt-get install --yes")
    assert "rustc" in told["plan"]
    assert "typescript@" in json.loads(run("setup", "ts", "--dry-run", "--json").stdout)["plan"]
    kotlin = json.loads(run("setup", "kotlin", "--dry-run", "--json").stdout)["plan"]
    assert "pip install" in kotlin
    assert "jdk" in kotlin
    refused = run("setup", "cairo")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "neither built nor run" in refused.stderr


def test_types_of_a_file_are_told_with_what_contradicts(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "stack.py"
    half, bad = "def half(n):\n    return n / 2\n", "def bad() -> int:\n    return 'x'\n"
    file.write_text(f"{half}\n{bad}\nhalf(3)\n")
    done = run("types", str(file))
    assert done.returncode == 0, done.stderr
    assert "half(n: int) -> float  # n: observed, return: observed" in done.stdout
    assert f"{file}:4: conflict at bad(): int is declared, but str arrives" in done.stdout
    told = json.loads(run("types", str(file), "--json").stdout)
    assert told["functions"][0]["parameters"]["n"]["because"] == [{"line": 7, "text": "half(3)"}]
    assert told["conflicts"][0]["found"] == "str"
    said = 'def f(a: int):\n    """F.\n\n    Args:\n        a (str): \u00e9.\n    """\n'
    file.write_bytes(f"# -*- coding: latin-1 -*-\n{said}".encode("latin-1"))
    [conflict] = json.loads(run("types", str(file), "--json").stdout)["conflicts"]
    assert conflict["other"] == {"line": 6, "text": "a (str): \u00e9."}


def test_types_of_javascript_with_the_graph_and_a_picture(tmp_path: Path, run: Run) -> None:
    file, picture = tmp_path / "merge.js", tmp_path / "graph.svg"
    file.write_text(
        "// arr1[number] 返回：number[]\nconst merge = (arr1) => {\n  const out = arr1;\n"
        "  return out.sort();\n};\nmerge([1]);\n",
        "utf-8",
    )
    done = run("types", str(file), "--graph", "--svg", str(picture))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("merge(arr1: number[]): number[]  // arr1: documented")
    assert "  <- merge.out  line 4: return out.sort();" in done.stdout
    drawn = ElementTree.parse(picture).getroot()
    labels = {"".join(text.itertext()) for text in drawn.iter(f"{SVG}text")}
    assert {"merge.arr1: number[]", "merge.out: number[]", "merge(): number[]"} <= labels
    # One arrow per flow from place to place.
    assert len(list(drawn.iter(f"{SVG}path"))) == 1 + 2
    told = json.loads(run("types", str(file), "--json").stdout)
    assert {"from": "merge.out", "to": "merge()", "line": 4, "text": "return out.sort();"} in told[
        "graph"
    ]["edges"]
    assert told["language"] == "javascript"


def test_what_goes_in_circles_is_drawn(tmp_path: Path, run: Run) -> None:
    file, picture = tmp_path / "circle.py", tmp_path / "graph.svg"
    # Nor does XML know control characters.
    file.write_text("def f(a):\n    b = a  # \x1b[31m\n    a = b\n    return f(b)\n")
    assert run("types", str(file), "--svg", str(picture)).returncode == 0
    assert ElementTree.parse(picture).getroot().tag == f"{SVG}svg"


def test_types_of_a_file_without_a_known_ending_need_a_language(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "code.txt"
    file.write_text("def f(a=1): ...\n")
    done = run("types", str(file))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--language" in done.stderr
    assert run("types", str(file), "--language", "python").stdout.startswith("f(a: int)")
    assert "rust" in run("types", str(file), "--language", "rust").stderr


def test_types_of_long_files_and_of_unknown_ones_are_told(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "long.py"
    parts = [
        f"def f{i}(a: Shape{i}):\n    b = f{i - 1}(a) if a else {i}\n    return b\n\n"
        for i in range(1250)
    ]
    file.write_text("".join(parts))
    done = run("types", str(file))
    assert done.returncode == 0, done.stderr
    # A type that is not known is kept by its name.
    assert done.stdout.startswith("f0(a: Shape0)\n")
    assert done.stdout.count("\n") == 1250


def test_types_of_what_is_no_python_are_refused_in_one_line(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "broken.py"
    file.write_text("def f(:\n")
    done = run("types", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert "line 1" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "cannot be read" in run("types", str(tmp_path / "none.py")).stderr
