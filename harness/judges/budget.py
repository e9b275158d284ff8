"""--max-cost: a limit on what a command may spend, kept to before each request is sent."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from harness.adapters.base import Adapter
from harness.collect.specs import ModelSpec, OpenAIModel, Price
from harness.errors import ModelError, SelectionError
from harness.judges.money import NANO, answered, cost_of, money, most_for, nano
from harness.judges.prices import PriceTable
from harness.records import Completion, Request


class Budget:
    """Money of one command, shared by all models and threads; ``max_cost`` None is no limit.

    Invariant: what was spent and the most that all requests in flight can cost is never above
    ``max_cost``, as long as the estimates are upper bounds. A request is settled in the thread
    that was allowed to ask it.
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

    def may_ask(self, estimate: float) -> bool:
        """Whether a request of this cost at most fits; if so, it is in flight from now on."""
        with self._changed:
            wanted = nano(estimate)
            if self._limit is not None and self._committed() + wanted > self._limit:
                return False
            self._in_flight[threading.get_ident()] += wanted
            return True

    def settle(self, estimate: float, cost: float | None) -> None:
        """A request that was allowed has ended; without a known cost it counts as estimated."""
        with self._changed:
            self._in_flight[threading.get_ident()] -= nano(estimate)
            self._spent += nano(estimate if cost is None else cost)
            self.unknown += cost is None
            self._changed.notify_all()

    def refuse(self, count: int) -> None:
        """Count requests that are given up."""
        with self._changed:
            self.refused += count

    def wait(self) -> bool:
        """Wait until another thread has settled something; False if none can do so.

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
            count = self._affordable(left, most)
            if count:
                yield from self._ask(model, left[:count], most)
                del left[:count]
            elif not self._budget.wait():
                break
        if left:
            self._budget.refuse(len(left))
            why = f"not asked: it could exceed --max-cost {money(self._budget.max_cost)}"
            yield [Completion.of_error(request, why) for request in left]

    def close(self) -> None:
        """Close the inner adapter."""
        self._inner.close()

    def _affordable(self, requests: Sequence[Request], most: dict[str, float]) -> int:
        """How many of the requests, from the first on, are allowed now."""
        for count, request in enumerate(requests):
            if not self._budget.may_ask(most[request.id]):
                return count
        return len(requests)

    def _ask(
        self, model: ModelSpec, requests: Sequence[Request], most: dict[str, float]
    ) -> Iterator[Sequence[Completion]]:
        open_ones = {request.id for request in requests}
        try:
            for batch in self._inner.complete(model, requests):
                for done in batch:
                    open_ones.discard(done.id)
                    cost = cost_of(model, done, self._table)
                    # sent, and nothing came back: a limit may not trust that nobody charges it;
                    # a failure that tells of no attempts was never sent
                    if done.usage is not None and not answered(done):
                        cost = None
                    self._budget.settle(most[done.id], cost)
                yield batch
        finally:
            for request_id in open_ones:  # stopped in the middle: the server may still charge them
                self._budget.settle(most[request_id], None)


def _price(model: ModelSpec, table: PriceTable) -> Price:
    quote = table.quote(model)
    if quote is None:
        what = "has no known price, so --max-cost cannot be kept"
        raise ModelError(
            f"model '{model.model}' {what}: give its card `price: {{input: USD, output: USD}}` a "
            "million tokens, or list it in prices.yaml"
        )
    return quote.price
