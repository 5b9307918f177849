from __future__ import annotations

import json
import logging
import socket
import threading

import pytest
from raw_server import (
    CHUNKED_STREAM,
    Answer,
    Connection,
    RawServer,
    Seen,
    Start,
    event,
    piece,
    reply,
    say,
    stream,
    text_answer,
)

from codekiln.backends import Cancel, Completion, CompletionRequest, open_backend
from codekiln.backends.openai_server import ServerLimits
from codekiln.core import Message, Prompt, Sampling
from codekiln.core.errors import (
    BackendError,
    BackendTimeoutError,
    BackendUnavailableError,
    CodekilnError,
    ContextOverflowError,
    RateLimitedError,
)

KEY = "sk-very-secret-0123456789"
QUICK = ServerLimits(read_timeout_s=0.4, first_wait_s=0.01, max_attempts=4, max_wait_s=5)
PATIENT = ServerLimits(read_timeout_s=30, first_wait_s=0.01)
ASK = CompletionRequest(Prompt((Message("user", "hi"),)), Sampling(max_tokens=8, seed=5))


def complete(
    server: RawServer,
    request: CompletionRequest = ASK,
    limits: ServerLimits = PATIENT,
    model: str = "m",
) -> tuple[Completion, ...]:
    with open_backend(model, api_base=server.base, api_key=KEY, limits=limits) as backend:
        return backend.complete([request])[0]


def failure(server: RawServer, limits: ServerLimits = PATIENT) -> CodekilnError:
    with pytest.raises(CodekilnError) as caught:
        complete(server, limits=limits)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    return caught.value


def test_an_answer_without_faults_is_taken_as_it_is(start: Start) -> None:
    server = start(text_answer("bonjour"))
    [completion] = complete(server)
    assert completion == Completion("bonjour", "stop", 7, 3, seed=5)
    sent = server.completions[0]
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body["seed"] == 5
    assert not {"top_k", "min_p", "repetition_penalty", "n", "stop", "logprobs"} & set(sent.body)


def test_a_server_that_is_not_there_is_unavailable_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with (
        open_backend("m", api_base=f"http://127.0.0.1:{port}") as backend,
        pytest.raises(BackendUnavailableError, match=f"127.0.0.1:{port}.*Start the model server"),
    ):
        backend.complete([ASK])


def test_a_server_gone_before_its_answer_is_asked_once_more(start: Start) -> None:
    server = start(say(b""), text_answer("back"))
    assert complete(server)[0].text == "back"


def test_a_server_that_always_goes_before_its_answer_is_unavailable(start: Start) -> None:
    server = start(say(b""))
    assert isinstance(failure(server), BackendUnavailableError)
    assert len(server.completions) == 2


def test_a_server_gone_in_mid_stream_is_unavailable_and_not_asked_again(start: Start) -> None:
    def break_off(connection: Connection, _: Seen) -> None:
        connection.send(CHUNKED_STREAM + event(piece("half")))
        connection.reset()

    server = start(break_off)
    assert isinstance(failure(server), BackendUnavailableError)
    assert len(server.completions) == 1


def test_a_stream_that_ends_early_is_unavailable(start: Start) -> None:
    error = failure(start(stream(piece("half an ans"))))
    assert isinstance(error, BackendUnavailableError)
    assert "in the middle" in str(error)


def test_a_stream_that_ends_inside_an_event_is_unavailable(start: Start) -> None:
    server = start(say(CHUNKED_STREAM + event(piece("half")) + b'data: {"choices": [{"ind'))
    assert isinstance(failure(server), BackendUnavailableError)


def test_a_missing_done_is_forgiven_when_the_answer_is_finished(start: Start) -> None:
    assert complete(start(stream(piece("all"), piece("", "stop"))))[0].text == "all"


def test_a_missing_finish_reason_is_forgiven_when_the_server_says_done(start: Start) -> None:
    assert complete(start(stream(piece("all"), "[DONE]")))[0].finish_reason == "stop"


def test_silence_before_the_headers_is_a_timeout(start: Start) -> None:
    server = start(lambda connection, _: connection.stall())
    assert isinstance(failure(server, QUICK), BackendTimeoutError)
    assert server.client_gone.wait(10)


def test_silence_within_the_body_is_a_timeout(start: Start) -> None:
    def fall_silent(connection: Connection, _: Seen) -> None:
        connection.send(CHUNKED_STREAM + event(piece("half")))
        connection.stall()

    server = start(fall_silent)
    assert isinstance(failure(server, QUICK), BackendTimeoutError)
    assert len(server.completions) == 1


