"""Two models on the same samples: which differences are real, and which of those are content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.results import differences, stats
from harness.results.corpus import aggregate_of
from harness.results.differences import Difference
from harness.results.metrics import SampleScores, summary
from harness.results.pairs import CellPair, CompareOptions, Metric, Side, find_sides, pair_cells
from harness.results.run import ScorerInfo
from harness.results.stats import Interval

ALPHA = 1 - stats.LEVEL
CLAIMS = ("better", "worse", "more", "fewer")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One side's metric over the paired samples."""

    value: float | None
    interval: Interval
    control: float | None
    failed: int
    """Samples of both sides' common set that this side has no score of."""


@dataclass(frozen=True)
class Comparison:
    """One metric of one task, b against a.

    ``content`` is the paired difference of what lies above the control (overlap metrics that are
    means only: a corpus metric's control is on the scale of single samples). ``neutral`` metrics
    have no better side: wins are then the pairs in which b is higher.
    ``left_out`` common samples failed on either side. ``p_holm`` is adjusted for all metrics
    that were compared at once; ``holds`` says whether the verdict survives it.
    """

    a: Side
    b: Side
    task: str
    variant: str
    metric: str
    higher_is_better: bool
    n: int
    left_out: int
    before: Estimate
    after: Estimate
    difference: Difference
    content: Difference | None
    verdict: str
    neutral: bool = False
    p_holm: float = 1.0
    judge: str = ""
    """The judge whose word the values are; empty for a metric."""
    kappa: float | None = None

    @property
    def wins(self) -> int:
        """Pairs in which b is better."""
        return self.difference.wins if self._upwards else self.difference.losses

    @property
    def losses(self) -> int:
        """Pairs in which b is worse."""
        return self.difference.losses if self._upwards else self.difference.wins

    @property
    def _upwards(self) -> bool:
        return self.higher_is_better or self.neutral

    @property
    def claimed(self) -> bool:
        """Whether the verdict says that there is a difference."""
        return self.verdict.startswith(CLAIMS)

    @property
    def holds(self) -> bool:
        """Whether a difference is claimed and still significant among so many comparisons."""
        return self.claimed and self.p_holm < ALPHA


def compare(
    root: Path, a: str, b: str, options: CompareOptions
) -> tuple[list[Comparison], list[str]]:
    """Compare what two words on the command line mean; the comparisons, and notes on them.

    Raises StoreError and SelectionError as ``find_sides`` and ``pair_cells`` do.
    """
    rows: list[Comparison] = []
    notes: list[str] = []
    for left, right in find_sides(root, a, b):
        for pair in pair_cells(left, right, options):
            rows += [compare_metric(left, right, pair, metric) for metric in pair.metrics]
            notes += pair.notes
    adjusted = differences.holm([row.difference.p for row in rows])
    return [replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True)], notes


def compare_metric(a: Side, b: Side, pair: CellPair, metric: Metric) -> Comparison:
    """One metric over the samples that have a score on both sides."""
    both = metric.a.ok & metric.b.ok
    at = [int(i) for i in both.nonzero()[0]]
    left, right = metric.a.take(at), metric.b.take(at)
    groups = [metric.clusters[i] for i in at]
    difference = _difference(metric, left, right, groups)
    content = _content(metric.info, left, right, groups)
    yes_no = metric.info.aggregate == "mean" and metric.info.kind != "number"
    binary = yes_no and stats.is_binary(left.value) and stats.is_binary(right.value)
    return Comparison(
        a=a,
        b=b,
        task=pair.a.task,
        variant=pair.a.variant,
        metric=metric.info.name,
        higher_is_better=metric.info.higher_is_better,
        n=len(at),
        left_out=len(metric.ids) - len(at),
        before=_estimate(metric, left, groups, metric.a),
        after=_estimate(metric, right, groups, metric.b),
        difference=difference,
        content=content,
        verdict=verdict(difference, content, metric.info, binary=binary),
        neutral=metric.info.neutral,
        judge=metric.info.judge,
        kappa=metric.info.kappa,
    )


def verdict(
    difference: Difference, content: Difference | None, info: ScorerInfo, *, binary: bool
) -> str:
    """The result in words.

    A difference is real if its interval excludes zero and its p is below 5 %: the two come from
    different tests, and where they disagree nothing is claimed.
    """
    d = difference
    if d.n == 0:
        return "no pairs"
    if differences.best_possible_p(d.clusters, binary=binary and d.clusters == d.n) >= ALPHA:
        return f"too few (n={d.clusters})"
    if d.wins == d.losses == 0:
        return "no difference seen"
    if not _real(d):
        return "no difference shown"
    if info.neutral:
        return "more" if d.value > 0 else "fewer"
    up = info.higher_is_better
    if (d.value > 0) != up:
        return "worse"
    if content is not None and not (_real(content) and (content.value > 0) == up):
        return "better, content not shown"
    return "better"


def _real(d: Difference) -> bool:
    if d.p >= ALPHA:
        return False
    # the same difference in every pair has no interval; the signs alone must speak
    return d.interval.excludes(0.0) if d.interval.known else d.value != 0


def _difference(
    metric: Metric, a: SampleScores, b: SampleScores, groups: Sequence[str | None]
) -> Difference:
    numeric = metric.info.kind == "number"
    by_value = differences.paired_difference(a.value, b.value, groups, numeric=numeric)
    if metric.info.aggregate == "mean":
        return _possible(by_value, metric.info.span)
    aggregate = aggregate_of(metric.info.aggregate)
    found = differences.paired_corpus_difference(a.detail, b.detail, aggregate, groups)
    # a sample's own value, as shown elsewhere, says better who wins it than its raw counts do
    return replace(found, wins=by_value.wins, ties=by_value.ties, losses=by_value.losses)


def _possible(found: Difference, most: float | None) -> Difference:
    """The difference with its interval cut to what values within their bounds can differ by."""
    if most is None:
        return found
    kept = found.interval.within(min(-most, found.value), max(most, found.value))
    return replace(found, low=kept.low, high=kept.high)


def _content(
    info: ScorerInfo, a: SampleScores, b: SampleScores, groups: Sequence[str | None]
) -> Difference | None:
    """Difference of value less control; None if the metric has no control on its own scale."""
    import numpy as np

    if info.aggregate != "mean":
        return None
    at = [int(i) for i in np.flatnonzero(np.isfinite(a.control) & np.isfinite(b.control))]
    if not at:
        return None
    left, right = (a.value - a.control)[at], (b.value - b.control)[at]
    found = differences.paired_difference(left, right, [groups[i] for i in at], numeric=True)
    return _possible(found, None if info.span is None else 2 * info.span)


def _estimate(
    metric: Metric, kept: SampleScores, groups: Sequence[str | None], whole: SampleScores
) -> Estimate:
    value, interval, control = summary(kept, metric.info, groups)
    return Estimate(value, interval, control, int((~whole.ok).sum()))
