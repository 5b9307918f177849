"""Whatever a model writes around its code, the code comes out, and nothing of it is lost."""

from __future__ import annotations

import ast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codekiln.core import Example, Task
from codekiln.verify import extract, extract_code

CODE = "def f(x):\n    return x + 1\n"
FENCED = f"```python\n{CODE}```"
TASK = Task("Add one", entry_point="f", signature="def f(x):", examples=(Example("", "f(1)", "2"),))


@pytest.mark.parametrize(
    "completion",
    [
        FENCED,
        f"Sure! Here it is:\n\n{FENCED}\n\nThis adds one.",
        f"```py\n{CODE}```",
        f"```\n{CODE}```",
        f"~~~python\n{CODE}~~~\n",
        f"````python\n{CODE}````",
        f'```Python title="a.py"\n{CODE}```',
        f"```python\r\n{CODE.replace(chr(10), chr(13) + chr(10))}```",
        CODE,
        f"Here is the code:\n\n{CODE}",
        f"```python\n{CODE}",
        f"{FENCED}<|im_end|>",
        f"{CODE}<|im_end|>\n<|im_start|>user\nthanks",
        f"<|im_start|>{FENCED}<|endoftext|>",
        "1. Do this:\n\n   ```python\n   def f(x):\n       return x + 1\n   ```\n",
        f"<think>\nmaybe ```python\ndef f(x): pass\n```\n</think>\n{FENCED}",
        f"```bash\npip install it\n```\n{FENCED}\n```text\n2\n```",
        f"Use it so:\n```python\nprint(f(1))\n```\n{FENCED}",
        f"{FENCED}\nRun:\n```python\nprint(f(1))\n```",
        f"First try:\n```python\ndef f(x):\n    return (\n```\nBetter:\n{FENCED}",
    ],
)
def test_code_comes_out_of_every_wrapping(completion: str) -> None:
    assert extract_code(completion, "python", task=TASK) == CODE


def test_a_completion_continues_the_fence_of_its_prefill() -> None:
    assert extract_code(f"{CODE}```\nDone.", "python", prefill="Sure:\n```python\n") == CODE
    assert extract_code("    return x + 1\n```", "python", prefill="```python\ndef f(x):\n") == CODE


def test_a_completion_may_start_its_own_fence_behind_the_prefill() -> None:
    assert extract_code(FENCED, "python", prefill="```python\n", task=TASK) == CODE
    assert extract_code(CODE, "python", prefill="```python\ndef f(x):\n", task=TASK) == CODE


def test_fences_inside_docstrings_do_not_end_the_block() -> None:
    code = 'def f(x):\n    """Add.\n\n    ```\n    f(1)\n    ```\n    """\n    return x + 1\n'
    assert extract_code(f"```python\n{code}```\nDone", "python") == code
    flush = 'X = """\n```\nf(1)\n```\n"""\n'
    assert extract_code(f"```python\n{flush}```", "python") == flush


def test_the_block_with_the_entry_point_wins() -> None:
    other = "def helper(a):\n    return a\n\n\ndef more(a):\n    return a\n"
    text = f"```python\n{other}```\nand\n{FENCED}"
    assert extract_code(text, "python", task=TASK) == CODE


def test_blocks_that_the_answer_needs_are_put_in_front() -> None:
    text = (
        "```python\nimport math\nLIMIT = 3\n```\nthen\n"
        "```python\ndef f(x):\n    return math.floor(x) + LIMIT\n```"
    )
    code = extract_code(text, "python", task=TASK)
    assert "import math" in code
    assert code.index("LIMIT = 3") < code.index("def f")


@pytest.mark.parametrize("completion", ["", "\n\n", "```python\n```", "Sorry", "I cannot do that."])
def test_no_code_gives_nothing(completion: str) -> None:
    assert extract_code(completion, "python", task=TASK) == ""


def test_statements_after_the_function_are_kept() -> None:
    code = CODE + "\nTABLE = [f(n) for n in range(3)]\ng = f\nregister = {}\nregister['f'] = f\n"
    assert extract_code(f"```python\n{code}```", "python", task=TASK) == code


def test_a_truncated_tail_is_dropped_only_behind_a_complete_answer() -> None:
    cut = f"```python\n{CODE}\n# demo\nfor i in range(3):\n    print(f(i"
    assert extract_code(cut, "python", task=TASK).startswith(CODE)
    assert isinstance(ast.parse(extract_code(cut, "python", task=TASK)), ast.Module)
    unfinished = "```python\ndef f(x):\n    total = 0\n    for i in range(x"
    assert extract_code(unfinished, "python", task=TASK).rstrip() == unfinished[10:]