def test_retry_after_is_waited_for_and_then_the_answer_comes(start: Start) -> None:
    server = start(reply(429, b"slow down", Retry_After="1"), text_answer("now"))
    assert complete(server)[0].text == "now"
    first, second = server.completions
    assert second.at - first.at >= 1.0


def test_429_for_ever_is_rate_limited_after_the_allowed_attempts(start: Start) -> None:
    server = start(reply(429, b'{"error": {"message": "too many"}}'))
    error = failure(server, QUICK)
    assert isinstance(error, RateLimitedError)
    assert "too many" in str(error)
    assert len(server.completions) == QUICK.max_attempts


def test_a_retry_after_beyond_the_limit_is_not_waited_for(start: Start) -> None:
    server = start(reply(429, b"tomorrow", Retry_After="86400"))
    assert "86400 s" in str(failure(server, QUICK))
    assert len(server.completions) == 1


def test_one_server_error_is_forgiven(start: Start) -> None:
    assert complete(start(reply(500, b"oops"), text_answer("fine")))[0].text == "fine"


def test_lasting_server_errors_are_told_after_two_repeats(start: Start) -> None:
    server = start(reply(500, b'{"error": "out of paper"}'))
    assert "out of paper" in str(failure(server))
    assert len(server.completions) == 3


def test_a_server_that_still_loads_its_model_is_unavailable(start: Start) -> None:
    body = b'{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}'
    error = failure(start(reply(503, body)))
    assert isinstance(error, BackendUnavailableError)
    assert "Loading model" in str(error)


@pytest.mark.parametrize(
    ("answer", "quoted"),
    [
        (stream('{"choices": [{"index": 0,'), "malformed JSON"),
        (stream("[1, 2]"), "not an object"),
        (stream({"choices": "none"}), "unknown form"),
        (stream({"choices": [{"delta": {"content": 5}}]}), "unknown form"),
        (stream({"choices": []}, "[DONE]"), "without any choice"),
        (stream(), "without any choice"),
        (reply(200, b"<html><h1>Log in</h1></html>", "text/html"), "text/html: Log in"),
        (reply(200, b"hello", "text/plain; charset=utf-8"), "text/plain: hello"),
        (reply(200, b"hello", ""), "no content type"),
        (reply(200, b'{"error": {"message": "no GPU"}}'), "no GPU"),
        (reply(200, b'{"choices": []}'), "without any choice"),
        (stream(piece("half"), {"error": {"message": "CUDA died"}}), "CUDA died"),
        (say(CHUNKED_STREAM + b'error: {"message": "CUDA died"}\n\n'), "CUDA died"),
        (say(CHUNKED_STREAM + b'event: error\ndata: {"message": "CUDA died"}\n\n'), "CUDA died"),
        (stream(piece("half"), piece("", "abort")), "abort"),
        (say(CHUNKED_STREAM + b"data: " + b"x" * (9 << 20) + b"\n\n"), "more than"),
        (say(b"garbage that is no HTTP\r\n\r\n"), "broke during the request"),
        (reply(400, b'{"error": {"message": "temperature is wrong"}}'), "temperature is wrong"),
    ],
)
def test_what_is_no_answer_is_told_in_one_line(start: Start, answer: Answer, quoted: str) -> None:
    error = failure(start(answer))
    assert isinstance(error, BackendError)
    assert quoted in str(error)
    assert len(str(error)) < 600


def test_an_answer_that_was_not_streamed_is_taken_whole(start: Start) -> None:
    value = {
        "choices": [
            {"index": 0, "message": {"content": "whole"}, "finish_reason": "length"},
        ],
        "usage": {"prompt_tokens": 4, "completion_tokens": 2},
    }
    server = start(reply(200, json.dumps(value).encode()))
    assert complete(server)[0] == Completion("whole", "length", 4, 2, seed=5)


def test_a_redirect_is_refused_so_that_the_key_stays_here(start: Start) -> None:
    elsewhere = start(text_answer("stolen"))
    server = start(reply(307, b"", Location=f"{elsewhere.base}/chat/completions"))
    error = failure(server)
    assert elsewhere.base in str(error)
    assert not elsewhere.seen


@pytest.mark.parametrize(
    ("status", "body", "remedy"),
    [
        (401, f"Incorrect API key provided: {KEY}", "CODEKILN_API_KEY"),
        (403, "forbidden", "CODEKILN_API_KEY"),
        (404, "not found", "ends in /v1"),
    ],
)
def test_refusals_name_their_remedy(start: Start, status: int, body: str, remedy: str) -> None:
    answer = reply(status, json.dumps({"error": {"message": body}}).encode())
    assert remedy in str(failure(start(answer)))


