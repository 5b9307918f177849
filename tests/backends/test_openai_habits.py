"""Servers differ in n, seeds, stop strings and prefills; the completions must not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from raw_server import (
    CHUNKED_STREAM,
    Connection,
    RawServer,
    Seen,
    Start,
    event,
    piece,
    reply,
    stream,
    text_answer,
)

from codekiln.backends import Completion, CompletionRequest, open_backend
from codekiln.backends.openai import OpenAIBackend
from codekiln.backends.openai_probe import PrefillSupport
from codekiln.backends.openai_server import parse_address
from codekiln.core import Message, Prompt, Sampling
from codekiln.core.errors import BackendError
from codekiln.core.text_guard import TakeBack

KEY = "sk-very-secret-0123456789"
ASK = CompletionRequest(Prompt((Message("user", "hi"),)), Sampling(max_tokens=8, seed=5))


def complete(server: RawServer, request: CompletionRequest = ASK) -> tuple[Completion, ...]:
    with open_backend("m", api_base=server.base) as backend:
        return backend.complete([request])[0]


def test_a_stop_string_unknown_to_the_server_ends_the_request(start: Start) -> None:
    def write_on(connection: Connection, _: Seen) -> None:
        connection.send(CHUNKED_STREAM + event(piece("one E")) + event(piece("ND two")))
        connection.stall()

    server = start(write_on)
    request = CompletionRequest(ASK.prompt, Sampling(stop=("END",)))
    [completion] = complete(server, request)
    assert (completion.text, completion.finish_reason) == ("one ", "stop")
    assert server.client_gone.wait(10)


def test_seeds_follow_one_another_when_samples_are_asked_for_singly(start: Start) -> None:
    server = start(lambda connection, seen: text_answer(f"#{seen.body['seed']}")(connection, seen))
    completions = complete(server, CompletionRequest(ASK.prompt, ASK.sampling, n=4))
    assert [c.text for c in completions] == ["#5", "#6", "#7", "#8"]
    assert [c.seed for c in completions] == [5, 6, 7, 8]
    assert not any("n" in seen.body for seen in server.completions)


def of_family(server: RawServer, owner: str) -> RawServer:
    listed = {"data": [{"id": "m", "owned_by": owner}]}
    server.routes["/v1/models"] = reply(200, json.dumps(listed).encode())
    return server


def test_n_samples_come_in_one_request_from_a_server_that_seeds_them_so(start: Start) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 1}
    server = start(
        stream(
            piece("b", index=1),
            piece("a", index=0),
            {**piece("", "stop", 1), "usage": usage},
            {**piece("", "length", 0), "usage": usage | {"completion_tokens": 9}},
            "[DONE]",
        )
    )
    completions = complete(
        of_family(server, "vllm"), CompletionRequest(ASK.prompt, ASK.sampling, n=2)
    )
    assert completions == (
        Completion("a", "length", 4, 9, seed=5),
        Completion("b", "stop", 4, 1, seed=6),
    )
    assert [seen.body["n"] for seen in server.completions] == [2]


def test_a_server_that_ignores_n_is_asked_for_the_rest_and_remembered(start: Start) -> None:
    server = of_family(start(text_answer("x")), "vllm")
    request = CompletionRequest(ASK.prompt, ASK.sampling, n=3)
    with open_backend("m", api_base=server.base) as backend:
        assert len(backend.complete([request])[0]) == 3
        assert [s.body.get("n") for s in server.completions] == [3, None, None]
        backend.complete([request])
        assert [s.body.get("n") for s in server.completions[3:]] == [None] * 3
        assert sorted(s.body["seed"] for s in server.completions) == [5, 5, 6, 6, 7, 7]


def test_a_server_that_limits_n_is_asked_in_groups(start: Start) -> None:
    def at_most_two(connection: Connection, seen: Seen) -> None:
        n = seen.body.get("n", 1)
        if n > 2:
            body = {"error": {"message": f"Value must be between 1 <= value <= 2, got {n}"}}
            reply(400, json.dumps(body).encode())(connection, seen)
        else:
            pieces = [piece(f"#{seen.body['seed'] + i}", "stop", i) for i in range(n)]
            stream(*pieces, "[DONE]")(connection, seen)

    server = of_family(start(at_most_two), "llamacpp")
    completions = complete(server, CompletionRequest(ASK.prompt, ASK.sampling, n=5))
    assert [c.text for c in completions] == ["#5", "#6", "#7", "#8", "#9"]
    assert sorted(s.body.get("n", 1) for s in server.completions) == [1, 2, 2, 5]


PREFILLED = CompletionRequest(
    Prompt((Message("user", "hi"),), prefill="```python\n", stop=("\n```",)), Sampling()
)


def last_role(seen: Seen) -> str:
    return str(seen.body["messages"][-1]["role"])


def test_an_echoed_prefill_is_stripped(start: Start) -> None:
    def echo(connection: Connection, seen: Seen) -> None:
        prefill = seen.body["messages"][-1]["content"]
        text = " 8, 9" if prefill.startswith("1, 2") else "x = 1"
        pieces = [piece(letter) for letter in prefill + text]
        stream(*pieces, piece("", "stop"), "[DONE]")(connection, seen)

    server = start(echo)
    [completion] = complete(server, PREFILLED)
    assert completion.text == "x = 1"
    assert last_role(server.completions[-1]) == "assistant"


def test_a_server_without_prefill_gets_none_and_its_lead_in_is_dropped(start: Start) -> None:
    def free(connection: Connection, seen: Seen) -> None:
        if last_role(seen) == "assistant":
            answer = text_answer("1, 2, 3,")
        else:
            assert "stop" not in seen.body
            answer = text_answer("Sure! Here it is:\n\n```python\nx = 1\n```\nDone.")
        answer(connection, seen)

    server = start(free)
    [completion] = complete(server, PREFILLED)
    assert (completion.text, completion.finish_reason) == ("x = 1", "stop")
    assert last_role(server.completions[-1]) == "user"


def test_a_server_that_refuses_the_extra_fields_is_tried_without_them(start: Start) -> None:
    def strict(connection: Connection, seen: Seen) -> None:
        if "continue_final_message" in seen.body:
            reply(422, b'{"detail": "unknown field"}')(connection, seen)
        else:
            text_answer(" 8, 9, 10")(connection, seen)

    server = start(strict)
    assert complete(server, PREFILLED)[0].text == " 8, 9, 10"
    assert last_role(server.completions[-1]) == "assistant"
    assert "continue_final_message" not in server.completions[-1].body


class Refusing:
    """A guard that takes back everything behind the first `keep` characters, `times` times."""

    def __init__(self, keep: int, times: int) -> None:
        self.keep, self.times = keep, times
        self.ended: list[str] = []

    def wakes(self, added: str) -> bool:
        return True

    def judge(self, text: str, *, ended: bool) -> TakeBack | None:
        if ended:
            self.ended.append(text)
        if self.times and len(text) > self.keep:
            self.times -= 1
            return TakeBack(self.keep)
        return None


def guarded(guard: Refusing, **sampling: Any) -> CompletionRequest:
    prompt = Prompt((Message("user", "hi"),), prefill="P")
    return CompletionRequest(prompt, Sampling(**sampling), guard=lambda _: guard)


def continuing(server: RawServer, guard: Refusing, **sampling: Any) -> tuple[Completion, ...]:
    address = parse_address(server.base)
    with OpenAIBackend("m", address, prefill=PrefillSupport("continue", "silent")) as backend:
        return backend.complete([guarded(guard, **sampling)])[0]


def test_what_a_guard_takes_back_is_asked_for_with_another_seed(start: Start) -> None:
    server = start(text_answer("abcd"))
    guard = Refusing(2, 2)
    [completion] = continuing(server, guard, max_tokens=50, seed=7)
    assert completion.text == "ababcd"
    assert completion.seed == 7
    bodies = [seen.body for seen in server.completions]
    assert [body["messages"][-1]["content"] for body in bodies] == ["P", "Pab", "Pab"]
    assert len({body["seed"] for body in bodies}) == 3
    # Without a temperature the same would come again.
    assert [body["temperature"] > 0 for body in bodies] == [False, True, True]


def test_a_guard_is_asked_at_the_end_of_a_stream_that_tells_no_reason(start: Start) -> None:
    def without_reason(connection: Connection, _: Seen) -> None:
        connection.send(CHUNKED_STREAM + event(piece("ab")) + b"data: [DONE]\n\n")

    guard = Refusing(9, 0)
    [completion] = continuing(start(without_reason), guard, max_tokens=50)
    assert (completion.text, completion.finish_reason) == ("ab", "stop")
    assert guard.ended == ["ab"]


def test_a_segment_without_any_answer_is_an_error(start: Start) -> None:
    answers = iter([text_answer("abcd"), stream()])
    server = start(lambda connection, seen: next(answers)(connection, seen))
    with pytest.raises(BackendError, match="without any choice"):
        continuing(server, Refusing(2, 1), max_tokens=50)


def test_tokens_are_those_of_the_server_where_nothing_was_taken_back(start: Start) -> None:
    usage = {"prompt_tokens": 4, "completion_tokens": 30}
    whole = stream(piece("abcd", finish="stop"), {"choices": [], "usage": usage})
    [completion] = continuing(start(whole), Refusing(9, 0), max_tokens=50)
    assert (completion.prompt_tokens, completion.completion_tokens) == (4, 30)
    assert completion.drawn_tokens == 30
