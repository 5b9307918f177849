"""Compilers are given what may attack through them; each attack is first shown to work without a
sandbox, by the resource limits alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from codekiln.languages.recipes import recipe_of
from codekiln.sandbox import Isolation, IsolationLevel, open_isolation
from codekiln.verify.programs.neutral import NeutralCall
from codekiln.verify.programs.runner import ProgramRun, run_cases
from codekiln.verify.toolchains import missing_tools

SECRET = "the secret of this machine"
# How a program gets a file's text while it is compiled. PATH stands for the file.
READERS = {
    "cpp: a file is included": (
        "cpp",
        '#include <string>\nstd::string taken() {\n  return\n#include "PATH"\n  ;\n}\n',
    ),
    "cpp: a file is put in by the assembler": (
        "cpp",
        "#include <string>\n"
        'asm(".data\\ntaken_text: .incbin \\"PATH\\"\\n.byte 0\\n.text\\n");\n'
        'extern "C" char taken_text[];\n'
        "std::string taken() { return taken_text; }\n",
    ),
    "rust: a file is included as text": (
        "rust",
        'fn taken() -> String { include_str!("PATH").to_string() }\n',
    ),
    "rust: a file is included as code": (
        "rust",
        'fn taken() -> String { let text: &str = include!("PATH"); text.to_string() }\n',
    ),
}
# What a compiler cannot do within its limits.
BOMBS = {
    "cpp: a program of many gigabytes": (
        "cpp",
        "char big[1L << 34] = {1};\nint taken() { return 1; }\n",
    ),
    "cpp: an endless file": ("cpp", '#include "/dev/zero"\nint taken() { return 1; }\n'),
    "rust: an endless file": (
        "rust",
        'fn taken() -> usize { include_bytes!("/dev/zero").len() }\n',
    ),
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that reads as text and, in both languages, as a literal."""
    path = tmp_path / "secret.txt"
    path.write_text(f'"{SECRET}"\n')
    return path


def built(code: str, language: str, isolation: Isolation) -> ProgramRun:
    recipe = recipe_of(language)
    if missing := missing_tools(recipe, isolation):
        pytest.skip(missing)
    return run_cases(code, [NeutralCall("taken", ())], recipe, isolation, call_s=5.0)


@pytest.mark.parametrize("name", READERS)
def test_a_compiler_reads_no_file_of_the_machine(
    name: str, secret: Path, sandbox: Isolation
) -> None:
    language, template = READERS[name]
    code = template.replace("PATH", str(secret))
    limits_alone = open_isolation(unsafe=True, level=IsolationLevel.L1)
    assert SECRET in str(built(code, language, limits_alone).cases[0].value)
    kept = built(code, language, sandbox)
    assert kept.trouble in ("compile", "syntax")
    assert kept.cases == ()
    assert SECRET not in kept.why


@pytest.mark.parametrize("name", BOMBS)
def test_a_compiler_is_stopped_by_its_limits(name: str, sandbox: Isolation) -> None:
    language, code = BOMBS[name]
    assert built(code, language, sandbox).trouble in ("compile", "limit")
