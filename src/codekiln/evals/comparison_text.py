"""A comparison of two runs in words, for people."""

from __future__ import annotations

from collections.abc import Sequence

from codekiln.evals.comparison import MOST_LISTED, Comparison, Side

# Resampling fewer problems says little of how much other problems would differ.
FEW_PROBLEMS = 10


def comparison_lines(found: Comparison) -> list[str]:
    """The comparison for people, a fact per line."""
    test = {"mcnemar": "exact McNemar test", "sign_flip": "paired permutation test"}[found.test]
    low, high = found.interval.low, found.interval.high
    p = f"p = {found.p:.4f}" if found.p >= 0.0001 else "p < 0.0001"
    few = found.problems < FEW_PROBLEMS
    interval = "too few for an interval" if few else f"95 % {low:+.1f} to {high:+.1f}"
    lines = [
        *_side_lines("A", found.a),
        *_side_lines("B", found.b),
        f"B - A  {found.difference:+.1f} points ({interval}), "
        f"{p} ({test}), {found.problems} problems",
        _listed("A", found.only_a, found.test),
        _listed("B", found.only_b, found.test),
    ]
    for budget in found.budgets:
        more = f", {budget.problems_with_more} problems one more" * bool(budget.problems_with_more)
        lines.append(
            f"equal tokens in {budget.suite}: {budget.drafts} drafts per problem{more}; "
            f"{budget.used} of {budget.allowed} tokens"
            + " (the gate has no more drafts, so it used less)"
            * budget.exhausted
        )
    if found.on_purpose:
        told = ", ".join(f"{item.field} ({item.a} / {item.b})" for item in found.on_purpose)
        lines.append(f"differs on purpose: {told}")
    if found.left_out:
        lines.append(f"left out: {found.left_out} problems that only one run has")
    return lines


def _side_lines(name: str, side: Side) -> list[str]:
    cost = f"{side.tokens} tokens, {side.executions} checks run"
    if side.seconds is not None:
        cost += f", {side.seconds:.0f} s of waiting, with several problems under way together"
    overturned = ""
    if side.overturned is not None:
        overturned = f"; right greedy answers overturned: {side.overturned}"
    head = [f"{name}      {', '.join(side.runs)}"]
    return [*head, f"       {side.metric} {side.score:.1%}; {cost}{overturned}"]


def _listed(name: str, problems: Sequence[str], test: str) -> str:
    what = f"only {name} right" if test == "mcnemar" else f"{name} higher"
    shown = ", ".join(problems[:MOST_LISTED])
    more = ", ..." if len(problems) > MOST_LISTED else ""
    return f"{what}: {len(problems)}" + f" ({shown}{more})" * bool(problems)
