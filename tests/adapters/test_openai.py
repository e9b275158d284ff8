"""Models behind an OpenAI-compatible server: a real one, on the loopback interface."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.adapters.api_retry import MAX_DELAY, MAX_RETRY_AFTER, backoff, seconds_to_wait
from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.openai import OpenAIAdapter
from harness.adapters.registry import open_adapter
from harness.collect.specs import OpenAIModel
from harness.errors import ModelError
from harness.records import Completion, GenerateSettings, Message, Request, Usage

KEY = "sk-secret-0123456789"
Reply = tuple[int, dict[str, str], object]


def said(text: object, reason: str = "stop", **message: object) -> Reply:
    """A chat completion, as a server sends it."""
    choice = {
        "index": 0,
        "finish_reason": reason,
        "message": {"role": "assistant", "content": text, **message},
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    return 200, {}, body | {"choices": [choice], "usage": usage}


def wrote(text: str) -> Reply:
    """A text completion."""
    choice = {"index": 0, "finish_reason": "length", "text": text, "logprobs": None}
    body = {"id": "x", "object": "text_completion", "created": 1, "model": "m"}
    return 200, {}, body | {"choices": [choice]}


def failed(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, {"error": {"message": message, "code": code, "type": "x"}}


class Server:
    """Answers each request by `reply(number, body)`, counted from 0, and keeps what it got."""

    def __init__(self) -> None:
        self.reply: Callable[[int, dict[str, object]], Reply | None] = lambda n, body: said("hi")
        self.bodies: list[dict[str, object]] = []
        self.keys: list[str] = []
        self.paths: list[str] = []
        self._lock, self._asked = threading.Lock(), 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._http.server_address[1]}"

    def card(self, **parts: object) -> OpenAIModel:
        words = {"model": "api", "adapter": "openai", "base": "some-model", "max_retries": 2}
        url = {"base_url": f"http://{self.host}/v1", "api_key_env": "TEST_API_KEY"}
        return OpenAIModel.model_validate(words | url | parts)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def _handler(server) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = json.loads(self.rfile.read(length))
                with server._lock:
                    number, server._asked = server._asked, server._asked + 1
                    server.bodies.append(body)
                    server.keys.append(self.headers["Authorization"])
                    server.paths.append(self.path)
                reply = server.reply(number, body)
                if reply is None:  # break the connection
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                status, headers, content = reply
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in ({"Content-Type": "application/json"} | headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:  # the client has stopped waiting
                    self.close_connection = True

            def log_message(self, *words: object) -> None:
                pass

        return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = Server()
    yield running
    running.close()


def ask(card: OpenAIModel, *requests: Request) -> list[Completion]:
    """All completions in the order of the requests."""
    adapter = open_adapter([card])
    try:
        batches = list(adapter.complete(card, requests))
    finally:
        adapter.close()
    done = {completion.id: completion for batch in batches for completion in batch}
    assert sum(map(len, batches)) == len(done) == len(requests)
    return [done[request.id] for request in requests]


def problem(card: OpenAIModel, *requests: Request) -> str:
    """The one line a user reads when no request can succeed."""
    with pytest.raises(ModelError) as caught:
        ask(card, *(requests or [QUESTION]))
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    return str(caught.value)


QUESTION = Request("q1", "generate", "Warum ist der Himmel blau? 空")


# --------------------------------------------------------------------------- asking


def test_plain_text_is_one_user_turn(server: Server) -> None:
    settings = GenerateSettings(max_new_tokens=9, stop=("\n",), seed=5)
    (done,) = ask(server.card(), replace(QUESTION, settings=settings))
    assert server.bodies == [
        {
            "model": "some-model",
            "messages": [{"role": "user", "content": "Warum ist der Himmel blau? 空"}],
            "max_tokens": 9,
            "temperature": 0.0,
            "top_p": 1.0,
            "seed": 5,
            "stop": ["\n"],
        }
    ]
    assert server.paths == ["/v1/chat/completions"]
    assert server.keys == [f"Bearer {KEY}"]
    assert replace(done, latency_ms=None) == Completion(
        "q1", text="hi", prompt_tokens=7, completion_tokens=3, usage=Usage(served="m")
    )
    assert done.latency_ms is not None
    assert done.latency_ms > 0


def test_messages_are_sent_as_they_are(server: Server) -> None:
    turns = (Message("system", "Be brief."), Message("user", "Why?"))
    settings = GenerateSettings(temperature=0.7, top_p=0.9, top_k=40)
    ask(server.card(), replace(QUESTION, prompt=turns, settings=settings))
    (body,) = server.bodies
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why?"},
    ]
    assert (body["temperature"], body["top_p"], body["top_k"]) == (0.7, 0.9, 40)


def test_what_is_sent_can_be_read_before_it_is(server: Server) -> None:
    chat = (Message("system", "Be brief."), Message("user", "Why?"))
    requests = [Request("a", "generate", "Plain?"), Request("b", "generate", chat)]
    scored = Request("c", "choices", "Which?", ("x", "y"))
    adapter = OpenAIAdapter()
    assert adapter.prompts(server.card(), [*requests, scored]) == [
        "[user]\nPlain?",
        "[system]\nBe brief.\n\n[user]\nWhy?",
        None,
    ]
    assert adapter.prompts(server.card(api="completions"), requests) == ["Plain?", None]
    assert not server.bodies


def test_the_completions_api_takes_the_text_itself(server: Server) -> None:
    server.reply = lambda n, body: wrote(" because")
    (done,) = ask(server.card(api="completions"), QUESTION)
    assert server.paths == ["/v1/completions"]
    assert server.bodies[0]["prompt"] == QUESTION.prompt
    assert (done.text, done.finish_reason, done.prompt_tokens) == (" because", "length", 0)


def test_what_cannot_be_asked_is_an_error_and_no_request(server: Server) -> None:
    chat = (Message("user", "hi"),)
    requests = [
        Request("c", "choices", "2+2?", (" 4", " 5")),
        Request("p", "perplexity", "2+2?", (" 4",)),
        Request("v", "generate", "What happens?", media=("clip.mp4",)),
        Request("m", "generate", chat),
        QUESTION,
    ]
    server.reply = lambda n, body: wrote("fine")
    done = ask(server.card(api="completions"), *requests)
    assert [c.error for c in done] == [
        "output_type choices: this API gives no prompt log-likelihoods",
        "output_type perplexity: this API gives no prompt log-likelihoods",
        "the prompt has images: they need 'api: chat' in the model card",
        "the prompt is messages: they need 'api: chat' in the model card",
        None,
    ]
    assert len(server.bodies) == 1


def test_all_stop_strings_cut_though_the_api_takes_four(server: Server) -> None:
    server.reply = lambda n, body: said("one END two STOP three", "length")
    stop = ("a!", "b!", "c!", "d!", "STOP", "END")
    (done,) = ask(server.card(), replace(QUESTION, settings=GenerateSettings(stop=stop)))
    assert server.bodies[0]["stop"] == ["a!", "b!", "c!", "d!"]
    assert (done.text, done.finish_reason) == ("one ", "stop")


def test_many_requests_share_a_few_connections_and_each_gets_its_own_answer(
    server: Server,
) -> None:
    busy, most, lock = 0, 0, threading.Lock()

    def slowly(number: int, body: dict[str, object]) -> Reply:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.01)
        with lock:
            busy -= 1
        messages = body["messages"]
        assert isinstance(messages, list)
        return said(f"echo {messages[0]['content']}")

    server.reply = slowly
    requests = [Request(f"r{n}", "generate", f"number {n}") for n in range(40)]
    done = ask(server.card(max_concurrency=4), *requests)
    assert [c.text for c in done] == [f"echo number {n}" for n in range(40)]
    assert 2 <= most <= 4


def test_answers_are_handed_on_as_they_arrive(server: Server) -> None:
    hold = threading.Event()

    def first_at_once(number: int, body: dict[str, object]) -> Reply:
        assert number == 0 or hold.wait(10)
        return said(str(number))

    server.reply = first_at_once
    card = server.card(max_concurrency=1)
    adapter = OpenAIAdapter()
    running = adapter.complete(card, [QUESTION, replace(QUESTION, id="q2")])
    assert [c.id for c in next(running)] == ["q1"]  # while the second is still being answered
    hold.set()
    assert [c.id for c in next(running)] == ["q2"]
    assert list(running) == []
    adapter.close()


def test_a_run_that_is_left_halfway_leaves_nothing_behind(server: Server) -> None:
    hold = threading.Event()
    server.reply = lambda n, body: said("x") if n == 0 or hold.wait(10) else None
    card = server.card(max_concurrency=2)
    adapter = OpenAIAdapter()
    running = adapter.complete(card, [replace(QUESTION, id=f"q{n}") for n in range(50)])
    next(running)
    running.close()  # what Ctrl-C does
    adapter.close()
    hold.set()
    assert len(server.bodies) < 6
    assert not [t for t in threading.enumerate() if "run_forever" in t.name]


# --------------------------------------------------------------------------- failures


def test_429_twice_and_then_an_answer(server: Server) -> None:
    server.reply = lambda n, body: (
        failed(429, "slow down", retry_after="0") if n < 2 else said("at last")
    )
    card = server.card()
    adapter = OpenAIAdapter()
    ((done,),) = adapter.complete(card, [QUESTION])
    assert (done.text, done.error, len(server.bodies)) == ("at last", None, 3)
    assert adapter.notes == ("2 times asked again: HTTP 429",)
    adapter.close()


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_never_passes_is_a_counted_failure(server: Server, status: int) -> None:
    server.reply = lambda n, body: failed(status, "out of\norder", retry_after="0")
    (done,) = ask(server.card(), QUESTION)
    assert done.error == f"HTTP {status}: out of order (asked 3 times)"
    assert done.finish_reason == "error"
    assert len(server.bodies) == 3


def test_400_is_this_requests_own_mistake(server: Server) -> None:
    server.reply = lambda n, body: failed(400, "bad stop") if n == 0 else said("fine")
    other = replace(QUESTION, id="q2")
    one, two = ask(server.card(max_concurrency=1), QUESTION, other)
    assert (one.error, two.text, len(server.bodies)) == ("HTTP 400: bad stop", "fine", 2)


def test_a_prompt_that_does_not_fit_is_skipped_if_the_task_says_so(server: Server) -> None:
    server.reply = lambda n, body: failed(400, "too long", "context_length_exceeded")
    skip = replace(QUESTION, id="q2", settings=GenerateSettings(truncate="skip"))
    one, two = ask(server.card(), QUESTION, skip)
    assert (one.finish_reason, two.finish_reason) == ("error", "skipped")


def test_401_stops_the_run(server: Server) -> None:
    server.reply = lambda n, body: failed(401, "Incorrect API key provided")
    assert problem(server.card()) == (
        f"model 'api': {server.host}: HTTP 401: Incorrect API key provided"
        " (check the key in TEST_API_KEY)"
    )
    assert len(server.bodies) == 1


def test_403_404_and_a_spent_quota_stop_the_run(server: Server) -> None:
    server.reply = lambda n, body: failed(404, "no such model")
    hint = "HTTP 404: no such model (check base 'some-model' and base_url)"
    assert problem(server.card()).endswith(hint)
    server.reply = lambda n, body: failed(403, "not yours")
    assert "HTTP 403: not yours (check api_key_env" in problem(server.card(api_key_env=None))
    server.reply = lambda n, body: failed(429, "no money", "insufficient_quota")
    assert problem(server.card()).endswith("HTTP 429: no money")
    assert len(server.bodies) == 3


def test_answers_that_arrived_before_the_stop_are_kept(server: Server, tmp_path: Path) -> None:
    server.reply = lambda n, body: said("kept") if n < 3 else failed(401, "key withdrawn")
    requests = [Request(f"r{n}", "generate", f"number {n}") for n in range(9)]
    card = server.card(max_concurrency=1)
    cache = Cache(tmp_path / "cache.sqlite")
    adapter = CachedAdapter(open_adapter([card]), cache)
    with pytest.raises(ModelError, match="key withdrawn"):
        list(adapter.complete(card, requests))
    adapter.close()
    assert [r.id for r in adapter.missing(card, requests)] == [f"r{n}" for n in range(3, 9)]
    cache.close()


def test_a_slow_server_is_not_waited_for(server: Server) -> None:
    hold = threading.Event()
    server.reply = lambda n, body: said("too late") if hold.wait(10) else None
    (done,) = ask(server.card(timeout_s=0.2, max_retries=1), QUESTION)
    hold.set()
    assert done.error == "no answer in time (asked 2 times)"


def test_a_broken_connection_is_asked_again(server: Server) -> None:
    server.reply = lambda n, body: None if n == 0 else said("whole")
    (done,) = ask(server.card(), QUESTION)
    assert (done.text, len(server.bodies)) == ("whole", 2)


def test_no_server_is_one_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    words = {"model": "api", "adapter": "openai", "base": "m", "base_url": url, "max_retries": 0}
    message = problem(OpenAIModel.model_validate(words))
    assert message.startswith(f"model 'api': {url[7:-3]}: no connection: ")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (said(None), "null content (finish_reason: stop)"),
        (said(None, "length"), "null content (finish_reason: length)"),
        (said(None, refusal="I will not."), "refused: I will not."),
        (said("half", "content_filter"), "refused: content filter"),
        ((200, {}, {"choices": []}), "unreadable reply: no choices"),
        ((200, {}, b'{"choices": ['), "unreadable reply: not JSON: "),
        ((200, {}, b'\xef\xbb\xbf\n {"a": \xff}'), "unreadable reply: not in UTF-8"),
        ((200, {}, b'{"choices": [], "choices": []}'), "unreadable reply: key 'choices' stands"),
    ],
)
def test_what_is_no_answer_is_never_scored_as_one(server: Server, reply: Reply, error: str) -> None:
    """The model's server has spoken, and may charge for it: the reply counts as one."""
    server.reply = lambda n, body: reply
    (done,) = ask(server.card(max_retries=0), QUESTION)
    assert done.error is not None
    assert done.error.startswith(error)
    assert (done.text, done.replied) == ("", True)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ((200, {}, {"error": "odd"}), "unreadable reply: no choices"),
        ((200, {}, []), "unreadable reply: no choices"),
        ((200, {}, {"error": {"message": "busy"}}), "unreadable reply: no choices: busy"),
        ((200, {"Content-Type": "text/html"}, b"<html>"), "unreadable reply: not JSON: "),
        ((200, {}, b"[" * 100_000), "unreadable reply: not JSON: "),
        ((200, {}, b"9" * 100_000), "unreadable reply: not JSON: "),
        ((200, {}, b"\xff\xfe{}"), "unreadable reply: not in UTF-8"),
        ((400, {}, {"error": {"message": "bad"}}), "HTTP 400: bad"),
    ],
)
def test_what_no_model_said_counts_as_no_reply(server: Server, reply: Reply, error: str) -> None:
    server.reply = lambda n, body: reply
    (done,) = ask(server.card(max_retries=0), QUESTION)
    assert done.error is not None
    assert done.error.startswith(error)
    assert (done.text, done.replied) == ("", False)


