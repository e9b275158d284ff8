"""How fast a server may be asked: budgets a minute, and replicas that say when they are full.

Nothing here sends anything. All of it belongs to one event loop and takes no locks.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from dataclasses import dataclass, field


class Bucket:
    """A budget that refills evenly; in no 60 seconds is more than ``limit`` taken from it.

    ``spare`` of it may be taken at once after a pause. A single cost above ``spare`` is let
    through when the bucket is full, and what it overdraws is waited for by the next.
    """

    def __init__(self, limit: float, spare: float, unit: float = 0.0) -> None:
        self._spare, self._rate = spare, (limit - spare + unit) / 60
        self._level, self._then = spare, 0.0

    @classmethod
    def of_requests(cls, a_minute: float) -> Bucket:
        """Requests: a second's worth at once, one at least."""
        return cls(a_minute, max(1.0, a_minute / 60), unit=1.0)

    @classmethod
    def of_tokens(cls, a_minute: float) -> Bucket:
        """Tokens: six seconds' worth at once."""
        return cls(a_minute, a_minute / 10)

    def wait(self, cost: float, now: float) -> float:
        """Seconds until the cost can be taken; 0 if it can be now."""
        self._level = min(self._spare, self._level + max(0.0, now - self._then) * self._rate)
        self._then = max(self._then, now)
        missing = min(cost, self._spare) - self._level
        return missing / self._rate if missing > 1e-9 * self._spare else 0.0

    def take(self, cost: float) -> None:
        """Spend; a negative cost gives back what was taken too much."""
        self._level = min(self._spare, self._level - cost)


class Pace:
    """Requests and tokens a minute over all replicas, first come first served."""

    def __init__(self, requests: float | None, tokens: float | None) -> None:
        self._requests = Bucket.of_requests(requests) if requests else None
        self._tokens = Bucket.of_tokens(tokens) if tokens else None
        self._answer: float | None = None  # running mean of an answer's tokens
        self._turn = asyncio.Lock()

    async def admit(self, prompt: int, longest: int) -> float:
        """Wait for the budget; the tokens that were taken, for `settle`.

        An answer counts as long as answers are on average, as its limit before the first one.
        """
        cost = prompt + min(longest, longest if self._answer is None else self._answer)
        if not self._requests and not self._tokens:
            return cost
        async with self._turn:
            while (seconds := self._wait(cost)) > 0:
                await asyncio.sleep(seconds)
            if self._requests:
                self._requests.take(1)
            if self._tokens:
                self._tokens.take(cost)
        return cost

    def settle(self, taken: float, prompt: int, answer: int) -> None:
        """The server has counted: correct what was taken."""
        known = answer if self._answer is None else self._answer
        self._answer = known + (answer - known) / 8
        if self._tokens and prompt + answer:
            self._tokens.take(prompt + answer - taken)

    def _wait(self, cost: float) -> float:
        now = time.monotonic()
        by_requests = self._requests.wait(1, now) if self._requests else 0.0
        by_tokens = self._tokens.wait(cost, now) if self._tokens else 0.0
        return max(by_requests, by_tokens)


@dataclass(eq=False)
class Replica:
    """One server: what is in flight there, how much may be, and what it cannot do.

    ``window`` is halved when the server says 429, once for what was in flight together, and grows
    by one each time that a whole window was answered; by a tenth shortly below the ``ceiling`` at
    which the server last said 429.
    """

    url: str
    most: int
    window: float = 0.0
    ceiling: float = 0.0
    busy: int = 0
    asked: int = 0
    paused_until: float = 0.0
    halved_at: float = 0.0
    ladder: int = 0
    """How many ways to ask for a reply's form the server has refused."""
    proven: bool = False
    """Whether it has answered a request for the form at this step of the ladder."""
    logprobs: bool = True
    """Whether it has not refused to give them."""
    dropped: frozenset[str] = frozenset()
    """Parameters that it has refused."""
    unreachable: int = 0
    """How many times running no connection could be made; those in flight together are one."""
    refused_at: float = 0.0

    def __post_init__(self) -> None:
        self.window = self.ceiling = float(self.most)

    def answered(self) -> None:
        """It has room for what it was asked."""
        if self.window < self.most:
            step = 0.1 if self.window + 1 > self.ceiling else 1.0
            self.window = min(float(self.most), self.window + step / self.window)
        if self.window > self.ceiling:
            self.ceiling = float(self.most)

    def refused(self, sent_at: float, now: float) -> None:
        """No connection could be made for a request that was sent then."""
        if sent_at >= self.refused_at:
            self.unreachable, self.refused_at = self.unreachable + 1, now

    def limited(self, sent_at: float, now: float) -> None:
        """It said 429 to a request that was sent then."""
        if sent_at >= self.halved_at:
            self.ceiling, self.halved_at = self.window, now
            self.window = max(1.0, self.window / 2)


