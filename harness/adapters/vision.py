"""Vision-language models that transformers knows natively, base and LoRAs on one load."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.adapters import fingerprint as prints
from harness.adapters.batches import Limits, in_batches, out_of_memory
from harness.adapters.locate import card_error, first_words, locate_base, locate_lora
from harness.adapters.tokenizer import (
    TextTokenizer,
    choose_template,
    load_tokenizer,
    wrap_tokenizer,
)
from harness.adapters.transformers import NO_MEMORY, WORTH_COLLECTING, memory_of
from harness.adapters.verify import check_files, check_template
from harness.adapters.vision_classes import vision_class
from harness.collect.specs import ModelSpec, VisionModel
from harness.records import Completion, Request

if TYPE_CHECKING:
    from transformers import ProcessorMixin

    from harness.adapters.lora import Wardrobe
    from harness.adapters.vision_engine import VisionEngine
    from harness.adapters.vision_prompts import Sight, VisionReader
    from harness.media.source import MediaSource

AHEAD = 2
"""Batches whose frames are prepared, at most, before the model asks for them."""
ANY_LENGTH = 1 << 62
"""Tokens of a batch: it is its number of samples that the card bounds."""


@dataclass
class Loaded:
    """One base in memory."""

    engine: VisionEngine
    wardrobe: Wardrobe


class VisionAdapter:
    """Serves models that share one base: loads it at the first request, switches LoRAs in place.

    Frames come from ``media``, which decodes ahead; the class's own processor prepares them on a
    thread while the model works. ``notes`` says what was noticed in passing.
    """

    def __init__(self, allow_code: bool = False, media: MediaSource | None = None) -> None:
        self.allow_code = allow_code
        self.notes: tuple[str, ...] = ()
        self._media = media
        self._loaded: Loaded | None = None
        self._processors: dict[Path, ProcessorMixin] = {}
        self._tokenizers: dict[Path, TextTokenizer] = {}
        self._sound: set[VisionModel] = set()

    def fingerprint(self, model: ModelSpec) -> str:
        """Hash of all that makes this model answer as it does; neither loads nor imports torch.

        Raises ModelError if files are missing or damaged, the class is unknown, or the LoRA
        belongs to another base.
        """
        self._folders(_card(model))
        return prints.fingerprint(_card(model), self.allow_code)

    def count_tokens(self, model: ModelSpec, requests: Sequence[Request]) -> list[int]:
        """Tokens of each prompt's text and continuations, before any truncation.

        Frames are not counted, since nothing is decoded: a placeholder counts as it is written.
        A request that cannot be encoded counts 0.
        """
        reader = self._reader(_card(model))
        _check_templates(_card(model), reader, requests)
        counts = []
        for request in requests:
            try:
                counts.append(reader.count(request))
            except ValueError:  # the completion says why
                counts.append(0)
        return counts

    def prompts(self, model: ModelSpec, requests: Sequence[Request]) -> list[str | None]:
        """Each prompt's text after the chat template, one placeholder for each file; None if that
        fails."""
        reader = self._reader(_card(model))
        texts: list[str | None] = []
        for request in requests:
            try:
                texts.append(reader.text(request))
            except ValueError:  # the completion says why
                texts.append(None)
        return texts

    def complete(
        self, model: ModelSpec, requests: Sequence[Request]
    ) -> Iterator[Sequence[Completion]]:
        """Answer all requests; a batch is yielded as soon as it is whole."""
        if not requests:
            return
        from harness.adapters.vision_batches import Ahead, in_groups
        from harness.media.source import MediaSource

        card = _card(model)
        engine, reader = self._wear(card)
        _check_templates(card, reader, requests)
        source = self._media = self._media or MediaSource()
        limits = Limits(card.batch_size, ANY_LENGTH)
        run = _runner(engine, reader.tokenizer)

        def sights() -> Iterator[Sight | Completion]:
            for request, seen in source.clips(requests):
                yield reader.read(request, seen)

        with Ahead(sights(), AHEAD * card.batch_size) as items:
            for group in in_groups(items, card.batch_size):
                if isinstance(group, Completion):
                    yield [group]
                    continue
                for batch, done in in_batches(group, limits, lambda one: one.size, run):
                    yield done or [_no_memory(sight) for sight in batch]
        self.notes = reader.notes()

    @property
    def weights_mb(self) -> float | None:
        """Megabytes that the weights in memory take, LoRAs included; None if nothing is loaded."""
        return None if self._loaded is None else memory_of(self._loaded.engine.model) / 1e6

    def close(self) -> None:
        """Free the memory of the base."""
        import gc
        import sys

        loaded, self._loaded = self._loaded, None
        self._processors.clear()
        self._tokenizers.clear()
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

    def _folders(self, card: VisionModel) -> tuple[Path, Path | None]:
        """The base's folder and the LoRA's, looked through once."""
        base, place = locate_base(card, self.allow_code).folder, locate_lora(card)
        lora = None if place is None else place.folder
        if card not in self._sound:
            check_files(card, base, lora)
            vision_class(card, base)
            if lora is not None:
                from harness.adapters.lora import check_lora

                check_lora(card, base, lora)
            self._sound.add(card)
        return base, lora

    def _reader(self, card: VisionModel, engine: VisionEngine | None = None) -> VisionReader:
        """What turns requests into prompts, with the processor from the base's files."""
        from harness.adapters.load import context_length
        from harness.adapters.vision_prompts import VisionReader

        base, lora = self._folders(card)
        if base not in self._processors:
            self._processors[base] = load_processor(card, base)
        processor, how = self._processors[base], vision_class(card, base)
        if base not in self._tokenizers:
            self._tokenizers[base] = _text_tokenizer(card, processor, base)
        reader = VisionReader(
            how,
            processor,
            self._tokenizers[base],
            choose_template(card, lora, _template_of(processor)),
            card.system,
            context_length(card, engine.model.config) if engine else 0,
            engine.model.dtype if engine else None,
        )
        if card.chat_template is None and how.template and not reader.places_videos():
            reader.use_class_template()
        return reader

    def _wear(self, card: VisionModel) -> tuple[VisionEngine, VisionReader]:
        """Load the base if it is not, and put on the card's LoRA."""
        base, lora = self._folders(card)
        from harness.adapters.load import importing, load_model, make_engine
        from harness.adapters.lora import Wardrobe
        from harness.adapters.vision_engine import VisionEngine

        if self._loaded is None:
            with importing():
                processor = self._processors.get(base) or load_processor(card, base)
                network = load_model(card, base, "AutoModelForImageTextToText")
            self._processors[base] = processor
            engine = VisionEngine.of(make_engine(network, processor.tokenizer.eos_token_id))
            if engine.support != "padded":
                kind = network.config.get_text_config(decoder=True).model_type
                what = f"base '{card.base}': its language model ({kind}) does not bear padding"
                raise card_error(card, what)
            self._loaded = Loaded(engine, Wardrobe(network))
        engine = self._loaded.engine
        engine.model = self._loaded.wardrobe.wear(card, lora)
        return engine, self._reader(card, engine)


