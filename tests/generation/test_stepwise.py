from __future__ import annotations

import ast

import pytest
from scripted_backend import ScriptedBackend

from codekiln.core import Prompt, Verdict
from codekiln.generation import Options, generate_recorded, read_task
from codekiln.generation.mutation import MAX_SECONDS
from codekiln.generation.options import Strategy
from codekiln.generation.stepwise.plans import named_steps
from codekiln.generation.stepwise.prompts import begun, sub_task

TASK = """# Sum of a formula

## Description
Write `evaluate(text)` that gives the sum of a formula such as `1+2+30`.
Build it from `tokens(text)`, which gives the numbers as strings, and `numbers(parts)`, which turns
a list of strings into integers.

## Examples
evaluate("1+2+30") -> 33
evaluate("7") -> 7
tokens("1+2") -> ["1", "2"]
numbers(["4", "5"]) -> [4, 5]

## Constraints
- Do not use `eval("1+2")`.
"""
TOKENS = "def tokens(text):\n    return text.split('+')\n"
BAD_TOKENS = "def tokens(text):\n    return list(text)\n"
NUMBERS = "def numbers(parts):\n    return [int(part) for part in parts]\n"
EVALUATE = "def evaluate(text):\n    return sum(numbers(tokens(text)))\n"


def test_the_functions_that_a_task_names_are_steps_and_its_own_comes_last() -> None:
    steps = named_steps(read_task(TASK))
    assert [step.name for step in steps] == ["tokens", "numbers", "evaluate"]
    assert steps[0].signature == "def tokens(text):"


def test_only_a_task_with_several_functions_is_worth_it() -> None:
    assert len(named_steps(read_task(TASK))) == 3
    assert len(named_steps(read_task("Write `add(a, b)`. add(1, 2) -> 3"))) == 1
    assert named_steps(read_task("Write add so that add(1, 2) -> 3")) == ()


def test_each_function_is_checked_by_its_own_examples_before_the_next() -> None:
    backend = ScriptedBackend([BAD_TOKENS, TOKENS, TOKENS, TOKENS], [NUMBERS] * 4, [EVALUATE] * 4)
    options = Options(n=8, seed=1, strategy="stepwise")
    generated = generate_recorded(read_task(TASK), options, backend=backend)
    answer = generated.answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    assert "split('+')" in answer.code
    assert generated.record.tokens["beside"] == 120
    second = backend.calls[1][0].prompt
    assert "split('+')" in second.prefill
    assert second.prefill.endswith('\n\n\n# numbers(["4", "5"]) -> [4, 5]\ndef numbers(parts):')
    assert "\ndef " in second.stop
    assert backend.calls[2][0].prompt.prefill.endswith("def evaluate(text):")


