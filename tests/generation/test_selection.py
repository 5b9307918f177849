from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core import Assessment, Candidate, CheckReport, ExampleRun, Verdict
from codekiln.generation.repair import improves
from codekiln.generation.selection import select, standing

EXAMPLES = 3
CODES = tuple(f"def f(x):\n    return x + {number}\n" for number in range(6))


def assessed(verdict: Verdict, passed: int, behaviour: str = "") -> Assessment:
    runs = tuple(
        ExampleRun(f"f({i})", "1", "1", i < passed, "passed" if i < passed else "wrong_output")
        for i in range(EXAMPLES)
    )
    return Assessment(verdict, (CheckReport("examples", verdict, example_runs=runs),), behaviour)


def candidate(index: int, code: str, logprob: float | None = None) -> Candidate:
    return Candidate(
        index, code, code, sample=index, greedy=index == 0, logprob=logprob, completion_tokens=10
    )


PASSING = st.builds(
    assessed,
    st.just(Verdict.PASSED),
    st.just(EXAMPLES),
    st.sampled_from(["", "alpha", "beta"]),
)
FAILING = st.builds(
    assessed,
    st.sampled_from([verdict for verdict in Verdict if verdict is not Verdict.PASSED]),
    st.integers(0, EXAMPLES),
    st.just(""),
)


@st.composite
def checked_candidates(draw: st.DrawFn) -> tuple[list[Candidate], list[Assessment]]:
    """Up to ten candidates of up to six programs; equal programs have equal assessments."""
    verdicts = draw(st.lists(PASSING | FAILING, min_size=len(CODES), max_size=len(CODES)))
    picks = draw(st.lists(st.integers(0, len(CODES) - 1), min_size=1, max_size=10))
    logprobs = draw(
        st.lists(st.none() | st.floats(-90, 0), min_size=len(picks), max_size=len(picks))
    )
    candidates = [
        candidate(index, CODES[pick], logprob)
        for index, (pick, logprob) in enumerate(zip(picks, logprobs, strict=True))
    ]
    return candidates, [verdicts[pick] for pick in picks]


@given(checked_candidates())
def test_the_chosen_one_is_never_dominated(
    drawn: tuple[list[Candidate], list[Assessment]],
) -> None:
    candidates, assessments = drawn
    chosen = assessments[select(candidates, assessments).index]
    assert standing(chosen) == max(map(standing, assessments))
    if any(assessment.verdict is Verdict.PASSED for assessment in assessments):
        assert chosen.verdict is Verdict.PASSED


@given(checked_candidates())
def test_the_chosen_one_passes_at_least_as_many_examples_as_the_greedy_one(
    drawn: tuple[list[Candidate], list[Assessment]],
) -> None:
    candidates, assessments = drawn
    chosen = assessments[select(candidates, assessments).index]
    assert chosen.examples_passed >= assessments[0].examples_passed


@given(checked_candidates(), st.randoms())
def test_the_order_of_the_candidates_does_not_matter(
    drawn: tuple[list[Candidate], list[Assessment]], shuffler: random.Random
) -> None:
    candidates, assessments = drawn
    order = list(range(len(candidates)))
    shuffler.shuffle(order)
    shuffled = select([candidates[i] for i in order], [assessments[i] for i in order])
    assert shuffled == select(candidates, assessments)


@given(checked_candidates())
def test_no_other_group_of_that_standing_is_larger(
    drawn: tuple[list[Candidate], list[Assessment]],
) -> None:
    candidates, assessments = drawn
    selection = select(candidates, assessments)
    sizes = [len(cluster.members) for cluster in selection.clusters]
    assert sizes == sorted(sizes, reverse=True)
    assert selection.index in selection.cluster.members
    best = [
        c.index
        for c, a in zip(candidates, assessments, strict=True)
        if standing(a) == selection.standing
    ]
    assert sorted(i for cluster in selection.clusters for i in cluster.members) == best


@given(checked_candidates())
def test_duplicates_of_the_chosen_one_keep_it_chosen(
    drawn: tuple[list[Candidate], list[Assessment]],
) -> None:
    candidates, assessments = drawn
    selection = select(candidates, assessments)
    twin = replace(
        candidates[selection.index], index=len(candidates), greedy=False, logprob=float("-inf")
    )
    more = select([*candidates, twin], [*assessments, assessments[selection.index]])
    assert more.index == selection.index
    assert len(more.cluster.members) == len(selection.cluster.members) + 1


@given(PASSING | FAILING, PASSING | FAILING)
def test_a_repair_is_taken_only_when_better_in_one_way_and_worse_in_none(
    before: Assessment, after: Assessment
) -> None:
    if improves(before, after):
        assert standing(after) > standing(before)
        assert after.examples_passed >= before.examples_passed
        assert not improves(after, before)


def test_the_largest_group_of_equal_behaviour_wins_over_the_greedy_one() -> None:
    drafts = [candidate(i, CODES[i]) for i in range(4)]
    behaviours = ["greedy's", "shared", "shared", "other"]
    selection = select(drafts, [assessed(Verdict.PASSED, 3, b) for b in behaviours])
    assert selection.index in (1, 2)
    assert selection.cluster.members == (1, 2)
    assert selection.considered == 4


def test_copies_of_one_program_count_as_many_votes_but_as_one_form() -> None:
    codes = [CODES[0], CODES[1], CODES[1].replace("x", "x") + "# a comment\n", CODES[1]]
    drafts = [candidate(i, code) for i, code in enumerate(codes)]
    selection = select(drafts, [assessed(Verdict.PASSED, 3) for _ in drafts])
    assert selection.cluster.members == (1, 2, 3)
    assert selection.cluster.distinct == 1


def test_between_groups_of_one_size_the_greedy_ones_wins() -> None:
    drafts = [candidate(i, CODES[i], logprob) for i, logprob in enumerate([-80.0, -1.0])]
    assert select(drafts, [assessed(Verdict.PASSED, 3, b) for b in ("a", "b")]).index == 0


def test_without_the_greedy_one_the_mean_log_probability_decides_not_the_sum() -> None:
    long = replace(candidate(1, CODES[1], -20.0), completion_tokens=100)
    short = replace(candidate(2, CODES[2], -10.0), completion_tokens=10)
    results = [assessed(Verdict.PASSED, 3, behaviour) for behaviour in ("a", "b")]
    assert select([long, short], results).index == 1


def test_among_failures_more_examples_passed_win_over_a_milder_verdict() -> None:
    drafts = [candidate(i, CODES[i]) for i in range(3)]
    results = [
        assessed(Verdict.TIMEOUT, 0),
        assessed(Verdict.WRONG_OUTPUT, 2),
        assessed(Verdict.WRONG_OUTPUT, 1),
    ]
    assert select(drafts, results).index == 1


def test_candidates_and_assessments_have_to_match() -> None:
    with pytest.raises(ValueError, match="1 candidates with 0 assessments"):
        select([candidate(0, CODES[0])], [])


def test_what_tells_finalists_apart_counts_in_their_agreement() -> None:
    same = replace(assessed(Verdict.PASSED, EXAMPLES, "alpha"), outputs=("a", "b"))
    found = [replace(same, deciding=(text,)) for text in ("x", "y", "y")]
    candidates = [candidate(index, CODES[index]) for index in range(3)]
    chosen = select(candidates, found)
    assert chosen.index in (1, 2)
    assert chosen.cluster.members == (1, 2)
    assert chosen.agreement == pytest.approx((1 + 1 + 2 / 3) / 3)
