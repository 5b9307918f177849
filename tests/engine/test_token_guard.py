"""A guard over text sees what a guard over tokens sees, whatever characters tokens cut through."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codekiln.core.text_guard import TakeBack
from codekiln.engine import Accept, RollBack, TokenGuard

EOS = 256


def token_bytes(token: int) -> bytes:
    return bytes([token])


class Scripted:
    """Wakes at every byte, keeps what it was shown, and answers what it was told to."""

    def __init__(self, answer: TakeBack | None = None) -> None:
        self.answer = answer
        self.shown: list[tuple[str, bool]] = []

    def wakes(self, added: str) -> bool:
        return True

    def judge(self, text: str, *, ended: bool) -> TakeBack | None:
        self.shown.append((text, ended))
        return self.answer


@given(st.text(max_size=12), st.data())
def test_the_text_is_that_of_the_tokens_also_after_a_roll_back(
    text: str, data: st.DataObject
) -> None:
    tokens = [*text.encode(), EOS]
    guard = Scripted()
    asked = TokenGuard(guard, token_bytes, [EOS])
    for _ in range(2):
        # Whatever was accepted before, the accepted tokens that are given count.
        for at in range(data.draw(st.integers(0, len(tokens) - 1)), len(tokens)):
            assert asked.inspect(tokens[:at], tokens[at]) == Accept()
            wanted = bytes(tokens[: at + 1] if tokens[at] != EOS else tokens[:at])
            assert guard.shown[-1] == (wanted.decode(errors="ignore"), tokens[at] == EOS)


@given(st.text(min_size=1, max_size=12), st.data())
def test_a_take_back_begins_with_the_token_that_holds_its_character(
    text: str, data: st.DataObject
) -> None:
    tokens = list(text.encode())
    to = data.draw(st.integers(0, len(text) - 1))
    differently = data.draw(st.booleans())
    asked = TokenGuard(Scripted(TakeBack(to, differently)), token_bytes, [EOS])
    found = asked.inspect(tokens[:-1], tokens[-1])
    assert isinstance(found, RollBack)
    assert bytes(tokens[: found.to]).decode() == text[:to]
    assert found.ban == (frozenset({tokens[found.to]}) if differently else frozenset())


def test_bytes_that_are_no_text_shift_nothing() -> None:
    tokens = list(b"\xff\xfeabX\n")
    asked = TokenGuard(Scripted(TakeBack(2)), token_bytes, [EOS])
    found = asked.inspect(tokens[:-1], tokens[-1])
    assert found == RollBack(4, frozenset({ord("X")}))


def test_a_text_that_must_not_end_is_gone_on_with() -> None:
    asked = TokenGuard(Scripted(TakeBack(2)), token_bytes, [EOS])
    assert asked.inspect(list(b"ab"), EOS) == RollBack(2, frozenset({EOS}))
    assert TokenGuard(Scripted(TakeBack(0)), token_bytes, [EOS]).inspect([], EOS) == RollBack(
        0, frozenset({EOS})
    )


def test_a_stop_string_ends_the_text_before_it() -> None:
    guard = Scripted()
    asked = TokenGuard(guard, token_bytes, [EOS], stop=["\n##", "}}"])
    text = b"ab\n##"
    for at in range(len(text)):
        asked.inspect(list(text[:at]), text[at])
    assert guard.shown[-2:] == [("ab\n#", False), ("ab", True)]


def test_a_guard_that_sleeps_is_not_asked() -> None:
    class Asleep(Scripted):
        def wakes(self, added: str) -> bool:
            return added == "b"

    guard = Asleep()
    asked = TokenGuard(guard, token_bytes, [EOS])
    for at in range(3):
        asked.inspect(list(b"abc"[:at]), b"abc"[at])
    assert guard.shown == [("ab", False)]
