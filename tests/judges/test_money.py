"""Prices, costs and limits of judging: unknown stays unknown, a limit holds before the call."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from faultserver import FaultServer
from hypothesis import given
from hypothesis import strategies as st

from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.openai import OpenAIAdapter
from harness.collect.specs import EmbeddingJudgeModel, ModelSpec, OpenAIModel, Price
from harness.errors import CollectError, HarnessError, ModelError, SelectionError, SpecError
from harness.judges.budget import Budget, BudgetedAdapter
from harness.judges.money import Bill, answered, cost_of, estimate, money, most_for, percentile
from harness.judges.prices import PriceTable, read_prices
from harness.records import (
    Completion,
    GenerateSettings,
    Message,
    ReplyForm,
    Request,
    Usage,
    Verdict,
)

OWN = """\
prices:
  - host: localhost:8000
    as_of: "2026-11-01"
    source: our contract
    models:
      house: {input: 1.0, output: 2.0}
  - host: api.openai.com
    as_of: "2026-10-01"
    source: our contract
    models:
      gpt-4o-mini: {input: 0.10, output: 0.40}
"""


def card(base: str = "gpt-4o-mini", **more: object) -> OpenAIModel:
    return OpenAIModel(model="judge", adapter="openai", base=base, **more)  # type: ignore[arg-type]


def answer(name: str = "r", prompt: int = 1000, completion: int | None = 100) -> Completion:
    return Completion(name, "{}", prompt_tokens=prompt, completion_tokens=completion)


@pytest.fixture(autouse=True)
def outside_of_any_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


# --------------------------------------------------------------------------- prices


def test_every_built_in_price_has_its_date_and_says_that_it_must_be_checked() -> None:
    lists = PriceTable.of().lists
    assert lists
    for each in lists:
        assert each.as_of >= "2026-01-01"
        assert each.source == "as published by the provider, check before use"


def test_r15_the_version_of_the_price_table_names_its_date_and_the_users_file(
    tmp_path: Path,
) -> None:
    built_in = PriceTable.of(tmp_path).version
    (tmp_path / "prices.yaml").write_text(OWN)
    own = PriceTable.of(tmp_path).version
    assert built_in.startswith("built-in 20")
    assert own.startswith("prices.yaml 2026-11-01 (")
    assert own.endswith(built_in)
    (tmp_path / "prices.yaml").write_text(OWN.replace("1.0", "3.0"))
    assert PriceTable.of(tmp_path).version != own


def test_r15_cost_is_null_and_never_zero_when_the_price_is_unknown() -> None:
    assert cost_of(card("no-such-model"), answer()) is None
    assert cost_of(card(base_url="http://localhost:8000/v1"), answer()) is None
    assert cost_of(card("gpt-4o-mini-audio-preview"), answer()) is None


def test_cost_is_null_when_the_server_counted_no_tokens() -> None:
    assert cost_of(card(), answer(prompt=0, completion=None)) is None
    assert cost_of(card(), answer(completion=None)) is None
    refused = Completion("r", finish_reason="error", error="refused", latency_ms=9.0)
    assert cost_of(card(), refused) is None


def test_a_request_that_no_reply_came_to_costs_nothing() -> None:
    done = Completion.of_error(Request("r", "generate", "hi"), "HTTP 500")
    for failed in (done, replace(done, usage=Usage(attempts=6))):
        assert cost_of(card(), failed) == 0.0
        assert cost_of(card("no-such-model"), failed) == 0.0


def test_a_model_that_runs_here_costs_nothing() -> None:
    own = EmbeddingJudgeModel(model="embedding-judge", adapter="embedding-judge")
    assert cost_of(own, answer(prompt=0, completion=None)) == 0.0


def test_a_dated_name_costs_what_the_name_costs_unless_it_has_a_price_of_its_own() -> None:
    tokens = answer(prompt=1_000_000, completion=0)
    assert cost_of(card("gpt-4o-mini-2024-07-18"), tokens) == cost_of(card("gpt-4o-mini"), tokens)
    assert cost_of(card("gpt-4o-2024-05-13"), tokens) == 5.0
    assert cost_of(card("gpt-4o-2024-08-06"), tokens) == 2.5


def test_cached_tokens_cost_their_own_price_and_reasoning_tokens_are_not_paid_twice() -> None:
    price = Price(input=2.0, output=8.0, cached_input=0.5)
    usage = Usage(cached_tokens=600, reasoning_tokens=90)
    done = Completion("r", "{}", prompt_tokens=1000, completion_tokens=100, usage=usage)
    expected = (400 * 2.0 + 600 * 0.5 + 100 * 8.0) / 1e6
    assert cost_of(card(price=price), done) == pytest.approx(expected, rel=1e-12)


def test_r15_three_attempts_cost_once() -> None:
    """429, 429, 200: a refused attempt is not charged."""
    once, thrice = (
        Completion("r", prompt_tokens=10, completion_tokens=5, usage=Usage(attempts=attempts))
        for attempts in (1, 3)
    )
    assert cost_of(card(), once) == cost_of(card(), thrice) is not None


def test_a_fee_for_each_request_comes_on_top() -> None:
    sonar = card("sonar", base_url="https://api.perplexity.ai")
    assert cost_of(sonar, answer()) == pytest.approx(1100 / 1e6 + 0.005)


def test_the_cards_price_wins_then_the_projects_then_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = answer(prompt=1_000_000, completion=0)
    assert cost_of(card(), tokens) == pytest.approx(0.15)
    (tmp_path / "prices.yaml").write_text(OWN)
    assert cost_of(card(), tokens) == pytest.approx(0.10)
    assert cost_of(card("gpt-4o"), tokens) == pytest.approx(2.5)
    assert cost_of(card(price=Price(input=7, output=7)), tokens) == pytest.approx(7)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:8000/v1")
    assert cost_of(card("house"), tokens) == pytest.approx(1.0)
    assert cost_of(card(), tokens) is None  # the same name elsewhere is another offer


def test_replicas_have_a_price_only_if_all_of_them_have_it(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(OWN)
    here = "http://localhost:8000/v1"
    same = card("house", base_url=here, replicas=(here,))
    other = card("house", base_url=here, replicas=("http://localhost:8001/v1",))
    assert cost_of(same, answer()) is not None
    assert cost_of(other, answer()) is None


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (OWN.replace("input: 1.0", "inptu: 1.0"), 6, "input"),
        (OWN.replace("output: 2.0", "output: -2.0"), 6, "output"),
        (OWN.replace('"2026-11-01"', "yesterday"), 3, "as_of"),
        ("prices: []\n", 1, "prices"),
    ],
)
def test_a_mistake_in_prices_yaml_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, what: str
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    with pytest.raises((SpecError, CollectError), match=what) as caught:
        PriceTable.of(tmp_path)
    assert f"prices.yaml:{line}: " in str(caught.value)
    with pytest.raises(HarnessError):
        read_prices(file)


# --------------------------------------------------------------------------- the limit


class Server:
    """An adapter that charges: every request has the usage that it is told."""

    def __init__(self, prompt: int = 40, completion: int = 10, batch: int = 4) -> None:
        self.tokens, self.batch = (prompt, completion), batch
        self.asked: list[str] = []
        self.calls = 0

    def fingerprint(self, model: ModelSpec) -> str:
        return "server"

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        return [len(str(request.prompt)) // 4 for request in requests]

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        return [str(request.prompt) for request in requests]

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        self.calls += 1
        for start in range(0, len(requests), self.batch):
            part = requests[start : start + self.batch]
            self.asked += [request.id for request in part]
            yield [answer(request.id, *self.tokens) for request in part]

    def close(self) -> None:
        pass


DEAR = card("x", price=Price(input=1000, output=10_000))  # $0.001 and $0.01 a token


def asks(count: int, tokens: int = 10) -> list[Request]:
    settings = GenerateSettings(max_new_tokens=tokens)
    return [
        Request(f"r{n}", "generate", f"question {n:04}", settings=settings) for n in range(count)
    ]


def run(adapter: BudgetedAdapter, requests: Sequence[Request]) -> list[Completion]:
    return [done for batch in adapter.complete(DEAR, requests) for done in batch]


def test_r15_max_cost_stops_before_the_call_that_could_exceed_it() -> None:
    budget, server = Budget(1.0), Server()
    done = run(BudgetedAdapter(server, budget), asks(50))
    asked = [each for each in done if not each.failed]
    cost = sum(cost_of(DEAR, each) or 0 for each in asked)
    assert cost == pytest.approx(budget.spent)
    assert cost <= 1.0 < cost + most_for(Price(input=1000, output=10_000), asks(1)[0])
    assert len(server.asked) == len(asked) == 50 - budget.refused < 50
    assert {each.error for each in done if each.failed} == {
        "not asked: it could exceed --max-cost $1.00"
    }
    assert len(done) == len({each.id for each in done}) == 50


def test_all_is_asked_at_once_when_all_fits() -> None:
    server = Server()
    done = run(BudgetedAdapter(server, Budget(1000)), asks(50))
    assert (len(done), server.calls) == (50, 1)


def test_a_limit_of_nothing_asks_nothing_and_no_limit_asks_all() -> None:
    none, some = Server(), Server()
    run(BudgetedAdapter(none, Budget(0)), asks(3))
    run(BudgetedAdapter(some, Budget(None)), asks(3))
    assert (none.asked, len(some.asked)) == ([], 3)


def test_max_cost_refuses_a_model_whose_price_nobody_knows_before_anything_is_asked() -> None:
    server = Server()
    with pytest.raises(ModelError, match=r"'judge' has no known price.*prices\.yaml"):
        list(BudgetedAdapter(server, Budget(5)).complete(card("unknown"), asks(3)))
    with pytest.raises(ModelError, match="no known price"):
        Budget(5).check([card(), card("unknown")])
    Budget(None).check([card("unknown")])
    Budget(5).check([card(), EmbeddingJudgeModel(model="e", adapter="embedding-judge")])
    assert server.asked == []


def test_what_is_in_the_cache_costs_nothing_and_what_was_not_asked_is_asked_later(
    tmp_path: Path,
) -> None:
    cache, server = Cache(tmp_path / "cache.sqlite"), Server(batch=1)
    one = most_for(Price(input=1000, output=10_000), asks(1)[0])

    def judge(limit: float) -> list[Completion]:
        adapter = CachedAdapter(BudgetedAdapter(server, Budget(limit)), cache)
        return [done for batch in adapter.complete(DEAR, asks(20)) for done in batch]

    first = judge(1.0)
    known = {done.id for done in first if not done.failed}
    second = judge(one)  # enough for a single request, and twenty are wanted
    assert 0 < len(known) < 20
    assert sum(not done.failed for done in second) == len(known) + 1
    judge(100)
    assert sorted(server.asked) == sorted(request.id for request in asks(20))  # none of them twice
    cache.close()


def test_an_answer_of_unknown_cost_counts_as_what_it_may_have_cost() -> None:
    budget = Budget(1.0)
    server = Server(prompt=0, completion=0)
    run(BudgetedAdapter(server, budget), asks(50))
    each = most_for(Price(input=1000, output=10_000), asks(1)[0])
    assert len(server.asked) == budget.unknown == int(1.0 / each)


class Dead(Server):
    """Takes every request and answers none."""

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        for request in requests:
            self.asked.append(request.id)
            yield [replace(Completion.of_error(request, "timeout"), usage=Usage(attempts=1))]


def test_a_limit_counts_what_was_sent_to_a_server_that_hangs() -> None:
    budget, server = Budget(1.0), Dead()
    run(BudgetedAdapter(server, budget), asks(50))
    each = most_for(Price(input=1000, output=10_000), asks(1)[0])
    assert len(server.asked) == budget.unknown == int(1.0 / each)


@pytest.mark.parametrize(("limit", "attempts"), [(10.0, 3), (0.30, 2), (0.15, 1)])
def test_each_attempt_that_broke_off_may_have_been_charged(
    fault_server: FaultServer, limit: float, attempts: int
) -> None:
    """Two replies end in the middle; the third attempt is whole. Each is at most $0.129."""
    fault_server.play = lambda asked: "reset" if asked.attempt < 3 else "ok"
    own = card("m", base_url=fault_server.url, price=DEAR.price)
    adapter, budget = OpenAIAdapter(), Budget(limit)
    ((done,),) = BudgetedAdapter(adapter, budget).complete(own, asks(1))
    adapter.close()
    each = most_for(Price(input=1000, output=10_000), asks(1)[0])
    assert len(fault_server.asked) == attempts
    assert budget.spent <= limit
    if attempts == 3:
        cost = cost_of(own, done)
        assert cost is not None
        assert budget.spent == pytest.approx(2 * each + cost)
    else:
        assert budget.spent == pytest.approx(attempts * each)
        assert str(done.error).endswith("; another attempt could exceed --max-cost")
    assert (budget.unknown, budget.left) == (min(2, attempts), pytest.approx(limit - budget.spent))


@pytest.mark.parametrize("status", ["429", "500"])
def test_an_attempt_that_was_refused_is_not_charged(fault_server: FaultServer, status: str) -> None:
    fault_server.play = lambda asked: status if asked.attempt < 3 else "ok"
    own = card("m", base_url=fault_server.url, price=DEAR.price)
    adapter, budget = OpenAIAdapter(), Budget(0.15)
    ((done,),) = BudgetedAdapter(adapter, budget).complete(own, asks(1))
    adapter.close()
    assert done.error is None
    assert (budget.spent, budget.unknown) == (cost_of(own, done), 0)


def test_an_unreadable_reply_was_paid_for_and_its_cost_is_unknown(
    fault_server: FaultServer,
) -> None:
    """A whole reply with status 200 is a reply, whatever stands in it."""
    fault_server.play = lambda asked: "truncated"
    own = card("m", base_url=fault_server.url, price=DEAR.price)
    adapter, budget = OpenAIAdapter(), Budget(1.0)
    ((done,),) = BudgetedAdapter(adapter, budget).complete(own, asks(1))
    adapter.close()
    assert (done.failed, answered(done), cost_of(own, done)) == (True, True, None)
    each = most_for(Price(input=1000, output=10_000), asks(1)[0])
    assert (budget.spent, budget.unknown) == (each, 1)


def test_a_request_that_is_dropped_in_flight_still_counts() -> None:
    budget = Budget(100)
    stream = BudgetedAdapter(Server(batch=1), budget).complete(DEAR, asks(3))
    assert isinstance(stream, Iterator)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    each = most_for(Price(input=1000, output=10_000), asks(1)[0])
    assert budget.spent == pytest.approx(0.14 + 2 * each)
    assert budget.unknown == 2


def test_threads_share_one_limit() -> None:
    budget, servers = Budget(3.0), [Server(batch=1) for _ in range(8)]

    def work(server: Server) -> None:
        run(BudgetedAdapter(server, budget), asks(40))

    threads = [threading.Thread(target=work, args=(server,)) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    paid = sum(len(server.asked) for server in servers)
    most = most_for(Price(input=1000, output=10_000), asks(1)[0])
    assert budget.spent == pytest.approx(paid * 0.14)
    assert budget.spent <= 3.0 < budget.spent + most
    assert budget.refused + paid == 8 * 40


def test_a_budget_waits_for_another_thread_and_not_for_itself() -> None:
    budget = Budget(1.0)
    assert budget.may_ask(0.9)
    assert not budget.may_ask(0.2)
    assert budget.wait() is False  # what is in flight is our own
    said: list[bool] = []

    def other() -> None:
        while not budget.may_ask(0.2):
            said.append(budget.wait())
        budget.settle(0.2, 0.2)

    thread = threading.Thread(target=other)
    thread.start()
    budget.settle(0.9, 0.5)
    thread.join()
    assert all(said)
    assert budget.spent == pytest.approx(0.7)


class Turnstile(threading.Condition):
    """Lets another thread settle at the first moment at which the lock is free after a check."""

    def __init__(self, other: threading.Thread) -> None:
        super().__init__()
        self._other, self._inside, self._free = other, 0, threading.Event()

    def held_until_free(self) -> bool:
        return self._free.wait()

    def __enter__(self) -> bool:
        entered = super().__enter__()
        self._inside += 1
        return entered

    def __exit__(self, *unused: Any) -> None:
        self._inside -= 1
        left = not self._inside
        super().__exit__(*unused)
        if left and threading.current_thread() is not self._other:
            self._free.set()
            self._other.join()

    def wait(self, timeout: float | None = None) -> bool:
        self._free.set()
        inside, self._inside = self._inside, 0
        try:
            return super().wait(timeout)
        finally:
            self._inside = inside


def test_what_another_thread_settles_between_the_check_and_the_wait_is_not_missed() -> None:
    budget, ready = Budget(1.0), threading.Event()

    def work() -> None:
        budget.may_ask(0.9)
        ready.set()
        turnstile.held_until_free()
        budget.settle(0.9, 0.0)

    other = threading.Thread(target=work, daemon=True)
    turnstile = Turnstile(other)
    other.start()
    ready.wait()
    budget._changed = turnstile
    (done,) = run(BudgetedAdapter(Server(), budget), asks(1))  # at most $0.129
    other.join()
    assert (done.error, budget.refused) == (None, 0)


@given(
    limit=st.floats(0, 10),
    wanted=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 1)), max_size=30),
)
def test_spent_and_in_flight_never_exceed_the_limit(
    limit: float, wanted: list[tuple[float, float]]
) -> None:
    budget = Budget(limit)
    asked: list[tuple[float, float]] = []
    for most, share in wanted:
        if budget.may_ask(most):
            asked.append((most, share))
        left = budget.left
        assert left is not None
        assert left >= 0
        if len(asked) > 3:
            first, part = asked.pop(0)
            budget.settle(first, first * part)
    for most, share in asked:
        budget.settle(most, most * share)
    assert budget.spent <= limit


@pytest.mark.parametrize("wrong", [-1.0, float("inf"), float("nan")])
def test_max_cost_is_a_sum_of_dollars(wrong: float) -> None:
    with pytest.raises(SelectionError, match="--max-cost"):
        Budget(wrong)


def test_the_most_that_a_request_costs_counts_every_message_the_form_and_the_media() -> None:
    price = Price(input=1, output=1)
    settings = GenerateSettings(max_new_tokens=100)
    turns = (Message("system", "be brief"), Message("user", "größer als 日本"))
    plain = Request("r", "generate", turns, settings=settings)
    formed = Request("r", "generate", turns, settings=settings, form=ReplyForm(schema="{}" * 50))
    seen = Request("r", "generate", turns, settings=settings, media=("a.png",))
    letters = len("be brief") + len("größer als 日本".encode())
    assert most_for(price, plain) * 1e6 >= letters + 100
    assert most_for(price, formed) >= most_for(price, plain) + 100e-6 - 1e-12
    assert most_for(price, seen) > most_for(price, plain)


# --------------------------------------------------------------------------- estimates and bills


def test_a_dry_run_says_what_asking_would_cost_at_most() -> None:
    told = estimate(card(), asks(2000, 256), [500] * 2000)
    least = 2000 * (len("question 0000") * 0.15 + 256 * 0.60) / 1e6
    assert told.usd is not None
    assert least < told.usd < 1.1 * least
    assert told.words() == (
        "2,000 requests, 1,000,000 tokens in, at most 512,000 out, at most $0.33 "
        "(as published by the provider, check before use; 2026-06-24)"
    )
    unknown = estimate(card("unknown"), asks(2), [5, 5])
    assert unknown.usd is None
    assert "cost unknown (no price for 'judge')" in unknown.words()
    sonar = card("sonar", base_url="https://api.perplexity.ai")
    fees = 10 * 0.005
    assert fees < (estimate(sonar, asks(10), [0] * 10).usd or 0) < fees + 0.002
    assert estimate(sonar, [], []).usd == 0.0


@pytest.mark.parametrize("count", [1, 3, 7, 20])
@pytest.mark.parametrize(
    "price", [DEAR.price, Price(input=0.15, output=0.6), Price(input=3, output=1)]
)
def test_what_a_dry_run_says_is_the_max_cost_that_lets_all_be_asked(
    count: int, price: Price
) -> None:
    model = card("x", price=price)
    told = estimate(model, asks(count), [3] * count).usd
    assert told is not None
    read = float(money(told).lstrip("$").replace(",", ""))  # as a person would type it
    server = Server()
    done = BudgetedAdapter(server, Budget(read)).complete(model, asks(count))
    assert not [each for batch in done for each in batch if each.failed]
    assert (len(server.asked), server.calls) == (count, 1)


def verdict(cost: float | None, cached: bool = False, latency: float | None = None) -> Verdict:
    usage = Usage(cached_tokens=3, reasoning_tokens=2, attempts=2)
    return Verdict(
        "j", "m", 0, "ok", prompt_tokens=10, completion_tokens=5,
        usage=usage, cost_usd=cost, cached=cached, latency_ms=latency,
    )  # fmt: skip


def test_a_bill_tells_what_is_paid_now_from_what_was_paid_before() -> None:
    bill = Bill.of([verdict(1.0, latency=10), verdict(2.0, cached=True, latency=30), verdict(None)])
    assert (bill.cost_usd, bill.paid_usd, bill.unpriced) == (3.0, 1.0, 1)
    assert (bill.verdicts, bill.cached, bill.attempts) == (3, 1, 4)
    assert (bill.prompt_tokens, bill.cached_tokens) == (30, 9)
    assert (bill.completion_tokens, bill.reasoning_tokens) == (15, 6)
    assert (bill.p50_ms, bill.p95_ms) == (10, 30)
    assert "at least $3.00 ($1.00 paid now, 1 of unknown cost)" in bill.words()


def test_what_was_never_asked_is_not_of_unknown_cost() -> None:
    left = Verdict("j", "m", 0, "error", error="not asked", usage=Usage(attempts=0))
    bill = Bill.of([verdict(1.0), left])
    assert (bill.verdicts, bill.unpriced, bill.cost_usd) == (2, 0, 1.0)
    for nothing in (left, replace(left, cost_usd=0.0), replace(left, cost_usd=0.0, usage=Usage())):
        bill = Bill.of([nothing])
        assert (bill.unpriced, bill.cost_usd, bill.paid_usd) == (0, 0.0, 0.0)
        assert "unknown" not in bill.words()


def test_a_bill_without_any_price_is_unknown_and_not_zero() -> None:
    bill = Bill.of([verdict(None), Verdict("j", "m", 0, "skipped")])
    assert (bill.verdicts, bill.cost_usd, bill.paid_usd) == (1, None, None)
    assert "cost unknown" in bill.words()


def test_a_cost_that_is_partly_unknown_is_never_shown_as_nothing() -> None:
    words = Bill.of([verdict(0.0), *[verdict(None)] * 5]).words()
    assert "cost unknown" in words
    assert "$0.00" not in words


def test_failed_verdicts_are_paid_for_as_well() -> None:
    failed = Verdict("j", "m", 0, "error", error="no JSON", cost_usd=0.25)
    assert Bill.of([failed]).paid_usd == 0.25


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.integers(1, 100))
def test_a_percentile_is_a_measured_value_with_that_share_at_or_below(
    values: list[float], percent: int
) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    assert found in ordered
    assert sum(value <= found for value in ordered) * 100 >= percent * len(ordered)
    assert sum(value < found for value in ordered) * 100 < percent * len(ordered)


def test_percentiles_of_nothing_are_unknown() -> None:
    assert percentile([], 50) is None


@pytest.mark.parametrize(
    ("dollars", "text"),
    [
        (0.0, "$0.00"),
        (3e-05, "$0.00003"),
        (0.00012345, "$0.00012"),
        (0.003, "$0.003"),
        (0.05, "$0.05"),
        (0.0999, "$0.10"),
        (0.46, "$0.46"),
        (100.0, "$100.00"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money_is_written_with_the_digits_that_it_needs(dollars: float, text: str) -> None:
    assert money(dollars) == text
