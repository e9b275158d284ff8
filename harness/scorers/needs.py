"""What a metric needs of a task's samples, told before any model is asked."""

from __future__ import annotations

from collections.abc import Sequence

from harness.records import Sample
from harness.scorers import pope
from harness.scorers.columns import column_fault

CHOSEN = ("choice", "choice_norm", "circular")


def fault(metric: str, samples: Sequence[Sample], asked: int | None = None) -> str | None:
    """Why a metric has no sense on a task's samples, on one line; None if nothing is amiss.

    Only the first ``asked`` samples will be asked (None: all); of those one must have what the
    metric compares with.
    """
    first = samples[:asked]
    if not first:
        return None
    if metric in CHOSEN:
        bare = next((sample.id for sample in first if not sample.choices), None)
        if bare is not None:
            return f"metric '{metric}' needs choices, and sample '{bare}' has none"
    if metric == "pope" and not any(map(pope.label_of, first)):
        return "metric 'pope' needs targets that are yes or no, and no sample has one"
    return column_fault(metric, first)
