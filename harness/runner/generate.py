"""Work to completions: one load a base, one pass a model, a batch at a time into the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.adapters.base import Adapter
from harness.adapters.cache import Cache, CachedAdapter
from harness.adapters.registry import load_key, open_adapter
from harness.collect.specs import ModelSpec
from harness.errors import CollectError, HarnessError, Interrupted
from harness.records import Completion, Request
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
    peak_memory_mb: dict[str, float] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """The cache of a run, and how it is used."""

    cache: Cache
    fresh: bool = False
    allow_code: bool = False
    media: Path | None = None
    """The folder of decoded clips; None keeps none."""

    def open(self, models: Sequence[ModelSpec], media: MediaSource | None = None) -> CachedAdapter:
        """One adapter for models that share a base."""
        inner: Adapter = open_adapter(models, self.allow_code, media)
        return CachedAdapter(inner, self.cache, fresh=self.fresh)

    def source(self, requests: Iterable[Request]) -> MediaSource | None:
        """The frames of all requests of a run; None if no request has any."""
        seeing = [request for request in requests if request.media and request.frames]
        if not seeing:
            return None
        from harness.media.cache import MediaCache
        from harness.media.source import MediaSource

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
                for model in models:
                    _ask(adapter, model, _requests(works, model), answers, progress)
            finally:
                adapter.close()
    except KeyboardInterrupt:
        done = len(answers.completions)
        again = "run it again without --fresh" if memory.fresh else "run the same command again"
        raise Interrupted(
            f"interrupted: {done} of {total} answers are kept; {again} to go on from there"
        ) from None
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


def _ask(
    adapter: CachedAdapter,
    model: ModelSpec,
    requests: Sequence[Request],
    answers: Answers,
    progress: Progress,
) -> None:
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
    answers.peak_memory_mb[model.model] = peak_memory_mb()
    answers.notes[model.model] = tuple(getattr(adapter.inner, "notes", ()))
    progress.finish(answers.notes[model.model])


def _requests(works: Iterable[Work], model: ModelSpec) -> list[Request]:
    return [r for work in works if work.cell.model == model for r in work.requests]


def peak_memory_mb() -> float:
    """Peak resident memory of this process so far, in MB (10^6 bytes); CUDA's peak if larger."""
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    peak *= 1 if sys.platform == "darwin" else 1024
    torch = sys.modules.get("torch")
    cuda: Callable[[], float] | None = None
    if torch is not None and torch.cuda.is_available():
        cuda = torch.cuda.max_memory_allocated
    return max(peak, cuda() / 1e6 if cuda else 0.0)
