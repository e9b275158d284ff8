"""Budgets a minute, servers that are full, and several servers for one model."""

from __future__ import annotations

import math
import threading
import time

import pytest
from faultserver import Asked, FaultServer, envelope
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.adapters.api_limits import Bucket, Replica
from harness.adapters.openai import OpenAIAdapter
from harness.collect.specs import OpenAIModel
from harness.errors import ModelError
from harness.records import Completion, GenerateSettings, Request


def card_of(*servers: FaultServer | str, **parts: object) -> OpenAIModel:
    urls = [server if isinstance(server, str) else server.url for server in servers]
    words = {"model": "judge", "adapter": "openai", "base": "m", "max_retries": 8}
    return OpenAIModel.model_validate(words | {"base_url": urls[0], "replicas": urls[1:]} | parts)


def questions(count: int, **parts: object) -> list[Request]:
    return [Request(f"q{n}", "generate", f"question {n}", **parts) for n in range(count)]


def ask(card: OpenAIModel, requests: list[Request]) -> list[Completion]:
    adapter = OpenAIAdapter()
    try:
        done = [c for batch in adapter.complete(card, requests) for c in batch]
    finally:
        adapter.close()
    assert len({c.id for c in done}) == len(done) == len(requests)
    return done


def times(server: FaultServer) -> list[float]:
    """When requests arrived, from the first."""
    return [asked.at - server.asked[0].at for asked in server.asked]


# --------------------------------------------------------------------------- budgets


@given(
    st.floats(0.5, 5000),
    st.lists(st.tuples(st.floats(0, 30), st.floats(0.1, 2000)), max_size=60),
    st.booleans(),
)
def test_in_no_minute_is_more_taken_than_the_limit(
    limit: float, asks: list[tuple[float, float]], tokens: bool
) -> None:
    bucket = Bucket.of_tokens(limit) if tokens else Bucket.of_requests(limit)
    now, taken = 0.0, []
    for pause, cost in asks:
        cost = min(cost, limit / 10) if tokens else 1.0
        now += pause
        now += bucket.wait(cost, now)
        assert bucket.wait(cost, now) < 1e-3
        bucket.take(cost)
        taken.append((now, cost))
    for at, _ in taken:
        minute = sum(cost for then, cost in taken if at <= then < at + 60 * (1 - 1e-6))
        assert minute <= (limit if tokens else math.ceil(limit)) * (1 + 1e-6)


def test_a_cost_above_the_whole_budget_is_let_through_and_waited_for_afterwards() -> None:
    bucket = Bucket.of_tokens(600)  # 60 at once, 9 a second
    assert bucket.wait(2000, 0.0) == 0
    bucket.take(2000)
    assert bucket.wait(9, 0.0) == pytest.approx((2000 - 60 + 9) / 9)
    bucket.take(-1991)  # the server counted less
    assert bucket.wait(9, 0.0) == 0


def test_requests_a_minute_are_kept_to(fault_server: FaultServer) -> None:
    began = time.monotonic()
    ask(card_of(fault_server, requests_per_minute=600, max_concurrency=30), questions(18))
    # 10 at once, then one in each 0.1 s; a busy machine makes them later, never earlier
    seen = sorted(asked.at - began for asked in fault_server.asked)
    assert all(at >= 0.1 * (n - 10.5) for n, at in enumerate(seen, 1))


def test_tokens_a_minute_are_kept_to_as_the_server_counts_them(fault_server: FaultServer) -> None:
    usage = {"prompt_tokens": 80, "completion_tokens": 20}
    fault_server.reply = lambda asked: envelope("x") | {"usage": usage}
    card = card_of(fault_server, tokens_per_minute=30_000, max_concurrency=1)
    settings = GenerateSettings(max_new_tokens=20)
    began = time.monotonic()
    ask(card, questions(38, settings=settings))  # 3,000 at once, then 450 a second
    assert fault_server.asked[-1].at - began >= (37 * 100 - 3000) / 450 * 0.9


def test_waiting_for_ones_own_limit_is_no_failure(fault_server: FaultServer) -> None:
    card = card_of(fault_server, requests_per_minute=120, deadline_s=0.3, max_concurrency=8)
    fault_server.play = lambda asked: "500" if asked.prompt == "question 1" else "ok"
    done = ask(card, questions(5))
    assert [c.failed for c in sorted(done, key=lambda c: c.id)] == [False, True, *[False] * 3]


# --------------------------------------------------------------------------- 429


