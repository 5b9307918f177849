from __future__ import annotations

import pytest
from scripted_backend import ScriptedBackend
from workbench_of import workbench_of

from codekiln.core import Task, Verdict
from codekiln.generation import Options, generate_recorded, read_task
from codekiln.generation.recombination import recombine
from codekiln.generation.workbench import Workbench
from codekiln.sandbox import Isolation, open_isolation

TASK = read_task(
    "Write total(text): split `text` with words(text) and count the letters.\n"
    "total('ab cd') -> 4\ntotal('') -> 0\ntotal(' a ') -> 1"
)
GOOD_WORDS = "def words(text):\n    return text.split()\n"
BAD_WORDS = "def words(text):\n    return text.split('  ')\n"
GOOD_TOTAL = "def total(text):\n    return sum(len(word) for word in words(text))\n"
BAD_TOTAL = "def total(text):\n    return len(words(text))\n"


@pytest.fixture(scope="module")
def sandbox() -> Isolation:
    return open_isolation()


def bench(sandbox: Isolation, *codes: str, task: Task = TASK) -> Workbench:
    return workbench_of(task, sandbox, *codes)


def test_the_right_halves_of_two_wrong_candidates_make_a_right_one(sandbox: Isolation) -> None:
    made = bench(sandbox, f"{BAD_WORDS}\n{GOOD_TOTAL}", f"{GOOD_WORDS}\n{BAD_TOTAL}")
    assert all(a.verdict is not Verdict.PASSED for a in made.assessments)
    assert recombine(made)
    assert made.assessments[-1].verdict is Verdict.PASSED
    assert made.candidates[-1].form == "recombined"
    assert made.candidates[-1].completion_tokens == 0


def test_imports_come_along_with_the_function_that_needs_them(sandbox: Isolation) -> None:
    good = "import re\n\ndef words(text):\n    return re.findall(r'\\S+', text)\n"
    made = bench(sandbox, f"{BAD_WORDS}\n{GOOD_TOTAL}", f"{good}\n{BAD_TOTAL}")
    assert recombine(made)
    assert "import re" in made.candidates[-1].code


def test_without_a_right_half_nothing_is_added(sandbox: Isolation) -> None:
    made = bench(sandbox, f"{BAD_WORDS}\n{BAD_TOTAL}", f"{GOOD_WORDS}\n{BAD_TOTAL}")
    assert not recombine(made)
    assert len(made.candidates) == 2


def test_candidates_of_one_function_have_nothing_to_exchange(sandbox: Isolation) -> None:
    made = bench(sandbox, "def total(text):\n    return 1\n", "def total(text):\n    return 2\n")
    assert not recombine(made)


def test_code_that_does_not_parse_takes_no_part(sandbox: Isolation) -> None:
    made = bench(
        sandbox, "def total(:\n", f"{BAD_WORDS}\n{GOOD_TOTAL}", f"{GOOD_WORDS}\n{BAD_TOTAL}"
    )
    assert recombine(made)


def test_the_main_job_recombines_before_it_repairs(sandbox: Isolation) -> None:
    drafts = [
        f"{BAD_WORDS}\n{GOOD_TOTAL}",
        f"{GOOD_WORDS}\n{BAD_TOTAL}",
        f"{BAD_WORDS}\n{BAD_TOTAL}",
    ]
    backend = ScriptedBackend(drafts)
    answer = generate_recorded(TASK, Options(n=3, seed=1), backend=backend).answer
    assert answer.candidate is not None
    assert answer.candidate.form == "recombined"
    assert len(backend.calls) == 1


def test_versions_that_stand_back_take_part(sandbox: Isolation) -> None:
    made = bench(sandbox, f"{BAD_WORDS}\n{GOOD_TOTAL}")
    assert not recombine(made)
    made.spare_parts += [GOOD_WORDS]
    assert recombine(made)
    assert made.candidates[-1].round == 1


def test_of_several_combinations_the_common_behaviour_is_taken(sandbox: Isolation) -> None:
    # All pass the examples.
    odd = "def words(text):\n    return [] if text == 'ab c' else text.split()\n"
    also = "def words(text):\n    return list(text.split())\n"
    made = bench(sandbox, f"{BAD_WORDS}\n{GOOD_TOTAL}")
    made.spare_parts += [odd, GOOD_WORDS, also]
    assert recombine(made)
    space: dict[str, object] = {}
    exec(made.candidates[-1].code, space)
    total = space["total"]
    assert callable(total)
    assert total("ab c") == 3
