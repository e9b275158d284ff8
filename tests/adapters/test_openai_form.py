"""The form of a reply, its log-probabilities, what it cost, and images."""

from __future__ import annotations

import base64
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from faultserver import USAGE, Asked, FaultServer, envelope
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.api_media import MAX_IMAGE_BYTES
from harness.adapters.api_wire import read_reply
from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.openai import OpenAIAdapter
from harness.collect.specs import OpenAIModel
from harness.records import Completion, GenerateSettings, Message, ReplyForm, Request, Usage

SCHEMA = {
    "type": "object",
    "properties": {"reasoning": {"type": "string"}, "score": {"type": "integer", "minimum": 1}},
    "required": ["reasoning", "score"],
    "additionalProperties": False,
}
FORM = ReplyForm("vad.rubric", json.dumps(SCHEMA), top_logprobs=5)
QUESTION = Request("q1", "generate", (Message("system", "Judge."), Message("user", "Why?")))
JUDGED = replace(QUESTION, form=FORM)
KEY = "sk-secret-0123456789"


def card_of(server: FaultServer, **parts: object) -> OpenAIModel:
    words = {"model": "judge", "adapter": "openai", "base": "m", "base_url": server.url}
    return OpenAIModel.model_validate(words | parts)


def ask(card: OpenAIModel, *requests: Request) -> tuple[list[Completion], tuple[str, ...]]:
    """Completions in the order of the requests, and the adapter's notes."""
    adapter = OpenAIAdapter()
    try:
        done = {c.id: c for batch in adapter.complete(card, requests) for c in batch}
        return [done[request.id] for request in requests], adapter.notes
    finally:
        adapter.close()


def refuse(what: str, status: int = 400) -> web.Response:
    return web.json_response({"error": {"message": what, "code": None}}, status=status)


# --------------------------------------------------------------------------- JSON schema


def test_r1_the_schema_is_asked_for_strictly(fault_server: FaultServer) -> None:
    (done,), _ = ask(card_of(fault_server), JUDGED)
    body = fault_server.asked[0].body
    wanted = {"name": "vad_rubric", "strict": True, "schema": SCHEMA}
    assert body["response_format"] == {"type": "json_schema", "json_schema": wanted}
    assert (body["logprobs"], body["top_logprobs"], body["seed"]) == (True, 5, 0)
    assert json.loads(done.text) == {"reasoning": "because", "score": 1}


@pytest.mark.parametrize(
    ("structured", "kind"), [("schema", "json_schema"), ("json", "json_object"), ("off", None)]
)
def test_r1_the_card_says_how_the_form_is_asked_for(
    fault_server: FaultServer, structured: str, kind: str | None
) -> None:
    ask(card_of(fault_server, structured=structured), JUDGED)
    assert fault_server.asked[0].body.get("response_format", {}).get("type") == kind


@pytest.mark.parametrize(
    ("takes", "refusal"),
    [
        ("json_object", refuse("response_format: type json_schema is not known")),
        ("json_object", refuse("'response_format.type' must be 'text' or 'json_object'", 500)),
        ("json_object", refuse("bad request")),
        ("none", refuse("response_format is not supported", 422)),
        ("none", refuse("bad request")),
    ],
)
def test_r1_a_server_that_refuses_the_schema_is_asked_for_less_and_that_is_remembered(
    fault_server: FaultServer, takes: str, refusal: web.Response
) -> None:
    said = refusal.body, refusal.status

    def play(asked: Asked) -> str | web.Response:
        kind = asked.body.get("response_format", {}).get("type", "none")
        if kind in (takes, "none"):
            return "ok"
        return web.Response(body=said[0], status=said[1], content_type="application/json")

    fault_server.play = play
    requests = [replace(JUDGED, id=f"q{n}", prompt=f"question {n}") for n in range(10)]
    done, notes = ask(card_of(fault_server, max_concurrency=1), *requests)
    assert [c.error for c in done] == [None] * 10
    steps = 1 if takes == "json_object" else 2
    assert [c.usage and c.usage.attempts for c in done] == [1 + steps, *[1] * 9]
    assert len(notes) == steps
    assert notes[0].startswith(f"{fault_server.host} takes no reply form 'schema' (HTTP ")


def test_a_bad_request_among_good_ones_changes_nothing_for_the_others(
    fault_server: FaultServer,
) -> None:
    fault_server.play = lambda asked: refuse("bad") if asked.prompt == "question 1" else "ok"
    requests = [replace(JUDGED, id=f"q{n}", prompt=f"question {n}") for n in range(4)]
    done, notes = ask(card_of(fault_server, max_concurrency=1), *requests)
    assert [c.error for c in done] == [None, "HTTP 400: bad", None, None]
    assert (notes, len(fault_server.asked)) == ((), 4)
    kinds = {asked.body["response_format"]["type"] for asked in fault_server.asked}
    assert kinds == {"json_schema"}


