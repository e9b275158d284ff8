"""Money and time of judging: what an answer cost, what answers may cost at most, what was paid.

Costs are US dollars. None means that nobody knows: no price, or a server that counts no tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.collect.specs import ModelSpec, Price
from harness.judges.prices import PriceTable
from harness.records import Completion, Request, Usage, Verdict

MILLION = 1_000_000
NANO = 1_000_000_000  # sums are whole billionths of a dollar: they come out even
MESSAGE_TOKENS = 16  # what a chat template puts around a message, generously
MEDIUM_TOKENS = 50_000  # of one image, where the dearest server counts the most


def cost_of(
    card: ModelSpec, completion: Completion, table: PriceTable | None = None
) -> float | None:
    """What the provider asks for an answer; a model that runs here costs 0.

    Reasoning tokens are part of the completion's, cached ones part of the prompt's. A request that
    no reply came to costs 0. None if the model has no price or the server did not count.
    """
    if not answered(completion):
        return 0.0
    quote = (table or PriceTable.of()).quote(card)
    if quote is None:
        return None
    price = quote.price
    if not (price.input or price.output or price.request):
        return 0.0
    tokens = completion.completion_tokens
    if tokens is None or completion.prompt_tokens <= 0:
        return None
    cached = (completion.usage or Usage()).cached_tokens
    return _dollars(price, completion.prompt_tokens, cached, tokens)


def answered(completion: Completion) -> bool:
    """Whether a reply came, be it a refusal; what failed without one has taken no time."""
    return completion.replied


def _dollars(price: Price, prompt: int, cached: int, completion: int) -> float:
    cheap = price.input if price.cached_input is None else price.cached_input
    cached = min(max(cached, 0), prompt)
    tokens = (prompt - cached) * price.input + cached * cheap + completion * price.output
    return tokens / MILLION + price.request


def most_for(price: Price, request: Request) -> float:
    """What a request can cost at most: a token a byte, and all tokens that it may answer with.

    No byte-level tokenizer makes more tokens than bytes; the form that goes with the request
    counts, too. Rounded up to a whole billionth of a dollar.
    """
    turns = [request.prompt] if isinstance(request.prompt, str) else request.prompt
    texts = [turn if isinstance(turn, str) else turn.content for turn in turns]
    texts.append(request.form.schema if request.form else "")
    prompt = sum(len(text.encode("utf-8", "surrogatepass")) + MESSAGE_TOKENS for text in texts)
    prompt += MEDIUM_TOKENS * len(request.media)
    return nano(_dollars(price, prompt, 0, request.settings.max_new_tokens)) / NANO


def nano(dollars: float) -> int:
    """Billionths, rounded up, so that costs are never understated; 1500.0000000002 is 1500."""
    return math.ceil(round(dollars * NANO, 3))


@dataclass(frozen=True, slots=True)
class Estimate:
    """What asking would take: for --dry-run.

    ``prompt_tokens`` is the adapter's count (an API's is a guess), ``completion_tokens`` what is
    allowed at most. ``usd`` is what a `Budget` wants before it lets all of it be asked, and so
    the least --max-cost for all; it counts a token a byte, for nobody here knows the server's
    tokens. None if the model has no price. What is asked again, because a reply could not be read,
    comes on top.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    source: str

    def words(self) -> str:
        """One line."""
        tokens = f"{self.prompt_tokens:,} tokens in, at most {self.completion_tokens:,} out"
        if self.usd is None:
            return f"{self.requests:,} requests, {tokens}, cost unknown ({self.source})"
        return f"{self.requests:,} requests, {tokens}, at most {money(self.usd)} ({self.source})"


def estimate(
    card: ModelSpec,
    requests: Sequence[Request],
    prompt_tokens: Sequence[int],
    table: PriceTable | None = None,
) -> Estimate:
    """Of requests that are not answered yet, with the adapter's ``count_tokens`` of each."""
    quote = (table or PriceTable.of()).quote(card)
    prompt = sum(prompt_tokens)
    completion = sum(request.settings.max_new_tokens for request in requests)
    if quote is None:
        return Estimate(len(requests), prompt, completion, None, f"no price for '{card.model}'")
    source = quote.source if not quote.as_of else f"{quote.source}; {quote.as_of}"
    usd = sum(nano(most_for(quote.price, request)) for request in requests) / NANO
    return Estimate(len(requests), prompt, completion, _shown_up(usd), source)