def test_a_reply_that_was_read_whole_is_never_paid_for_again(server: Server) -> None:
    server.reply = lambda n, body: (200, {"Content-Type": "text/html"}, b"<html>busy</html>")
    (done,) = ask(server.card(max_retries=5), QUESTION)
    assert (done.failed, len(server.bodies)) == (True, 1)


def test_an_empty_answer_is_an_answer(server: Server) -> None:
    server.reply = lambda n, body: said("")
    (done,) = ask(server.card(), QUESTION)
    assert (done.text, done.error, done.finish_reason) == ("", None, "stop")


@pytest.mark.parametrize(("reason", "ours"), [("stop", "stop"), ("length", "length")])
def test_finish_reasons_and_any_text(server: Server, reason: str, ours: str) -> None:
    server.reply = lambda n, body: said("空 é \x00 🚦 \ud800", reason)
    (done,) = ask(server.card(), QUESTION)
    assert done.finish_reason == ours
    assert done.text == "空 é \x00 🚦 \ufffd"  # half a surrogate pair fits into no file


# --------------------------------------------------------------------------- the key


def test_a_key_that_the_server_echoes_is_replaced(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def echo(number: int, body: dict[str, object]) -> Reply:
        messages = str(body["messages"])
        if "fail" in messages:
            return failed(400, f"bad request with {KEY}")
        return said(None, refusal=f"no, {KEY}") if "refuse" in messages else said(f"key: {KEY}!")

    server.reply = echo
    words = ("answer", "fail", "refuse")
    requests = [Request(word, "generate", word) for word in words]
    card = server.card()
    cache = Cache(tmp_path / "cache.sqlite")
    inner = open_adapter([card])
    adapter = CachedAdapter(inner, cache)
    done = {c.id: c for batch in adapter.complete(card, requests) for c in batch}
    assert done["answer"].text == "key: [key]!"
    assert done["fail"].error == "HTTP 400: bad request with [key]"
    assert done["refuse"].error == "refused: no, [key]"
    assert KEY not in repr(vars(inner)) + repr(card) + card.model_dump_json()
    assert KEY not in caplog.text
    adapter.close()
    cache.close()
    assert not [f for f in tmp_path.iterdir() if KEY.encode() in f.read_bytes()]
    server.reply = lambda n, body: failed(401, f"Incorrect API key provided: {KEY}")
    assert "provided: [key] (check" in problem(card)


def test_a_missing_key_is_one_line_and_no_request(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_API_KEY")
    assert problem(server.card()) == (
        "model 'api': environment variable TEST_API_KEY is not set"
        " (a server without keys: api_key_env: null)"
    )
    monkeypatch.setenv("TEST_API_KEY", "two\nlines")
    assert problem(server.card()).endswith("TEST_API_KEY does not hold a key")
    assert server.bodies == []


def test_a_server_of_your_own_is_not_sent_the_key_of_openai(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    url = f"http://{server.host}/v1"
    words = {"model": "api", "adapter": "openai", "base": "m", "base_url": url}
    ask(OpenAIModel.model_validate(words), QUESTION)
    ask(OpenAIModel.model_validate(words | {"api_key_env": "OPENAI_API_KEY"}), QUESTION)
    assert server.keys == ["Bearer none", f"Bearer {KEY}"]


def test_no_key_stands_in_a_card() -> None:
    words = {"model": "api", "adapter": "openai", "base": "m"}
    for url in ("http://user:pass@host/v1", "localhost:8000", "ftp://host", "http://a b"):
        with pytest.raises(ValidationError, match="base_url"):
            OpenAIModel.model_validate(words | {"base_url": url})


# --------------------------------------------------------------------------- without a request


def test_fingerprint_and_token_estimate_send_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEST_API_KEY")
    adapter, card = OpenAIAdapter(), server.card()
    assert adapter.count_tokens(card, [QUESTION, Request("e", "generate", "")]) == [7, 0]
    own = adapter.fingerprint(card)
    assert own == adapter.fingerprint(server.card(max_concurrency=1, timeout_s=5))
    others = [server.card(base="b"), server.card(api="completions")]
    others.append(server.card(base_url="http://elsewhere/v1"))
    others.append(server.card(base_url=f"http://{server.host}/groq/v1"))  # another API there
    assert len({own, *map(adapter.fingerprint, others)}) == 5
    assert own == adapter.fingerprint(server.card(base_url=f"http://{server.host}/v1/"))
    assert list(adapter.complete(card, [])) == []
    assert server.bodies == []


def test_openai_base_url_of_the_environment_is_part_of_the_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = {"model": "api", "adapter": "openai", "base": "m"}
    card = OpenAIModel.model_validate(words)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    before = OpenAIAdapter().fingerprint(card)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://proxy.example/v1")
    assert OpenAIAdapter().fingerprint(card) != before


@pytest.mark.parametrize("wrong", ["localhost:8000/v1", "http://h:99999/v1", "http://me:secret@h"])
def test_openai_base_url_that_is_no_url_is_one_line_and_no_request(
    monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    """It was asked for again and again, as a connection that breaks."""
    card = OpenAIModel.model_validate({"model": "api", "adapter": "openai", "base": "m"})
    monkeypatch.setenv("OPENAI_BASE_URL", wrong)
    with pytest.raises(ModelError, match=r"^model 'api': OPENAI_BASE_URL is no URL such as") as e:
        OpenAIAdapter().fingerprint(card)
    assert "secret" not in str(e.value)


# --------------------------------------------------------------------------- waiting


@given(st.integers(1, 200), st.none() | st.floats(0, 1e9), st.floats(0, 1, exclude_max=True))
def test_waiting_is_bounded(attempt: int, asked: float | None, chance: float) -> None:
    seconds = backoff(attempt, asked, chance)
    assert 0 <= seconds <= max(MAX_DELAY, MAX_RETRY_AFTER + 1)
    if asked is not None:
        assert seconds >= min(asked, MAX_RETRY_AFTER)


def test_waiting_doubles_and_is_jittered() -> None:
    longest: Sequence[float] = [backoff(n, None, 0.999999) for n in (1, 2, 3, 4)]
    assert longest == pytest.approx([0.5, 1.0, 2.0, 4.0], rel=1e-3)
    assert backoff(1, None, 0.0) == 0.25


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 10.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(header, now=90.0) == seconds