def test_what_one_replica_refuses_is_still_asked_of_the_other(fault_server: FaultServer) -> None:
    with FaultServer() as other:
        fault_server.play = lambda asked: (
            refuse("bad request") if "response_format" in asked.body else "ok"
        )
        card = card_of(fault_server, replicas=(other.url,), max_concurrency=1)
        requests = [replace(JUDGED, id=f"q{n}", prompt=f"question {n}") for n in range(12)]
        done, notes = ask(card, *requests)
        assert [c.error for c in done] == [None] * 12
        assert len(notes) == 2
        assert all(note.startswith(fault_server.host) for note in notes)
        kinds = {asked.body["response_format"]["type"] for asked in other.asked}
        assert kinds == {"json_schema"}


def test_a_request_that_is_bad_in_every_form_says_nothing_about_the_server(
    fault_server: FaultServer,
) -> None:
    fault_server.play = lambda asked: refuse("bad") if asked.prompt == "question 0" else "ok"
    requests = [replace(JUDGED, id=f"q{n}", prompt=f"question {n}") for n in range(3)]
    done, notes = ask(card_of(fault_server, max_concurrency=1), *requests)
    assert [c.error for c in done] == ["HTTP 400: bad (asked 3 times)", None, None]
    assert notes == ()
    assert fault_server.asked[-1].body["response_format"]["type"] == "json_schema"


def test_a_card_that_insists_on_the_schema_gets_no_less(fault_server: FaultServer) -> None:
    fault_server.play = lambda asked: refuse("response_format is not supported")
    (done,), _ = ask(card_of(fault_server, structured="schema"), JUDGED)
    assert done.error == "HTTP 400: response_format is not supported"
    assert len(fault_server.asked) == 1


def test_a_server_that_gives_no_log_probabilities_is_asked_without(
    fault_server: FaultServer,
) -> None:
    fault_server.play = lambda asked: (
        refuse("logprobs are not supported with this model") if "logprobs" in asked.body else "ok"
    )
    requests = [replace(JUDGED, id=f"q{n}", prompt=f"question {n}") for n in range(3)]
    done, notes = ask(card_of(fault_server, max_concurrency=1), *requests)
    assert [(c.error, c.token_logprobs) for c in done] == [(None, ())] * 3
    assert len(fault_server.asked) == 4
    assert fault_server.asked[-1].body["response_format"]["type"] == "json_schema"
    assert notes == (f"{fault_server.host} gives no log-probabilities (HTTP 400)",)


def test_how_the_form_is_asked_for_and_the_tokens_field_are_the_cards(
    fault_server: FaultServer,
) -> None:
    card = card_of(fault_server, max_tokens_field="max_completion_tokens")
    ask(card, replace(JUDGED, settings=GenerateSettings(max_new_tokens=9, seed=4)))
    body = fault_server.asked[0].body
    assert (body["max_completion_tokens"], body["seed"]) == (9, 4)
    assert "max_tokens" not in body
    adapter = OpenAIAdapter()
    cards = [card_of(fault_server, structured=way) for way in ("auto", "schema", "off")]
    assert len({adapter.fingerprint(one) for one in cards}) == 3


# --------------------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (
            {
                **USAGE,
                "prompt_tokens_details": {"cached_tokens": 5},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            (7, 3, 5, 2),
        ),
        ({**USAGE, "prompt_tokens_details": None}, (7, 3, 0, 0)),
        ({"prompt_tokens": -1, "completion_tokens": True}, (0, None, 0, 0)),
        ({"prompt_tokens": float("nan"), "completion_tokens": "3"}, (0, None, 0, 0)),
        (None, (0, None, 0, 0)),
        ([1], (0, None, 0, 0)),
    ],
)
def test_r15_tokens_are_counted_as_the_server_says(
    fault_server: FaultServer, usage: object, counted: tuple[int | None, ...]
) -> None:
    fault_server.reply = lambda asked: envelope("x") | {"usage": usage}
    (done,), _ = ask(card_of(fault_server), QUESTION)
    own = done.usage or Usage()
    found = (done.prompt_tokens, done.completion_tokens, own.cached_tokens, own.reasoning_tokens)
    assert (found, own.attempts, own.served) == (counted, 1, "served-1 fp_1")


# --------------------------------------------------------------------------- log-probabilities


def chat_reply(text: str, tokens: list[bytes], **message: object) -> dict[str, Any]:
    """A reply whose tokens are these bytes, as OpenAI writes them."""
    content = [
        {
            "token": token.decode("utf-8", "replace"),
            "bytes": list(token),
            "logprob": -0.5,
            "top_logprobs": [
                {"token": token.decode("utf-8", "replace"), "bytes": None, "logprob": -0.5},
                {"token": "7", "bytes": [55], "logprob": -1.5},
            ],
        }
        for token in tokens
    ]
    reply = envelope(text, **message)
    reply["choices"][0]["logprobs"] = {"content": content}
    return reply