def _shown_up(dollars: float) -> float:
    """Rounded up to the digits that `money` shows, so that what is read there is enough."""
    step = 10.0 ** -_digits(dollars)
    return round(math.ceil(round(dollars / step, 6)) * step, 15)


def money(dollars: float) -> str:
    """`$12.34`, with the digits that a small sum needs: `$0.003`, `$0.000012`."""
    whole, _, cents = f"{dollars:,.{_digits(dollars)}f}".partition(".")
    return f"${whole}.{cents.rstrip('0').ljust(2, '0')}"


def _digits(dollars: float) -> int:
    """Decimals: two, or as many as show two digits of a sum of less than ten cents."""
    return 2 if dollars == 0 or dollars >= 0.1 else 1 - math.floor(math.log10(dollars))


# --------------------------------------------------------------------------- what was paid


@dataclass(frozen=True, slots=True)
class Bill:
    """The tokens, money and time of verdicts.

    ``cost_usd`` is what the verdicts cost when they were asked for, ``paid_usd`` what of it was
    paid now: a verdict from the cache is not paid again. Both leave out ``unpriced`` verdicts,
    which were asked for and whose cost nobody knows, and are None if there are no others.
    Latencies are nearest-rank percentiles.
    """

    verdicts: int
    cached: int
    attempts: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cost_usd: float | None
    paid_usd: float | None
    unpriced: int
    p50_ms: float | None
    p95_ms: float | None

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> Bill:
        """The sum over all verdicts, errors included: they have been paid for as well."""
        asked = [verdict for verdict in verdicts if verdict.status != "skipped"]
        costs = [one.cost_usd for one in asked if one.cost_usd is not None]
        paid = [one.cost_usd for one in asked if one.cost_usd is not None and not one.cached]
        unpriced = sum(one.cost_usd is None and one.usage.attempts > 0 for one in asked)
        known = bool(costs) or not unpriced
        times = sorted(one.latency_ms for one in asked if one.latency_ms is not None)
        return cls(
            verdicts=len(asked),
            cached=sum(one.cached for one in asked),
            attempts=sum(one.usage.attempts for one in asked if not one.cached),
            prompt_tokens=sum(one.prompt_tokens for one in asked),
            cached_tokens=sum(one.usage.cached_tokens for one in asked),
            completion_tokens=sum(one.completion_tokens for one in asked),
            reasoning_tokens=sum(one.usage.reasoning_tokens for one in asked),
            cost_usd=sum(costs) if known else None,
            paid_usd=sum(paid) if known else None,
            unpriced=unpriced,
            p50_ms=percentile(times, 50),
            p95_ms=percentile(times, 95),
        )

    def words(self) -> str:
        """One line."""
        parts = [f"{self.verdicts:,} verdicts ({self.cached:,} from the cache)"]
        if self.prompt_tokens or self.completion_tokens:
            parts.append(f"{self.prompt_tokens:,} tokens in ({self.cached_tokens:,} cached)")
            parts.append(f"{self.completion_tokens:,} out ({self.reasoning_tokens:,} reasoning)")
        if self.cost_usd != 0.0 or self.unpriced:
            parts.append(self._money())
        if self.p50_ms is not None and self.p95_ms is not None:
            parts.append(f"latency p50 {self.p50_ms:,.0f} ms, p95 {self.p95_ms:,.0f} ms")
        return ", ".join(parts)

    def _money(self) -> str:
        if not self.cost_usd or self.paid_usd is None:
            return "cost unknown"
        paid = f"{money(self.paid_usd)} paid now"
        if not self.unpriced:
            return f"{money(self.cost_usd)} ({paid})"
        return f"at least {money(self.cost_usd)} ({paid}, {self.unpriced:,} of unknown cost)"


def percentile(ordered: Sequence[float], percent: int) -> float | None:
    """Nearest rank: a value that was really measured; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]
