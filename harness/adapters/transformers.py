"""Causal language models of transformers, base and LoRAs on one load."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.adapters import fingerprint as prints
from harness.adapters.batches import (
    Group,
    Limits,
    in_batches,
    out_of_memory,
    share_prefixes,
)
from harness.adapters.locate import card_error, locate_base, locate_lora
from harness.adapters.prompts import Reader, Ready
from harness.adapters.tokenizer import (
    TextTokenizer,
    auto_tokenizer,
    load_tokenizer,
    wrap_tokenizer,
)
from harness.adapters.verify import check_files, check_template
from harness.collect.specs import ModelSpec, TransformersModel
from harness.records import Completion, Request

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase

    from harness.adapters.engine import Engine
    from harness.adapters.loglik import Window
    from harness.adapters.lora import Wardrobe

WORTH_COLLECTING = 1 << 28
"""Bytes of a base from which on it is not left to chance when its memory is free again."""
NO_MEMORY = "out of memory, even alone in a batch"


@dataclass
class Loaded:
    """One base in memory."""

    engine: Engine
    wardrobe: Wardrobe
    tokenizer: PreTrainedTokenizerBase


class TransformersAdapter:
    """Serves models that share one base: loads it at the first request, switches LoRAs in place.

    ``notes`` says what was noticed in passing and belongs into a report: double BOS, truncation.
    """

    def __init__(self, allow_code: bool = False) -> None:
        self.allow_code = allow_code
        self.notes: tuple[str, ...] = ()
        self._loaded: Loaded | None = None
        self._sound: set[TransformersModel] = set()

    def fingerprint(self, model: ModelSpec) -> str:
        """Hash of all that makes this model answer as it does; neither loads nor imports torch.

        Raises ModelError if files are missing or damaged, or the LoRA belongs to another base.
        """
        self._folders(_card(model))
        return prints.fingerprint(_card(model), self.allow_code)

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """Prompt tokens and continuation tokens of each request, before any truncation.

        A request that cannot be encoded counts 0.
        """
        card = _card(model)
        tokenizer = self._tokenizer(card)
        _check_template(card, tokenizer, requests)
        reader = Reader(tokenizer, max_length=0)
        return [
            0 if isinstance(item, Completion) else len(item.ids) + sum(map(len, item.continuations))
            for item in reader.encode(requests)
        ]

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """Each prompt's text, after the chat template if it is messages; None if that fails."""
        if all(isinstance(request.prompt, str) for request in requests):
            return [str(request.prompt) for request in requests]
        tokenizer = self._tokenizer(_card(model))
        return [_rendered(tokenizer, request) for request in requests]

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """Answer all requests; a batch is yielded as soon as it is whole."""
        if not requests:
            return
        card = _card(model)
        engine, tokenizer, max_length = self._wear(card)
        _check_template(card, tokenizer, requests)
        reader = Reader(tokenizer, max_length)
        began = time.perf_counter()
        items = list(reader.read(requests))
        preparing = (time.perf_counter() - began) * 1e3 / len(requests)
        self.notes = (*reader.notes(), *blind(requests))
        refused = [item for item in items if isinstance(item, Completion)]
        if refused:
            yield refused
        ready = [item for item in items if isinstance(item, Ready)]
        generating = [item for item in ready if item.request.output_type == "generate"]
        scoring = [item for item in ready if item.request.output_type != "generate"]
        rows = min(card.batch_size or engine.rows, engine.rows)
        for done in _generate(engine, tokenizer, generating, Limits(rows, card.batch_tokens)):
            yield [_prepared(one, preparing) for one in done]
        tokens = min(card.batch_tokens, engine.step_tokens)
        for done in _score(engine, scoring, max_length, Limits(rows, tokens)):
            yield [_prepared(one, preparing) for one in done]

    @property
    def weights_mb(self) -> float | None:
        """Megabytes that the weights in memory take, LoRAs included; None if nothing is loaded."""
        return None if self._loaded is None else memory_of(self._loaded.engine.model) / 1e6

    def close(self) -> None:
        """Free the memory of the base."""
        import gc
        import sys

        loaded, self._loaded = self._loaded, None
        if loaded is None:
            return
        large = memory_of(loaded.engine.model) > WORTH_COLLECTING
        del loaded
        if large:  # it lies in cycles, and a full collection takes up to a second
            gc.unfreeze()
            gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _folders(self, card: TransformersModel) -> tuple[Path, Path | None]:
        """The base's folder and the LoRA's, looked through once."""
        base, place = locate_base(card, self.allow_code).folder, locate_lora(card)
        lora = None if place is None else place.folder
        if card not in self._sound:
            check_files(card, base, lora)
            if lora is not None:
                from harness.adapters.lora import check_lora

                check_lora(card, base, lora)
            if (base / "tokenizer.json").is_file():
                load_tokenizer(card, base, lora)
            self._sound.add(card)
        return base, lora

    def _tokenizer(self, card: TransformersModel) -> TextTokenizer:
        """The card's tokenizer, from files alone."""
        return load_tokenizer(card, *self._folders(card))

    def _wear(self, card: TransformersModel) -> tuple[Engine, TextTokenizer, int]:
        """Load the base if it is not, and put on the card's LoRA."""
        base, lora = self._folders(card)
        from harness.adapters.load import context_length, importing, load_model, make_engine
        from harness.adapters.lora import Wardrobe

        if self._loaded is None:
            with importing():
                loaded = auto_tokenizer(card, base)
                network = load_model(card, base)
            engine = make_engine(network, loaded.eos_token_id)
            self._loaded = Loaded(engine, Wardrobe(network), loaded)
        self._loaded.engine.model = self._loaded.wardrobe.wear(card, lora)
        tokenizer = wrap_tokenizer(card, self._loaded.tokenizer, lora)
        config = self._loaded.engine.model.config
        return self._loaded.engine, tokenizer, context_length(card, config)


