"""The `openai` client on aiohttp, its servers and its key; what is sent and read, byte for byte."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.adapters.api_retry import UnreadableReply, is_object
from harness.collect.specs import URL, OpenAIModel
from harness.errors import ModelError
from harness.records import Completion
from harness.tasks.rows import shown

if TYPE_CHECKING:
    from openai import AsyncOpenAI

DEFAULT_URL = "https://api.openai.com/v1"
PATHS = {"chat": "/chat/completions", "completions": "/completions"}
CONNECT_SECONDS = 10.0  # a server that does not even accept is not waited for longer
MAX_REPLY_BYTES = 16 << 20  # 4,000 tokens with 20 alternatives each take 6 MB
MAX_FAILURE_BYTES = 64 << 10  # of what comes with another status than 200
SHORTEST_KEY = 8  # a shorter "key" is no secret, and could be a word of an answer
MAX_ERROR = 300  # characters


@dataclass(frozen=True, repr=False)
class Secret:
    """The key of a card; it is replaced wherever a server sends it back."""

    key: str

    @classmethod
    def of(cls, card: OpenAIModel) -> Secret:
        """Read from the environment, empty if none is to be sent; ModelError if it is not there."""
        if card.key_variable is None:
            return cls("")
        key = os.environ.get(card.key_variable, "").strip()
        if not key:
            what = f"environment variable {card.key_variable} is not set"
            hint = "a server without keys: api_key_env: null"
            raise ModelError(f"model '{card.model}': {what} ({hint})")
        if not (key.isascii() and key.isprintable()):
            raise ModelError(f"model '{card.model}': {card.key_variable} does not hold a key")
        return cls(key)

    def hide(self, text: str) -> str:
        """The text without the key, also where it is written with the escapes of JSON: whoever
        reads the text as JSON would have the key again."""
        if len(self.key) < SHORTEST_KEY:
            return text
        text = text.replace(self.key, "[key]")
        return self._escaped.sub("[key]", text) if "\\" in text else text

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        """The key, each character as it is, or as JSON may escape it."""
        ways = (rf"(?:{re.escape(c)}|\\u00{ord(c):02x}|\\{re.escape(c)})" for c in self.key)
        return re.compile("".join(ways), re.IGNORECASE)

    def clean(self, text: str) -> str:
        """The text without the key, as one short line."""
        return shown(self.hide(text), MAX_ERROR)

    def without(self, done: Completion) -> Completion:
        """The completion without the key; log-probabilities of a text that held it go with it."""
        usage, tokens = done.usage, done.token_logprobs
        if usage:
            usage = replace(usage, served=self.hide(usage.served))
        texts = (text for token in tokens for text, _ in ((token.token, 0), *token.alternatives))
        if self.hide(done.text) != done.text or any(self.hide(text) != text for text in texts):
            tokens = ()
        return replace(
            done,
            text=self.hide(done.text),
            error=None if done.error is None else self.clean(done.error),
            usage=usage,
            token_logprobs=tokens,
        )


def urls(card: OpenAIModel) -> list[str]:
    """The base_urls of all replicas, each once; ModelError if the environment's is none."""
    first = card.base_url or os.environ.get("OPENAI_BASE_URL") or DEFAULT_URL
    if not re.fullmatch(URL, first):  # never shown: a password may stand in it
        what = "OPENAI_BASE_URL is no URL such as http://localhost:8000/v1"
        raise ModelError(f"model '{card.model}': {what} (or give the card a base_url)")
    return list(dict.fromkeys(url.rstrip("/") for url in (first, *card.replicas)))


def host_of(url: str) -> str:
    """Host and port, without a password that may stand in an address."""
    return urlsplit(url).netloc.rpartition("@")[2]


def place_of(url: str) -> str:
    """Host, port and path: one host may serve several APIs, each below a path of its own."""
    return host_of(url) + urlsplit(url).path.rstrip("/")


def open_client(card: OpenAIModel, secret: Secret, most: int) -> AsyncOpenAI:
    """The one client of all requests, for so many at once; belongs to the running event loop."""
    import httpx2
    from openai import AsyncOpenAI, DefaultAioHttpClient

    timeout = httpx2.Timeout(None, connect=CONNECT_SECONDS)  # the rest is the session's
    client = AsyncOpenAI(
        api_key=secret.key or "none",
        base_url=urls(card)[0],
        max_retries=0,
        timeout=timeout,
        default_headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
        http_client=DefaultAioHttpClient(
            timeout=timeout,
            limits=httpx2.Limits(max_connections=most),
            follow_redirects=False,  # prompts and keys go where the card says, nowhere else
            event_hooks={"response": [_shorten_failure]},
        ),
    )
    if card.base_url is not None:  # who the user is at OpenAI is nobody else's business
        client.organization = client.project = None
    return client


async def post(client: AsyncOpenAI, url: str, body: bytes) -> bytes:
    """The whole body of a reply with status 200; raises what `classify` understands."""
    import httpx2

    options: Any = {"stream": True}  # the body is read below, up to a limit
    response: httpx2.Response = await client.post(
        url, cast_to=httpx2.Response, content=body, **options
    )
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > MAX_REPLY_BYTES:
                paid = is_object(b"".join([*chunks, chunk])[:1024])
                raise UnreadableReply(f"longer than {MAX_REPLY_BYTES >> 20} MB", paid=paid)
            chunks.append(chunk)
    finally:
        await response.aclose()
    return b"".join(chunks)


async def _shorten_failure(response: Any) -> None:
    """A failure's body is read whole by the client: let it end soon."""
    if response.status_code != 200:
        response.stream = _beginning_of(response.stream)


def _beginning_of(stream: Any) -> Any:
    import httpx2

    class Beginning(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = MAX_FAILURE_BYTES
            async for chunk in stream:
                yield chunk[:left]
                left -= len(chunk)
                if left <= 0:
                    return

        async def aclose(self) -> None:
            await stream.aclose()

    return Beginning()