def load_processor(card: VisionModel, base: Path) -> ProcessorMixin:
    """The class's own processor; raises ModelError if there is none in the folder."""
    from transformers import AutoProcessor

    from harness.adapters.load import quiet

    try:
        with quiet():
            found: ProcessorMixin = AutoProcessor.from_pretrained(
                base, local_files_only=True, trust_remote_code=card.trust_remote_code
            )
    except Exception as error:  # whatever the libraries raise: what they were given is the folder
        what = f"base '{card.base}' has no processor that can be read: {first_words(error)}"
        raise card_error(card, what) from None
    if not (hasattr(found, "video_processor") and hasattr(found, "image_processor")):
        what = f"base '{card.base}' has no processor for images and videos"
        raise card_error(card, f"{what}, only {type(found).__name__}")
    return found


def _text_tokenizer(card: VisionModel, processor: ProcessorMixin, base: Path) -> TextTokenizer:
    """A tokenizer of its own: the processor's is in use on another thread."""
    if (base / "tokenizer.json").is_file():
        return load_tokenizer(card, base, None)
    return wrap_tokenizer(card, copy.deepcopy(processor.tokenizer), None)


def _template_of(processor: ProcessorMixin) -> str | None:
    """The processor's chat template, else its tokenizer's."""
    for found in (processor.chat_template, processor.tokenizer.chat_template):
        template = found.get("default") if isinstance(found, dict) else found
        if template:
            return str(template)
    return None


def _check_templates(card: VisionModel, reader: VisionReader, requests: Sequence[Request]) -> None:
    """Raise ModelError if a prompt is messages and nothing can render them."""
    if all(isinstance(request.prompt, str) for request in requests):
        return
    if reader.template is not None:
        check_template(card, reader.template)
    else:
        what = f"base '{card.base}' has no chat template, and the task's prompt is messages"
        raise card_error(card, what + ": give the card a `chat_template`")


def _runner(
    engine: VisionEngine, tokenizer: TextTokenizer
) -> Callable[[list[Sight]], list[Completion]]:
    """What answers a batch; a sample that the model refuses fails alone."""
    from harness.adapters.vision_engine import generate
    from harness.adapters.vision_loglik import score

    def run(batch: list[Sight]) -> list[Completion]:
        try:
            if batch[0].ready.request.output_type == "generate":
                return generate(engine, tokenizer, batch)
            return score(engine, batch)
        except Exception as error:  # whatever a class stumbles over, given these pixels
            if isinstance(error, RuntimeError) and out_of_memory(error):
                raise
            failed = first_words(error)
        if len(batch) > 1:
            return [one for sight in batch for one in run([sight])]
        request, ids = batch[0].ready.request, batch[0].ready.ids
        what = f"the model failed: {failed}"
        return [Completion.of_error(request, what, prompt_tokens=len(ids))]

    return run


def _no_memory(sight: Sight) -> Completion:
    ready, frames = sight.ready, sight.stages.frames
    what = f"{NO_MEMORY} ({frames} frames, {len(ready.ids)} tokens)"
    return Completion.of_error(ready.request, what, prompt_tokens=len(ready.ids))


def _card(model: ModelSpec) -> VisionModel:
    if not isinstance(model, VisionModel):
        raise TypeError(f"{model.model} is not a vision model")
    return model
