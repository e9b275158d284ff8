"""What a server does not take: parameters it does not know, requests it refuses one like another,
and how long it lets them wait."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from aiohttp import web
from faultserver import Asked, FaultServer, envelope

from harness.adapters.api_client import Secret
from harness.adapters.openai import OpenAIAdapter
from harness.collect.specs import OpenAIModel
from harness.records import Completion, GenerateSettings, ReplyForm, Request

SCHEMA = {"type": "object", "properties": {"score": {"type": "integer", "minimum": 1}}}
FORM = ReplyForm("rubric", json.dumps(SCHEMA))
KEY = 'sk-secret/0123"456789'


def card_of(server: FaultServer, **parts: object) -> OpenAIModel:
    words = {"model": "judge", "adapter": "openai", "base": "m", "base_url": server.url}
    return OpenAIModel.model_validate(words | parts)


def questions(count: int, form: ReplyForm | None = None) -> list[Request]:
    return [Request(f"q{n}", "generate", f"question {n}", form=form) for n in range(count)]


def ask(card: OpenAIModel, requests: list[Request]) -> tuple[list[Completion], tuple[str, ...]]:
    """Completions in the order of the requests, and the adapter's notes."""
    adapter = OpenAIAdapter()
    try:
        done = {c.id: c for batch in adapter.complete(card, requests) for c in batch}
        return [done[request.id] for request in requests], adapter.notes
    finally:
        adapter.close()


def refuse(what: str, status: int = 400, **more: str) -> web.Response:
    return web.json_response({"error": {"message": what, **more}}, status=status)


# --------------------------------------------------------------------------- parameters


def without(name: str, message: str, **more: str) -> Callable[[Asked], str | web.Response]:
    """A server that takes no requests with this parameter."""
    return lambda asked: refuse(message, **more) if name in asked.body else "ok"


@pytest.mark.parametrize("form", [None, FORM])
@pytest.mark.parametrize(
    ("name", "message", "code"),
    [
        (
            "temperature",
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default "
            "(1) value is supported.",
            "unsupported_value",
        ),
        ("temperature", "temperature is deprecated for this model", ""),
        ("top_p", "Unsupported parameter: 'top_p' is not supported", "unsupported_parameter"),
        ("top_p", "`temperature` and `top_p` cannot both be specified for this model.", ""),
        ("seed", "Unrecognized request argument supplied: seed", ""),
    ],
)
def test_a_parameter_that_a_server_does_not_take_is_left_out_and_that_is_recorded(
    fault_server: FaultServer, form: ReplyForm | None, name: str, message: str, code: str
) -> None:
    fault_server.play = without(name, message, code=code)
    done, notes = ask(card_of(fault_server, max_concurrency=1), questions(5, form))
    assert [c.error for c in done] == [None] * 5
    assert len(fault_server.asked) == 6  # found out once
    assert notes == (f"{fault_server.host} takes no '{name}' (HTTP 400)",)
    assert {c.usage.served for c in done if c.usage} == {f"served-1 fp_1 (without {name})"}
    assert all(("response_format" in a.body) == bool(form) for a in fault_server.asked)


def test_several_parameters_are_left_out_one_after_the_other(fault_server: FaultServer) -> None:
    def play(asked: Asked) -> str | web.Response:
        unknown = [name for name in ("temperature", "top_p", "seed") if name in asked.body]
        return refuse(f"Unsupported parameter: '{unknown[-1]}'") if unknown else "ok"

    fault_server.play = play
    done, notes = ask(card_of(fault_server, max_concurrency=2), questions(4))
    assert [c.error for c in done] == [None] * 4
    assert len(notes) == 3
    last = fault_server.asked[-1].body
    assert sorted(last) == ["max_tokens", "messages", "model"]
    assert done[3].usage
    assert done[3].usage.served == "served-1 fp_1 (without seed, temperature, top_p)"


@pytest.mark.parametrize("mine", ["max_tokens", "max_completion_tokens"])
def test_a_server_that_wants_the_other_field_of_tokens_gets_it(
    fault_server: FaultServer, mine: str
) -> None:
    other = {"max_tokens": "max_completion_tokens"}.get(mine, "max_tokens")
    message = f"Unsupported parameter: '{mine}' is not supported with this model. Use '{other}'."
    fault_server.play = without(mine, message, param=mine)
    done, _ = ask(card_of(fault_server, max_concurrency=1, max_tokens_field=mine), questions(3))
    assert [c.error for c in done] == [None] * 3
    assert fault_server.asked[-1].body[other] == GenerateSettings().max_new_tokens
    assert len(fault_server.asked) == 4


def test_a_wrong_value_of_a_parameter_is_no_reason_to_leave_it_out(
    fault_server: FaultServer,
) -> None:
    fault_server.play = lambda asked: refuse("temperature must be at most 2")
    (done,), notes = ask(card_of(fault_server), questions(1))
    assert (done.error, notes) == ("HTTP 400: temperature must be at most 2", ())


