"""How the budget of candidates is spent."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_backend import ScriptedBackend

from codekiln.core import Answer, Verdict
from codekiln.generation import Options, generate_recorded, read_task
from codekiln.generation.confidence import Evidence, probability, too_unsure
from codekiln.generation.mutation import FORM as CHANGED

TASK = read_task("Write double(x). double(2) -> 4, double(3) -> 6, double('ab') -> 'abab'")
RIGHT = "def double(x):\n    return x * 2\n"
ALSO_RIGHT = "def double(x):\n    return x + x\n"
SPECIAL = "def double(x):\n    return {2: 4, 3: 6, 'ab': 'abab'}.get(x)\n"
# No small change makes it right.
SQUARE = "def double(x):\n    return {2: 4, 3: 9}.get(x)\n"
CRASHES = "def double(x):\n    return x.twice\n"


def answer(backend: ScriptedBackend, n: int = 10) -> Answer:
    return generate_recorded(TASK, Options(n=n, seed=5), backend=backend).answer


def drawn(backend: ScriptedBackend) -> list[int]:
    return [sum(request.n for request in call) for call in backend.calls]


def test_agreement_in_the_first_round_ends_the_drawing() -> None:
    backend = ScriptedBackend([RIGHT, ALSO_RIGHT, RIGHT, ALSO_RIGHT])
    found = answer(backend)
    assert drawn(backend) == [4]
    assert found.verified
    assert found.confidence.probability is not None
    assert found.confidence.probability > 0.9


def test_disagreement_is_met_with_the_whole_budget() -> None:
    backend = ScriptedBackend(
        [SPECIAL, SQUARE, RIGHT, SQUARE], [RIGHT, SQUARE, SPECIAL, SQUARE], [RIGHT, SQUARE]
    )
    found = answer(backend)
    assert drawn(backend) == [4, 4, 2]
    assert found.code == RIGHT


def test_while_nothing_passes_a_part_is_kept_for_repairs() -> None:
    backend = ScriptedBackend([SQUARE] * 4, [CRASHES] * 4, [SQUARE], [RIGHT])
    found = answer(backend)
    assert drawn(backend) == [4, 4, 1, 1]
    assert [c.round for c in found.candidates] == [0] * 8 + [1, 2]
    assert found.candidate is not None
    assert found.candidate.round == 2


def test_an_error_that_came_back_is_not_asked_about_again() -> None:
    backend = ScriptedBackend([SQUARE] * 4, [SQUARE] * 4, [SQUARE])
    found = answer(backend)
    # One distinct program with one failure: it is repaired once, gives the same, and that is all.
    assert drawn(backend) == [4, 4, 1]
    assert found.verdict is Verdict.WRONG_OUTPUT


CODES = st.sampled_from([RIGHT, ALSO_RIGHT, SPECIAL, SQUARE, CRASHES, "", "def double(x:\n"])


@settings(max_examples=12, deadline=None)
@given(st.lists(CODES, min_size=12, max_size=12), st.integers(1, 10))
def test_the_budget_holds_and_a_passing_draft_is_never_lost(codes: list[str], n: int) -> None:
    backend = ScriptedBackend(*([codes] * 8))
    found = answer(backend, n)
    assert sum(drawn(backend)) <= n
    assert sum(candidate.form != CHANGED for candidate in found.candidates) <= n
    passes = any(a.verdict is Verdict.PASSED for a in found.assessments)
    assert found.assessment is not None
    assert (found.assessment.verdict is Verdict.PASSED) == passes


EVIDENCE = Evidence(examples=3, drawn=4, passing=3, agreement=0.95)


def test_more_agreement_and_more_passing_candidates_are_never_less_likely_right() -> None:
    base = probability(EVIDENCE)
    assert base is not None
    for weaker in (
        replace(EVIDENCE, agreement=0.4),
        replace(EVIDENCE, drawn=30),
        replace(EVIDENCE, examples=1),
        replace(EVIDENCE, repaired=True),
    ):
        less = probability(weaker)
        assert less is not None
        assert less < base


def test_a_failed_answer_has_no_chance_to_tell_and_is_not_unsure() -> None:
    failed = replace(EVIDENCE, passed=False)
    assert probability(failed) is None
    assert not too_unsure(failed)


def test_a_lone_disputed_answer_is_not_called_verified_and_says_why() -> None:
    task = read_task("Write double(x). double(2) -> 4")
    others = [f"def double(x):\n    return {{2: 4}}.get(x, {i})\n" for i in range(2)]
    rest = ["def double(x):\n    return x + 1\n", CRASHES] * 4
    backend = ScriptedBackend([*others, *rest[:2]], rest[:6], rest[:2])
    found = generate_recorded(task, Options(n=10, seed=5), backend=backend).answer
    assert found.verdict is Verdict.UNVERIFIED
    assert "passes its examples, but the chance that it is right" in found.why_unverified
    assert found.confidence.probability is not None
    assert found.confidence.probability < 0.75
