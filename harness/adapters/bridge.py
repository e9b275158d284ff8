"""Systems that pin old libraries: a worker under the user's own interpreter, behind a pipe.

Frames are decoded and sampled here, so that every system sees the same ones, and go to the worker
as pictures with their timestamps. A worker that dies, hangs or talks nonsense costs the requests
it had, and no others: it is restarted. See docs/bridges.md.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.adapters import bridge_files as files
from harness.adapters.bridge_protocol import Reply, clip_message, conversation, start_message
from harness.adapters.bridge_talk import Item, Talk, Told
from harness.adapters.decode import cut
from harness.collect.specs import BridgeModel, ModelSpec
from harness.errors import MediaError
from harness.media.source import MediaSource, Seen
from harness.records import Completion, Request, Stages

CHARS_PER_TOKEN = 4
WAITING_BATCHES = 4
"""So many batches' worth of clips may wait for others of their length."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be sent, and what getting there took."""

    item: Item
    seen: Seen
    encode_ms: float

    @property
    def shape(self) -> tuple[object, ...]:
        """Equal for requests that may go together."""
        counts = tuple(len(clip.frames) for clip in self.seen.clips)
        return (counts, self.item.request.output_type, self.item.request.settings)


class BridgeAdapter:
    """One worker at a time; it is started by the first request and lives until ``close``."""

    def __init__(self, allow_code: bool = False, media: MediaSource | None = None) -> None:
        self._allow_code = allow_code
        self._media = media or MediaSource()
        self._talk: Talk | None = None
        self._told, self._extra = Told(), dict[str, None]()
        self.peak_memory_mb: float | None = None
        """What the worker said it took at most: of CUDA, or of its process; MB are 10^6 bytes."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened beside answers: restarts, lines that were no messages, late answers."""
        return (*self._extra, *self._told.notes())

    def fingerprint(self, model: ModelSpec) -> str:
        """Hash of the card's settings, the worker's text, the weights and the library versions.

        Raises ModelError if the interpreter, the worker or a folder is missing.
        """
        card = _card(model)
        return files.fingerprint(card, files.find_files(card, self._allow_code))

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """An estimate: a token for every 4 characters; frames are not counted."""
        card = _card(model)
        texts = ["".join((_shown(card, r), *r.continuations)) for r in requests]
        return [-(-len(text) // CHARS_PER_TOKEN) for text in texts]

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """System prompt and turns, each below its role in brackets; the worker's conversation
        template puts its own marks around them."""
        card = _card(model)
        return [_shown(card, request) for request in requests]

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """Answers in batches of equal frame counts, at most the card's ``batch_size``.

        Raises ModelError if the worker cannot be started at all.
        """
        card = _card(model)
        talk = self._open(card) if requests else None
        wanted: list[Request] = []
        for request in requests:
            why = _why_not(request, talk)
            if why:
                yield [Completion.of_error(request, why)]
            else:
                wanted.append(request)
        if talk is None or not wanted:
            return
        if card.batch_size > 1 and "batch" not in talk.open().capabilities:
            note = f"batch_size {card.batch_size}: worker '{talk.open().worker}' takes one"
            self._extra[f"{note} request at a time"] = None
        for group in self._groups(talk, wanted):
            if isinstance(group, Completion):
                yield [group]
            else:
                yield self._ask(talk, group)

    def close(self) -> None:
        """End the worker and all that it started."""
        if self._talk is not None:
            self._talk.close()
            self._talk = None

    def _open(self, card: BridgeModel) -> Talk:
        found = files.find_files(card, self._allow_code)
        known = self._talk
        same = known is not None and known.files == found
        if known is None or not same or known.start != start_message(card, found.base, found.lora):
            self.close()
            known = self._talk = Talk(card, found, self._told)
        known.card = card
        known.open()
        return known

    def _ask(self, talk: Talk, group: Sequence[Prepared]) -> list[Completion]:
        began = time.perf_counter()
        replies = talk.ask([ready.item for ready in group])
        each_ms = (time.perf_counter() - began) * 1e3 / len(group)
        most = max((self.peak_memory_mb or 0.0, *(reply.memory_mb for reply in replies)))
        self.peak_memory_mb = most or None
        return [_completion(*pair, each_ms) for pair in zip(group, replies, strict=True)]

    def _groups(
        self, talk: Talk, requests: Sequence[Request]
    ) -> Iterator[list[Prepared] | Completion]:
        """What goes together, as soon as there is enough of it; what cannot be shown, by itself."""
        size = talk.card.batch_size if "batch" in talk.open().capabilities else 1
        waiting: dict[tuple[object, ...], list[Prepared]] = {}
        for request, seen in self._media.clips(requests):
            if isinstance(seen, MediaError):
                yield Completion.of_error(request, str(seen))
                continue
            ready = _prepared(request, seen, talk.card.frames_as)
            group = waiting.setdefault(ready.shape, [])
            group.append(ready)
            if len(group) >= size:
                yield waiting.pop(ready.shape)
            elif sum(map(len, waiting.values())) >= WAITING_BATCHES * size:
                yield waiting.pop(max(waiting, key=lambda shape: len(waiting[shape])))
        yield from waiting.values()


def _card(model: ModelSpec) -> BridgeModel:
    if not isinstance(model, BridgeModel):
        raise TypeError(f"not a bridge card: {type(model).__name__}")
    return model


def _why_not(request: Request, talk: Talk | None) -> str:
    """Why a request is not even sent; empty if it is."""
    if request.output_type == "perplexity":
        return "a bridge model gives no perplexity: output_type must be generate or choices"
    if talk is None or request.output_type in talk.open().capabilities:
        return ""
    name = talk.open().worker
    if request.output_type == "choices":
        return f"worker '{name}' gives no log-likelihoods: set `answer: letter` in the task"
    return f"worker '{name}' does not generate: set `answer: likelihood` in the task"


def _shown(card: BridgeModel, request: Request) -> str:
    system, turns = conversation(request, card.system)
    parts = [("system", system)] if system else []
    return "\n".join(f"[{role}]\n{content}" for role, content in [*parts, *turns])


def _prepared(request: Request, seen: Seen, frames_as: str) -> Prepared:
    began = time.perf_counter()
    clips = tuple(clip_message(clip, frames_as) for clip in seen.clips)
    return Prepared(Item(request, clips), seen, (time.perf_counter() - began) * 1e3)


def _completion(ready: Prepared, reply: Reply, took_ms: float) -> Completion:
    request = ready.item.request
    if reply.error is not None:
        return Completion.of_error(request, reply.error)
    stages = _stages(ready, reply, took_ms)
    if request.output_type == "choices":
        return Completion(
            request.id,
            finish_reason="scored",
            prompt_tokens=reply.prompt_tokens,
            logprobs=reply.logprobs,
            logprob_tokens=reply.tokens,
            latency_ms=took_ms,
            stages=stages,
            frame_times=ready.seen.times,
        )
    text, stopped = cut(reply.text, request.settings.stop)
    return Completion(
        request.id,
        text,
        "length" if reply.finish == "length" and not stopped else "stop",
        reply.prompt_tokens,
        reply.completion_tokens,
        latency_ms=took_ms,
        stages=stages,
        frame_times=ready.seen.times,
    )


def _stages(ready: Prepared, reply: Reply, took_ms: float) -> Stages:
    """As the worker measured them; if it did not, all but its preprocessing is generation."""
    told = reply.stages
    preprocess = told.get("preprocess", 0.0)
    generate = told.get("generate", max(0.0, took_ms - preprocess - told.get("prefill", 0.0)))
    return Stages(
        decode_ms=ready.seen.decode_ms,
        preprocess_ms=ready.encode_ms + preprocess,
        prefill_ms=told.get("prefill", 0.0),
        generate_ms=generate,
        frames=len(ready.seen.times),
    )
