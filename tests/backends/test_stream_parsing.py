from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codekiln.backends.answer_text import AnswerText, PrefillHandling
from codekiln.backends.openai_failures import excerpt, retry_after_s
from codekiln.backends.sse import ServerSentEvent, SseParser
from codekiln.core.errors import BackendError


def parse(pieces: list[bytes]) -> list[ServerSentEvent]:
    parser = SseParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return events + parser.close()


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


line_ends = st.sampled_from([b"\n", b"\r", b"\r\n"])
lines = st.sampled_from(
    b"|data: x|data:y|data|: ping|event: error|error: bad|id: 1|retry: 10".split(b"|")
    + "data: 你好🙂é|\ufeffdata: z".encode().split(b"|")
    + [b"data: \xff broken"]
)
streams = st.lists(st.tuples(lines, line_ends), max_size=30).map(
    lambda pairs: b"".join(line + end for line, end in pairs)
)
cut_points = st.lists(st.integers(0, 10_000), max_size=40)


@given(st.one_of(streams, st.binary(max_size=200)), cut_points)
def test_any_split_of_the_bytes_gives_the_same_events(data: bytes, cuts: list[int]) -> None:
    assert parse(split(data, cuts)) == parse([data])


@given(st.one_of(streams, st.binary(max_size=200)))
def test_single_bytes_give_the_same_events(data: bytes) -> None:
    assert parse([data[i : i + 1] for i in range(len(data))]) == parse([data])


event_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(
    lambda text: text.replace("\r", "")
)


@given(st.lists(event_text, max_size=8), st.sampled_from(["\n", "\r", "\r\n"]), cut_points)
def test_what_was_written_as_events_is_read_back(
    texts: list[str], end: str, cuts: list[int]
) -> None:
    data = "".join(
        ": ping" + end + "".join(f"data: {line}{end}" for line in text.split("\n")) + end
        for text in texts
    )
    assert [event.data for event in parse(split(data.encode(), cuts))] == texts


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (b"data: a\n\ndata: b\n\n", ["a", "b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"]),
        (b"\xef\xbb\xbfdata: a\n\n", ["a"]),
        (b": comment\n\n:\n\ndata: a\n\n", ["a"]),
        (b"data: a\ndata:  b\n\n", ["a\n b"]),
        (b"data: a\nid: 3\nretry: 5\nnonsense\n\n", ["a"]),
        (b"event: ping\n\n", []),
        (b"data: last\n", ["last"]),
        (b"data: whole\n\ndata: cut of", ["whole"]),
        (b"data:\n\n", [""]),
    ],
)
def test_events_follow_the_definition(data: bytes, events: list[str]) -> None:
    assert [event.data for event in parse([data])] == events


def test_a_named_event_keeps_its_name_and_the_next_does_not_inherit_it() -> None:
    parsed = parse([b"event: error\ndata: a\n\ndata: b\n\nerror: c\n\n"])
    assert [(event.event, event.data) for event in parsed] == [
        ("error", "a"),
        ("message", "b"),
        ("error", "c"),
    ]


@pytest.mark.parametrize("data", [b"data: " + b"x" * 200, b"data: xxxxxxxxx\n" * 30, b"x" * 101])
def test_an_endless_event_is_refused(data: bytes) -> None:
    parser = SseParser(max_event_bytes=100)
    pieces = (data[start : start + 7] for start in range(0, len(data), 7))
    with pytest.raises(BackendError, match="more than 100 bytes"):
        deque(map(parser.feed, pieces))


def read(answer: AnswerText, pieces: list[str]) -> str:
    return "".join(answer.feed(piece) for piece in pieces) + answer.finish()


def cut_up(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


few_letters = st.text("ab\n`", max_size=30)
stops = st.lists(st.text("ab\n`", min_size=1, max_size=4), max_size=3).map(tuple)
prefills = st.text("ab`\n", max_size=5)
handlings: st.SearchStrategy[PrefillHandling] = st.sampled_from(["silent", "echoed", "searched"])


@given(few_letters, cut_points, prefills, handlings, stops, stops)
def test_text_does_not_depend_on_how_the_answer_was_cut_up(
    text: str,
    cuts: list[int],
    prefill: str,
    handling: PrefillHandling,
    stop: tuple[str, ...],
    prefill_stop: tuple[str, ...],
) -> None:
    pieces = read(AnswerText(prefill, handling, stop, prefill_stop), cut_up(text, cuts))
    letters = read(AnswerText(prefill, handling, stop, prefill_stop), list(text))
    assert pieces == letters


@given(few_letters, cut_points, stops)
def test_no_stop_string_is_ever_given_out_and_nothing_else_is_lost(
    text: str, cuts: list[int], stop: tuple[str, ...]
) -> None:
    answer = AnswerText(stop=stop)
    given_out = read(answer, cut_up(text, cuts))
    assert not any(string in given_out for string in stop)
    assert text.startswith(given_out)
    assert answer.stopped == any(string in text for string in stop)
    assert answer.stopped or given_out == text


@given(few_letters, prefills, cut_points)
def test_an_echo_is_dropped_once_and_only_once(text: str, prefill: str, cuts: list[int]) -> None:
    assert read(AnswerText(prefill, "echoed"), cut_up(prefill + text, cuts)) == text


def test_a_continued_answer_that_repeats_the_prefill_by_itself_keeps_it() -> None:
    assert read(AnswerText("na", "silent"), ["na", "na"]) == "nana"


def test_an_announced_echo_that_does_not_come_costs_nothing() -> None:
    assert read(AnswerText("def f():", "echoed"), ["de", "ad"]) == "dead"


def test_a_free_answer_without_the_prefill_is_given_whole() -> None:
    answer = AnswerText("```python\n", "searched", prefill_stop=("```",))
    assert read(answer, ["See ```js\n", "x```"]) == "See ```js\nx```"


NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        (" 0 ", 0.0),
        ("0.5", 0.5),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 13:00:30 +0100", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}, NOW) == seconds


@given(st.text(max_size=600))
def test_an_excerpt_is_one_short_printable_line(body: str) -> None:
    line = excerpt(body)
    assert line
    assert len(line) <= 241
    assert line.isprintable()


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('{"error": {"message": "no\\nGPU", "code": 5}}', "no GPU"),
        ('{"error": "no GPU"}', "no GPU"),
        ('{"object": "error", "message": "no GPU"}', "no GPU"),
        ('{"detail": [{"loc": ["n"]}]}', '[{"loc": ["n"]}]'),
        ("<html><style>b{}</style><b>502</b> Bad Gateway</html>", "502 Bad Gateway"),
        ("if a < b: pass", "if a < b: pass"),
        ("", "(nothing)"),
    ],
)
def test_an_excerpt_says_what_a_person_wants_to_know(body: str, line: str) -> None:
    assert excerpt(body) == line
