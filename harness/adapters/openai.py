"""Models behind an OpenAI-compatible server, through the `openai` client on aiohttp.

One client is shared by all requests (its aiohttp transport costs a seventh of the default one)
and lives on an event loop of its own thread, so that answers go on arriving while those that
arrived are committed. The key is read from the environment when the first request is sent; it is
replaced wherever a server sends it back.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.adapters.api_retry import Failure, backoff, classify
from harness.adapters.api_wire import make_body, prompt_text, read_reply, sent_text, why_not
from harness.collect.specs import ModelSpec, OpenAIModel
from harness.errors import ModelError
from harness.records import Completion, Request
from harness.tasks.rows import shown

if TYPE_CHECKING:
    from openai import AsyncOpenAI

DEFAULT_URL = "https://api.openai.com/v1"
BATCH = 64  # completions that are handed on, and so committed, together
SHORTEST_KEY = 8  # a shorter "key" is no secret, and could be a word of an answer
CHARACTERS_A_TOKEN = 4

Answer = Completion | BaseException


class OpenAIAdapter:
    """Generation by an API; it gives no log-likelihood of a prompt, so nothing else is served."""

    def __init__(self, allow_code: bool = False) -> None:
        self._session: Session | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was asked again, and why."""
        again = self._session.repeated if self._session else Counter[str]()
        return tuple(f"{count} times asked again: {why}" for why, count in again.most_common())

    def fingerprint(self, model: ModelSpec) -> str:
        """Hash of the name that is sent, the server's host and the API.

        What the server serves under that name is the server's secret; choose dated names.
        """
        card = _card(model)
        parts = ["openai", card.base, _host(card), card.api]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """An estimate: a token for every 4 characters; the server's tokenizer is not known."""
        return [
            -(-len(prompt_text(request)) // CHARACTERS_A_TOKEN)
            + sum(-(-len(text) // CHARACTERS_A_TOKEN) for text in request.continuations)
            for request in requests
        ]

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """The text that is sent; of a chat, each turn below its role in brackets."""
        card = _card(model)
        return [sent_text(card, request) for request in requests]

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """Answers in the order in which they arrive, a few at a time.

        ``latency_ms`` is the time of the request's last attempt. 408, 409, 429, 5xx and broken
        connections are tried again; what fails for good is an error completion. Raises ModelError
        if no request can succeed: no key or a wrong one, no such model, no such server.
        """
        card = _card(model)
        refused = {r.id: why for r in requests if (why := why_not(card, r))}
        if refused:
            yield [Completion.of_error(r, refused[r.id]) for r in requests if r.id in refused]
        wanted = [r for r in requests if r.id not in refused]
        if not wanted:
            return
        self._session = self._session or Session(card)
        answers: SimpleQueue[Answer] = SimpleQueue()
        asking = self._session.submit(wanted, answers.put)
        try:
            yield from _batches(answers, len(wanted))
        finally:
            asking.cancel()

    def close(self) -> None:
        """Drop what is in flight and close the connections."""
        if self._session:
            self._session.close()
            self._session = None


class Session:
    """One client and its event loop, which runs in a thread until `close`."""

    def __init__(self, card: OpenAIModel) -> None:
        self._card, self._key = card, _read_key(card)
        self.repeated: Counter[str] = Counter()
        self._reached = False  # whether the server has ever said anything
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = self._wait_for(self._open())

    def submit(self, requests: Sequence[Request], put: Callable[[Answer], None]) -> Future[None]:
        """Ask all; each answer is put as it arrives, an exception if it cannot go on."""
        return asyncio.run_coroutine_threadsafe(self._ask_all(requests, put), self._loop)

    def close(self) -> None:
        """Stop everything and release the sockets."""
        self._wait_for(self._shut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait_for(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _open(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI, DefaultAioHttpClient

        return AsyncOpenAI(
            api_key=self._key or "none",
            base_url=_url(self._card),
            max_retries=0,
            timeout=self._card.timeout_s,
            http_client=DefaultAioHttpClient(),
        )

    async def _shut(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    async def _ask_all(self, requests: Sequence[Request], put: Callable[[Answer], None]) -> None:
        waiting = iter(requests)

        async def work() -> None:
            for request in waiting:
                put(await self._ask(request))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._card.max_concurrency, len(requests))):
                    group.create_task(work())
        except BaseExceptionGroup as failed:
            put(failed.exceptions[0])

    async def _ask(self, request: Request) -> Completion:
        """One request to its answer or its counted failure, tried again where that can help."""
        attempt = 0
        while True:
            attempt += 1
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self._card.timeout_s):
                    reply = await self._send(request)
                done = read_reply(request, reply)
                self._reached = True
                return self._without_key(done, (time.perf_counter() - started) * 1e3)
            except Exception as error:
                failure = classify(error)
                if failure is None:
                    raise  # a bug: shown with its traceback
            self._reached |= not failure.unreachable
            last = attempt > self._card.max_retries or not failure.passing
            if failure.fatal or (last and not self._reached):
                raise ModelError(self._fatal(failure))
            if last:
                tries = f" (asked {attempt} times)" if attempt > 1 else ""
                skipped = failure.too_long and request.settings.truncate == "skip"
                what = self._clean(failure.what) + tries
                return Completion.of_error(request, what, skipped=skipped)
            self.repeated[failure.kind] += 1
            await asyncio.sleep(backoff(attempt, failure.retry_after, random.random()))

    async def _send(self, request: Request) -> Any:
        body = make_body(self._card, request)
        if self._card.api == "completions":
            return await self._client.completions.create(**body)
        return await self._client.chat.completions.create(**body)

    def _without_key(self, done: Completion, milliseconds: float) -> Completion:
        error = None if done.error is None else self._clean(done.error)
        return replace(done, text=self._hide(done.text), error=error, latency_ms=milliseconds)

    def _fatal(self, failure: Failure) -> str:
        variable = self._card.key_variable
        key = f"the key in {variable}" if variable else "api_key_env: no key was sent"
        hints = {"HTTP 401": f" (check {key})", "HTTP 403": f" (check {key})"}
        hints["HTTP 404"] = f" (check base '{self._card.base}' and base_url)"
        where = f"model '{self._card.model}': {_host(self._card)}"
        return f"{where}: {self._clean(failure.what)}{hints.get(failure.kind, '')}"

    def _clean(self, text: str) -> str:
        return shown(self._hide(text), 300)

    def _hide(self, text: str) -> str:
        return text.replace(self._key, "[key]") if len(self._key) >= SHORTEST_KEY else text


def _card(model: ModelSpec) -> OpenAIModel:
    if not isinstance(model, OpenAIModel):
        raise TypeError(f"not an openai card: {type(model).__name__}")
    return model


def _url(card: OpenAIModel) -> str:
    return card.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL


def _host(card: OpenAIModel) -> str:
    """Host and port, without a password that may stand in an address."""
    return urlsplit(_url(card)).netloc.rpartition("@")[2]


def _read_key(card: OpenAIModel) -> str:
    if card.key_variable is None:
        return ""
    key = os.environ.get(card.key_variable, "").strip()
    if not key:
        what = f"environment variable {card.key_variable} is not set"
        raise ModelError(f"model '{card.model}': {what} (a server without keys: api_key_env: null)")
    if not (key.isascii() and key.isprintable()):
        raise ModelError(f"model '{card.model}': {card.key_variable} does not hold a key")
    return key


def _batches(answers: SimpleQueue[Answer], count: int) -> Iterator[list[Completion]]:
    """What has arrived, as soon as something has; then the exception, if there is one."""
    while count:
        arrived = [answers.get()]
        while len(arrived) < BATCH and not answers.empty():
            arrived.append(answers.get())
        batch = [answer for answer in arrived if isinstance(answer, Completion)]
        if batch:
            yield batch
        for answer in arrived:
            if isinstance(answer, BaseException):
                raise answer
        count -= len(batch)
