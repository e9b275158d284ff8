"""An OpenAI-compatible server that answers, or fails, as a test says: real HTTP on the loopback.

    with FaultServer() as server:
        server.play = lambda asked: "reset" if asked.attempt == 1 else "ok"
        ...
        assert server.whole["the prompt"] == 1

`FAULTS` names what it can do beside "ok"; `at_random` plays a share of them, the same ones each
time for the same prompts. `answer` makes the text of a reply: by default an echo of the prompt, or
the smallest JSON of the schema that was asked for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web

TRANSPORT_FAULTS = ("429", "429 retry-after", "500", "503", "reset", "hang", "trickle")
"""No whole reply arrives: asking again is right."""
REPLY_FAULTS = (
    "truncated",
    "wrong schema",
    "refusal",
    "empty",
    "length",
    "nan",
    "duplicate keys",
    "not utf-8",
    "huge",
)
"""Status 200: it was paid for, asking again would be paying again."""
FAULTS = TRANSPORT_FAULTS + REPLY_FAULTS
RETRY_AFTER = 0.2  # seconds
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@dataclass(frozen=True)
class Asked:
    """One request that arrived."""

    number: int  # of all, from 0
    attempt: int  # of this prompt, from 1
    prompt: str  # the text of all turns
    body: dict[str, Any]
    path: str
    headers: dict[str, str]  # names in lower case
    at: float  # time.monotonic()


def fill(schema: dict[str, Any]) -> Any:
    """The smallest value of a JSON schema, as far as judges' schemas go."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: fill(part) for name, part in schema["properties"].items()}
    if kind == "array":
        return [fill(schema["items"])]
    return schema.get("minimum", 1) if kind in ("integer", "number") else "because"


def echo(asked: Asked) -> str:
    """The prompt, or JSON of the schema that was asked for."""
    wanted = asked.body.get("response_format", {})
    if wanted.get("type") == "json_schema":
        return json.dumps(fill(wanted["json_schema"]["schema"]))
    return "{}" if wanted.get("type") == "json_object" else f"echo {asked.prompt}"


def envelope(text: object, reason: str = "stop", **message: object) -> dict[str, Any]:
    """A chat completion."""
    said = {"role": "assistant", "content": text, **message}
    choice = {"index": 0, "finish_reason": reason, "message": said}
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "served-1"}
    return body | {"system_fingerprint": "fp_1", "choices": [choice], "usage": USAGE}


def at_random(share: float, seed: int = 0, faults: tuple[str, ...] = FAULTS) -> Play:
    """That share of attempts fails, in ways that depend on prompt, attempt and seed only."""

    def play(asked: Asked) -> str:
        words = f"{seed}/{asked.attempt}/{asked.prompt}".encode()
        chance = int.from_bytes(hashlib.sha256(words).digest()[:8], "big") / 2**64
        return faults[int(chance / share * len(faults))] if chance < share else "ok"

    return play


Play = Callable[[Asked], str | web.Response]


class FaultServer:
    """Runs in a thread of its own while the ``with`` lasts."""

    def __init__(self) -> None:
        self.play: Play = lambda asked: "ok"
        self.answer: Callable[[Asked], str] = echo
        self.reply: Callable[[Asked], dict[str, Any]] = lambda asked: envelope(self.answer(asked))
        self.delay = 0.0  # seconds before each answer
        self.hold: Callable[[Asked], bool] = lambda asked: False  # as long as it says so, too
        self.asked: list[Asked] = []
        self.whole: Counter[str] = Counter()  # prompt -> replies with 200 that were sent whole
        self.busy = self.most_busy = 0
        self.port = 0
        self._attempts: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/v1"

    def __enter__(self) -> FaultServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *unused: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_post("/{path:.*}", self._handle)
        self._over = asyncio.Event()
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        self._over.set()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        asked = self._noted(request, await request.json())
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            if self.delay:
                await asyncio.sleep(self.delay)
            while self.hold(asked) and not self._over.is_set():
                await asyncio.sleep(0.02)
            return await self._played(request, asked)
        finally:
            self.busy -= 1

    def _noted(self, request: web.Request, body: dict[str, Any]) -> Asked:
        prompt = body.get("prompt") or "\n".join(texts(body["messages"]))
        self._attempts[prompt] += 1
        headers = {name.lower(): value for name, value in request.headers.items()}
        number, attempt = len(self.asked), self._attempts[prompt]
        asked = Asked(number, attempt, prompt, body, request.path, headers, time.monotonic())
        self.asked.append(asked)
        return asked

    async def _played(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        fault = self.play(asked)
        if isinstance(fault, web.Response):
            return fault
        if fault[:3] in ("429", "500", "503"):
            headers = {"Retry-After": str(RETRY_AFTER)} if "retry-after" in fault else {}
            message = {"error": {"message": f"fault {fault}", "code": None, "type": "x"}}
            return web.json_response(message, status=int(fault[:3]), headers=headers)
        if fault == "hang":
            await self._over.wait()
            return web.Response(status=503)
        if fault == "huge":
            return await self._send(request, endless(), pause=0.0)
        data = self._data(fault, asked)
        if fault == "trickle":
            return await self._send(request, (bytes([byte]) for byte in data), pause=0.05)
        if fault == "reset":
            return await self._reset(request, data)
        self.whole[asked.prompt] += 1
        return web.Response(body=data, content_type="application/json")

    def _data(self, fault: str, asked: Asked) -> bytes:
        text = self.answer(asked)
        changed = {
            "wrong schema": envelope('{"verdict": "excellent"}'),
            "refusal": envelope(None, refusal="I will not."),
            "empty": envelope(""),
            "length": envelope(text[: len(text) // 2], "length"),
            "nan": envelope('{"score": NaN}'),
            "duplicate keys": envelope('{"score": 1, "score": 5}'),
        }
        data = json.dumps(changed.get(fault) or self.reply(asked)).encode()
        if fault == "truncated":
            return data[: len(data) // 2]
        return data.replace(b"echo", b"\xe9cho", 1) + b"\xff" if fault == "not utf-8" else data

    async def _send(
        self, request: web.Request, parts: Iterator[bytes], pause: float
    ) -> web.StreamResponse:
        """A reply in chunks, until it ends or nobody listens."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            for part in parts:
                await response.write(part)
                await asyncio.sleep(pause)
                if self._over.is_set():
                    break
        except ConnectionError:
            pass
        return response

    async def _reset(self, request: web.Request, data: bytes) -> web.StreamResponse:
        """Half a reply, and the connection is gone."""
        response = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await response.prepare(request)
        await response.write(data[: len(data) // 2])
        if request.transport:
            request.transport.abort()
        return response


def texts(messages: list[dict[str, Any]]) -> Iterator[str]:
    """The text of each turn."""
    for message in messages:
        content = message["content"]
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        yield "".join(part["text"] for part in parts if part["type"] == "text")


def endless() -> Iterator[bytes]:
    """A reply of 256 MB, if somebody reads it."""
    yield b'{"choices": [{"message": {"content": "'
    for _ in range(4096):
        yield b"x" * 65536