def test_a_refused_key_is_told_before_any_prompt_is_sent(start: Start) -> None:
    server = start(text_answer("never"))
    server.routes["/v1/models"] = reply(401, b'{"error": "who are you"}')
    assert "CODEKILN_API_KEY" in str(failure(server))
    assert not server.completions


def test_a_server_that_is_still_loading_is_not_misjudged_for_good(start: Start) -> None:
    server = start(text_answer("ready"))
    listed = json.dumps({"data": [{"id": "m", "owned_by": "vllm"}]}).encode()
    loading = reply(503, b'{"error": {"message": "Loading model"}}')
    answers = [loading, loading, reply(200, listed)]
    server.routes["/v1/models"] = lambda connection, seen: answers.pop(0)(connection, seen)
    assert complete(server)[0].text == "ready"
    assert server.completions[0].body["top_k"] == 0


def test_an_unknown_model_is_answered_with_those_the_server_has(start: Start) -> None:
    server = start(reply(404, b'{"message": "The model `m` does not exist."}'))
    listed = {"data": [{"id": "qwen-7b", "owned_by": "x"}, {"id": "qwen-30b", "owned_by": "x"}]}
    server.routes["/v1/models"] = reply(200, json.dumps(listed).encode())
    assert "qwen-7b, qwen-30b" in str(failure(server))


def test_an_unnamed_model_is_the_first_that_the_server_lists(start: Start) -> None:
    server = start(text_answer("yes"))
    listed = {"data": [{"id": "qwen-7b"}]}
    server.routes["/v1/models"] = reply(200, json.dumps(listed).encode())
    complete(server, model="")
    assert server.completions[0].body["model"] == "qwen-7b"


@pytest.mark.parametrize(
    "message",
    [
        "request (3030 tokens) exceeds the available context size (2048 tokens), try increasing it",
        "This model's maximum context length is 2048 tokens. However, you requested 4000 tokens.",
        "The decoder prompt (length 9000) is longer than the maximum model length of 2048.",
    ],
)
def test_a_prompt_too_long_for_the_server_is_recognised(start: Start, message: str) -> None:
    server = start(reply(400, json.dumps({"error": {"message": message}}).encode()))
    error = failure(server)
    assert isinstance(error, ContextOverflowError)
    assert "2048" in str(error)


def test_the_key_is_in_no_log_and_no_repr(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    server = start(text_answer("x"))
    with caplog.at_level(logging.DEBUG):
        backend = open_backend(
            "m", api_base=server.base.replace("://", "://me:pass-0123@"), api_key=KEY
        )
        with backend:
            assert KEY not in repr(backend)
            backend.complete([ASK])
            assert "pass-0123" not in repr(backend) + repr(backend.info)
    assert caplog.records
    assert KEY not in caplog.text
    assert "pass-0123" not in caplog.text


def test_cancel_ends_a_silent_request_and_its_connection(start: Start) -> None:
    cancel = Cancel()

    def fall_silent(connection: Connection, _: Seen) -> None:
        connection.send(CHUNKED_STREAM + event(piece("half")))
        cancel.set()
        connection.stall()

    server = start(fall_silent)
    with open_backend("m", api_base=server.base, limits=PATIENT) as backend:
        [[completion]] = backend.complete([ASK], cancel)
        assert completion.finish_reason == "cancelled"
        assert "half".startswith(completion.text)
        # The connection goes with the request, not with the backend.
        assert server.client_gone.wait(10)


def test_closing_the_iterator_ends_the_request_and_its_connection(start: Start) -> None:
    def fall_silent(connection: Connection, _: Seen) -> None:
        connection.send(CHUNKED_STREAM + event(piece("half")))
        connection.stall()

    server = start(fall_silent, text_answer("usable"))
    with open_backend("m", api_base=server.base, limits=PATIENT) as backend:
        deltas = backend.stream([ASK])
        assert next(deltas).text == "half"
        close = deltas.close  # type: ignore[attr-defined]
        close()
        assert server.client_gone.wait(10)
        assert backend.complete([ASK])[0][0].text == "usable"


def test_closing_the_backend_ends_a_running_call_with_an_error(start: Start) -> None:
    server = start(lambda connection, _: connection.stall())
    backend = open_backend("m", api_base=server.base, limits=PATIENT)
    closer = threading.Timer(0.2, backend.close)
    closer.start()
    with pytest.raises(BackendError, match="closed"):
        backend.complete([ASK])
    closer.join()