def test_a_parameter_that_is_refused_though_it_was_left_out_ends_the_request(
    fault_server: FaultServer,
) -> None:
    fault_server.play = lambda asked: refuse("unsupported: temperature")
    (done,), _ = ask(card_of(fault_server), questions(1))
    assert done.error == "HTTP 400: unsupported: temperature (asked 2 times)"


# --------------------------------------------------------------------------- all refused


@pytest.mark.parametrize("form", [None, FORM])
def test_what_is_refused_of_all_alike_is_not_asked_by_the_others(
    fault_server: FaultServer, form: ReplyForm | None
) -> None:
    fault_server.play = lambda asked: refuse(f"request {asked.number}: no such deployment")
    done, _ = ask(card_of(fault_server, max_concurrency=2), questions(200, form))
    assert all(c.failed for c in done)
    assert len(fault_server.asked) <= (2 + 10) * (3 if form else 1)
    assert done[-1].error is not None
    assert done[-1].error.startswith("not asked: 10 requests and more were all refused, and none")
    assert "no such deployment" in done[-1].error


def test_requests_that_are_refused_beside_others_that_are_answered_are_all_asked(
    fault_server: FaultServer,
) -> None:
    fault_server.play = lambda asked: "ok" if asked.prompt == "question 3" else refuse("no")
    done, _ = ask(card_of(fault_server, max_concurrency=1), questions(40))
    assert (len(fault_server.asked), sum(c.failed for c in done)) == (40, 39)


def test_what_one_form_is_refused_says_nothing_about_another(fault_server: FaultServer) -> None:
    fault_server.play = lambda asked: refuse("no") if "response_format" in asked.body else "ok"
    card = card_of(fault_server, structured="schema", max_concurrency=1)
    plain = [replace(one, id=f"plain {one.id}") for one in questions(3)]
    done, _ = ask(card, [*questions(30, FORM), *plain])
    assert [c.failed for c in done] == [True] * 30 + [False] * 3
    assert len(fault_server.asked) == 13


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000.",
        "the request exceeds the available context size, try increasing it",
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
def test_a_prompt_that_is_too_long_is_asked_once_whatever_the_server_calls_it(
    fault_server: FaultServer, message: str
) -> None:
    fault_server.play = lambda asked: refuse(message)
    skip = GenerateSettings(truncate="skip")
    one, two = questions(2, FORM)
    done, _ = ask(card_of(fault_server), [one, replace(two, settings=skip)])
    assert [c.finish_reason for c in done] == ["error", "skipped"]
    assert done[0].error == f"HTTP 400: {message}"
    assert len(fault_server.asked) == 2


# --------------------------------------------------------------------------- waiting


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=429, headers={"Retry-After": "3600"}), "answers HTTP 429, waiting"),
        (web.Response(status=503, headers={"Retry-After": "40"}), "answers HTTP 503, waiting 4"),
    ],
)
def test_a_long_wait_is_told_while_it_lasts(
    fault_server: FaultServer, caplog: pytest.LogCaptureFixture, answer: web.Response, said: str
) -> None:
    status, headers = answer.status, dict(answer.headers)
    fault_server.play = lambda asked: web.Response(
        status=status, headers={"Retry-After": headers["Retry-After"]}
    )
    adapter, card = OpenAIAdapter(), card_of(fault_server)

    def ends() -> None:
        with pytest.raises(RuntimeError, match="closed while it was asking"):
            list(adapter.complete(card, questions(3)))

    asking = threading.Thread(target=ends, daemon=True)
    with caplog.at_level(logging.WARNING, logger="harness.adapters"):
        asking.start()
        while not caplog.messages:
            time.sleep(0.01)
        adapter.close()
        asking.join()
    (line,) = caplog.messages  # once, not by each request
    assert line.startswith(f"judge ({fault_server.host}) {said}")
    assert line.endswith("a request is given up after 600 s (deadline_s)")


# --------------------------------------------------------------------------- the key


def escaped(key: str) -> str:
    return "".join(f"\\u{ord(char):04X}" for char in key)


@pytest.mark.parametrize(
    "written", [KEY, json.dumps(KEY)[1:-1], escaped(KEY), KEY[:9] + escaped(KEY[9:])]
)
def test_a_key_is_hidden_however_json_writes_it(
    fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """A judge's reply is read as JSON once more: what is escaped in it would be the key again."""
    monkeypatch.setenv("MY_KEY", KEY)
    text = f'{{"reasoning": "the key is {written}", "score": 1}}'
    fault_server.reply = lambda asked: envelope(text)
    (done,), _ = ask(card_of(fault_server, api_key_env="MY_KEY"), questions(1))
    assert done.text == '{"reasoning": "the key is [key]", "score": 1}'


def test_text_with_escapes_and_no_key_stays_as_it_is() -> None:
    text = r'{"a": "\u0073k- \n \"quoted\" \\ 0123"}'
    assert Secret(KEY).hide(text) == text
