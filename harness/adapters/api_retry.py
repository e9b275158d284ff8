"""What an API's failures mean: ask again, give up this request, or stop the run.

408, 409, 429, 5xx, time-outs and broken connections pass; 401, 403, 404, redirections and a spent
quota fail every request alike; anything else is about this one request. A reply with status 200
that was read whole has been paid for: whatever it says, it is never asked for again, by this run
or the next one.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from time import time

PASSING = frozenset({408, 409, 429})
FATAL = frozenset({301, 302, 303, 307, 308, 401, 403, 404})
REFUSES_FORM = frozenset({400, 422})  # what a server says to a parameter that it does not know
TOO_LONG = frozenset({400, 413, 422})
FIRST_DELAY, MAX_DELAY, MAX_RETRY_AFTER = 0.5, 30.0, 120.0  # seconds
FORM_WORDS = ("response_format", "json_schema", "json_object", "json schema", "structured output")
LOGPROB_WORDS = ("logprob",)
FILTERED = ("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation")
"""Codes of a 400 by which a provider declines to answer, as Azure and OpenAI say it."""
LONG_WORDS = ("context length", "maximum context", "context window", "context size", "too long")
"""How servers without a code for it say that a prompt does not fit."""
DROPPABLE = ("top_p", "seed", "temperature")
"""Parameters of each request that some models do not take; what they answer is an answer all the
same. One is left out at a time, in this order if a server names several."""
RENAMED = "max_tokens"
"""Where a server wants `max_completion_tokens`, it says so."""
UNSUPPORTED_CODES = ("unsupported_value", "unsupported_parameter", "unknown_parameter")
_UNSUPPORTED = re.compile(
    r"unsupported|not support|n't support|unrecogni[sz]ed|unknown|unexpected|not permitted"
    r"|not allowed|deprecated|cannot both|extra (?:inputs|fields)"
)
GATEWAY = frozenset({502, 504, 524})  # the model behind it may have answered, and be paid for it


class UnreadableReply(Exception):
    """The server said 200 and sent something else than a completion.

    ``paid``: it was the model's server that spoke, and it may charge for what it said. A page in
    HTML is a proxy's, and an `error` in place of a completion is a failure under a wrong number.
    """

    def __init__(self, what: str, *, paid: bool) -> None:
        super().__init__(what)
        self.paid = paid


def is_object(data: bytes) -> bool:
    """Whether a body, or its beginning, is JSON as an API sends it, well formed or not."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    ``passing``: it may go well another time. ``fatal``: it will go wrong for every request.
    ``unreachable``: no connection could be made. ``limited``: the server wants fewer requests.
    ``about_form`` and ``about_logprobs``: the server names what it cannot do; ``bad_request``: it
    may mean them. ``declined``: the provider will not have this answered, which is a refusal like
    one that a model writes. ``unsupported``: the parameter that the server says it does not take.
    ``uncertain``: the request was sent, and nobody knows whether it was answered and charged.
    ``paid``: a reply came, and nobody can read it. ``retry_after``: seconds the server asks for.
    """

    what: str
    kind: str
    passing: bool = False
    fatal: bool = False
    unreachable: bool = False
    limited: bool = False
    too_long: bool = False
    bad_request: bool = False
    about_form: bool = False
    about_logprobs: bool = False
    declined: bool = False
    unsupported: str = ""
    uncertain: bool = False
    paid: bool = False
    retry_after: float | None = None


def classify(error: Exception) -> Failure | None:
    """The meaning of an exception of the client; None if it is a bug of ours."""
    import aiohttp
    import httpx2
    import openai

    if isinstance(error, openai.APIStatusError):
        found = _of_status(error.status_code, error.code, _message(error), error.response.headers)
        return replace(found, unsupported=_unsupported(error)) if found.bad_request else found
    if isinstance(error, UnreadableReply | httpx2.DecodingError):
        paid = isinstance(error, UnreadableReply) and error.paid
        return Failure(f"unreadable reply: {error}", "unreadable reply", paid=paid)
    broken = openai.APIConnectionError | httpx2.TransportError | aiohttp.ClientError
    if isinstance(error, broken):
        return _of_connection(error)
    if isinstance(error, TimeoutError):
        return Failure("no answer in time", "timeout", passing=True, uncertain=True)
    return None


def backoff(attempt: int, retry_after: float | None, chance: float) -> float:
    """Seconds to wait before the attempt (counted from 1): doubling, jittered by 0 <= chance < 1.

    What the server asks for is kept to, up to MAX_RETRY_AFTER.
    """
    if retry_after is not None:
        return min(retry_after, MAX_RETRY_AFTER) + FIRST_DELAY * chance * (retry_after > 0)
    longest = FIRST_DELAY * 2 ** min(attempt - 1, 16)
    return float(min(MAX_DELAY, longest) * (0.5 + chance / 2))


def seconds_to_wait(text: str | None, now: float) -> float | None:
    """The value of a Retry-After header: seconds, or a date; None if it is neither."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _of_status(status: int, code: str | None, message: str, headers: object) -> Failure:
    get = getattr(headers, "get", dict[str, str]().get)
    spent = code == "insufficient_quota"
    words = message.lower()
    asked = seconds_to_wait(get("retry-after-ms"), 0)
    passing = (status in PASSING or status >= 500) and not spent
    return Failure(
        what=f"HTTP {status}: {message}",
        kind=f"HTTP {status}",
        passing=passing,
        fatal=status in FATAL or spent,
        limited=status == 429 and passing,
        too_long=code == "context_length_exceeded"
        or (status in TOO_LONG and any(word in words for word in LONG_WORDS)),
        uncertain=status in GATEWAY,
        bad_request=status in REFUSES_FORM and code not in FILTERED,
        declined=status == 400 and code in FILTERED,
        # llama-cpp-python says 500 to a form it does not know
        about_form=status >= 400 and any(word in words for word in FORM_WORDS),
        about_logprobs=status >= 400 and any(word in words for word in LOGPROB_WORDS),
        retry_after=seconds_to_wait(get("retry-after"), time()) if asked is None else asked / 1e3,
    )


def _message(error: Exception) -> str:
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else str(error)


def _unsupported(error: Exception) -> str:
    """The parameter that a refused request can do without; "" if the server names none."""
    message = _message(error).lower()
    if getattr(error, "code", None) not in UNSUPPORTED_CODES and not _UNSUPPORTED.search(message):
        return ""
    named = [getattr(error, "param", None)]
    named += [each for each in DROPPABLE if re.search(rf"\b{each}\b", message)]
    if "max_completion_tokens" in message:
        named.append(RENAMED)
    return next((each for each in named if each in (*DROPPABLE, RENAMED)), "")


def _of_connection(error: Exception) -> Failure:
    import aiohttp

    causes: list[BaseException] = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    reason = str(causes[-1]) or type(causes[-1]).__name__
    # by aiohttp's own error: the client above it calls a refused connection a time-out
    refused = aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError
    unreachable = any(isinstance(cause, refused) for cause in causes)
    kind = "no connection" if unreachable else "broken connection"
    return Failure(
        f"{kind}: {reason}",
        kind,
        passing=True,
        unreachable=unreachable,
        uncertain=not unreachable,
    )