def blind(requests: Sequence[Request]) -> list[str]:
    """What is to be said of requests whose media a model of text does not see."""
    count = sum(bool(request.media) for request in requests)
    noun = "request" if count == 1 else "requests"
    what = f"a model of text does not see the videos or images of {count} {noun}"
    return [f"blind: {what}"] if count else []


def _check_template(
    card: TransformersModel, tokenizer: TextTokenizer, requests: Sequence[Request]
) -> None:
    """Raise ModelError if a prompt is messages and nothing can render them."""
    if all(isinstance(request.prompt, str) for request in requests):
        return
    if tokenizer.template is not None:
        check_template(card, tokenizer.template)
    else:
        what = f"base '{card.base}' has no chat template, and the task's prompt is messages"
        raise card_error(card, what + ": give the card a `chat_template`")


def _rendered(tokenizer: TextTokenizer, request: Request) -> str | None:
    if isinstance(request.prompt, str):
        return request.prompt
    try:
        return tokenizer.render(request.prompt)
    except ValueError:  # the completion says why
        return None


def memory_of(network: PreTrainedModel) -> int:
    """Bytes of all parameters, as they lie in memory."""
    return sum(one.numel() * one.element_size() for one in network.parameters())


def _prepared(done: Completion, preprocess_ms: float) -> Completion:
    """The answer with the time that its prompt took to become tokens."""
    if done.stages is None:
        return done
    return replace(done, stages=replace(done.stages, preprocess_ms=preprocess_ms))


def _later(done: Completion, prefix_ms: float) -> Completion:
    """The answer with its share of the time in which a beginning was read for all of its group."""
    if not prefix_ms or done.stages is None or done.latency_ms is None:
        return done
    stages = replace(done.stages, prefill_ms=done.stages.prefill_ms + prefix_ms)
    return replace(done, latency_ms=done.latency_ms + prefix_ms, stages=stages)


def _generate(
    engine: Engine, tokenizer: TextTokenizer, items: list[Ready], limits: Limits
) -> Iterator[list[Completion]]:
    from harness.adapters.decode import generate

    for group in _groups(engine, items):
        began = time.perf_counter()
        prefix = _prefix(engine, group.shared and group.items[0].ids[: group.shared])
        share = (
            (time.perf_counter() - began) * 1e3 / len(group.items) if prefix is not None else 0.0
        )

        def run(
            batch: list[Ready], prefix: Cache | None = prefix, share: float = share
        ) -> list[Completion]:
            return [_later(one, share) for one in generate(engine, tokenizer, batch, prefix)]

        for batch, done in in_batches(group.items, limits, lambda item: item.size, run):
            yield done or [Completion.of_error(item.request, NO_MEMORY) for item in batch]


def _score(
    engine: Engine, items: list[Ready], max_length: int, limits: Limits
) -> Iterator[list[Completion]]:
    from harness.adapters.loglik import score, windows

    pieces = [window for item in items for window in windows(item, max_length)]
    for group in share_prefixes(pieces, lambda window: window.ids):
        began = time.perf_counter()
        prefix = _prefix(engine, group.shared and group.items[0].ids[: group.shared])
        share = (
            (time.perf_counter() - began) * 1e3 / len(group.items) if prefix is not None else 0.0
        )
        for window in group.items:
            window.owner.latency_ms += share

        def run(batch: list[Window], prefix: Cache | None = prefix) -> list[Completion]:
            return score(engine, batch, prefix)

        for batch, done in in_batches(group.items, limits, lambda window: window.size, run):
            if done is None:
                done = [one for window in batch for one in window.owner.fail(NO_MEMORY)]
            if done:
                yield done


def _groups(engine: Engine, items: list[Ready]) -> list[Group[Ready]]:
    """By shared beginnings; by length if the model bears no padding."""
    if engine.support == "padded":
        return share_prefixes(items, lambda item: item.ids)
    by_length: dict[int, list[Ready]] = {}
    for item in items:
        by_length.setdefault(len(item.ids), []).append(item)
    return [Group(by_length[length], 0) for length in sorted(by_length, reverse=True)]


def _prefix(engine: Engine, ids: Sequence[int] | int) -> Cache | None:
    """Keys and values of a group's shared beginning; None if nothing is shared, or if there is
    no memory for it."""
    if not isinstance(ids, Sequence) or engine.support != "padded":
        return None
    import torch

    from harness.adapters.engine import read_prefix

    try:
        with torch.inference_mode():
            return read_prefix(engine, ids)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
    return None


def _card(model: ModelSpec) -> TransformersModel:
    if not isinstance(model, TransformersModel):
        raise TypeError(f"{model.model} is not a transformers model")
    return model
