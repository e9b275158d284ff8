"""A metric by the class that the rows of the data name, whatever the answers are."""

from __future__ import annotations

from dataclasses import dataclass

from harness.results.aligned import clusters_of, read_scores
from harness.results.classes import sample_classes
from harness.results.manifest import CellRecord
from harness.results.metrics import summary
from harness.results.run import ScorerInfo
from harness.results.stats import Interval
from harness.results.store import RunReader


@dataclass(frozen=True)
class Part:
    """The metric over the samples of one class; ``n`` have a score."""

    value: float | None
    interval: Interval
    n: int


def by_class_column(run: RunReader, cell: CellRecord, info: ScorerInfo) -> dict[str, Part]:
    """Class -> the metric; empty if rows name no classes (see `classes.sample_classes`)."""
    labels = sample_classes(run, cell)
    if not labels:
        return {}
    scores = read_scores(run, cell, [info])[info.name]
    clusters = clusters_of(run, cell)
    found: dict[str, Part] = {}
    for label in dict.fromkeys(labels.values()):
        part = scores.take([at for at, name in enumerate(scores.ids) if labels.get(name) == label])
        value, around, _ = summary(part, info, [clusters.get(name) for name in part.ids])
        found[label] = Part(value, around, int(part.ok.sum()))
    return found
