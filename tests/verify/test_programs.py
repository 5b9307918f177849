"""Examples in other languages than Python: the wire, the neutral form, and real drivers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.core import Example, Task, Verdict
from codekiln.languages.recipes import recipe_languages, recipe_of
from codekiln.sandbox import Isolation
from codekiln.verify import assess, program_check
from codekiln.verify.program_check import missing_tools, toolchain_folder
from codekiln.verify.programs.neutral import NeutralCall, neutral_call, neutral_value
from codekiln.verify.programs.runner import ProgramRun, run_cases
from codekiln.verify.programs.wire import NotNeutralError, decode, encode, same

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.integers(), st.text(max_size=4)), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_comes_back_as_it_was_sent(value: object) -> None:
    lines = iter(list(encode(value)))
    assert repr(decode(lines)) == repr(value)
    assert next(lines, None) is None


@given(st.text(alphabet="nbidsltmo 0123456789abc.-\n", max_size=60))
def test_any_text_is_a_value_or_none(text: str) -> None:
    try:
        decode(iter(text.split("\n")))
    except NotNeutralError:
        return


@given(VALUES)
def test_a_value_is_the_same_as_itself_and_as_its_json(value: object) -> None:
    assert same(value, value)
    assert same(neutral_value(repr(value)), value)


@pytest.mark.parametrize(
    ("got", "wanted", "is_same"),
    [
        (2, 2.0, True),
        (0.1 + 0.2, 0.3, True),
        (0.3001, 0.3, False),
        (True, 1, False),
        (None, False, False),
        ((1, 2), [1, 2], True),
        ("1", 1, False),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        (10**30, 10**30 + 1, False),
        (math.nan, math.nan, True),
        (math.inf, -math.inf, False),
    ],
)
def test_what_counts_as_the_same(got: object, wanted: object, is_same: bool) -> None:
    assert same(got, wanted) is is_same


def test_languages_without_truth_values_or_other_keys_are_met() -> None:
    assert same(1, True, bits=True)
    assert not same(1, False, bits=True)
    assert same({"1": [True]}, {1: [True]}, text_keys=True)


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("f(1, -2.5, 'a')", NeutralCall("f", (1, -2.5, "a"))),
        ('f(null, [true, NaN], {"a": nil});', None),
        ("a.b(())", NeutralCall("a.b", ((),))),
    ],
)
def test_calls_are_read(text: str, call: NeutralCall | None) -> None:
    found = neutral_call(text)
    assert call is None or found == call
    assert found.name in ("f", "a.b")


@pytest.mark.parametrize("text", ["f(x)", "f(a=1)", "f(1 + 1)", "f(*[1])", "f", "f(", "g()(1)"])
def test_what_is_more_than_a_call_with_values_is_refused(text: str) -> None:
    with pytest.raises(NotNeutralError):
        neutral_call(text)


# A function that adds one, one that prints, one that fails, one that never ends, one that ends all.
ANSWERS = {
    "javascript": "const inc = (n) => n + 1;\nfunction say(s) { console.log(s); }\n"
    "function fail(s) { throw new Error(s); }\nfunction spin() { for (;;); }\n"
    "function leave() { process.exit(0); }\n",
    "typescript": "export const inc = (n: number): number => n + 1;\n"
    "function say(s: string) { console.log(s); }\n"
    "function fail(s: string) { throw new Error(s); }\n"
    "function spin() { for (;;); }\nfunction leave() { (globalThis as any).process.exit(0); }\n",
    "cpp": "#include <stdexcept>\nint inc(int n) { return n + 1; }\n"
    "void say(std::string s) { std::cout << s << std::endl; }\n"
    "void fail(const std::string& s) { throw std::runtime_error(s); }\n"
    "void spin() { volatile int i = 0; for (;;) i = i + 1; }\nvoid leave() { std::exit(0); }\n"
    "int main() { return inc(1); }\n",
    "rust": 'fn inc(n: i32) -> i32 { n + 1 }\nfn say(s: &str) { println!("{s}"); }\n'
    'fn fail(s: String) { panic!("{s}"); }\nfn spin() { loop {} }\n'
    "fn leave() { std::process::exit(0); }\nfn main() {}\n",
    "java": "public class Solution {\n  public static int inc(int n) { return n + 1; }\n"
    "  void say(String s) { System.out.println(s); }\n"
    "  static void fail(String s) { throw new IllegalStateException(s); }\n"
    "  static void spin() { for (;;); }\n  static void leave() { System.exit(0); }\n}\n",
}
CALLS = ("inc(41)", "say('é')", "fail('no')", "leave()", "inc(1)", "spin()", "inc(2)")


def run(language: str, code: str, calls: tuple[str, ...], sandbox: Isolation) -> ProgramRun:
    recipe = recipe_of(language)
    if why := missing_tools(recipe, sandbox):
        pytest.skip(why)
    asked = [neutral_call(call) for call in calls]
    folder = toolchain_folder(recipe)
    return run_cases(code, asked, recipe, sandbox, call_s=1.0, folder=folder)


def test_every_language_is_tried() -> None:
    assert set(ANSWERS) == set(recipe_languages())


@pytest.mark.parametrize("language", sorted(ANSWERS))
def test_each_call_is_told_whatever_the_others_do(language: str, sandbox: Isolation) -> None:
    done = run(language, ANSWERS[language], CALLS, sandbox)
    assert (done.trouble, done.why) == ("", "")
    kinds = [case.kind for case in done.cases]
    assert kinds == ["value", "value", "raised", "died", "value", "timeout", "value"]
    assert [done.cases[place].value for place in (0, 4, 6)] == [42, 2, 3]
    assert done.cases[1].printed == "é\n"
    assert "no" in done.cases[2].why


@pytest.mark.parametrize("language", sorted(ANSWERS))
def test_what_does_not_parse_or_compile_is_told(language: str, sandbox: Isolation) -> None:
    broken = ANSWERS[language].replace("n + 1", "n +", 1)
    assert run(language, broken, CALLS[:1], sandbox).trouble == "syntax"
    unknown = run(language, ANSWERS[language].replace("n + 1", "m + 1", 1), CALLS[:1], sandbox)
    if unknown.trouble != "compile":
        # Scripts find out when they get there.
        assert unknown.cases[0].kind == "raised"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("const f = (a) => a.length;", Verdict.PASSED),
        ("const f = (a) => a.length + 1;", Verdict.WRONG_OUTPUT),
        ("const f = (a) => b;", Verdict.RUNTIME_ERROR),
        ("const g = (a) => 1;", Verdict.RUNTIME_ERROR),
        ("const f = (a) => {;", Verdict.SYNTAX_ERROR),
    ],
)
def test_answers_are_judged_by_their_examples(
    code: str, verdict: Verdict, sandbox: Isolation
) -> None:
    examples = (Example("", "f([])", "0"), Example("", "f(['x'])", "1"))
    if missing_tools(recipe_of("javascript"), sandbox):
        pytest.skip("no Node.js")
    task = Task("Count.", "javascript", examples, entry_point="f")
    assessment = assess(code, task, isolation=sandbox)
    assert assessment.verdict is verdict
    if verdict is Verdict.PASSED:
        assert [run.passed for run in assessment.example_runs] == [True, True]


def test_candidates_that_pass_are_told_apart_by_what_they_do_near_the_examples(
    sandbox: Isolation,
) -> None:
    if missing_tools(recipe_of("javascript"), sandbox):
        pytest.skip("no Node.js")
    examples = (Example("", "f([])", "0"), Example("", "f(['x'])", "1"))
    task = Task("Count.", "javascript", examples, entry_point="f")
    codes = (
        "const f = (a) => a.length;",
        "function f(list) { let n = 0; for (const _ of list) n++; return n; }",
        "const f = (a) => (a.length ? 1 : 0);",
        # Never ends for what the examples do not show.
        "const f = (a) => { while (a.length > 1); return a.length; };",
    )
    found = [assess(code, task, isolation=sandbox) for code in codes]
    assert [assessment.verdict for assessment in found] == [Verdict.PASSED] * 4
    assert found[0].behaviour == found[1].behaviour
    assert len({assessment.behaviour for assessment in found}) == 3


def test_where_the_tools_are_missing_an_answer_stays_unverified(
    sandbox: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(recipe_of("javascript"), language="absent", tools=(("no-such-tool",),))
    monkeypatch.setattr(program_check, "recipe_of", lambda _: absent)
    task = Task("Count.", "javascript", (Example("", "f([])", "0"),), entry_point="f")
    assessment = assess("const f = (a) => a.length;", task, isolation=sandbox)
    assert assessment.verdict is Verdict.UNVERIFIED
    assert "Node.js" in assessment.reports[-1].detail
    assert [run.outcome for run in assessment.example_runs] == ["not_run"]
