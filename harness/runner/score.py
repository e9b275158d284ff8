"""Completions to scores: pure scorers over finished cells; the model under test is not needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.adapters.cache import Cache
from harness.records import Completion, Sample, Score
from harness.runner.work import Work, metrics_of
from harness.scorers.base import Scorer, ScorerContext
from harness.scorers.registry import make_scorer


@dataclass(frozen=True)
class ScoredCell:
    """A cell with everything that was asked, answered and scored, row by row."""

    work: Work
    samples: tuple[Sample, ...]
    """One for each completion; a sample stands here once an epoch."""
    completions: tuple[Completion, ...]
    scorers: tuple[Scorer, ...]
    scores: Mapping[str, Sequence[Score]]


def score(
    works: Sequence[Work], completions: Mapping[str, Completion], cache: Cache, seed: int
) -> list[ScoredCell]:
    """Score every cell with its task's metrics."""
    return [_score_cell(work, completions, _context(work, cache, seed)) for work in works]


def _context(work: Work, cache: Cache, seed: int) -> ScorerContext:
    task = work.cell.task
    return ScorerContext(
        seed=seed,
        output_type=task.output_type,
        answer=task.answer if task.answer in ("letter", "text") else None,
        embedding_store=cache.vectors(),
        root=task.root,
    )


def _score_cell(
    work: Work, completions: Mapping[str, Completion], context: ScorerContext
) -> ScoredCell:
    samples = tuple(sample for sample in work.samples for _ in range(work.epochs))
    done = tuple(completions[request.id] for request in work.requests)
    scorers = tuple(make_scorer(spec, context) for spec in metrics_of(work.cell.task))
    scores = {scorer.name: scorer.score(samples, done) for scorer in scorers}
    return ScoredCell(work, samples, done, scorers, scores)
