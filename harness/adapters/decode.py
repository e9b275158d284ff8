"""Free generation: our own loop over the model, with rows that leave when they are finished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from harness.adapters.engine import Context, Engine, read_context
from harness.adapters.kv import keep_rows
from harness.adapters.prompts import Ready
from harness.adapters.sampling import draw, generator
from harness.adapters.tokenizer import TextTokenizer
from harness.records import Completion, FinishReason, Stages

if TYPE_CHECKING:
    import torch
    from transformers import Cache

FIRST_ROOM = 64
"""Columns for answers that the first buffer has room for; it grows if they are longer."""
KEEP_BELOW = 0.75
"""Rows are dropped from the batch once so few are left: each time costs a copy of the rest."""
LONGEST_CHARACTER = 8
"""Tokens that one character may be spread over; after so many, broken bytes are taken as text."""
NOT_FINITE = "the model's logits are not finite (NaN or infinity)"


@dataclass
class Row:
    """One answer in the making."""

    ready: Ready
    tokenizer: TextTokenizer
    ends: frozenset[int]
    chance: Random | None
    ids: list[int] = field(default_factory=list)
    reason: FinishReason | None = None
    began: float | None = None
    """When the first token was known, on the clock of `time.perf_counter`."""
    _seen: int = 0
    _read: int = 0
    _tail: str = ""

    @classmethod
    def of(cls, ready: Ready, tokenizer: TextTokenizer, eos: frozenset[int]) -> Row:
        """A row that has answered nothing yet."""
        ends = eos | tokenizer.stop_ids(ready.request.settings.stop)
        return cls(ready, tokenizer, ends, generator(ready.request, ready.ids))

    def add(self, token: int, finite: bool) -> None:
        """Take the next token, and finish if it ends the answer."""
        settings = self.ready.request.settings
        if self.began is None:
            self.began = time.perf_counter()
        if not finite:
            self.reason = "error"
        elif token in self.ends:
            self.reason = "stop"
        else:
            self.ids.append(token)
            if settings.stop and self._stops(settings.stop):
                self.reason = "stop"
            elif len(self.ids) >= settings.max_new_tokens:
                self.reason = "length"

    def completion(self, latency_ms: float, stages: Stages | None = None) -> Completion:
        """The answer, cut before the first stop string."""
        ready = self.ready
        prompt_tokens = len(ready.ids)
        if self.reason == "error":
            return Completion.of_error(ready.request, NOT_FINITE, prompt_tokens=prompt_tokens)
        text, stopped = cut(self.tokenizer.decode(self.ids), ready.request.settings.stop)
        return Completion(
            ready.request.id,
            text=text,
            finish_reason="stop" if stopped else self.reason or "length",
            prompt_tokens=prompt_tokens,
            completion_tokens=len(self.ids),
            truncated=ready.truncated,
            latency_ms=latency_ms,
            stages=stages,
        )

    def _stops(self, stop: tuple[str, ...]) -> bool:
        """Whether the text so far holds a stop string; looks at the new end of it only."""
        old = self.tokenizer.decode(self.ids[self._seen : self._read])
        new = self.tokenizer.decode(self.ids[self._seen :])
        if new.endswith("\ufffd") and len(self.ids) - self._read < LONGEST_CHARACTER:
            return False  # a character whose bytes are not all here yet
        self._seen, self._read = self._read, len(self.ids)
        window = self._tail + new[len(old) :]
        self._tail = window[max(0, len(window) - max(map(len, stop))) :]
        if not any(text in window for text in stop):
            return False
        # the pieces only raised the suspicion: the whole text decides, and is cut
        return cut(self.tokenizer.decode(self.ids), stop)[1]


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string, and whether there was one."""
    places = [place for place in (text.find(mark) for mark in stop if mark) if place >= 0]
    return (text[: min(places)], True) if places else (text, False)


