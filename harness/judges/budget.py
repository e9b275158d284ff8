"""--max-cost: a limit on what a command may spend, kept to before each request is sent."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.adapters.base import Adapter
from harness.adapters.openai import OpenAIAdapter
from harness.collect.specs import ModelSpec, OpenAIModel, Price
from harness.errors import ModelError, SelectionError
from harness.judges.money import NANO, answered, cost_of, money, most_for, nano
from harness.judges.prices import PriceTable
from harness.records import Completion, Request


class Budget:
    """Money of one command, shared by all models and threads; ``max_cost`` None is no limit.

    Invariant: what was spent and the most that all requests in flight can cost is never above
    ``max_cost``, as long as the estimates are upper bounds. A request is settled in the thread
    that was allowed to ask it; whether it fits and, if not, the wait for others to settle are one
    step, so that nothing is settled unnoticed in between.
    """

    def __init__(self, max_cost: float | None) -> None:
        if max_cost is not None and not 0 <= max_cost < float("inf"):
            raise SelectionError(f"--max-cost {max_cost}: not a sum of dollars")
        self._limit = None if max_cost is None else math.floor(round(max_cost * NANO, 3))
        self._spent = 0
        self._in_flight: Counter[int] = Counter()
        self._waiting: set[int] = set()
        self._changed = threading.Condition()
        self.max_cost = max_cost
        self.refused = 0
        """Requests that were not asked."""
        self.unknown = 0
        """Requests that ended with no word of their cost; they count as what they may have cost."""

    @property
    def spent(self) -> float:
        """Dollars."""
        return self._spent / NANO

    @property
    def left(self) -> float | None:
        """Dollars that neither are spent nor may be needed for what is in flight."""
        with self._changed:
            return None if self._limit is None else (self._limit - self._committed()) / NANO

    def may_ask(self, estimate: float, owner: int | None = None) -> bool:
        """Whether a request of this cost at most fits; if so, it is in flight from now on.

        ``owner`` is the thread that will settle it, by default this one.
        """
        with self._changed:
            wanted = nano(estimate)
            if self._limit is not None and self._committed() + wanted > self._limit:
                return False
            self._in_flight[threading.get_ident() if owner is None else owner] += wanted
            return True

    def admit(self, estimates: Sequence[float]) -> int:
        """How many of some requests, from the first on, are in flight from now on.

        If not even one fits, wait until another thread has settled something; 0 if none can do so.
        """
        with self._changed:
            while True:
                count = 0
                while count < len(estimates) and self.may_ask(estimates[count]):
                    count += 1
                if count or not self.wait():
                    return count

    def settle(self, estimate: float, cost: float | None, lost: int = 0, kept: int = 0) -> None:
        """A request that was allowed has ended; without a known cost it counts as estimated.

        ``lost`` are further attempts at it that may have been charged, each as estimated; ``kept``
        how often it was allowed beside the first time.
        """
        with self._changed:
            wanted = nano(estimate)
            self._in_flight[threading.get_ident()] -= wanted * (1 + kept)
            self._spent += (wanted if cost is None else nano(cost)) + wanted * lost
            self.unknown += (cost is None) + lost
            self._changed.notify_all()

    def refuse(self, count: int) -> None:
        """Count requests that are given up."""
        with self._changed:
            self.refused += count

    def wait(self) -> bool:
        """Wait until another thread settles something; False if none can do so.

        Two threads that wait for each other would wait for ever: the later one is sent away.
        """
        with self._changed:
            me = threading.get_ident()
            owners = {thread for thread, amount in self._in_flight.items() if amount > 0}
            if not owners - self._waiting - {me}:
                return False
            self._waiting.add(me)
            try:
                self._changed.wait()
            finally:
                self._waiting.discard(me)
            return True

    def _committed(self) -> int:
        return self._spent + self._in_flight.total()

    def check(self, models: Iterable[ModelSpec], table: PriceTable | None = None) -> None:
        """Raise ModelError for the first model whose price nobody knows, if there is a limit."""
        if self._limit is None:
            return
        table = table or PriceTable.of()
        for model in models:
            _price(model, table)


class BudgetedAdapter:
    """An adapter that asks only what the budget allows; the rest are counted failures.

    It stands between an adapter and its cache, so that what is remembered costs nothing and what
    was not asked is asked by the next run. As long as all requests fit together they are asked
    together; else as many as are sure to fit, and then more, with what those did not use.
    """

    def __init__(self, inner: Adapter, budget: Budget, table: PriceTable | None = None) -> None:
        self._inner, self._budget, self._table = inner, budget, table or PriceTable.of()
        self.by_id = bool(getattr(inner, "by_id", False))
        self._in_flight: dict[int, _Ticket] = {}
        if budget.max_cost is not None and isinstance(inner, OpenAIAdapter):
            inner.may_repeat = self._may_repeat

    @property
    def notes(self) -> tuple[str, ...]:
        """The inner adapter's."""
        return tuple(getattr(self._inner, "notes", ()))

    def fingerprint(self, model: ModelSpec) -> str:
        """The inner adapter's."""
        return self._inner.fingerprint(model)

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """The inner adapter's."""
        return self._inner.count_tokens(model, requests)

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """The inner adapter's."""
        return self._inner.prompts(model, requests)

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """As the inner adapter's; raises ModelError before anything is asked of a model without
        a price."""
        if self._budget.max_cost is None or not isinstance(model, OpenAIModel):
            yield from self._inner.complete(model, requests)
            return
        price = _price(model, self._table)
        most = {request.id: most_for(price, request) for request in requests}
        left = list(requests)
        while left:
            count = self._budget.admit([most[request.id] for request in left])
            if not count:
                break
            yield from self._ask(model, left[:count], most)
            del left[:count]
        if left:
            self._budget.refuse(len(left))
            why = f"not asked: it could exceed --max-cost {money(self._budget.max_cost)}"
            yield [Completion.of_error(request, why) for request in left]

    def close(self) -> None:
        """Close the inner adapter."""
        self._inner.close()

    def _ask(
        self, model: ModelSpec, requests: Sequence[Request], most: dict[str, float]
    ) -> Iterator[Sequence[Completion]]:
        me = threading.get_ident()
        tickets = {request.id: _Ticket(most[request.id], me) for request in requests}
        self._in_flight |= {id(request): tickets[request.id] for request in requests}
        try:
            for batch in self._inner.complete(model, requests):
                for done in batch:
                    ticket = tickets.pop(done.id)
                    cost = cost_of(model, done, self._table)
                    lost = done.usage.uncertain if done.usage else 0
                    # sent, and nothing came back: a limit may not trust that nobody charges it;
                    # a failure that tells of no attempts was never sent
                    if done.usage is not None and not answered(done):
                        cost, lost = None, max(0, lost - 1)
                    self._budget.settle(ticket.most, cost, lost, ticket.repeats)
                yield batch
        finally:
            for request in requests:
                del self._in_flight[id(request)]
            for one in tickets.values():  # stopped in the middle: the server may still charge them
                self._budget.settle(one.most, None, one.repeats, one.repeats)

    def _may_repeat(self, request: Request) -> bool:
        """Whether the budget allows one more attempt, after one that may have been charged.

        Called by the adapter, in a thread of its own.
        """
        ticket = self._in_flight.get(id(request))
        if ticket is None or not self._budget.may_ask(ticket.most, ticket.owner):
            return False
        ticket.repeats += 1
        return True


@dataclass
class _Ticket:
    """One request in flight: what it can cost at most, who will settle it, and how often it may be
    charged beside the first time."""

    most: float
    owner: int
    repeats: int = 0


def _price(model: ModelSpec, table: PriceTable) -> Price:
    quote = table.quote(model)
    if quote is None:
        what = "has no known price, so --max-cost cannot be kept"
        raise ModelError(
            f"model '{model.model}' {what}: give its card `price: {{input: USD, output: USD}}` a "
            "million tokens, or list it in prices.yaml"
        )
    return quote.price
