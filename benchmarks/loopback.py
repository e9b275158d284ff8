"""A judge's server for benchmarks: valid verdicts after a delay, or failures of every kind.

    python benchmarks/loopback.py [--delay-ms 50] [--faults 0.3]

The first line on stdout is the port. POST /v1/chat/completions answers with the JSON that the
request's schema asks for, always the same for the same request. GET /stats tells what was asked,
POST /reset forgets it. With faults, that share of attempts ends in one of FAULTS, in a random
order that depends only on the request and on how often it was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

HANG_S = 30.0  # longer than any client of a benchmark waits
HUGE = 2_000_000  # characters
Reply = dict[str, Any]


@dataclass
class Stats:
    """What the server saw since the last reset; times are of the machine's monotonic clock."""

    first_request: float | None = None
    last_reply: float | None = None
    attempts: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    first_verdict: dict[str, float] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    most_in_flight: int = 0

    def as_json(self) -> dict[str, Any]:
        """For GET /stats; ``asked_again`` has, for each request that was answered well more than
        once, the time of its first good answer."""
        again = [self.first_verdict[key] for key, count in self.verdicts.items() if count > 1]
        return {
            "attempts": self.attempts.total(),
            "different": len(self.attempts),
            "verdicts": self.verdicts.total(),
            "asked_again": again,
            "first_request": self.first_request,
            "last_reply": self.last_reply,
            "most_in_flight": self.most_in_flight,
            "outcomes": dict(self.outcomes),
        }


class Judge:
    """The handlers; one object a process."""

    def __init__(self, delay: float, faults: float) -> None:
        self._delay, self._share = delay, faults
        self.stats = Stats()

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/chat/completions."""
        stats = self.stats
        stats.first_request = stats.first_request or time.monotonic()
        stats.in_flight += 1
        stats.most_in_flight = max(stats.most_in_flight, stats.in_flight)
        try:
            return await self._answer(request, await request.read())
        finally:
            stats.in_flight -= 1
            stats.last_reply = time.monotonic()

    async def _answer(self, request: web.Request, raw: bytes) -> web.StreamResponse:
        key = hashlib.sha256(raw).hexdigest()
        self.stats.attempts[key] += 1
        kind = self._fault(key)
        self.stats.outcomes[kind or "verdict"] += 1
        body = make_reply(json.loads(raw), key, len(raw) // 4)
        await asyncio.sleep(self._delay)
        if kind:
            return await FAULTS[kind](request, body)
        self.stats.verdicts[key] += 1
        self.stats.first_verdict.setdefault(key, time.monotonic())
        return web.json_response(body)

    def _fault(self, key: str) -> str:
        if not self._share:
            return ""
        chance = random.Random(f"{key} {self.stats.attempts[key]}")
        return chance.choice(list(FAULTS)) if chance.random() < self._share else ""

    async def tell(self, request: web.Request) -> web.Response:
        """GET /stats."""
        return web.json_response(self.stats.as_json())

    async def reset(self, request: web.Request) -> web.Response:
        """POST /reset."""
        self.stats = Stats()
        return web.Response()


def make_reply(body: dict[str, Any], key: str, prompt_tokens: int) -> Reply:
    """A chat completion whose content fits the schema of the request."""
    schema = body["response_format"]["json_schema"]["schema"]
    text = json.dumps(fill(schema, int(key[:8], 16)))
    return {
        "id": f"chatcmpl-{key[:12]}",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "system_fingerprint": "loopback",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": len(text) // 4,
            "total_tokens": prompt_tokens + len(text) // 4,
            "prompt_tokens_details": {"cached_tokens": prompt_tokens // 2},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def fill(schema: dict[str, Any], seed: int) -> Any:
    """A value that the JSON schema allows."""
    if "enum" in schema:
        return schema["enum"][seed % len(schema["enum"])]
    if schema["type"] == "object":
        return {
            name: fill(each, seed + n)
            for n, (name, each) in enumerate(schema["properties"].items())
        }
    if schema["type"] == "array":
        return [fill(schema["items"], seed + n) for n in range(3)]
    if schema["type"] == "integer":
        low, high = schema.get("minimum", 0), schema.get("maximum", 10)
        return low + seed % (high - low + 1)
    return "The answer names the main points of the reference and leaves out two details." * 3


# --------------------------------------------------------------------------- failures

Fault = Callable[[web.Request, Reply], Awaitable[web.StreamResponse]]


def status(code: int, headers: dict[str, str] | None = None) -> Fault:
    """An HTTP error as an OpenAI-compatible server words it."""

    async def fail(request: web.Request, body: Reply) -> web.StreamResponse:
        error = {"error": {"message": f"failure {code}", "type": "server_error"}}
        return web.json_response(error, status=code, headers=headers)

    return fail


def content(change: Callable[[str], str | None], reason: str = "stop", **message: str) -> Fault:
    """A well-formed reply with another content."""

    async def fail(request: web.Request, body: Reply) -> web.StreamResponse:
        choice = body["choices"][0]
        choice["message"] |= {"content": change(choice["message"]["content"]), **message}
        choice["finish_reason"] = reason
        return web.json_response(body)

    return fail


def raw(change: Callable[[bytes], bytes]) -> Fault:
    """A reply whose bytes are no JSON."""

    async def fail(request: web.Request, body: Reply) -> web.StreamResponse:
        return web.Response(body=change(json.dumps(body).encode()), content_type="application/json")

    return fail


async def reset_in_mid_body(request: web.Request, body: Reply) -> web.StreamResponse:
    """Half of what was announced, and the connection is gone."""
    data = json.dumps(body).encode()
    response = web.StreamResponse(headers={"Content-Length": str(len(data))})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    if request.transport is not None:
        request.transport.abort()
    return response


async def hang(request: web.Request, body: Reply) -> web.StreamResponse:
    """No byte for longer than anybody waits."""
    await asyncio.sleep(HANG_S)
    return web.Response()


async def trickle(request: web.Request, body: Reply) -> web.StreamResponse:
    """A byte now and then, so that the connection never looks dead."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):  # whoever asked has gone
        for byte in json.dumps(body).encode():
            await response.write(bytes([byte]))
            await asyncio.sleep(0.2)
    return response