@dataclass
class Pool:
    """The replicas; each request goes to the least busy one that may be asked now."""

    replicas: list[Replica]
    _waiting: deque[tuple[asyncio.Future[Replica], Replica | None]] = field(default_factory=deque)
    _alarm: asyncio.TimerHandle | None = None

    @property
    def most(self) -> int:
        """Requests in flight at once, over all replicas."""
        return sum(replica.most for replica in self.replicas)

    @property
    def opens_at(self) -> float:
        """When the first replica may be asked again, in the past if one may be now."""
        return min(replica.paused_until for replica in self.replicas)

    async def take(self, avoid: Replica | None = None) -> Replica:
        """A place at a replica, at another one than ``avoid`` if one has room."""
        if not self._waiting and (free := self._free(avoid)):
            return self._seat(free)
        place: asyncio.Future[Replica] = asyncio.get_running_loop().create_future()
        self._waiting.append((place, avoid))
        self._hand_out()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                self.give_back(place.result())
            raise

    def give_back(self, replica: Replica) -> None:
        """The request has ended, well or badly."""
        replica.busy -= 1
        self._hand_out()

    def pause(self, replica: Replica, seconds: float) -> None:
        """Ask this one nothing for a while."""
        replica.paused_until = max(replica.paused_until, time.monotonic() + seconds)

    def _seat(self, replica: Replica) -> Replica:
        replica.busy += 1
        replica.asked += 1
        return replica

    def _free(self, avoid: Replica | None) -> Replica | None:
        now = time.monotonic()
        free = [r for r in self.replicas if r.busy < int(r.window) and r.paused_until <= now]
        return min(free, key=lambda r: (r is avoid, r.busy / r.window, r.asked), default=None)

    def _hand_out(self) -> None:
        while self._waiting:
            place, avoid = self._waiting[0]
            if not place.done():
                free = self._free(avoid)
                if free is None:
                    return self._set_alarm()
                place.set_result(self._seat(free))
            self._waiting.popleft()

    def _set_alarm(self) -> None:
        """Come back when the first pause ends."""
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None
        now = time.monotonic()
        ends = [r.paused_until for r in self.replicas if r.paused_until > now]
        if ends:
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(min(ends) - now + 1e-3, self._hand_out)


ALIKE = 10  # requests that are refused before the others are not asked


class Refusals:
    """Whether all requests of a kind are refused alike, so that not each is asked for nothing."""

    def __init__(self) -> None:
        self._answered: set[str] = set()
        self._alike: dict[str, tuple[str, str, int]] = {}

    def answered(self, kind: str) -> None:
        """A request of this kind was answered: what is refused is that request's own mistake."""
        self._answered.add(kind)

    def refused(self, kind: str, what: str) -> None:
        """A request of this kind was refused for good; numbers in what was said may differ."""
        bare = re.sub(r"[0-9]+", "0", what)
        known, _, count = self._alike.get(kind, ("", "", 0))
        self._alike[kind] = (bare, what, count + 1 if known == bare else 1)

    def why_not_ask(self, kind: str) -> str | None:
        """Why a request need not be sent; None if it is worth trying."""
        _, what, count = self._alike.get(kind, ("", "", 0))
        if count < ALIKE or kind in self._answered:
            return None
        return f"not asked: {ALIKE} requests and more were all refused, and none answered ({what})"


PROBE_SECONDS = 30.0  # how often a server that is out is asked all the same


class Outage:
    """For how long no server has answered, so that not every request waits for a dead one."""

    def __init__(self, longest: float) -> None:
        self._longest, self._since, self._probe, self._what = longest, 0.0, 0.0, ""

    def heard(self) -> None:
        """A server has dealt with a request, if only to refuse it."""
        self._since = 0.0

    def failed(self, sent_at: float, what: str) -> None:
        """An attempt that was sent then failed, and might pass."""
        self._since, self._what = self._since or sent_at, what

    def why_not_ask(self, now: float) -> str | None:
        """Why a request need not be sent; None if it is worth trying."""
        if not self._since or now - self._since < self._longest:
            return None
        if now >= self._probe:
            self._probe = now + PROBE_SECONDS
            return None
        return f"not asked: no answer for {now - self._since:.0f} s ({self._what})"