def test_retry_after_holds_back_all_requests_to_that_server(fault_server: FaultServer) -> None:
    fault_server.play = lambda asked: "429 retry-after" if asked.number == 0 else "ok"
    done = ask(card_of(fault_server, max_concurrency=1), questions(5))
    assert not any(c.failed for c in done)
    assert times(fault_server)[1] >= 0.2


def test_a_server_that_says_429_is_asked_less_at_once_and_then_more_again(
    fault_server: FaultServer,
) -> None:
    room, lock = 3, threading.Lock()

    def crowded(asked: Asked) -> str:
        with lock:
            return "429" if fault_server.busy > room else "ok"

    fault_server.play, fault_server.delay = crowded, 0.02
    adapter = OpenAIAdapter()
    card = card_of(fault_server, max_concurrency=16)
    done = [c for batch in adapter.complete(card, questions(120)) for c in batch]
    assert not [c.error for c in done if c.failed]
    assert fault_server.whole.total() == 120
    refused = len(fault_server.asked) - 120
    assert 13 <= refused < 35  # 16 at once all the time would be refused far more often
    assert adapter.notes == (f"{refused} times asked again: HTTP 429",)
    adapter.close()


def test_the_window_halves_once_for_what_was_in_flight_together() -> None:
    replica = Replica("http://x", 16)
    for _ in range(10):
        replica.limited(sent_at=1.0, now=1.5)
    assert replica.window == 8
    replica.limited(sent_at=2.0, now=2.5)
    assert replica.window == 4
    for _ in range(4):
        replica.answered()
    assert 4.8 < replica.window < 5.1
    for _ in range(1000):
        replica.answered()
    assert replica.window == 16
    for n in range(100):
        replica.limited(sent_at=10.0 + n, now=10.5 + n)
    assert replica.window == 1


# --------------------------------------------------------------------------- replicas


def test_replicas_share_the_work_and_the_least_busy_is_asked_first(
    fault_server: FaultServer,
) -> None:
    with FaultServer() as slow:
        fault_server.delay, slow.delay = 0.01, 0.1
        ask(card_of(fault_server, slow, max_concurrency=4), questions(80))
        assert fault_server.whole.total() + slow.whole.total() == 80
        assert fault_server.whole.total() > slow.whole.total() > 0
        assert fault_server.most_busy == slow.most_busy == 4


@pytest.mark.parametrize("fault", ["500", "429 retry-after", "hang", "reset"])
def test_what_one_replica_fails_is_asked_of_another(fault_server: FaultServer, fault: str) -> None:
    with FaultServer() as other:
        fault_server.play = lambda asked: fault
        card = card_of(fault_server, other, max_concurrency=2, timeout_s=1, max_retries=2)
        done = ask(card, questions(12))
        assert [c.error for c in done if c.failed] == []
        assert other.whole.total() == 12


def test_a_replica_that_is_down_is_passed_over(fault_server: FaultServer) -> None:
    with FaultServer() as gone:
        url = gone.url
    done = ask(card_of(url, fault_server, max_concurrency=2), questions(30))
    assert not any(c.failed for c in done)
    done = ask(card_of(url, fault_server, max_concurrency=2, max_retries=0), questions(30))
    assert 1 <= sum(str(c.error).startswith("no connection") for c in done) <= 12
    with pytest.raises(ModelError, match="no connection"):
        ask(card_of(url, max_retries=0), questions(3))


def test_replicas_have_a_base_url_beside_them() -> None:
    words = {"model": "judge", "adapter": "openai", "base": "m", "replicas": ["http://a/v1"]}
    with pytest.raises(ValidationError, match="'replicas' stand beside a 'base_url'"):
        OpenAIModel.model_validate(words)
    with pytest.raises(ValidationError, match="replicas"):
        OpenAIModel.model_validate(words | {"base_url": "http://b", "replicas": ["http://u:p@a"]})


def test_the_same_replica_twice_is_one(fault_server: FaultServer) -> None:
    fault_server.delay = 0.02
    ask(card_of(fault_server, fault_server.url + "/", max_concurrency=2), questions(12))
    assert fault_server.most_busy == 2
    assert {asked.path for asked in fault_server.asked} == {"/v1/chat/completions"}


def test_many_more_than_a_hundred_may_be_asked_at_once(fault_server: FaultServer) -> None:
    fault_server.delay = 0.5
    ask(card_of(fault_server, max_concurrency=256), questions(300))
    assert fault_server.most_busy > 150
