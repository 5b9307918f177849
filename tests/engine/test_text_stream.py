from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from codekiln.engine.text_stream import TextStream

ALPHABET = st.text(alphabet="ab`\n\u00e9\u4e2d\U0001f600", max_size=30)


def pieces(text: str, cuts: list[int]) -> list[bytes]:
    """The UTF-8 bytes of a text cut anywhere, also inside characters."""
    data = text.encode()
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def cut_at_stop(text: str, stops: list[str]) -> str:
    """Read character by character; the first stop string to be complete ends the text."""
    for end in range(1, len(text) + 1):
        hits = [stop for stop in stops if text[:end].endswith(stop)]
        if hits:
            return text[: end - max(map(len, hits))]
    return text


@given(
    text=ALPHABET,
    stops=st.lists(st.text(alphabet="ab`\n\u00e9", min_size=1, max_size=4), max_size=3),
    cuts=st.lists(st.integers(0, 200), max_size=20),
)
def test_text_up_to_the_first_stop_string_however_tokens_cut_it(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    stream = TextStream(stops)
    out = [stream.push(piece) for piece in pieces(text, cuts)]
    out.append(stream.finish())
    assert "".join(out) == cut_at_stop(text, stops)
    assert (stream.stopped_by is not None) == any(stop in text for stop in stops)


def test_text_that_cannot_become_a_stop_string_is_not_held_back() -> None:
    stream = TextStream(["\n```"])
    assert stream.push(b"x = 1\n") == "x = 1"
    assert stream.push(b"y") == "\ny"


def test_an_unfinished_character_is_replaced_at_the_end_only() -> None:
    stream = TextStream()
    assert stream.push("\u4e2d".encode()[:2]) == ""
    assert stream.push("\u4e2d".encode()[2:]) == "\u4e2d"
    assert stream.push(b"\xe4") == ""
    assert stream.finish() == "\ufffd"
