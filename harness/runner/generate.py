"""Work to completions: one load a base, one pass a model, a batch at a time into the cache."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.adapters.base import Adapter
from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.registry import load_key, open_adapter
from harness.collect.specs import ModelSpec
from harness.errors import CollectError, HarnessError, Interrupted
from harness.records import Completion, Request
from harness.runner.memory import MemoryWatch, Peak
from harness.runner.work import Work

if TYPE_CHECKING:
    from harness.media.source import MediaSource


class Progress(Protocol):
    """What a run tells while it runs; the terminal's side of it lives in harness.cli."""

    def start(self, model: str, total: int) -> None:
        """A model begins; so many requests."""
        ...

    def advance(self, batch: Sequence[Completion], cached: bool) -> None:
        """These were answered just now, or were known."""
        ...

    def finish(self, notes: Sequence[str]) -> None:
        """The model has answered all; what the adapter has to say about it."""
        ...


@dataclass
class Answers:
    """All completions of a run by request id, and what is known about who gave them."""

    completions: dict[str, Completion] = field(default_factory=dict)
    prompts: dict[str, str | None] = field(default_factory=dict)
    """What the model was given to read, by request id; see `Adapter.prompts`."""
    cached: set[str] = field(default_factory=set)
    fingerprints: dict[str, str] = field(default_factory=dict)
    """By the model's name; of a card that variants change, as it is in its first cell."""
    cards: dict[str, str] = field(default_factory=dict)
    """Fingerprints by the card, as `card_text` has it."""
    memory: dict[str, Peak] = field(default_factory=dict)
    """The peak by the cell's id; cells that were asked together share theirs."""
    weights_mb: dict[str, float] = field(default_factory=dict)
    """Megabytes of the loaded weights by the cell's id, of adapters that can tell."""
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """The cache of a run, and how it is used."""

    cache: Cache
    fresh: bool = False
    allow_code: bool = False
    media: Path | None = None
    """The folder of decoded clips; None keeps none."""
    warmup: int | None = None
    """To measure speed: how many requests of each cell are asked first without being counted.
    Then cells are asked one by one, the cache is neither read nor written, and every clip is
    decoded for every cell. None: an ordinary run."""

    @property
    def measuring(self) -> bool:
        """Whether speed is measured."""
        return self.warmup is not None

    def open(self, models: Sequence[ModelSpec], media: MediaSource | None = None) -> CachedAdapter:
        """One adapter for models that share a base."""
        inner: Adapter = open_adapter(models, self.allow_code, media)
        return CachedAdapter(inner, self.cache, fresh=self.fresh, bypass=self.measuring)

    def source(self, requests: Iterable[Request]) -> MediaSource | None:
        """The frames of all requests of a run; None if no request has any."""
        seeing = [request for request in requests if request.media and request.frames]
        if not seeing:
            return None
        from harness.media.cache import MediaCache
        from harness.media.source import MediaSource

        if self.measuring:
            return MediaSource()
        source = MediaSource(MediaCache(self.media) if self.media else None)
        source.expect(seeing)
        return source


def generate(works: Sequence[Work], memory: Memory, progress: Progress) -> Answers:
    """Ask every model all of its cells' requests; returns when all are answered or failed.

    Raises Interrupted on Ctrl-C, with a count of what is safe in the cache, and ModelError if a
    model cannot be loaded.
    """
    answers = Answers()
    total = sum(len(work.requests) for work in works)
    try:
        _find_all(works, memory, answers)
        media = memory.source(request for work in works for request in work.requests)
        for models in by_base(works):
            adapter = memory.open(models, media)
            try:
                for part in _parts(works, models, memory):
                    if memory.warmup:
                        _warm_up(adapter, part[0], memory.warmup)
                    _ask(adapter, part, answers, progress)
            finally:
                adapter.close()
    except KeyboardInterrupt:
        done = 0 if memory.measuring else len(answers.completions)
        again = "run it again without --fresh" if memory.fresh else "run the same command again"
        again += " to measure anew" if memory.measuring else " to go on from there"
        raise Interrupted(f"interrupted: {done} of {total} answers are kept; {again}") from None
    return answers


def _find_all(works: Sequence[Work], memory: Memory, answers: Answers) -> None:
    """Fingerprint every model before the first is asked; all that are missing in one go."""
    errors: list[HarnessError] = []
    for models in by_base(works):
        adapter = memory.open(models)
        for model in models:
            try:
                found = adapter.fingerprint(model)
                answers.fingerprints.setdefault(model.model, found)
                answers.cards[card_text(model)] = found
            except CollectError as error:
                errors += error.errors
            except HarnessError as error:
                errors.append(error)
        adapter.close()
    if errors:
        raise errors[0] if len(errors) == 1 else CollectError(errors)


def card_text(model: ModelSpec) -> str:
    """A card as one text, equal for equal cards."""
    return model.model_dump_json()


def by_base(works: Iterable[Work]) -> list[list[ModelSpec]]:
    """Models in order of appearance, those that share a base together."""
    groups: dict[str, list[ModelSpec]] = {}
    for work in works:
        group = groups.setdefault(load_key(work.cell.model), [])
        if work.cell.model not in group:  # variants may change a card
            group.append(work.cell.model)
    return list(groups.values())


def _parts(
    works: Sequence[Work], models: Sequence[ModelSpec], memory: Memory
) -> Iterator[Sequence[Work]]:
    """The cells of these models that are asked together: all of a card, or each by itself."""
    for model in models:
        own = [work for work in works if work.cell.model == model]
        yield from ([work] for work in own) if memory.measuring else [own]


def _warm_up(adapter: CachedAdapter, work: Work, count: int) -> None:
    """Load the model and let all that is made at first use be made."""
    for _ in adapter.complete(work.cell.model, work.requests[:count]):
        pass


def _ask(
    adapter: CachedAdapter, works: Sequence[Work], answers: Answers, progress: Progress
) -> None:
    """Ask for the cells of one card together."""
    model = works[0].cell.model
    requests = [request for work in works for request in work.requests]
    watch = MemoryWatch()
    progress.start(model.model, len(requests))
    wanted = {request.id for request in requests}
    for batch in adapter.complete(model, requests):
        answers.completions.update((done.id, done) for done in batch)
        progress.advance(batch, cached=bool(batch) and batch[0].id in adapter.hits)
    unanswered = wanted - answers.completions.keys()
    if unanswered:
        raise RuntimeError(f"adapter of {model.model} left {len(unanswered)} requests unanswered")
    texts = adapter.prompts(model, requests)
    answers.prompts.update(zip((r.id for r in requests), texts, strict=True))
    answers.cached |= adapter.hits & wanted
    weights: float | None = getattr(adapter.inner, "weights_mb", None)
    for work in works:
        answers.memory[work.cell.id] = watch.peak()
        if weights is not None:
            answers.weights_mb[work.cell.id] = weights
    answers.notes[model.model] = tuple(getattr(adapter.inner, "notes", ()))
    progress.finish(answers.notes[model.model])
