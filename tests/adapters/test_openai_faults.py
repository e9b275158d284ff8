"""Servers that fail in every way: each request ends as an answer or a counted error, paid once."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
import time
from collections.abc import Sequence

import pytest
from aiohttp import web
from faultserver import (
    FAULTS,
    REPLY_FAULTS,
    TRANSPORT_FAULTS,
    FaultServer,
    at_random,
    envelope,
)

from harness.adapters.openai import OpenAIAdapter
from harness.collect.specs import OpenAIModel
from harness.errors import ModelError
from harness.records import Completion, Request, Usage

KEY = "sk-secret-0123456789"


def card_of(*servers: FaultServer, **parts: object) -> OpenAIModel:
    words = {"model": "judge", "adapter": "openai", "base": "m", "timeout_s": 2, "max_retries": 5}
    urls = {"base_url": servers[0].url, "replicas": [s.url for s in servers[1:]]}
    return OpenAIModel.model_validate(words | urls | parts)


def questions(count: int) -> list[Request]:
    return [Request(f"q{n}", "generate", f"question {n}") for n in range(count)]


def ask(card: OpenAIModel, requests: Sequence[Request]) -> dict[str, Completion]:
    """Completions by id, one each."""
    adapter = OpenAIAdapter()
    try:
        done = [c for batch in adapter.complete(card, requests) for c in batch]
    finally:
        adapter.close()
    assert sorted(c.id for c in done) == sorted(r.id for r in requests)
    return {c.id: c for c in done}


# --------------------------------------------------------------------------- each fault


@pytest.mark.parametrize("fault", TRANSPORT_FAULTS)
def test_after_a_fault_on_the_way_the_answer_is_fetched_by_a_second_attempt(
    fault_server: FaultServer, fault: str
) -> None:
    fault_server.play = lambda asked: fault if asked.attempt == 1 else "ok"
    done = ask(card_of(fault_server), questions(1))["q0"]
    assert (done.text, done.error) == ("echo question 0", None)
    broken_off = fault in ("reset", "hang", "trickle")
    assert done.usage == Usage(attempts=2, served="served-1 fp_1", uncertain=broken_off)
    assert fault_server.whole == {"question 0": 1}


@pytest.mark.parametrize(
    ("fault", "text", "error"),
    [
        ("truncated", "", "unreadable reply: not JSON"),
        ("wrong schema", '{"verdict": "excellent"}', None),
        ("refusal", "", "refused: I will not."),
        ("empty", "", None),
        ("length", "echo qu", None),
        ("nan", '{"score": NaN}', None),
        ("duplicate keys", '{"score": 1, "score": 5}', None),
        ("not utf-8", "", "unreadable reply: not in UTF-8"),
        ("huge", "", "unreadable reply: longer than 16 MB"),
    ],
)
def test_a_reply_with_status_200_is_an_answer_or_an_error_and_never_asked_for_again(
    fault_server: FaultServer, fault: str, text: str, error: str | None
) -> None:
    fault_server.play = lambda asked: fault
    done = ask(card_of(fault_server, timeout_s=20), questions(1))["q0"]
    assert (done.text, (done.error or "").startswith(error or ""), len(fault_server.asked)) == (
        text,
        True,
        1,
    )
    assert done.failed is (error is not None)
    assert done.finish_reason == ("length" if fault == "length" else "error" if error else "stop")


def test_a_refusal_carries_what_it_cost(fault_server: FaultServer) -> None:
    fault_server.play = lambda asked: "refusal"
    done = ask(card_of(fault_server), questions(1))["q0"]
    assert (done.failed, done.prompt_tokens, done.completion_tokens) == (True, 7, 3)


def test_r15_429_429_200_is_one_answer_three_attempts_one_cost(fault_server: FaultServer) -> None:
    fault_server.play = lambda asked: "429 retry-after" if asked.attempt < 3 else "ok"
    done = ask(card_of(fault_server), questions(1))["q0"]
    assert (done.error, done.prompt_tokens, done.completion_tokens) == (None, 7, 3)
    assert done.usage is not None
    assert done.usage.attempts == 3
    assert fault_server.whole.total() == 1


# --------------------------------------------------------------------------- all together


def test_with_30_percent_faults_every_request_ends_and_nothing_is_paid_twice(
    fault_server: FaultServer,
) -> None:
    fault_server.play, fault_server.delay = at_random(0.3, seed=1), 0.002
    requests = questions(150)
    # long enough for a reply on a busy machine, and yet shorter than one that trickles
    done = ask(card_of(fault_server, max_concurrency=32, timeout_s=8), requests)
    played = {asked.prompt: [] for asked in fault_server.asked}
    for asked in fault_server.asked:
        played[asked.prompt].append(str(fault_server.play(asked)))
    assert {fault for faults in played.values() for fault in faults} == {*FAULTS, "ok"}
    assert max(fault_server.whole.values()) == 1
    for request in requests:
        faults, completion = played[str(request.prompt)], done[request.id]
        assert completion.usage is not None
        assert completion.usage.attempts == len(faults)
        assert all(fault in TRANSPORT_FAULTS for fault in faults[:-1])
        if faults[-1] == "ok":
            assert completion.text == f"echo {request.prompt}"
        else:
            assert faults[-1] in REPLY_FAULTS or len(faults) == 6
        counted = faults[-1] not in ("ok", "wrong schema", "empty", "length", "nan")
        assert completion.failed is (counted and faults[-1] != "duplicate keys")


def test_a_server_that_only_hangs_is_a_counted_error_within_the_deadline(
    fault_server: FaultServer,
) -> None:
    fault_server.play = lambda asked: "ok" if asked.prompt == "question 0" else "hang"
    card = card_of(fault_server, timeout_s=2, deadline_s=4.5, max_retries=50)
    began = time.monotonic()
    done = ask(card, questions(3))
    assert time.monotonic() - began < 30
    assert [c.failed for c in done.values()] == [False, True, True]
    assert str(done["q1"].error).startswith("no answer in time")
    assert all(c.usage and c.usage.attempts <= 3 for c in done.values())


def test_a_wait_that_would_pass_the_deadline_is_not_begun(fault_server: FaultServer) -> None:
    refused = {"error": {"message": "later"}}
    fault_server.play = lambda asked: (
        web.json_response(refused, status=429, headers={"Retry-After": "100"})
        if asked.attempt == 1
        else "ok"
    )
    began = time.monotonic()
    done = ask(card_of(fault_server, deadline_s=60), questions(1))["q0"]
    assert done.error == "HTTP 429: later"
    assert time.monotonic() - began < 50


def test_a_dead_server_is_not_asked_by_every_request(fault_server: FaultServer) -> None:
    fault_server.play = lambda asked: "ok" if asked.prompt == "question 0" else "503"
    card = card_of(fault_server, max_concurrency=1, deadline_s=0.6, max_retries=100)
    done = ask(card, questions(40))
    errors = [str(done[f"q{n}"].error) for n in range(1, 40)]
    assert errors[0].startswith("HTTP 503: fault 503 (asked ")
    assert sum(error.startswith("not asked: no answer for ") for error in errors) >= 25
    assert len(fault_server.asked) < 100


def test_a_failure_of_any_length_is_one_short_line(fault_server: FaultServer) -> None:
    fault_server.play = lambda asked: web.Response(status=400, body=b"\xff no " * 5_000_000)
    done = ask(card_of(fault_server, timeout_s=20), questions(1))["q0"]
    assert str(done.error).startswith("HTTP 400: ")
    assert len(str(done.error)) <= 300


def test_a_compressed_reply_is_measured_when_it_is_unpacked(fault_server: FaultServer) -> None:
    bomb = gzip.compress(b" " * 200_000_000, compresslevel=1)
    packed = gzip.compress(json.dumps(envelope("small")).encode())
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    fault_server.play = lambda asked: web.Response(
        body=packed if asked.prompt == "question 0" else bomb, headers=headers
    )
    done = ask(card_of(fault_server, timeout_s=20), questions(2))
    assert done["q0"].text == "small"
    assert done["q1"].error == "unreadable reply: longer than 16 MB"


def test_nobody_is_followed_to_another_server(
    fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_API_KEY", KEY)
    with FaultServer() as other:
        headers = {"Location": f"{other.url}/chat/completions"}
        fault_server.play = lambda asked: web.Response(status=307, headers=headers)
        with pytest.raises(ModelError, match="the server has moved: check base_url"):
            ask(card_of(fault_server, api_key_env="TEST_API_KEY"), questions(1))
        assert other.asked == []


def test_who_the_user_is_at_openai_is_not_told_to_others(
    fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, KEY)
    ask(card_of(fault_server), questions(1))
    (asked,) = fault_server.asked
    assert asked.headers["authorization"] == "Bearer none"
    assert KEY not in repr(asked)


# --------------------------------------------------------------------------- threads


def test_several_threads_ask_at_once_and_share_the_limit(fault_server: FaultServer) -> None:
    fault_server.delay = 0.02
    card, adapter = card_of(fault_server, max_concurrency=6, timeout_s=20), OpenAIAdapter()
    found: dict[int, list[str]] = {}

    def work(thread: int) -> None:
        requests = [Request(f"{n}", "generate", f"{thread}/{n}") for n in range(20)]
        batches = list(adapter.complete(card, requests))
        found[thread] = sorted(c.text for batch in batches for c in batch)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    adapter.close()
    for number in range(4):
        assert found[number] == sorted(f"echo {number}/{n}" for n in range(20))
    assert fault_server.whole.total() == 80
    assert 3 <= fault_server.most_busy <= 6


def test_closing_while_others_wait_ends_their_waiting(fault_server: FaultServer) -> None:
    fault_server.play = lambda asked: "hang"
    adapter, failed = OpenAIAdapter(), threading.Event()

    def work() -> None:
        with pytest.raises(RuntimeError, match="closed while it was asking"):
            list(adapter.complete(card_of(fault_server, timeout_s=60), questions(3)))
        failed.set()

    thread = threading.Thread(target=work)
    thread.start()
    while len(fault_server.asked) < 3:
        time.sleep(0.01)
    adapter.close()
    thread.join(10)
    assert failed.is_set()


def test_a_closed_adapter_opens_no_second_client(fault_server: FaultServer) -> None:
    """A judge's thread that asked on after the run had ended left a client that nobody closed."""
    adapter = OpenAIAdapter()
    adapter.close()
    with pytest.raises(RuntimeError, match="closed"):
        list(adapter.complete(card_of(fault_server), questions(1)))
    assert not fault_server.asked