def test_a_step_that_gives_nothing_is_left_out_and_the_rest_goes_on() -> None:
    whole = "def evaluate(text):\n    return sum(int(part) for part in text.split('+'))\n"
    backend = ScriptedBackend(*([["?!"] * 4] * 4), *([[whole] * 4] * 8))
    options = Options(n=8, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert "def evaluate" in answer.code


def test_a_plan_is_asked_for_where_the_task_names_no_functions() -> None:
    task = read_task("Write total(text), the sum of a formula. total('1+2') -> 3")
    backend = ScriptedBackend(
        ["split_parts(text)`: the parts\n2. `total(text)`: the sum\n"],
        ["def split_parts(text):\n    return text.split('+')\n"] * 4,
        ["def total(text):\n    return sum(int(part) for part in split_parts(text))\n"] * 4,
    )
    options = Options(n=8, seed=1, strategy="stepwise")
    answer = generate_recorded(task, options, backend=backend).answer
    assert "def split_parts" in answer.code
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED


@pytest.mark.parametrize("plan", ["", "I cannot plan.", "1. total(text)"])
def test_without_a_plan_whole_drafts_are_drawn(plan: str) -> None:
    right = "def total(text):\n    return sum(map(int, text.split('+')))\n"
    task = read_task("Write total(text), the sum of a formula. total('1+2') -> 3")
    backend = ScriptedBackend([plan], [right] * 4)
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(task, options, backend=backend).answer
    assert answer.code == right


@pytest.mark.parametrize("n", [1, 2, 4, 8, 10, 16])
@pytest.mark.parametrize("strategy", ["stepwise", "auto"])
def test_the_budget_holds_and_the_drawing_ends_where_every_module_fails(
    n: int, strategy: Strategy
) -> None:
    wrong = "".join(
        f"def {name}(x):\n    return 0\n\n\n" for name in ("tokens", "numbers", "evaluate")
    )
    backend = ScriptedBackend(*([[wrong] * 16] * 40))
    options = Options(n=n, seed=1, strategy=strategy)
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert not answer.verified
    assert len(answer.candidates) <= n
    drawn = [
        (request.prompt, (request.sampling.seed or 0) + sample)
        for call in backend.calls
        for request in call
        for sample in range(request.n)
    ]
    assert len(set(drawn)) == len(drawn)


def test_a_step_that_does_not_fit_the_window_does_not_cost_the_answer() -> None:
    wrong = "def evaluate(text):\n    return 0\n"
    backend = ScriptedBackend(*([[wrong] * 10] * 40), context_tokens=1324)
    answer = generate_recorded(read_task(TASK), Options(n=8, seed=1), backend=backend).answer
    assert answer.candidates


LISTED = """# Shelf of a shop

## Description
Write `evaluate(text)` that gives the sum of a formula. Build it from these helpers:
- `tokens(text)` gives the numbers as
  strings.
- `numbers(parts)` turns what `tokens` gives into integers.

The order does not matter.

## Examples
evaluate("1+2+30") -> 33
tokens("1+2") -> ["1", "2"]
numbers(["4", "5"]) -> [4, 5]
"""


def test_a_function_with_a_list_item_of_its_own_is_a_small_task() -> None:
    backend = ScriptedBackend([TOKENS] * 4, [NUMBERS] * 4, [EVALUATE] * 4)
    options = Options(n=8, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(LISTED), options, backend=backend).answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    first, second, _ = (call[0].prompt for call in backend.calls)
    asked = first.messages[-1].content
    assert "`tokens(text)` gives the numbers as\nstrings." in asked
    assert 'tokens("1+2")' in asked
    assert "evaluate" not in asked
    assert "order does not matter" not in asked
    # What depends on another one is written with that one and the whole task in view.
    assert "split('+')" in second.prefill
    assert "order does not matter" in second.messages[-1].content


def test_more_versions_are_drawn_while_none_passes_its_examples() -> None:
    backend = ScriptedBackend(
        [BAD_TOKENS] * 4, [BAD_TOKENS, TOKENS, TOKENS, TOKENS], [NUMBERS] * 4, [EVALUATE] * 4
    )
    options = Options(n=8, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert "split('+')" in answer.code
    seeds = [request.sampling.seed for call in backend.calls[:2] for request in call]
    assert len(set(seeds)) == len(seeds)
    # What one wording led astray is asked for in another one.
    first, second = (call[0].prompt for call in backend.calls[:2])
    assert first.messages != second.messages
    assert first.prefill != second.prefill


def test_more_versions_are_drawn_where_those_that_pass_disagree() -> None:
    lucky = "def numbers(parts):\n    return [4, 5]\n"
    sorting = "def numbers(parts):\n    return sorted(map(int, parts))\n"
    steady = "def numbers(parts):\n    return list(map(int, parts))\n"
    backend = ScriptedBackend(
        [TOKENS] * 4, [lucky, sorting, steady, "?!"], [NUMBERS] * 4, [EVALUATE] * 4
    )
    options = Options(n=8, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    assert "sorted" not in answer.code


def test_a_function_stands_right_below_its_examples() -> None:
    task = read_task(TASK.replace("]\n\n## Con", ']\nnumbers(["x"]) raises ValueError\n\n## Con'))
    backend = ScriptedBackend(
        [TOKENS] * 4,
        ["\n    return [int(part) for part in parts]\n"] * 4,
        [EVALUATE] * 4,
    )
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(task, options, backend=backend).answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    prefill = backend.calls[1][0].prompt.prefill
    assert prefill.endswith('\n# numbers(["x"]) raises ValueError\ndef numbers(parts):')


def test_what_is_said_of_a_function_is_a_comment_above_it() -> None:
    task = read_task(LISTED)
    *_, last = named_steps(task)
    first, rest = begun(task, last, sub_task(task, last, {"tokens", "numbers"})).split("\n", 1)
    assert first == "# Shelf of a shop"
    assert "- `tokens" not in rest
    assert "# The order does not matter." in rest
    assert ast.parse(f"{rest}\n    return 1\n").body
    assert rest.endswith('# evaluate("1+2+30") -> 33\ndef evaluate(text):')


def test_a_version_that_only_looked_right_is_replaced_by_a_spare_one() -> None:
    lucky = "def numbers(parts):\n    return [4, 5]\n"
    steady = "def numbers(parts):\n    return list(map(int, parts))\n"
    backend = ScriptedBackend(
        [TOKENS] * 4, [lucky, lucky, lucky, steady], [EVALUATE] * 4, *([["?!"] * 8] * 4)
    )
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    assert "map(int" in answer.code


def test_a_copy_of_a_finished_function_inside_the_last_one_does_not_hide_it() -> None:
    copying = (
        "def evaluate(text):\n    def numbers(parts):\n        return [0 for part in parts]\n"
        "    return sum(numbers(tokens(text)))\n"
    )
    backend = ScriptedBackend([TOKENS] * 4, [NUMBERS] * 4, [copying] * 4)
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    assert "[0 for" not in answer.code


def test_at_temperature_zero_each_function_is_drawn_once() -> None:
    backend = ScriptedBackend([BAD_TOKENS], [NUMBERS], [EVALUATE], *([["?!"] * 4] * 4))
    options = Options(n=4, seed=1, temperature=0.0, strategy="stepwise")
    generate_recorded(read_task(TASK), options, backend=backend)
    assert [sum(request.n for request in call) for call in backend.calls[:3]] == [1, 1, 1]


def test_a_function_that_fails_its_examples_is_mended_before_it_is_built_on() -> None:
    bad = "def numbers(parts):\n    return [int(part) for part in parts[1:]]\n"
    backend = ScriptedBackend([TOKENS] * 4, [bad] * 4, [EVALUATE] * 4)
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    assert answer.candidate is not None
    assert (answer.candidate.form, answer.candidate.round) == ("stepwise", 1)
    assert any("became `return [int(part) for part in parts]`" in note for note in answer.notes)
    assert not answer.verified
    assert "for part in parts]" in answer.code
    assert "for part in parts]" in backend.calls[-1][0].prompt.prefill


def test_functions_share_the_time_in_which_one_answer_may_be_mended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[float] = []

    def find_nothing(*_: object, seconds: float, **__: object) -> None:
        given.append(seconds)

    monkeypatch.setattr("codekiln.generation.stepwise.versions.find_change", find_nothing)
    backend = ScriptedBackend(*([["?!"] * 4] * 12))
    options = Options(n=4, seed=1, strategy="stepwise")
    generate_recorded(read_task(TASK), options, backend=backend)
    assert given
    assert sum(given) <= MAX_SECONDS


SIZED = """# Doubled sum

## Description
Write `total(items)` that gives twice the sum. Build it from `product(items)`, which doubles each.

## Examples
total([1, 2]) -> 6
product([1, 2]) -> [2, 4]

## Constraints
- Must work for lists of 5,000 numbers.
"""
DEEP = "def product(items):\n    return [2 * items[0], *product(items[1:])] if items else []\n"
WHOLE = "def total(items):\n    from itertools import chain\n    return sum(product(items))\n"


def test_the_size_that_a_task_names_is_not_asked_of_its_parts() -> None:
    backend = ScriptedBackend([DEEP] * 4, [WHOLE] * 4, *[["?!"] * 4] * 3)
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(SIZED), options, backend=backend).answer
    # The part passes in its first round; the whole is what breaks.
    assert "def total(items):" in backend.calls[1][0].prompt.prefill
    assert answer.verdict is Verdict.RUNTIME_ERROR


def test_an_import_does_not_hide_a_finished_function() -> None:
    flat = "def product(items):\n    return [2 * item for item in items]\n"
    hiding = "def total(items):\n    return sum(product(items))\n\n\n"
    hiding += "from itertools import product, chain\n"
    backend = ScriptedBackend([flat] * 4, [hiding] * 4)
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(SIZED), options, backend=backend).answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    assert "import product" not in answer.code


def test_an_answer_is_no_surer_than_the_functions_that_it_is_built_on() -> None:
    options = Options(n=8, seed=1, strategy="stepwise")
    sure = ScriptedBackend([TOKENS] * 4, [NUMBERS] * 4, [EVALUATE] * 4)
    # As many modules pass at the end, but few versions of a function did.
    unsure = ScriptedBackend(
        *([BAD_TOKENS] * 4, [BAD_TOKENS, BAD_TOKENS, BAD_TOKENS, TOKENS]),
        *([NUMBERS] * 4, [EVALUATE] * 4),
    )
    answers = [
        generate_recorded(read_task(TASK), options, backend=backend).answer
        for backend in (sure, unsure)
    ]
    told = [answer.confidence.probability or 0.0 for answer in answers]
    assert 0.3 < told[1] < told[0] - 0.1
    assert "built on functions" in answers[1].why_unverified


@pytest.mark.parametrize(("n", "temperature"), [(1, 0.8), (2, 0.8), (8, 0.8), (4, 0.0)])
def test_a_task_without_a_usable_last_function_is_still_answered(
    n: int, temperature: float
) -> None:
    backend = ScriptedBackend(*[["?!"] * 8] * 12)
    options = Options(n=n, seed=1, temperature=temperature, strategy="stepwise")
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert answer.verdict is Verdict.SYNTAX_ERROR
    assert len(answer.candidates) <= n


def test_a_task_in_another_language_is_written_at_once() -> None:
    task = read_task(TASK, language="javascript")
    backend = ScriptedBackend(["function evaluate(text) { return 0; }"] * 4, *[["?!"] * 8] * 4)
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(task, options, backend=backend).answer
    assert "function evaluate" in answer.code
    assert len(backend.calls[0][0].prompt.prefill) < 40


def test_a_second_wording_that_does_not_fit_costs_only_itself() -> None:
    class Narrow(ScriptedBackend):
        def count_tokens(self, prompt: Prompt) -> int:
            written_already = "are written already" in prompt.messages[-1].content
            return 4096 if written_already else super().count_tokens(prompt)

    backend = Narrow([TOKENS] * 4, [NUMBERS] * 4, [EVALUATE] * 4, context_tokens=2048)
    options = Options(n=4, seed=1, strategy="stepwise")
    answer = generate_recorded(read_task(TASK), options, backend=backend).answer
    assert answer.assessment is not None
    assert answer.assessment.verdict is Verdict.PASSED
    assert not any("would not fit" in note for note in answer.notes)


def test_what_did_not_fit_once_is_not_tried_again() -> None:
    wrong = "def evaluate(text):\n    return 0\n"
    backend = ScriptedBackend(*([[wrong] * 10] * 40), context_tokens=1324)
    answer = generate_recorded(read_task(TASK), Options(n=8, seed=1), backend=backend).answer
    assert sum("would not fit" in note for note in answer.notes) <= 1


def test_one_usable_version_of_many_says_less_than_four_that_agree() -> None:
    task = read_task(TASK.replace('numbers(["4", "5"]) -> [4, 5]\n', ""))
    options = Options(n=8, seed=1, strategy="stepwise")
    many = ScriptedBackend([TOKENS] * 4, [NUMBERS] * 4, [EVALUATE] * 4)
    one = ScriptedBackend(
        *([TOKENS] * 4, [NUMBERS, "?!", "?!", "?!"], ["?!"] * 4, [EVALUATE] * 4),
    )
    told = [
        generate_recorded(task, options, backend=backend).answer.confidence.probability or 0.0
        for backend in (many, one)
    ]
    assert told[1] < told[0] - 0.2


def test_an_answer_without_stepwise_parts_is_not_judged_by_them() -> None:
    halves = [
        f"{BAD_TOKENS}\n{NUMBERS}\n{EVALUATE}",
        f"{TOKENS}\ndef numbers(parts):\n    return []\n\n{EVALUATE}",
    ]
    backend = ScriptedBackend([*halves, *halves], *[["?!"] * 8] * 12)
    answer = generate_recorded(read_task(TASK), Options(n=8, seed=1), backend=backend).answer
    assert answer.candidate is not None
    assert answer.candidate.form == "recombined"
    assert "built on functions" not in answer.why_unverified