def test_r12_each_token_knows_where_it_stands_in_the_text(fault_server: FaultServer) -> None:
    text = '{"reasoning": "a 4 is 空 🚦", "score": 4}'
    head, tail = '{"reasoning": "a 4 is ', '", "score": '
    tokens = [head.encode(), "空".encode()[:1], "空".encode()[1:], b" ", "🚦".encode()[:2]]
    tokens += ["🚦".encode()[2:], tail.encode(), b"4", b"}"]
    fault_server.reply = lambda asked: chat_reply(text, tokens)
    (done,), _ = ask(card_of(fault_server), JUDGED)
    starts = [token.start for token in done.token_logprobs]
    at = len(head)
    assert starts == [0, at, at, at + 1, at + 2, at + 2, at + 3, len(text) - 2, len(text) - 1]
    four = done.token_logprobs[-2]
    assert (four.token, text[four.start]) == ("4", "4")
    assert four.alternatives == (("4", -0.5), ("7", -1.5))


def test_r12_tokens_that_do_not_make_up_the_text_are_left_out(fault_server: FaultServer) -> None:
    texts = {
        "exact": [b"1", b"2"],
        "stripped": [b" ", b"12", b"<end>"],
        "other": [b"13"],
        "twice": [b"12", b"12"],
        "none": [],
    }
    fault_server.reply = lambda asked: chat_reply("12", texts[asked.prompt.split("\n")[-1]])
    requests = [replace(JUDGED, id=name, prompt=name) for name in texts]
    done, _ = ask(card_of(fault_server), *requests)
    found = {c.id: [(t.token, t.start) for t in c.token_logprobs] for c in done}
    assert found == {
        "exact": [("1", 0), ("2", 1)],
        "stripped": [("12", 0)],
        "other": [],
        "twice": [],
        "none": [],
    }
    assert all(c.text == "12" for c in done)


@given(st.text(min_size=1, max_size=30), st.lists(st.integers(1, 4), min_size=60, max_size=60))
def test_offsets_are_right_however_the_bytes_are_cut(text: str, sizes: list[int]) -> None:
    data, tokens, offsets = text.encode(), [], []
    for size in sizes:
        if data:
            done = text.encode()[: len(text.encode()) - len(data)]
            whole = len(done.decode("utf-8", "ignore"))
            offsets.append(whole)
            tokens.append(data[:size])
            data = data[size:]
    if data:
        offsets.append(len(text.encode()[: -len(data)].decode("utf-8", "ignore")))
        tokens.append(data)
    reply = json.dumps(chat_reply(text, tokens)).encode()
    found = read_reply(JUDGED, reply)
    assert [token.start for token in found.token_logprobs] == offsets


def test_what_is_no_log_probability_is_left_out(fault_server: FaultServer) -> None:
    reply = chat_reply("4", [b"4"])
    values = [math.nan, -math.inf, 3.0, "x", None, True, 10**400, 1e-7, -2]
    tops = [{"token": str(n), "logprob": value} for n, value in enumerate(values)]
    reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"] = [*tops, {"token": 5}, "x"]
    fault_server.reply = lambda asked: reply
    (done,), _ = ask(card_of(fault_server), JUDGED)
    assert done.token_logprobs[0].alternatives == (("7", 0.0), ("8", -2.0))


def test_the_completions_api_gives_them_in_its_own_way(fault_server: FaultServer) -> None:
    logprobs = {
        "tokens": [" a", " 4", "!"],
        "token_logprobs": [-0.1, -0.2, None],
        "top_logprobs": [{" a": -0.1, " b": -2.0}, None, None],
        "text_offset": [17, 19, 21],
    }
    choice = {"index": 0, "finish_reason": "stop", "text": " a 4!", "logprobs": logprobs}
    fault_server.reply = lambda asked: {"choices": [choice]}
    plain = replace(JUDGED, prompt="Why?", settings=GenerateSettings(stop=("!",)))
    (done,), _ = ask(card_of(fault_server, api="completions"), plain)
    assert fault_server.asked[0].body["logprobs"] == 5
    assert "response_format" not in fault_server.asked[0].body
    assert done.text == " a 4"
    found = [(token.token, token.start, token.alternatives) for token in done.token_logprobs]
    assert found == [
        (" a", 0, ((" a", -0.1), (" b", -2.0))),
        (" 4", 2, ((" 4", -0.2),)),
    ]


