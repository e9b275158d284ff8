"""What a confusion matrix says: the worst mix-ups, one class against all others, and whether
classes with more training samples are recognised better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.results.stats import Interval, wilson
from harness.scorers.choice import UNREADABLE, Confusion

NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class MixUp:
    """``count`` samples of class ``truth`` were answered with ``answer``; ``share`` is of the
    class's samples that have a score."""

    truth: str
    answer: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Association:
    """Spearman's rank correlation over ``n`` classes; None below three, or without spread."""

    rho: float | None
    p: float | None
    n: int


def confused_pairs(table: Confusion, most: int | None = None) -> list[MixUp]:
    """What was taken for what, the most frequent first; equal ones in the order of the classes."""
    answers = (*table.labels, UNREADABLE)
    found = [
        MixUp(truth, answer, count, count / sum(counts))
        for truth, counts in zip(table.labels, table.counts, strict=True)
        for answer, count in zip(answers, counts, strict=True)
        if count and truth != answer
    ]
    return sorted(found, key=lambda one: -one.count)[:most]


def against_normal(table: Confusion) -> Confusion | None:
    """All other classes as one, "anomaly", against the one whose name begins with "normal".

    None where there is not exactly one such class beside at least two others. What was confused
    within the anomalies is right here.
    """
    labels = table.labels
    normal = [at for at, label in enumerate(labels) if label.casefold().startswith(NORMAL)]
    if len(normal) != 1 or len(labels) < 3:
        return None
    of = [int(at == normal[0]) for at in range(len(labels))]
    counts = [[0, 0, 0], [0, 0, 0]]
    for row, given in enumerate(table.counts):
        for column, count in enumerate(given):
            counts[of[row]][of[column] if column < len(labels) else 2] += count
    return Confusion(("anomaly", NORMAL), tuple(map(tuple, counts)), table.n_error)


def recalled(table: Confusion, label: str) -> tuple[float | None, Interval, int]:
    """The share of a class that was recognised, its interval (Wilson), and its samples."""
    if label not in table.labels:
        return None, Interval(None, None, "no samples"), 0
    at = table.labels.index(label)
    hit, n = table.counts[at][at], sum(table.counts[at])
    return (hit / n if n else None), wilson(hit, n), n


def accuracy_of(table: Confusion) -> float | None:
    """The share of all samples in the table that were recognised."""
    hits = sum(table.counts[at][at] for at in range(len(table.labels)))
    return hits / table.n if table.n else None


def with_training(table: Confusion, counts: Mapping[str, int]) -> Association:
    """How the share recognised of each class goes with its number of training samples (Spearman
    1904, ties with mean ranks); over the classes that have samples here."""
    rows = [(counts.get(label, 0), recalled(table, label)[0]) for label in table.labels]
    pairs = [(float(count), share) for count, share in rows if share is not None]
    if len(pairs) < 3 or any(len(set(side)) == 1 for side in zip(*pairs, strict=True)):
        return Association(None, None, len(pairs))
    from scipy.stats import spearmanr

    found = spearmanr(*zip(*pairs, strict=True))
    return Association(float(found.statistic), float(found.pvalue), len(pairs))