def generate(
    engine: Engine, tokenizer: TextTokenizer, batch: Sequence[Ready], prefix: Cache | None
) -> list[Completion]:
    """Answer a batch of `generate` requests; completions in the batch's order."""
    import torch

    started = time.perf_counter()
    rows = [Row.of(ready, tokenizer, engine.eos) for ready in batch]
    with torch.inference_mode():
        if engine.support == "padded":
            _decode_padded(engine, rows, prefix)
        else:
            _decode_equal(engine, rows)
    ended = time.perf_counter()
    latency = (ended - started) * 1000 / len(rows)
    stages = _stages(started, rows, ended)
    return [row.completion(latency, stages) for row in rows]


def _stages(started: float, rows: Sequence[Row], ended: float) -> Stages:
    """Up to the first token, which has been fetched from the device by then, and from there on."""
    first = min((row.began for row in rows if row.began is not None), default=ended)
    return Stages(
        prefill_ms=(first - started) * 1e3 / len(rows),
        generate_ms=(ended - first) * 1e3 / len(rows),
    )


def _decode_padded(engine: Engine, rows: list[Row], prefix: Cache | None) -> None:
    longest = max(row.ready.request.settings.max_new_tokens for row in rows)
    sequences = [row.ready.ids for row in rows]
    go_on(engine, rows, read_context(engine, sequences, prefix, min(longest, FIRST_ROOM)))


def go_on(engine: Engine, rows: list[Row], context: Context) -> None:
    """Let each row answer behind its prompt, until all have finished.

    ``context.lengths`` are taken as the positions of the next tokens.
    """
    import torch

    live = rows
    logits, mask, positions = context.logits, context.mask, context.lengths[:, None]
    while True:
        tokens = _advance(live, logits)
        left = [index for index, row in enumerate(live) if row.reason is None]
        if not left:
            return
        if len(left) <= KEEP_BELOW * len(live):
            kept = torch.tensor(left, device=engine.device)
            live, tokens = [live[i] for i in left], [tokens[i] for i in left]
            mask, positions = _compact(context, mask, positions, kept)
        mask = torch.cat([mask, mask.new_ones(len(live), 1)], dim=1)
        output = engine.forward(
            torch.tensor(tokens, device=engine.device)[:, None],
            keep=1,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=context.cache,
            use_cache=True,
        )
        logits, positions = output.logits[:, -1], positions + 1


def _compact(
    context: Context, mask: torch.Tensor, positions: torch.Tensor, kept: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Drop finished rows, and the columns that are padding in all the others."""
    mask, positions = mask.index_select(0, kept), positions.index_select(0, kept)
    skip = int(mask.any(dim=0).int().argmax())
    keep_rows(context.cache, kept, skip)
    return mask[:, skip:], positions


def _decode_equal(engine: Engine, rows: list[Row]) -> None:
    """Rows of one length with the model's own cache; finished rows run along, unread."""
    import torch

    ids = torch.tensor([row.ready.ids for row in rows], device=engine.device)
    state: dict[str, object] = {}
    while True:
        output = engine.forward(ids, keep=1, use_cache=True, **state)
        # Mamba and its kin call what they remember by another name
        state = {
            name: output[name] for name in ("past_key_values", "cache_params") if name in output
        }
        tokens = _advance(rows, output.logits[:, -1])
        if all(row.reason is not None for row in rows):
            return
        ids = torch.tensor(tokens, device=engine.device)[:, None]


def _advance(rows: Sequence[Row], logits: torch.Tensor) -> list[int]:
    """Give each unfinished row its next token; returns a token for every row."""
    # the greatest logit is NaN if any is, and infinite if the row cannot be normalised
    best, greedy = logits.max(dim=-1)
    finite: list[bool] = best.isfinite().tolist()
    tokens: list[int] = greedy.tolist()
    drawn = [i for i, row in enumerate(rows) if row.chance and row.reason is None and finite[i]]
    if drawn:
        chances = [row.chance.random() for i in drawn if (row := rows[i]).chance]
        requests = [rows[i].ready.request for i in drawn]
        for index, token in zip(drawn, draw(logits[drawn], requests, chances), strict=True):
            tokens[index] = token
    for row, token, good in zip(rows, tokens, finite, strict=True):
        if row.reason is None:
            row.add(token, good)
    return tokens
