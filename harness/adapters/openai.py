"""Models behind an OpenAI-compatible server, through the `openai` client on aiohttp.

One client is shared by all requests (its aiohttp transport costs a seventh of the default one)
and lives on an event loop of its own thread, so that answers go on arriving while those that
arrived are committed. The key is read from the environment when the first request is sent; it is
replaced wherever a server sends it back. Whatever a server does, every request ends as an answer
or as a counted error.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TYPE_CHECKING

from harness.adapters.api_client import place_of, urls
from harness.adapters.api_frames import media_tokens, url_cannot
from harness.adapters.api_session import Answers, MayRepeat, Put, Session
from harness.adapters.api_wire import estimate, sent_text, text_tokens, why_not
from harness.collect.specs import ModelSpec, OpenAIModel
from harness.records import Completion, Request

if TYPE_CHECKING:
    from harness.media.source import MediaSource


class OpenAIAdapter:
    """Generation by an API; it gives no log-likelihood of a prompt, so nothing else is served."""

    def __init__(self, allow_code: bool = False, media: MediaSource | None = None) -> None:
        self.may_repeat: MayRepeat = lambda request: True
        """Asked before a request is sent again whose last attempt may have been charged."""
        self._session: Session | None = None
        self._media = media
        self._opening, self._closed = threading.Lock(), False

    @property
    def notes(self) -> tuple[str, ...]:
        """What the servers could not do, and what was asked again, and why."""
        session = self._session
        if session is None:
            return ()
        again = session.repeated.copy().most_common()  # other threads may be asking
        return (*session.refused, *(f"{count} times asked again: {why}" for why, count in again))

    def fingerprint(self, model: ModelSpec) -> str:
        """Hash of the name that is sent, the server's host and path, the API and the reply's form.

        What the server serves under that name is the server's secret; choose dated names.
        """
        card = _card(model)
        parts = ["openai", card.base, place_of(urls(card)[0]), card.api]
        if card.structured != "auto":
            parts.append(card.structured)
        if card.video != "frames":
            parts.append(f"video={card.video}")
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """An estimate: a token for every 4 characters; the server's tokenizer is not known.

        Frames count by their size (see `image_tokens`), as many as the settings and the file's
        header say; nothing is decoded.
        """
        card = _card(model)
        texts = [estimate(r) + sum(map(text_tokens, r.continuations)) for r in requests]
        return [n + media_tokens(card, r) for n, r in zip(texts, requests, strict=True)]

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """The text that is sent; of a chat, each turn below its role in brackets. Media are named
        in front of the text: ``[video: walk.mp4, fps=1]``."""
        card = _card(model)
        return [None if url_cannot(card, r) else sent_text(card, r) for r in requests]

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """Answers in the order in which they arrive, a few at a time.

        May be called from any thread, several times at once: all calls share one client and the
        card's limits. What a server does not take is left out, which stands in ``usage`` of each
        answer. ``latency_ms`` is the time of the request's last attempt. 408, 409, 429, 5xx
        and broken connections are tried again; what fails for good is an error completion. A reply
        that was read whole is never asked for again, and when the first requests of a form are all
        refused alike, the others are not asked. Raises ModelError if no request can succeed:
        no key or a wrong one, no such model, no such server.

        Media of requests with ``frames`` are decoded ahead, on threads, a few at a time; what
        cannot be decoded is an error completion. ``stages.generate_ms`` is ``latency_ms``.
        """
        card = _card(model)
        refused = {r.id: why for r in requests if (why := why_not(card, r) or url_cannot(card, r))}
        if refused:
            yield [Completion.of_error(r, refused[r.id]) for r in requests if r.id in refused]
        wanted = [r for r in requests if r.id not in refused]
        if not wanted:
            return
        answers: SimpleQueue[Answers] = SimpleQueue()
        asking = self._submit(card, wanted, answers.put)
        left = len(wanted)
        try:
            while left:
                batch = answers.get()
                if isinstance(batch, BaseException):
                    raise batch
                yield batch
                left -= len(batch)
        finally:
            asking.cancel()

    def close(self) -> None:
        """Drop what is in flight and close the connections, for good: a thread that asks on gets
        an error, not a client that nobody would close."""
        with self._opening:
            self._closed = True
            session, self._session = self._session, None
        if session:
            session.close()

    def _submit(self, card: OpenAIModel, wanted: Sequence[Request], put: Put) -> Future[None]:
        with self._opening:  # a session that is being closed takes nothing more
            if self._closed:
                raise RuntimeError("the adapter was closed")
            self._session = self._session or Session(
                card, lambda r: self.may_repeat(r), self._source
            )
            return self._session.submit(wanted, put)

    def _source(self) -> MediaSource:
        """The frames' source: the run's, or one of its own that keeps nothing."""
        from harness.media.source import MediaSource

        if self._media is None:
            self._media = MediaSource()
        return self._media


def _card(model: ModelSpec) -> OpenAIModel:
    if not isinstance(model, OpenAIModel):
        raise TypeError(f"not an openai card: {type(model).__name__}")
    return model