@pytest.mark.parametrize(
    "body",
    [
        "    return x + 1\n",
        "return x + 1\n",
        "```python\n    return x + 1\n```",
        "    y = x\n    return y + 1",
        "y = x\n    return y + 1",
    ],
)
def test_a_bare_body_is_put_under_the_signature(body: str) -> None:
    found = extract(body, "python", task=TASK)
    space: dict[str, object] = {}
    exec(found.code, space)
    assert space["f"](1) == 2  # type: ignore[operator]
    assert "under the given signature" in found.findings[0].message


def test_a_bare_body_keeps_the_docstring_of_the_skeleton() -> None:
    task = Task("", entry_point="f", skeleton='def f(x: int) -> int:\n    """Add."""\n    pass\n')
    assert extract_code("    return x + 1", "python", task=task) == (
        "def f(x: int) -> int:\n    return x + 1\n"
    )


DEMO = f"""{CODE}

# Example usage
n = int(input())
result = f(n)
print(result)
assert f(1) == 2
for i in range(3):
    print(f(i))

if __name__ == "__main__":
    main()
"""


def test_demo_code_is_dropped_with_notes_when_the_task_names_what_to_define() -> None:
    found = extract(f"```python\n{DEMO}```", "python", task=TASK)
    assert found.code == CODE
    assert any("print(result)" in finding.message for finding in found.findings)
    assert all(finding.severity == "note" for finding in found.findings)


def test_a_script_that_was_asked_for_keeps_its_top_level_code() -> None:
    assert extract_code(f"```python\n{DEMO}```", "python", task=Task("Print numbers")) == DEMO


def test_a_token_inside_a_string_is_code() -> None:
    code = 'END = "<|im_end|>"\n\n\ndef f(x):\n    return x + END\n'
    assert extract_code(f"```python\n{code}```", "python", task=TASK) == code


def test_other_languages_are_extracted_by_their_fence() -> None:
    rust = "fn f(x: i32) -> i32 {\n    x + 1\n}\n"
    assert extract_code(f"Sure\n```rust\n{rust}```\n```bash\ncargo run\n```", "rust") == rust
    assert extract_code(rust, "rust") == rust
    assert extract_code("Sorry, no", "rust") == ""


MODULES = st.lists(
    st.sampled_from(
        [
            "x = 1",
            "import os",
            "def f(a):\n    return a",
            "class A:\n    b = '''\n```\n'''",
            's = "```"',
            "# ``` comment",
            "@dec\ndef g(): ...",
            "if x:\n    y = [\n        1,\n    ]",
            "t = '''\n~~~\n# é\n'''",
            "print(x)",
            "",
        ]
    ),
    min_size=1,
    max_size=6,
).map("\n".join)


@settings(deadline=None)
@given(MODULES)
def test_valid_code_in_a_fence_is_unchanged(code: str) -> None:
    text = f"Text.\n```python\n{code}\n```\nMore text."
    expected = code.rstrip() + "\n" if code.strip() else ""
    assert extract_code(text, "python") == expected


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["```", "```python", "~~~", CODE, "    return", "def f(", "<|im_end|>", '"""']
        )
        | st.text(max_size=20),
        max_size=8,
    ).map("\n".join),
    st.sampled_from(["", "```python\n", "```python\ndef f(x):\n", "x"]),
    st.sampled_from(["python", "rust"]),
)
@example("\0def f(): pass", "", "python")
@example("```python\n" + "(" * 5000 + "\n```", "", "python")
@example("```python\nx = " + "-" * 100_000 + "1\n```", "", "python")
@example("```python\n" + "a." * 5_000 + "a\n```", "", "python")
@example("```python\nx = " + "1+" * 5_000 + "1\n```", "", "python")
@example("```python\ndef f(x):\n    pass\ny = " + "1+" * 800 + "1\nprint(y)\n```", "", "python")
@example("```python\n" + "```\n" * 300, "", "python")
@example("\ud800 ```python\nx = '\ud800'\n```", "", "python")
def test_extraction_never_raises(completion: str, prefill: str, language: str) -> None:
    assert isinstance(extract_code(completion, language, prefill=prefill, task=TASK), str)


def test_a_script_that_was_asked_for_keeps_what_runs_it() -> None:
    code = 'def main():\n    print("Hello")\n\n\nif __name__ == "__main__":\n    main()\n'
    task = Task("Write a script with a function main() that prints Hello", entry_point="main")
    assert extract_code(code, "python", task=task).strip() == code.strip()
    # What would run on import is dropped all the same.
    assert "print(1)" not in extract_code(code + "\n\nprint(1)\n", "python", task=task)