def test_asking_and_closing_at_once_ends_either_way(fault_server: FaultServer) -> None:
    """Whether the requests are handed over just before or after the end, nobody waits for ever."""
    for number in range(20):
        adapter, ended = OpenAIAdapter(), threading.Event()

        def work(adapter: OpenAIAdapter = adapter, ended: threading.Event = ended) -> None:
            with contextlib.suppress(RuntimeError):
                list(adapter.complete(card_of(fault_server), questions(4)))
            ended.set()

        list(adapter.complete(card_of(fault_server), questions(1)))
        thread = threading.Thread(target=work)
        thread.start()
        time.sleep(number * 0.0002)
        adapter.close()
        assert ended.wait(30)


@pytest.mark.parametrize("waits", [{"max_concurrency": 2}, {"requests_per_minute": 60}])
def test_what_is_left_halfway_takes_no_place_from_what_comes_after(
    fault_server: FaultServer, waits: dict[str, object]
) -> None:
    fault_server.play = lambda asked: (
        "hang" if asked.prompt in ("question 1", "question 2") else "ok"
    )
    card, adapter = card_of(fault_server, timeout_s=60, **waits), OpenAIAdapter()
    running = adapter.complete(card, questions(20))
    assert [c.id for c in next(running)] == ["q0"]
    running.close()
    (batch,) = adapter.complete(card, [Request("later", "generate", "and now?")])
    assert batch[0].text == "echo and now?"
    adapter.close()
