"""What was taken for what, of metrics whose answers are classes, and balanced numbers of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from harness.records import Sample, Score
from harness.scorers import exercise, pope
from harness.scorers.choice import UNREADABLE, Confusion, Labels, confusion, per_class

CLASSED = ("choice", "choice_norm", "circular", "pope", "exercise_identification")
"""Metrics whose `Score.answer` is a class."""


def class_confusion(
    metric: str, samples: Sequence[Sample], scores: Sequence[Score], labels: Labels = "letter"
) -> Confusion | None:
    """The confusion of a metric of CLASSED, by the name that tables show; None for any other.

    ``labels`` is for choices alone. `exercise_identification` needs the rows of all samples.
    """
    base = metric.partition("[")[0]
    if base not in CLASSED:
        return None
    if base == "pope":
        return label_confusion([pope.label_of(sample) for sample in samples], scores)
    if base == "exercise_identification":
        return label_confusion(exercise.labels_of(samples), scores)
    return confusion(samples, scores, labels)


def label_confusion(truths: Sequence[str | None], scores: Sequence[Score]) -> Confusion:
    """Count scores by their own label and the true one; classes are sorted.

    A sample without a true label, or without a score, is counted as one without a score.
    """
    cells: Counter[tuple[str, str]] = Counter()
    n_error = 0
    for truth, score in zip(truths, scores, strict=True):
        if truth is None or score.value is None:
            n_error += 1
        else:
            cells[truth, UNREADABLE if score.answer is None else score.answer] += 1
    names = {name for cell in cells for name in cell} | {one for one in truths if one is not None}
    found = tuple(sorted(names - {UNREADABLE}))
    columns = (*found, UNREADABLE)
    table = tuple(tuple(cells[row, column] for column in columns) for row in found)
    return Confusion(found, table, n_error)


def balanced_accuracy(table: Confusion) -> float | None:
    """Mean recall of the classes that have samples: every class counts the same.

    Equal to scikit-learn's `balanced_accuracy_score`; None for an empty table.
    """
    recalls = [one.recall for one in per_class(table) if one.recall is not None]
    return fmean(recalls) if recalls else None


def macro_f1(table: Confusion) -> float | None:
    """Mean F1 of the classes that occur among the targets or the answers; None if none does.

    A class that was answered and never right counts 0, as scikit-learn's macro average has it.
    """
    values = [one.f1 for one in per_class(table) if one.f1 is not None]
    return fmean(values) if values else None
