"""Parsers that do not come to an end are stopped, in a process of their own."""

from __future__ import annotations

import time

import pytest

from codekiln.core.errors import CodekilnError
from codekiln.languages import parse, syntax_errors
from codekiln.languages.probe import Prober

# Found by breaking off the snippets of tests/languages/snippets at every place.
ENDLESS = {"perl": "use strict;\n\nmy #", "cobol": '       IDENTIFICATION DIVISON.\n"\n'}


@pytest.mark.parametrize("language", ENDLESS)
def test_a_text_on_which_a_parser_goes_round_for_ever_is_told(
    language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codekiln.languages.probe._prober", Prober(deadline_s=1.0))
    [issue] = syntax_errors(language, ENDLESS[language])
    assert "does not end on this text" in issue.message
    with pytest.raises(CodekilnError, match="does not end"):
        parse(language, ENDLESS[language])
    # The next text is parsed as if nothing had been.
    assert syntax_errors("perl", "my $x = 1;\n") == ()


def test_a_process_answers_many_texts_and_is_started_again() -> None:
    prober = Prober(deadline_s=2.0)
    assert all(prober.ends("perl", f"my $x = {n};\n".encode()) for n in range(20))
    begun = time.monotonic()
    assert not prober.ends("perl", ENDLESS["perl"].encode())
    assert time.monotonic() - begun >= 2.0
    assert prober.ends("perl", b"")
    prober.close()
    assert prober.ends("perl", "my $x = 'é';\n".encode())
    prober.close()
