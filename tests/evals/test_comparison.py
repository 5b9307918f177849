from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic_runs import RUN, draft, outcome, write_run

from codekiln.core.errors import UsageError
from codekiln.evals import Outcome, Stored, compare, mcnemar, store
from codekiln.evals.comparison import METRICS, compare_pairs
from codekiln.evals.comparison_text import comparison_lines

RIGHTS = st.lists(st.lists(st.booleans(), min_size=2, max_size=4), min_size=1, max_size=6)
FEW = settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def chosen(rights: list[list[bool]], at: int = 0) -> list[Outcome]:
    return [outcome(f"p{i}", found, chosen=at) for i, found in enumerate(rights)]


# A choosing run has no mean: it stops drawing where it is sure.
OF_CHOOSING = [metric for metric in METRICS if metric != "mean"]


@FEW
@given(RIGHTS, st.sampled_from(OF_CHOOSING))
def test_a_run_is_no_better_than_itself(rights: list[list[bool]], metric: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder), chosen(rights, at=1), mode="verified")
        found = compare(run, run, metric_a=metric, metric_b=metric)
    assert found.difference == 0
    assert (found.interval.low, found.interval.high) == (0, 0)
    assert found.p == 1
    assert found.only_a == found.only_b == ()


@FEW
@given(RIGHTS, st.sampled_from(OF_CHOOSING), st.sampled_from(OF_CHOOSING))
def test_swapping_the_runs_turns_the_difference_round(
    rights: list[list[bool]], metric_a: str, metric_b: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        a = write_run(Path(folder), chosen(rights, at=1), mode="verified")
        b = write_run(Path(folder), chosen([found[::-1] for found in rights]), mode="verified")
        there = compare(a, b, metric_a=metric_a, metric_b=metric_b)
        back = compare(b, a, metric_a=metric_b, metric_b=metric_a)
    assert back.difference == pytest.approx(-there.difference)
    assert back.interval.low == pytest.approx(-there.interval.high)
    assert back.interval.high == pytest.approx(-there.interval.low)
    assert back.p == there.p
    assert (back.only_a, back.only_b) == (there.only_b, there.only_a)


def test_the_discordant_problems_are_named_and_tested_exactly(tmp_path: Path) -> None:
    a = write_run(tmp_path, chosen([[True, False]] * 2 + [[False, True]] * 6), mode="verified")
    found = compare(a, a, metric_a="greedy", metric_b="selected")
    assert found.p == 1
    b = write_run(tmp_path, chosen([[True, False]] * 2 + [[False, True]] * 6, 1), mode="verified")
    found = compare(a, b)
    assert found.only_a == ("p0", "p1")
    assert found.only_b == ("p2", "p3", "p4", "p5", "p6", "p7")
    assert found.difference == pytest.approx(50)
    assert found.interval.low < 50 < found.interval.high
    assert (found.test, found.p) == ("mcnemar", mcnemar(2, 6))
    assert (found.a.overturned, found.b.overturned) == (0, 2)
    assert (found.a.tokens, found.a.executions, found.a.seconds) == (160, 24, 16.0)


@pytest.mark.parametrize(
    ("mode", "metric"),
    [("greedy", "greedy"), ("sample", "mean"), ("verified", "selected"), ("stepwise", "selected")],
)
def test_the_metric_follows_from_the_mode(tmp_path: Path, mode: str, metric: str) -> None:
    run = write_run(tmp_path, chosen([[True, False]]), mode=mode)
    assert compare(run, run).a.metric == metric


def test_a_score_that_is_no_0_or_1_gets_the_permutation_test(tmp_path: Path) -> None:
    run = write_run(tmp_path, chosen([[True, False, True]] * 5))
    found = compare(run, run, metric_a="greedy", metric_b="gate")
    assert found.b.score == pytest.approx(2 / 3)
    assert found.test == "sign_flip"
    assert found.p == pytest.approx(2 / 2**5, abs=0.01)


def test_tokens_are_those_that_the_metric_needs(tmp_path: Path) -> None:
    run = write_run(tmp_path, chosen([[True, False, True]] * 2))
    found = compare(run, run, metric_a="greedy", metric_b="mean")
    assert (found.a.tokens, found.b.tokens) == (20, 40)
    assert compare(run, run, metric_a="oracle", metric_b="gate").a.tokens == 60


def test_tokens_of_plans_and_single_functions_count_for_what_they_chose(tmp_path: Path) -> None:
    outcomes = [replace(found, side_tokens=7) for found in chosen([[True, False]] * 3)]
    run = write_run(tmp_path, outcomes, mode="verified")
    found = compare(run, run, metric_a="selected", metric_b="greedy")
    assert (found.a.tokens, found.b.tokens) == (3 * 27, 3 * 10)


@pytest.mark.parametrize(
    ("name", "fields", "kept"),
    [
        ("suite", {"suite": "mbpp"}, {}),
        ("language", {"language": "rust"}, {}),
        ("dataset", {"dataset": "other"}, {}),
        ("model", {"model": "large"}, {}),
        ("weights_sha256", {"weights_sha256": "ff"}, {}),
        ("backend", {"backend": "openai"}, {}),
        ("codekiln", {"codekiln": "0.2.0"}, {}),
        ("code", {"code": "fedcba"}, {}),
        ("tools", {"tools": {"python": "3.11.7", "torch": "2.12.0"}}, {}),
        ("processor", {"machine": {**RUN.machine, "processor": "M1"}}, {}),
        ("hardware", {"machine": {**RUN.machine, "hardware": "CUDA, H100"}}, {}),
        ("mode", {"mode": "greedy"}, {}),
        ("n", {}, {"n": 5}),
        ("temperature", {}, {"temperature": 0.2}),
        ("top_p", {}, {"top_p": 0.95}),
        ("max_tokens", {}, {"max_tokens": 512}),
        ("seed", {}, {"seed": 1}),
        ("form", {}, {"form": "chat"}),
        ("limit", {}, {"limit": 2}),
        ("a_new_setting", {}, {"a_new_setting": "on"}),
    ],
)
def test_unlike_runs_are_refused_by_name(
    tmp_path: Path, name: str, fields: dict[str, Any], kept: dict[str, Any]
) -> None:
    rights = [[True, False]] * 2
    a = write_run(tmp_path, chosen(rights))
    b = write_run(tmp_path, chosen(rights), settings=kept, **fields)
    with pytest.raises(UsageError) as refusal:
        compare(a, b)
    assert refusal.value.remedy == f"Name what differs on purpose: {name}"
    found = compare(a, b, differing=[name], metric_a="greedy", metric_b="greedy")
    assert [item.field for item in found.on_purpose] == [name]
    assert f"differs on purpose: {name} (" in "\n".join(comparison_lines(found))


def test_every_difference_is_listed_at_once(tmp_path: Path) -> None:
    a = write_run(tmp_path, chosen([[True, False]]))
    b = write_run(
        tmp_path,
        chosen([[True, False]]),
        settings={"seed": 7},
        tools={"python": "3.11.7", "torch": "2.12.0"},
    )
    with pytest.raises(UsageError, match=r"tools \(torch 2.13.0 / torch 2.12.0\); seed \(0 / 7\)"):
        compare(a, b)


def test_what_a_run_is_called_and_when_it_was_does_not_matter(tmp_path: Path) -> None:
    a = write_run(tmp_path, chosen([[True, False]]))
    b = write_run(tmp_path, chosen([[True, False]]), id="x", created="2027", note="again")
    assert compare(a, b).on_purpose == ()


def test_unknown_names_are_refused_with_the_valid_ones(tmp_path: Path) -> None:
    run = write_run(tmp_path, chosen([[True, False]]))
    with pytest.raises(UsageError, match=r"'sed'. Valid are: suite, .*mode, n, .*seed"):
        compare(run, run, differing=["sed"])
    with pytest.raises(UsageError, match=r"'best' is not known. Use one of: greedy, mean"):
        compare(run, run, metric_a="best")


def test_a_score_that_a_run_does_not_have_is_refused(tmp_path: Path) -> None:
    unchecked = replace(draft(0, True, greedy=True), visible="")
    greedy = write_run(tmp_path, [Outcome("p0", (unchecked,))], mode="greedy")
    for metric in ("mean", "gate", "selected"):
        with pytest.raises(UsageError, match=f"no score '{metric}'. It has: greedy, oracle"):
            compare(greedy, greedy, metric_a=metric)


def test_problems_of_one_run_alone_are_refused_unless_the_limit_differs(tmp_path: Path) -> None:
    a = write_run(tmp_path, chosen([[True], [True], [False]]), mode="greedy")
    b = write_run(tmp_path, chosen([[True], [False]]), mode="greedy", settings={"limit": 2})
    with pytest.raises(UsageError, match="limit"):
        compare(a, b)
    same_limit = write_run(tmp_path, chosen([[True], [False]]), mode="greedy")
    with pytest.raises(UsageError, match="only one of run and run has p2"):
        compare(a, same_limit)
    found = compare(a, b, differing=["limit"])
    assert (found.problems, found.left_out) == (2, 1)
    assert (found.a.score, found.b.score) == (1.0, 0.5)


def test_a_run_under_way_is_refused(tmp_path: Path) -> None:
    whole = write_run(tmp_path, chosen([[True]]), mode="greedy")
    begun = store.open_run(whole.run, tmp_path / "begun")
    store.append(begun, outcome("p0", [True]))
    with pytest.raises(UsageError, match="1 of 1 problems done"):
        compare(whole, begun)


def sampled(folder: Path, tokens: list[list[int]], rights: list[list[bool]]) -> Stored:
    outcomes = [
        Outcome(
            f"p{i}",
            tuple(
                draft(k, right, tokens=count, greedy=k == 0)
                for k, (count, right) in enumerate(zip(counts, found, strict=True))
            ),
        )
        for i, (counts, found) in enumerate(zip(tokens, rights, strict=True))
    ]
    return write_run(folder, outcomes)


def answered(folder: Path, tokens: int, problems: int = 3) -> Stored:
    """A choosing run with all answers right, of this many tokens per problem."""
    found = [outcome(f"p{i}", [True], chosen=0, tokens=tokens) for i in range(problems)]
    return write_run(folder, found, mode="verified")


def test_the_gate_gets_as_many_tokens_as_the_choosing_run_used(tmp_path: Path) -> None:
    tokens = [[10, 20, 30], [10, 40, 10], [10, 15, 10]]
    rights = [[True, False, False], [False, True, True], [False, False, True]]
    gate = sampled(tmp_path, tokens, rights)
    # One draft each costs 30, two cost 105, three 155. Of 99 tokens 69 are left after the first
    # drafts: the second drafts of p0 (20) and p1 (40) fit, then 9 are left and p2's (15) does not.
    found = compare(
        gate, answered(tmp_path, 33), differing=["mode"], metric_a="gate", equal_tokens=True
    )
    (budget,) = found.budgets
    assert (budget.allowed, budget.used) == (99, 90)
    assert (budget.drafts, budget.problems_with_more, budget.exhausted) == (1, 2, False)
    assert found.a.score == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert (found.a.tokens, found.b.tokens) == (90, 99)
    assert "1 drafts per problem, 2 problems one more; 90 of 99 tokens" in "\n".join(
        comparison_lines(found)
    )


def test_the_budget_is_the_same_whichever_side_the_gate_is_on(tmp_path: Path) -> None:
    gate = sampled(tmp_path, [[10, 10]] * 3, [[True, False]] * 3)
    other = answered(tmp_path, 15)
    there = compare(gate, other, differing=["mode"], metric_a="gate", equal_tokens=True)
    back = compare(other, gate, differing=["mode"], metric_b="gate", equal_tokens=True)
    assert there.budgets == back.budgets
    assert there.budgets[0].used == 40
    assert back.difference == pytest.approx(-there.difference)


def test_a_gate_without_enough_drafts_says_so(tmp_path: Path) -> None:
    gate = sampled(tmp_path, [[10, 10]] * 3, [[True, False]] * 3)
    found = compare(
        gate, answered(tmp_path, 50), differing=["mode"], metric_a="gate", equal_tokens=True
    )
    assert found.budgets[0].exhausted
    assert (found.budgets[0].drafts, found.budgets[0].used) == (2, 60)
    assert "the gate has no more drafts" in "\n".join(comparison_lines(found))


def test_equal_tokens_needs_one_gate_and_a_draft_per_problem(tmp_path: Path) -> None:
    gate = sampled(tmp_path, [[10, 10]] * 3, [[True, False]] * 3)
    with pytest.raises(UsageError, match="costs 30 tokens, more than the 15"):
        compare(gate, answered(tmp_path, 5), differing=["mode"], metric_a="gate", equal_tokens=True)
    with pytest.raises(UsageError, match="equal tokens needs the gate"):
        compare(gate, answered(tmp_path, 50), differing=["mode"], equal_tokens=True)
    with pytest.raises(UsageError, match="equal tokens needs the gate"):
        compare(gate, gate, metric_a="gate", metric_b="gate", equal_tokens=True)


def test_pooled_runs_count_every_problem_of_every_suite(tmp_path: Path) -> None:
    def of(suite: str, rights: list[bool], mode: str) -> Stored:
        found = [outcome(f"{suite}/{i}", [right], chosen=0) for i, right in enumerate(rights)]
        return write_run(tmp_path, found, mode=mode, suite=suite, dataset=f"data of {suite}")

    pairs = [
        (of("one", [True, False], "greedy"), of("one", [True, True], "verified")),
        (of("two", [False] * 4, "greedy"), of("two", [True] * 2 + [False] * 2, "verified")),
    ]
    found = compare_pairs(pairs, differing=["mode"])
    assert found.problems == 6
    assert found.a.score == pytest.approx(1 / 6)
    assert found.b.score == pytest.approx(4 / 6)
    assert found.only_b == ("one python: one/1", "two python: two/0", "two python: two/1")
    assert found.p == mcnemar(0, 3)
    assert [item.field for item in found.on_purpose] == ["mode"]
    with pytest.raises(UsageError, match="one/0 would count twice"):
        compare_pairs([pairs[0], pairs[0]], differing=["mode"])


def test_pooled_budgets_hold_within_each_suite(tmp_path: Path) -> None:
    def pair(suite: str, tokens: int) -> tuple[Stored, Stored]:
        drafts = [outcome(f"{suite}/0", [True, False, False])]
        answer = [outcome(f"{suite}/0", [True], chosen=0, tokens=tokens)]
        return (
            write_run(tmp_path, drafts, suite=suite),
            write_run(tmp_path, answer, suite=suite, mode="verified"),
        )

    found = compare_pairs(
        [pair("one", 10), pair("two", 20)], differing=["mode"], metric_a="gate", equal_tokens=True
    )
    assert [(budget.suite, budget.drafts) for budget in found.budgets] == [("one", 1), ("two", 2)]
    assert found.a.score == pytest.approx((1 + 0.5) / 2)


def test_pooled_runs_of_one_side_have_to_be_alike(tmp_path: Path) -> None:
    def pair(suite: str, model: str) -> tuple[Stored, Stored]:
        found = [outcome(f"{suite}/0", [True], chosen=0)]
        return (
            write_run(tmp_path, found, suite=suite, model=model, mode="greedy"),
            write_run(tmp_path, found, suite=suite, model=model, mode="verified"),
        )

    with pytest.raises(UsageError, match=r"model \(small / large\)"):
        compare_pairs([pair("one", "small"), pair("two", "large")], differing=["mode"])
    with pytest.raises(UsageError, match="nothing to pool"):
        compare_pairs([])


def test_repeats_of_one_problem_are_not_taken_for_independent_problems(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path, chosen([[True], [False]]), mode="verified", settings={"repeat": 2})
        for _ in range(2)
    ]
    with pytest.raises(UsageError, match="asks each problem 2 times"):
        compare(*runs)