def not_a_number(text: str) -> str:
    """The last score is NaN, which JSON does not have."""
    return f"{text.rpartition(':')[0]}: NaN}}"


def twice(text: str) -> str:
    """The last key a second time."""
    last = text.rpartition(", ")[2].rstrip("}")
    return f"{text[:-1]}, {last}}}"


FAULTS: dict[str, Fault] = {
    "429 with Retry-After": status(429, {"Retry-After": "0.1"}),
    "429": status(429),
    "500": status(500),
    "503": status(503),
    "reset in mid-body": reset_in_mid_body,
    "hang": hang,
    "slow trickle": trickle,
    "truncated JSON": raw(lambda data: data[: len(data) // 2]),
    "not UTF-8": raw(lambda data: data.replace(b"answer", b"\xff\xfe\xff")),
    "wrong schema": content(lambda text: '{"verdict": "good"}'),
    "refusal": content(lambda text: None, refusal="I cannot judge this."),
    "empty content": content(lambda text: ""),
    "finish_reason length": content(lambda text: text[: len(text) // 2], reason="length"),
    "huge reply": content(lambda text: '{"reasoning": "' + "{[ " * (HUGE // 3)),
    "NaN": content(not_a_number),
    "duplicate keys": content(twice),
}
"""All of them end as an error, or are asked again; none of them is a verdict."""


async def serve(judge: Judge) -> None:
    """Until the process is ended."""
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v1/chat/completions", judge.complete)
    app.router.add_get("/stats", judge.tell)
    app.router.add_post("/reset", judge.reset)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    # ends with whoever started it: its end of our stdin is closed
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay-ms", type=float, default=50)
    parser.add_argument("--faults", type=float, default=0)
    chosen = parser.parse_args()
    asyncio.run(serve(Judge(chosen.delay_ms / 1e3, chosen.faults)))
