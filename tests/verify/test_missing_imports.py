"""A forgotten import of the standard library is added; whatever may mean something else stays."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core import ContextFile, Task
from codekiln.verify import extract
from codekiln.verify.missing_imports import _NAMES, add_missing_imports


@pytest.mark.parametrize(
    ("body", "added"),
    [
        ("return re.split('[A-Z]', x)", ("import re",)),
        ("return math.sqrt(x) + sqrt(x)", ("from math import sqrt", "import math")),
        ("return Counter(x)", ("from collections import Counter",)),
        ("y: List[int] = x\n    return y", ("from typing import List",)),
        ("return datetime.datetime(x, 1, 1)", ("import datetime",)),
        ("return datetime.strptime(x, '%Y')", ("from datetime import datetime",)),
    ],
)
def test_what_is_missing_is_added(body: str, added: tuple[str, ...]) -> None:
    code = f"def f(x):\n    {body}\n"
    completed = add_missing_imports(code)
    assert completed.added == added
    assert completed.code == "\n".join([*added, "", "", code])
    assert not add_missing_imports(completed.code).added


@pytest.mark.parametrize(
    "code",
    [
        "import re\n\n\ndef f(x):\n    return re.split(',', x)\n",
        "def f(re):\n    return re.split(',', 1)\n",
        "def f(x):\n    return re.no_such_function(x)\n",
        "def f(x):\n    return re\n",
        "def f(x):\n    return unknown.thing(x)\n",
        "from math import *\n\n\ndef f(x):\n    return sqrt(x)\n",
        "def f(x):\n    def sqrt(y):\n        return y\n    return sqrt(x)\n",
        "def f(:\n    return re.split()\n",
        "",
    ],
)
def test_everything_else_stays(code: str) -> None:
    assert add_missing_imports(code).code == code


def test_imports_stand_behind_docstring_and_future_and_before_other_imports() -> None:
    code = (
        '"""About."""\n\nfrom __future__ import annotations\nimport os\n\nx = math.pi + os.EX_OK\n'
    )
    assert add_missing_imports(code).code.split("\n")[2:5] == [
        "from __future__ import annotations",
        "import math",
        "import os",
    ]


def test_the_table_names_what_exists() -> None:
    for name, module in _NAMES.items():
        assert hasattr(__import__(module), name), (module, name)


def test_an_answer_says_what_was_added() -> None:
    task = Task(description="Split.", language="python", entry_point="f")
    found = extract("```python\ndef f(x):\n    return re.split(',', x)\n```", "python", task=task)
    assert found.code.startswith("import re\n")
    assert [finding.message for finding in found.findings] == ["added `import re`"]


@given(st.lists(st.sampled_from(sorted(_NAMES)), min_size=1, max_size=4, unique=True))
def test_any_names_together_parse_and_are_bound(names: list[str]) -> None:
    code = f"def f():\n    return [{', '.join(names)}]\n"
    completed = add_missing_imports(code)
    ast.parse(completed.code)
    assert len(completed.added) == len(names)
    space: dict[str, object] = {}
    exec(completed.code, space)
    assert len(space["f"]()) == len(names)  # type: ignore[operator]


def test_names_that_the_task_speaks_of_are_its_own() -> None:
    code = "def report(items):\n    return product(items)\n"
    assert add_missing_imports(code, {"product"}).added == ()
    task = Task("Build report(items) from `product(items)`.", entry_point="report")
    assert extract(code, "python", task=task).code == code
    given = Task(
        "Count.", entry_point="f", context=(ContextFile("a.py", "class Counter:\n  n = 1"),)
    )
    using = "def f(x):\n    return Counter(x)\n"
    assert extract(using, "python", task=given).code == using


def test_a_shebang_and_the_coding_stay_first() -> None:
    code = "#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint(math.pi)\n"
    assert add_missing_imports(code).code.split("\n")[:3] == [*code.split("\n")[:2], "import math"]