def test_a_key_in_a_token_is_nowhere_kept(
    fault_server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    halves = [KEY[:9].encode(), KEY[9:].encode()]
    replies = {"split": chat_reply(KEY, halves), "token": chat_reply("ok", [b"ok"])}
    content = replies["token"]["choices"][0]["logprobs"]["content"]
    content[0]["top_logprobs"].append({"token": KEY, "logprob": -3.0})
    replies["token"]["system_fingerprint"] = KEY
    fault_server.reply = lambda asked: replies[asked.prompt]
    card = card_of(fault_server, api_key_env="TEST_API_KEY")
    cache = Cache(tmp_path / "cache.sqlite")
    adapter = CachedAdapter(OpenAIAdapter(), cache)
    requests = [replace(JUDGED, id=name, prompt=name) for name in replies]
    done = {c.id: c for batch in adapter.complete(card, requests) for c in batch}
    adapter.close()
    cache.close()
    assert (done["split"].text, done["split"].token_logprobs) == ("[key]", ())
    assert (done["token"].text, done["token"].token_logprobs) == ("ok", ())
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert KEY[9:].encode() not in kept


@pytest.mark.parametrize("code", ["content_filter", "content_policy_violation"])
def test_a_content_filter_is_a_refusal_and_not_a_request_without_reply(
    fault_server: FaultServer, code: str
) -> None:
    error = {"error": {"message": "response was filtered by the json_schema policy", "code": code}}
    fault_server.play = lambda asked: web.json_response(error, status=400)
    (done,), _ = ask(card_of(fault_server), QUESTION)
    assert done.error == "refused: HTTP 400: response was filtered by the json_schema policy"
    assert done.latency_ms is not None
    assert len(fault_server.asked) == 1


# --------------------------------------------------------------------------- images

PNG = b"\x89PNG\r\n\x1a\n" + b"png"
JPEG = b"\xff\xd8\xff\xe0" + b"jpeg"
WEBP = b"RIFF\x04\x00\x00\x00WEBP" + b"webp"


def test_images_follow_the_text_of_the_last_user_turn(
    fault_server: FaultServer, tmp_path: Path
) -> None:
    frames = {"a.png": PNG, "b.jpg": JPEG, "c.webp": WEBP, "d.txt": PNG}
    for name, content in frames.items():
        (tmp_path / name).write_bytes(content)
    turns = (Message("user", "Hi"), Message("assistant", "Yes?"), Message("user", "What is it?"))
    media = tuple(str(tmp_path / name) for name in frames)
    (done,), _ = ask(card_of(fault_server), replace(QUESTION, prompt=turns, media=media))
    assert done.error is None
    messages = fault_server.asked[0].body["messages"]
    assert [m["content"] for m in messages[:2]] == ["Hi", "Yes?"]
    parts = messages[2]["content"]
    assert parts[0] == {"type": "text", "text": "What is it?"}
    heads, bodies = zip(*(p["image_url"]["url"].split(",") for p in parts[1:]), strict=True)
    kinds = ("png", "jpeg", "webp", "png")
    assert heads == tuple(f"data:image/{kind};base64" for kind in kinds)
    assert [base64.b64decode(body) for body in bodies] == list(frames.values())
    assert OpenAIAdapter().prompts(card_of(fault_server), [replace(QUESTION, media=media)]) == [
        "[system]\nJudge.\n\n[user]\nWhy?\n[images: 4]"
    ]


def test_an_image_that_cannot_be_sent_is_a_counted_error_of_its_request(
    fault_server: FaultServer, tmp_path: Path
) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"\x00\x00\x00 ftypisom")
    (tmp_path / "empty.png").write_bytes(b"")
    with (tmp_path / "large.png").open("wb") as large:
        large.truncate(MAX_IMAGE_BYTES + 1)
    os.mkfifo(tmp_path / "pipe.png")
    names = ("clip.mp4", "empty.png", "large.png", "pipe.png", "missing.png", ".")
    requests = [replace(QUESTION, id=name, media=(str(tmp_path / name),)) for name in names]
    system = replace(QUESTION, id="system", prompt=(Message("system", "x"),), media=("a.png",))
    done, _ = ask(card_of(fault_server), *requests, system, replace(QUESTION, id="good"))
    errors = [str(c.error).replace(f"{tmp_path}/", "").replace(str(tmp_path), ".") for c in done]
    assert errors == [
        "clip.mp4 is no JPEG, PNG or WebP image",
        "empty.png is no JPEG, PNG or WebP image",
        "large.png is larger than 20 MB",
        "pipe.png is no file",
        "cannot read the image missing.png: No such file or directory",
        ". is no file",
        "the prompt has no user turn that could show its images",
        "None",
    ]
    assert len(fault_server.asked) == 1


def test_images_count_in_the_estimate_of_tokens(fault_server: FaultServer) -> None:
    adapter, card = OpenAIAdapter(), card_of(fault_server)
    plain, pictured = adapter.count_tokens(card, [QUESTION, replace(QUESTION, media=("a", "b"))])
    assert pictured - plain == 1600
