"""Long contexts: what is hidden, how it is read and asked for, what is kept and summed up."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from random_models import VOCAB, greedy, naive_logits, random_decoder, random_engine, run

from codekiln.attention import SparseConfig
from codekiln.core.errors import ContextOverflowError, UsageError
from codekiln.evals.context.corpus import make_context
from codekiln.evals.context.measure import done_lines, keep, make_arms, measure
from codekiln.evals.context.needles import KINDS, make_needles
from codekiln.evals.context.reader import LongReader
from codekiln.evals.context.run import ContextPlan, changed_config, measure_contexts
from codekiln.evals.context.summary import summarise
from codekiln.evals.store import alone
from codekiln.models import ChatTokenizer, SilentProgress, ensure, open_checkpoint

# Reads everything, by lists.
WHOLE = SparseConfig(crossover=0, min_blocks=1000, max_blocks=1000, most_groups=1000)


@pytest.fixture(scope="module")
def tokenizer() -> ChatTokenizer:
    return open_checkpoint(ensure("qwen2.5-coder-0.5b")).tokenizer()


def test_each_answer_is_hidden_once_at_each_depth() -> None:
    needles = make_needles(7)
    assert needles == make_needles(7) != make_needles(8)
    everything = "\n".join(needles.hidden)
    for question in needles.questions:
        place = needles.depths.index(question.depth)
        if question.kind == "helper":
            for part in question.answer.split(","):
                keyword = part.strip().partition("=")[0]
                assert keyword in needles.hidden[place]
        else:
            assert needles.hidden[place].count(question.answer.strip()) == 1
            assert everything.count(question.answer.strip()) == 1
    counts = [sum(q.kind == kind for q in needles.questions) for kind in KINDS]
    assert counts == [10, 10, 10, 10]


def test_a_context_has_its_length_and_its_needles_in_order(tokenizer: ChatTokenizer) -> None:
    context = make_context("python", 3, 6000, tokenizer)
    assert len(context.tokens) == 6000
    again = make_context("python", 3, 6000, tokenizer)
    assert (again.tokens, again.sha256) == (context.tokens, context.sha256)
    assert make_context("python", 4, 6000, tokenizer).sha256 != context.sha256
    text = tokenizer.decode(context.tokens)
    places = [text.index(q.answer.strip()) for q in context.questions if q.kind == "constant"]
    assert places == sorted(places)
    for place, depth in zip(places, make_needles(3).depths, strict=True):
        assert abs(place / len(text) - depth) < 0.2


def test_a_context_of_own_files_and_one_that_is_too_long(
    tokenizer: ChatTokenizer, tmp_path: Path
) -> None:
    for number in range(8):
        body = "\n\n".join(f"def f{number}_{i}(x):\n    return x + {i}" for i in range(60))
        (tmp_path / f"m{number}.py").write_text(body)
    (tmp_path / "m9.py").write_bytes(b"\xff" * 2000)  # no text
    assert len(make_context("python", 1, 4000, tokenizer, tmp_path).tokens) == 4000
    with pytest.raises(UsageError, match="are needed"):
        make_context("python", 1, 400_000, tokenizer, tmp_path)
    with pytest.raises(UsageError, match="no room"):
        make_context("python", 1, 1000, tokenizer, tmp_path)
    with pytest.raises(UsageError, match="Unknown corpus 'cobol'"):
        make_context("cobol", 1, 4000, tokenizer)


@pytest.mark.parametrize("sparse", [None, WHOLE], ids=["dense", "lists"])
def test_the_reader_predicts_and_answers_as_the_engine_does(sparse: SparseConfig | None) -> None:
    decoder = random_decoder()
    generator = torch.Generator().manual_seed(5)
    tokens = torch.randint(VOCAB, (1400,), generator=generator).tolist()
    reader = LongReader(decoder, tokens, sparse)
    seen: list[int] = []
    predictions = reader.read(900, lambda done, _: seen.append(done))
    assert seen == [1024, 1400]
    assert len(predictions.loss) == len(predictions.best) == 500
    # Each predicted token is what the engine would draw after the same prompt.
    for place in (900, 901, 1100, 1399):
        drawn = run(random_engine(decoder), greedy(tuple(tokens[:place]), 1))[0].tokens
        assert int(predictions.best[place - 900]) == drawn[0]
    question = tokens[:7]
    drawn = run(random_engine(decoder), greedy((*tokens, *question), 6))[0].tokens
    answer = reader.ask(question, drawn)
    assert answer.is_right
    whole = naive_logits(decoder, [*tokens, *question, *drawn])[-len(drawn) - 1 : -1]
    losses = -whole.log_softmax(-1).gather(1, torch.tensor(drawn)[:, None])
    assert answer.loss == pytest.approx(float(losses.sum()), rel=1e-4)
    wrong = [*drawn[:-1], (drawn[-1] + 1) % VOCAB]
    refused = reader.ask(question, wrong)
    assert not refused.is_right
    assert refused.loss > answer.loss
    assert not reader.ask(question, [(drawn[0] + 1) % VOCAB, *drawn[1:]]).is_right


def test_a_measurement_with_whole_lists_finds_no_difference(tokenizer: ChatTokenizer) -> None:
    context = make_context("cpp", 1, 2048, tokenizer)
    context = replace(context, tokens=tuple(token % VOCAB for token in context.tokens))
    decoder = random_decoder()
    arms = make_arms(("sdpa", "sparse"), WHOLE)
    told: list[str] = []
    line = measure(decoder, tokenizer, context, arms, lambda what, *_: told.append(what))
    (found,) = summarise([line])
    assert found.agreement == 1.0
    assert abs(found.rise) < 1e-5
    assert found.density == 1.0
    assert found.covered == pytest.approx(1.0)
    assert {what.split(", ")[1] for what in told} == {"sdpa: tokens", "sparse: tokens"}


def a_line(loss: float, agree: float, answers: list[list[float]], seed: int = 1) -> dict[str, Any]:
    def arm(loss: float, agree: float, answers: list[list[float]]) -> dict[str, Any]:
        layers = [[0.25, 0.9, 1.0, 3.0], [0.75, 1.0, 1.0, 3.0]]
        return {
            "read_s": 2.0,
            "loss": [loss, loss],
            "agree": [agree, agree],
            "answers": answers,
            "layers": layers,
        }

    return {
        "settings": {},
        "corpus": "python",
        "seed": seed,
        "length": 1024,
        "sha256": str(seed),
        "tokens": [256.0, 256.0],
        "questions": [["constant", 0.05], ["helper", 0.5]],
        "arms": {
            "dense": arm(200.0, 256.0, [[1, 0.1], [1, 0.2]]) | {"layers": None},
            "sparse": arm(loss, agree, answers),
        },
    }


def test_the_summary_is_what_is_reckoned_by_hand() -> None:
    lines = [a_line(202.0, 250.0, [[1, 0.3], [0, 1.2]]), a_line(204.0, 252.0, [[1, 0.1], [1, 0.2]])]
    (found,) = summarise(lines)
    assert found.rise == pytest.approx(0.015)
    assert found.rise_interval.low <= found.rise <= found.rise_interval.high
    assert found.agreement == pytest.approx(251 / 256)
    assert (found.density, found.select_share) == (0.5, 0.25)
    assert found.covered == pytest.approx(0.95)
    kinds = {part.kind: part for part in found.retrieval}
    assert kinds["all"].difference == -0.25
    assert kinds["constant"].difference == 0.0
    assert kinds["helper"].arm_loss == pytest.approx(0.7)


def test_lines_survive_a_torn_end_and_other_settings_are_refused(tmp_path: Path) -> None:
    path, settings = tmp_path / "deep" / "lines.jsonl", {"threads": 2}
    keep(path, settings, {"arms": {}, "seed": 1})
    with path.open("a") as file:
        file.write('{"settings": {"thr')
    assert [line["seed"] for line in done_lines(path, settings)] == [1]
    with alone(path):
        keep(path, settings, {"arms": {}, "seed": 2})
    assert [line["seed"] for line in done_lines(path, settings)] == [1, 2]
    with pytest.raises(UsageError, match="other settings \\(threads\\)"):
        done_lines(path, {"threads": 1})
    path.write_text(json.dumps({"seed": 1}) + "\n")
    with pytest.raises(UsageError, match="no file of measured contexts"):
        done_lines(path, settings)


def test_numbers_of_the_configuration_are_changed_by_name() -> None:
    changed = changed_config(SparseConfig(), ["threshold=0.01", "window=2048"])
    assert (changed.threshold, changed.window) == (0.01, 2048)
    for wrong, wanted in (("windw=1", "no number"), ("window=x", "gives window"), ("window", "no")):
        with pytest.raises(UsageError, match=wanted):
            changed_config(SparseConfig(), [wrong])


@pytest.mark.parametrize("names", [(), ("dense",), ("dense", "dense"), ("dense", "x")])
def test_senseless_arms_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        make_arms(names, SparseConfig())


@pytest.mark.real_model
def test_the_real_model_is_measured_and_the_measurement_goes_on(tmp_path: Path) -> None:
    plan = ContextPlan(corpus="cpp", lengths=(1024,), contexts=1, out=tmp_path / "c.jsonl")
    told: list[str] = []
    path, lines = measure_contexts(plan, SilentProgress(), lambda what, *_: told.append(what))
    assert told
    (found,) = summarise(lines)
    # Everything lies in the window.
    assert found.density == 1.0
    assert found.agreement > 0.95
    assert 0.2 < found.reference_loss < 3.0
    told.clear()
    _, again = measure_contexts(plan, SilentProgress(), lambda what, *_: told.append(what))
    assert (again, told) == (lines, [])
    assert len(path.read_text().splitlines()) == 1
    with pytest.raises(ContextOverflowError, match="exceed the model's window"):
        measure_contexts(replace(plan, lengths=(32_768,)), SilentProgress(), lambda *_: None)


def test_two_processes_do_not_measure_into_one_file(tmp_path: Path) -> None:
    out = tmp_path / "lines.jsonl"
    plan = ContextPlan("qwen2.5-coder-0.5b", lengths=(6000,), contexts=1, out=out)
    with (
        FileLock(tmp_path / ".lines.jsonl.lock"),
        pytest.raises(UsageError, match="another process"),
    ):
        measure_contexts(plan, SilentProgress(), lambda *_: None)
